"""For each place of one picture the place of the paintings whose features are nearest, by cosine, in bounded memory.

A place is known by its hypercolumn: the features of several layers there, one after the other (Kolkin et al. 2022).
Columns are rows of matrices here: (places, channels).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK_SIMILARITIES = 2**24
"""Similarities that are computed at once: 64 MiB."""
LEAST_LENGTH = 1e-6


def rows(maps: Tensor) -> Tensor:
    """Maps (1, C, h, w) as (h * w, C): a view where they are in the memory format channels_last."""
    return maps[0].permute(1, 2, 0).reshape(-1, maps.shape[1])


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (1, C, h, w) at another size: means of areas where that is smaller, else bilinear."""
    if tuple(maps.shape[-2:]) == size:
        return maps
    if maps.shape[-2] > size[0]:
        return F.adaptive_avg_pool2d(maps, size)
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


def normalise_(columns: Tensor, mean: Tensor) -> Tensor:
    """Centre columns (n, C) and bring them to length 1, in place: they may be most of the memory in use."""
    columns -= mean
    return columns.div_(columns.norm(dim=1, keepdim=True).clamp_min_(LEAST_LENGTH))


def nearest(queries: Tensor, candidates: Tensor) -> Tensor:
    """The index of the nearest candidate of each query, (n,); both normalised, (n, C) and (m, C)."""
    blocks = queries.split(max(1, BLOCK_SIMILARITIES // len(candidates)))
    return torch.cat([(block @ candidates.T).argmax(1) for block in blocks])
