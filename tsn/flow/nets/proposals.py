"""What everything around a place does: a motion to fall back on where pictures mislead.

A shadow that runs over a floor looks like a thing that moves, and no comparison of pictures says otherwise; but it lies
within a floor that stays. The motion of most of what surrounds a place, of what has been found there and back alike, is
such a place's own more often than anything else that could be offered: of what was off by over a pixel on a shot with
such a shadow it was right to half a pixel in 96%, on one with a fence in 20 to 35% (docs/flow.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CELL_PX = 8
"""Pixels of a cell, over which motion is averaged."""
CONSISTENT_PX = 1.0
"""Pixels by which there and back may miss each other."""
INCONSISTENT_WEIGHT = 1 / 1024
"""Weight of what misses by more: it is asked where there is nothing else. (Weights are sums of a few binary digits, so
that their sums are exact in any order.)"""


def context_flow(flow: Tensor, missed: Tensor, radius: int) -> Tensor:
    """The weighted median of the motion within `radius` cells to each side of a place, each component by itself.

    The lower one, where half of the weight lies exactly between two.

    Args:
        flow: (N, 2, H, W), pixels, sides a multiple of `CELL_PX`.
        missed: (N, 2, H, W), where going there and back ends, against where it began.

    Returns:
        As `flow`, smooth.
    """
    weight = (missed.square().sum(1, keepdim=True) < CONSISTENT_PX**2).to(flow.dtype) + INCONSISTENT_WEIGHT
    shares = F.avg_pool2d(weight, CELL_PX)
    cells = F.avg_pool2d(flow * weight, CELL_PX) / shares
    # A direction and a component at a time: all the windows of a 4K plate take a gigabyte.
    middle = [[_median(x[None, None], w[None], radius) for x in both] for both, w in zip(cells, shares, strict=True)]
    return F.interpolate(
        torch.stack([torch.cat(both) for both in middle]), scale_factor=CELL_PX, mode="bilinear", align_corners=False
    )


def _median(values: Tensor, weights: Tensor, radius: int) -> Tensor:
    """(1, 1, h, w) twice -> (1, h, w): of the window around each, what half of the weight lies below."""
    side = 2 * radius + 1
    windows, shares = (F.unfold(F.pad(x, [radius] * 4), side)[0] for x in (values, weights))
    ordered, order = windows.sort(0)
    below = shares.gather(0, order).cumsum(0)
    at = (below < below[-1:] / 2).sum(0, keepdim=True)
    return ordered.gather(0, at).view(1, *values.shape[-2:])
