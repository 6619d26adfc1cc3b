"""A `StyleNet` as a sequence of steps in the order in which it runs them; both export formats are written from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from tsn.style.nets.kuwahara import MAX_OFFSET, WINDOW_OFFSETS
from tsn.style.nets.layers import ConvNorm


@dataclass(frozen=True)
class Branches:
    """Two sequences of steps on the same input, whose results are added, or concatenated along channels.

    An empty sequence returns its input.
    """

    first: Sequence[Step]
    second: Sequence[Step]
    add: bool = True


@dataclass(frozen=True)
class PaletteLookup:
    """Look up colours in a palette; input and output are in [-0.5, 0.5]."""

    palette: Tensor


@dataclass(frozen=True)
class ChannelSlice:
    """The channels `start` to `end` - 1 of the input."""

    start: int
    end: int


NamedStep: TypeAlias = Literal["simplify", "texture_guide", "downsample2x", "upsample2x", "upsample2x_smooth", "logit"]
"""Functions of the nets by their names; `downsample2x` is a 2x2 mean, `logit` takes a base colour in [-0.5, 0.5]."""
Step: TypeAlias = NamedStep | ConvNorm | Branches | PaletteLookup | ChannelSlice


def window_kernel() -> Tensor:
    """The sum over the windows of `kuwahara.simplify` as a depthwise convolution: (4, 1, 7, 7)."""
    kernel = torch.zeros(4, 1, 2 * MAX_OFFSET + 1, 2 * MAX_OFFSET + 1)
    for y, x in WINDOW_OFFSETS:
        kernel[..., MAX_OFFSET + y, MAX_OFFSET + x] = 1
    return kernel


def steps_of(net: Any) -> list[Step]:  # a StyleNet: the types of its ModuleLists are not known
    """The steps of a net that is not frozen, from its input minus 0.5 to the logit of its result."""
    to_half, to_quarter = net.down
    from_quarter, from_half = net.up
    body = [Branches(list(block.children()), []) for block in net.body]
    at_quarter = Branches(["downsample2x", to_quarter, *body, *net.narrow, "upsample2x", from_quarter], [net.across])
    prepare: list[Step] = ["simplify"] if net.simplifies else []
    simplified: list[Step] = []
    plate: list[Step] = []
    if net.simplifies and net.seeded:  # the guide is of the plate, all else of the simplified plate: carry both along
        prepare, simplified, plate = [Branches(prepare, [], add=False)], [ChannelSlice(0, 3)], [ChannelSlice(3, 6)]
    colours: list[Step] = [*simplified, "downsample2x", PaletteLookup(net.palette)] if net.palette is not None else []
    features: list[Step] = [*simplified, net.enter, "downsample2x"]
    if colours:
        features = [Branches(features, colours, add=False)]
    if net.seeded:
        features = [Branches(features, [*plate, "texture_guide"], add=False)]
    strokes: list[Step] = [*features, to_half, at_quarter, "upsample2x", from_half, net.leave]
    if not colours:
        return [*prepare, *strokes]
    return [*prepare, Branches(strokes, [*colours, "upsample2x_smooth", "logit"])]
