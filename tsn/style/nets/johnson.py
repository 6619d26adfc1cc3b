"""The slim style transfer net: Johnson's image transformation net, narrower and anti-aliased.

Johnson, Alahi, Fei-Fei, "Perceptual losses for real-time style transfer and super-resolution", ECCV 2016; with the
instance norm of Ulyanov et al. 2016.
"""

from __future__ import annotations

from torch import nn

from tsn.style.nets.layers import ConvNorm, ResidualBlock, StyleNet


class _JohnsonBlock(ResidualBlock):
    """Two 3x3 convolutions, the second without ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = ConvNorm(channels, channels, kernel=3)
        self.b = ConvNorm(channels, channels, kernel=3, relu=False)


class JohnsonNet(StyleNet):
    """See `StyleNet`.

    Args:
        width: channels at full size; twice as many at 1/2 and four times as many at 1/4. 16 is our slim net
            (425k parameters), 32 is Johnson's.
        blocks: residual blocks at 1/4 size.
        recolours, simplifies, seeded: see `StyleNet`.
    """

    stride = 4

    def __init__(
        self,
        *,
        width: int = 16,
        blocks: int = 5,
        recolours: bool = False,
        simplifies: bool = False,
        seeded: bool = False,
    ) -> None:
        super().__init__()
        extra, radius = self.set_inputs(recolours=recolours, simplifies=simplifies, seeded=seeded)
        self.width, self.blocks = width, blocks
        self.radius = radius + 4 + 2 + 4 + 4 * 2 * blocks + 4 + 2 + 4 + 2 * self.stride + 4 + 2
        w = width
        self.enter = ConvNorm(3, w, kernel=9)
        self.down = nn.ModuleList([ConvNorm(w + extra, 2 * w, kernel=3), ConvNorm(2 * w, 4 * w, kernel=3)])
        self.body = nn.ModuleList([_JohnsonBlock(4 * w) for _ in range(blocks)])
        self.narrow = nn.ModuleList()
        self.across = ConvNorm(2 * w, 2 * w, kernel=1, relu=False)
        self.up = nn.ModuleList([ConvNorm(4 * w, 2 * w, kernel=3), ConvNorm(2 * w, w, kernel=3)])
        self.leave = ConvNorm(w, 3, kernel=9, norm=False, relu=False)
