"""Several styles that learn in one go: they share what drawing is, and each keeps what is its own.

Dumoulin, Shlens, Kudlur, "A learned representation for artistic style", ICLR 2017: nets of many styles that share
all convolutions and differ in the scales and shifts of their norms only. Here the last convolution is a style's own
too, since no norm comes after it. Every step, of whatever style, teaches all of them; in the end each is a whole net
that tsn loads like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from tsn.style.nets.layers import ConvNorm, Normalise, StyleNet, instance_norm


class Together(nn.ModuleList):
    """One net a style; `forward` paints with one of them.

    Args:
        nets: of one family, width and depth. Their convolutions but the last become those of the first net.

    Attributes:
        inner: what the residual blocks put out in the last call, for `losses.spikes`.
    """

    def __init__(self, nets: Sequence[StyleNet]) -> None:
        super().__init__(nets)
        self.inner: list[Tensor] = []
        for block in (block for net in nets for block in net.body):
            block.register_forward_hook(lambda _module, _inputs, output: self.inner.append(output))
        for first, net in pairwise(nets):
            ours = (module for module in first.modules() if isinstance(module, ConvNorm))
            theirs = (module for module in net.modules() if isinstance(module, ConvNorm))
            for mine, its in zip(ours, theirs, strict=True):
                if its is not net.leave:
                    its.conv = mine.conv

    def forward(self, x: Tensor, normalise: Normalise = instance_norm, *, style: int) -> Tensor:
        self.inner.clear()
        painted: Tensor = self[style](x, normalise)
        return painted
