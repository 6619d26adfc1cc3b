"""Thin gaps in what a key shows, along silhouettes, closed with the motion of the surface that they belong to.

Frame after frame, the step of one surface leads beside the silhouette onto another one, and a line of a pixel or two
counts as hidden all around a thing that moves. It is not: the surface beside it, which looks like it, goes on there.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tsn.keys.carry import CarriedKey
from tsn.keys.smoothing import close_gaps

GAP_PX = 3
"""Gaps narrower than this are closed, pixels."""
_AROUND = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx)


def close_thin_gaps(carried: CarriedKey, plate: Tensor) -> CarriedKey:
    """The carried key, with the thin gaps in its visibility closed.

    A place in a gap takes motion and visibility of that visible pixel beside it which looks most like it.

    Args:
        plate: this frame's plate in style space, (3, H, W).
    """
    visible = carried.visibility
    _, height, width = visible.shape
    y, x = ((close_gaps(visible, GAP_PX) > 0.5) & (visible < 0.5))[0].nonzero(as_tuple=True)
    nearest = torch.full_like(y, torch.inf, dtype=torch.float32)
    flow, found = carried.flow[:, y, x], visible[0, y, x]
    for down, right in _AROUND:
        beside = (y + down).clamp(0, height - 1), (x + right).clamp(0, width - 1)
        seen = visible[0][beside]
        apart = (plate[:, y, x] - plate[:, beside[0], beside[1]]).abs().amax(0)
        better = (seen >= 0.5) & (apart < nearest)
        nearest = torch.where(better, apart, nearest)
        flow, found = torch.where(better, carried.flow[:, beside[0], beside[1]], flow), torch.where(better, seen, found)
    closed_flow, closed = carried.flow.clone(), visible.clone()
    closed_flow[:, y, x], closed[0, y, x] = flow, found
    return replace(carried, flow=closed_flow, visibility=closed)
