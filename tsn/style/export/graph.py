"""A feed-forward net as one row of parts, in the order in which `StyleNet.paint` runs them: what is exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from tsn.style.nets.kuwahara import AWAY, PLACES
from tsn.style.nets.layers import ConvNorm


@dataclass(frozen=True)
class Fork:
    """What two rows make of the input, added or channel beside channel. An empty row is the input itself."""

    one: Sequence[Part]
    other: Sequence[Part]
    added: bool = True


@dataclass(frozen=True)
class Recolour:
    """Colours by a palette, of and from [-0.5, 0.5]."""

    palette: Tensor


@dataclass(frozen=True)
class Channels:
    """Some channels of the input, from `first` on and before `end`."""

    first: int
    end: int


Name: TypeAlias = Literal["simplify", "seeds", "halve", "enlarge", "blur", "logit"]
Part: TypeAlias = Name | ConvNorm | Fork | Recolour | Channels


def places() -> Tensor:
    """Where the windows of `simplify.simplified` lie, as a kernel for each of four channels, (4, 1, 7, 7): exported
    nets move them by a convolution."""
    kernel = torch.zeros(4, 1, 2 * AWAY + 1, 2 * AWAY + 1)
    for y, x in PLACES:
        kernel[..., AWAY + y, AWAY + x] = 1
    return kernel


def row_of(net: Any) -> list[Part]:
    """A net as one row of parts, as `StyleNet.paint` runs them."""
    to_half, to_quarter = net.down
    from_quarter, from_half = net.up
    body = [Fork(list(block.children()), []) for block in net.body]
    below = Fork(["halve", to_quarter, *body, *net.narrow, "enlarge", from_quarter], [net.across])
    begun: list[Part] = ["simplify"] if net.simplifies else []
    shapes: list[Part] = []
    plate: list[Part] = []
    if net.simplifies and net.seeded:  # seeds are of the plate, all else is of its shapes, which are made once
        begun, shapes, plate = [Fork(begun, [], added=False)], [Channels(0, 3)], [Channels(3, 6)]
    colours: list[Part] = [*shapes, "halve", Recolour(net.palette)] if net.palette is not None else []
    shown: list[Part] = [*shapes, net.enter, "halve"]
    if colours:
        shown = [Fork(shown, colours, added=False)]
    if net.seeded:
        shown = [Fork(shown, [*plate, "seeds"], added=False)]
    painted: list[Part] = [*shown, to_half, below, "enlarge", from_half, net.leave]
    return [*begun, Fork(painted, [*colours, "blur", "logit"])] if colours else [*begun, *painted]
