"""The slim style net: Johnson's transformer net, narrowed and anti-aliased.

Johnson, Alahi, Fei-Fei, "Perceptual losses for real-time style transfer", ECCV 2016; instance norm
after Ulyanov et al. 2016.
"""

from __future__ import annotations

from torch import nn

from tsn.style.nets.layers import ConvNorm, ResidualBlock, StyleNet


class _JohnsonBlock(ResidualBlock):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = ConvNorm(channels, channels, kernel=3)
        self.b = ConvNorm(channels, channels, kernel=3, relu=False)


class JohnsonNet(StyleNet):
    """See `StyleNet`.

    Args:
        width: channels at full size; twice and four times that at 1/2 and 1/4. 16 is the slim net
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
        shown, before = self.set_inputs(recolours=recolours, simplifies=simplifies, seeded=seeded)
        self.width, self.blocks = width, blocks
        self.radius = before + 4 + 2 + 4 + 4 * 2 * blocks + 4 + 2 + 4 + 2 * self.stride + 4 + 2
        w = width
        self.enter = ConvNorm(3, w, kernel=9)
        self.down = nn.ModuleList([ConvNorm(w + shown, 2 * w, kernel=3), ConvNorm(2 * w, 4 * w, kernel=3)])
        self.body = nn.ModuleList([_JohnsonBlock(4 * w) for _ in range(blocks)])
        self.narrow = nn.ModuleList()
        self.across = ConvNorm(2 * w, 2 * w, kernel=1, relu=False)
        self.up = nn.ModuleList([ConvNorm(4 * w, 2 * w, kernel=3), ConvNorm(2 * w, w, kernel=3)])
        self.leave = ConvNorm(w, 3, kernel=9, norm=False, relu=False)
