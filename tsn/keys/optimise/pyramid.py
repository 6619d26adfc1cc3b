"""Laplacian pyramids: a picture as its differences from scale to scale, for an optimiser that works on all of them.

Changed at a coarse level, a whole region changes its tone in one step; by pixels alone that takes hundreds (Kolkin
et al. 2022, after STROTSS 2019).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST_PX = 8
"""No level is lower or narrower than half of this."""
MOST_LEVELS = 6


def _shrunk(x: Tensor) -> Tensor:
    size = [max(1, side // 2) for side in x.shape[-2:]]
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def _grown(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def build(picture: Tensor) -> list[Tensor]:
    """Take a picture (N, C, H, W) apart, the finest level first; the last is the smallest picture itself."""
    levels: list[Tensor] = []
    while len(levels) < MOST_LEVELS - 1 and min(picture.shape[-2:]) > SMALLEST_PX:
        smaller = _shrunk(picture)
        levels.append(picture - _grown(smaller, picture))
        picture = smaller
    return [*levels, picture]


def collapse(levels: Sequence[Tensor]) -> Tensor:
    """Put a picture together again, (N, C, H, W)."""
    picture = levels[-1]
    for level in reversed(levels[:-1]):
        picture = level + _grown(picture, level)
    return picture


def parameters(picture: Tensor) -> list[Tensor]:
    """The levels as leaves that take a gradient."""
    with torch.no_grad():
        levels = build(picture)
    return [level.detach().clone().requires_grad_(True) for level in levels]
