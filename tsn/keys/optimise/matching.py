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


def normalised(columns: Tensor, mean: Tensor) -> Tensor:
    """Columns (n, C), centred and brought to length 1."""
    return F.normalize(columns - mean, dim=1)


def nearest(queries: Tensor, candidates: Tensor, *, bonus: Tensor | None = None) -> Tensor:
    """The index of the nearest candidate of each query, (n,).

    Args:
        queries, candidates: (n, C) and (m, C), normalised.
        bonus: added to the similarity to each candidate, (m,).
    """
    found = []
    for block in queries.split(max(1, BLOCK_SIMILARITIES // len(candidates))):
        similarity = block @ candidates.T
        found.append((similarity if bonus is None else similarity.add_(bonus)).argmax(1))
    return torch.cat(found)


def popularity(queries: Tensor, candidates: Tensor, neighbours: int = 10) -> Tensor:
    """The mean similarity of each candidate (m, C) to its nearest queries (n, C), (m,).

    Half of it is a penalty that keeps a few flat places of a painting from being the nearest of everything
    (cross-domain similarity local scaling, Conneau et al. 2018).
    """
    blocks = candidates.split(max(1, BLOCK_SIMILARITIES // len(queries)))
    return torch.cat([(block @ queries.T).topk(min(neighbours, len(queries)), 1).values.mean(1) for block in blocks])
