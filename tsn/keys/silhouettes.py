"""Thin gaps in what a key shows, along silhouettes, closed with the motion of the surface that they belong to.

Frame after frame, the step of one surface leads beside the silhouette onto another one, and a line of a pixel or two
counts as hidden all around a thing that moves. It is not: the surface beside it, which looks like it, goes on there.
Estimated motion knows what is hidden only by a likelihood, so nothing here has a threshold at which paint would jump.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tsn.keys.carry import CarriedKey
from tsn.keys.smoothing import close_gaps, local_max, smoothstep

GAP_PX = 3
"""Gaps narrower than this are closed, pixels of a picture of any size: they come from steps of the motion that are not
exact to a pixel, and what is wider than that is hidden indeed."""
OWN_LOST, OWN_KEPT = 0.3, 0.6
"""Visibility of a place up to which it takes all of its neighbour's motion, and from which on it keeps its own."""
CLOSED = 0.3
"""Visibility that the closing adds from which on it counts in full."""
_AROUND = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx)


def close_thin_gaps(carried: CarriedKey, plate: Tensor) -> CarriedKey:
    """The carried key, with the thin gaps in its visibility closed.

    A place in a gap is as visible as what surrounds it, and takes the motion of that visible pixel beside it which
    looks most like it. The result's visibility is continuous in the carried one's and never falls where that rises.

    Args:
        plate: this frame's plate in style space, (3, H, W).
    """
    visible = carried.visibility
    _, height, width = visible.shape
    # Beyond the border all counts as visible, where no pixel has a motion to take.
    closed = torch.minimum(close_gaps(visible, GAP_PX), local_max(visible, 3))
    share = (1 - smoothstep(visible, OWN_LOST, OWN_KEPT)) * smoothstep(closed - visible, 0.0, CLOSED)
    y, x = (share > 0)[0].nonzero(as_tuple=True)
    least = torch.full_like(y, torch.inf, dtype=torch.float32)
    nearest = carried.flow[:, y, x]
    for down, right in _AROUND:
        beside = (y + down).clamp(0, height - 1), (x + right).clamp(0, width - 1)
        apart = (plate[:, y, x] - plate[:, beside[0], beside[1]]).abs().amax(0)
        hidden = 1 - smoothstep(visible[0][beside], OWN_LOST, OWN_KEPT)  # counts as much as black against white
        better = apart + hidden < least
        least = torch.where(better, apart + hidden, least)
        nearest = torch.where(better, carried.flow[:, beside[0], beside[1]], nearest)
    flow = carried.flow.clone()
    flow[:, y, x] = torch.lerp(flow[:, y, x], nearest, share[0, y, x])
    return replace(carried, flow=flow, visibility=closed)
