"""A feed-forward net as one row of parts, in the order in which `StyleNet.paint` runs them: what is exported."""

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
    """What two rows make of the input, added or channel beside channel. An empty row is the input itself."""

    one: Sequence[Step]
    other: Sequence[Step]
    added: bool = True


@dataclass(frozen=True)
class PaletteLookup:
    """Colours by a palette, of and from [-0.5, 0.5]."""

    palette: Tensor


@dataclass(frozen=True)
class ChannelSlice:
    """Some channels of the input, from `first` on and before `end`."""

    first: int
    end: int


NamedStep: TypeAlias = Literal["simplify", "seeds", "halve", "enlarge", "blur", "logit"]
Step: TypeAlias = NamedStep | ConvNorm | Branches | PaletteLookup | ChannelSlice


def window_kernel() -> Tensor:
    """Where the windows of `simplify.simplified` lie, as a kernel for each of four channels, (4, 1, 7, 7): exported
    nets move them by a convolution."""
    kernel = torch.zeros(4, 1, 2 * MAX_OFFSET + 1, 2 * MAX_OFFSET + 1)
    for y, x in WINDOW_OFFSETS:
        kernel[..., MAX_OFFSET + y, MAX_OFFSET + x] = 1
    return kernel


def steps_of(net: Any) -> list[Step]:
    """A net as one row of parts, as `StyleNet.paint` runs them."""
    to_half, to_quarter = net.down
    from_quarter, from_half = net.up
    body = [Branches(list(block.children()), []) for block in net.body]
    below = Branches(["halve", to_quarter, *body, *net.narrow, "enlarge", from_quarter], [net.across])
    begun: list[Step] = ["simplify"] if net.simplifies else []
    shapes: list[Step] = []
    plate: list[Step] = []
    if net.simplifies and net.seeded:  # seeds are of the plate, all else is of its shapes, which are made once
        begun, shapes, plate = [Branches(begun, [], added=False)], [ChannelSlice(0, 3)], [ChannelSlice(3, 6)]
    colours: list[Step] = [*shapes, "halve", PaletteLookup(net.palette)] if net.palette is not None else []
    shown: list[Step] = [*shapes, net.enter, "halve"]
    if colours:
        shown = [Branches(shown, colours, added=False)]
    if net.seeded:
        shown = [Branches(shown, [*plate, "seeds"], added=False)]
    painted: list[Step] = [*shown, to_half, below, "enlarge", from_half, net.leave]
    return [*begun, Branches(painted, [*colours, "blur", "logit"])] if colours else [*begun, *painted]
