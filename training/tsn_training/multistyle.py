"""Several styles in one training: they share what drawing is, and each keeps what is its own.

Dumoulin, Shlens, Kudlur, "A learned representation for artistic style", ICLR 2017: nets of many styles that share
all convolutions, and differ only in the scales and shifts of their norms. Here each style has a last convolution of its
own too, since no norm comes after it. Every step, of whatever style, teaches the shared layers; in the end each style
is a complete net that tsn loads like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from tsn.style.nets.layers import ConvNorm, Normalise, StyleNet, instance_norm


class MultiStyleNet(nn.ModuleList):
    """One net a style; `forward` paints with one of them.

    Args:
        nets: of one family, width and depth. All their convolutions but the last become those of the first net.

    Attributes:
        block_outputs: the outputs of the residual blocks in the last call, for `losses.spike_loss`.
    """

    def __init__(self, nets: Sequence[StyleNet]) -> None:
        super().__init__(nets)
        self.block_outputs: list[Tensor] = []
        for block in (block for net in nets for block in net.body):
            block.register_forward_hook(lambda _module, _inputs, output: self.block_outputs.append(output))
        for first, net in pairwise(nets):
            ours = (module for module in first.modules() if isinstance(module, ConvNorm))
            theirs = (module for module in net.modules() if isinstance(module, ConvNorm))
            for mine, its in zip(ours, theirs, strict=True):
                if its is not net.leave:
                    its.conv = mine.conv

    def __iter__(self) -> Iterator[StyleNet]:
        return cast("Iterator[StyleNet]", super().__iter__())

    def forward(self, x: Tensor, normalise: Normalise = instance_norm, *, style: int) -> Tensor:
        """Paint pictures (N, 3, H, W) in [0, 1] in the style of a number."""
        self.block_outputs.clear()
        painted: Tensor = self[style](x, normalise)
        return painted
