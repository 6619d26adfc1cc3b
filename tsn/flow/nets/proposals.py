"""Motion of the context: a proposal to fall back on where comparing the pictures misleads.

A shadow that runs over a floor looks like a thing that moves, and no comparison of pictures says otherwise; but it lies
within a floor that stays. The motion of most of the context (the places around whose flow is forward-backward
consistent) is right there more often than any other proposal: of the flow that was wrong by over a pixel, it was right
to half a pixel in 96% on a shot with such a shadow, and in 20 to 35% on one with a fence (docs/research/flow.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CELL_PX = 8
"""Side of a cell, over which motion is averaged."""
CONSISTENT_PX = 1.0
"""Pixels of forward-backward error below which flow is consistent and weighs 1."""
INCONSISTENT_WEIGHT = 1 / 1024
"""Weight of inconsistent flow, so that it counts only where there is nothing else. Weights are sums of a few binary
digits, so that their sums are exact in any order, on any number of threads."""


def context_flow(flow: Tensor, error: Tensor, radius: int) -> Tensor:
    """Weighted median of the flow in the context of each place, each component by itself; smooth, shaped as `flow`.

    The lower median, where half of the weight lies exactly between two values.

    Args:
        flow: (N, 2, H, W), pixels, sides a multiple of `CELL_PX`.
        error: forward-backward error of `flow`, (N, 2, H, W), pixels.
        radius: cells to each side that belong to the context.
    """
    weight = (error.square().sum(1, keepdim=True) < CONSISTENT_PX**2).to(flow.dtype) + INCONSISTENT_WEIGHT
    shares = F.avg_pool2d(weight, CELL_PX)
    cells = F.avg_pool2d(flow * weight, CELL_PX) / shares
    # One sample and one component at a time: all the windows of a 4K plate take a gigabyte.
    medians = [[_median(x[None, None], w[None], radius) for x in both] for both, w in zip(cells, shares, strict=True)]
    return F.interpolate(
        torch.stack([torch.cat(both) for both in medians]), scale_factor=CELL_PX, mode="bilinear", align_corners=False
    )


def _median(values: Tensor, weights: Tensor, radius: int) -> Tensor:
    """Weighted median over the window around each cell: (1, 1, h, w) twice -> (1, h, w)."""
    side = 2 * radius + 1
    windows, shares = (F.unfold(F.pad(x, [radius] * 4), side)[0] for x in (values, weights))
    ordered, order = windows.sort(0)
    below = shares.gather(0, order).cumsum(0)
    at = (below < below[-1:] / 2).sum(0, keepdim=True)
    return ordered.gather(0, at).view(1, *values.shape[-2:])
