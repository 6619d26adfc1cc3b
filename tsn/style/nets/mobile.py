"""The mobile style transfer net: inverted residuals at 1/4 size, for CPU farms.

Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018. Almost all of it runs at 1/4
size. The two convolutions at full size are dense and small: there a depthwise one costs as much memory traffic as a
dense one, and does less.
"""

from __future__ import annotations

from torch import nn

from tsn.style.nets.layers import ConvNorm, ResidualBlock, StyleNet

EXPANSION = 2
"""Channels inside an inverted residual, as a multiple of those outside."""


class _InvertedResidual(ResidualBlock):
    """Expansion, depthwise convolution, and linear projection, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = EXPANSION * channels
        self.widen = ConvNorm(channels, inner, kernel=1)
        self.filter = ConvNorm(inner, inner, kernel=3, depthwise=True)
        self.narrow = ConvNorm(inner, channels, kernel=1, relu=False)


class MobileNet(StyleNet):
    """See `StyleNet`.

    Args:
        width: channels at full size; three times as many at 1/2 and eight times as many at 1/4.
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
        extra, radius = self.set_inputs(recolours=recolours, simplifies=simplifies, seeded=seeded)
        self.width, self.blocks = width, blocks
        self.radius = radius + 28 + 4 * blocks
        half, quarter = 3 * width, 8 * width
        self.enter = ConvNorm(3, width, kernel=3)
        self.down = nn.ModuleList([ConvNorm(width + extra, half, kernel=3), ConvNorm(half, quarter, kernel=3)])
        self.body = nn.ModuleList([_InvertedResidual(quarter) for _ in range(blocks)])
        self.narrow = nn.ModuleList([ConvNorm(quarter, half, kernel=1)])
        self.across = ConvNorm(half, width, kernel=1, relu=False)
        self.up = nn.ModuleList([ConvNorm(half, width, kernel=3), ConvNorm(width, width, kernel=3)])
        self.leave = ConvNorm(width, 3, kernel=5, norm=False, relu=False)
