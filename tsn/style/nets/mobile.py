"""The mobile style net: inverted residuals at a quarter of the size, for a CPU farm that is short of hours.

Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018. Almost all of it runs
at 1/4 size; at full size there are two small dense convolutions, since a depthwise one costs as much memory
traffic there as a dense one and does less.
"""

from __future__ import annotations

from torch import nn

from tsn.style.nets.layers import ConvNorm, ResidualBlock, StyleNet

EXPANSION = 2


class _InvertedResidual(ResidualBlock):
    """Widen, filter each channel by itself, narrow again without ReLU; added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = EXPANSION * channels
        self.widen = ConvNorm(channels, inner, kernel=1)
        self.filter = ConvNorm(inner, inner, kernel=3, depthwise=True)
        self.narrow = ConvNorm(inner, channels, kernel=1, relu=False)


class MobileNet(StyleNet):
    """See `StyleNet`.

    Args:
        width: channels at full size; three and eight times that at 1/2 and 1/4.
        blocks: inverted residuals at 1/4 size.
        recolours, simplifies, seeded: see `StyleNet`.
    """

    stride = 4

    def __init__(
        self,
        *,
        width: int = 8,
        blocks: int = 5,
        recolours: bool = False,
        simplifies: bool = False,
        seeded: bool = False,
    ) -> None:
        super().__init__()
        shown, before = self.set_inputs(recolours=recolours, simplifies=simplifies, seeded=seeded)
        self.width, self.blocks = width, blocks
        self.radius = before + 28 + 4 * blocks
        half, quarter = 3 * width, 8 * width
        self.enter = ConvNorm(3, width, kernel=3)
        self.down = nn.ModuleList([ConvNorm(width + shown, half, kernel=3), ConvNorm(half, quarter, kernel=3)])
        self.body = nn.ModuleList([_InvertedResidual(quarter) for _ in range(blocks)])
        self.narrow = nn.ModuleList([ConvNorm(quarter, half, kernel=1)])
        self.across = ConvNorm(half, width, kernel=1, relu=False)
        self.up = nn.ModuleList([ConvNorm(half, width, kernel=3), ConvNorm(width, width, kernel=3)])
        self.leave = ConvNorm(width, 3, kernel=5, norm=False, relu=False)
