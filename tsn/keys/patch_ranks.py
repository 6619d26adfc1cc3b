"""Patches of a key's paint, each of which comes and goes as a whole, as brush strokes do.

Their borders follow the paint: each place joins the nearest of the jittered seeds around it, in space and colour, as in
one round of SLIC (Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", PAMI 2012).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tsn.determinism import resize_bilinear
from tsn.keys.carry import half_size
from tsn.keys.smoothing import local_mean

PATCH_LINES = 30
"""So many patches lie above each other in a picture: of 12 pixels at 360 lines, the size of strokes."""
MIN_PATCH_PX = 6
"""Side of a patch in small pictures, in pixels of half the size."""
COLOUR_WEIGHT = 3.0
"""How far borders follow the paint: a difference of 1 in style space counts as so many sides of a patch."""


def patch_ranks(key_number: int, paint: Tensor) -> Tensor:
    """A rank for each patch of a key's paint, random and evenly spread: (3, H, W) -> (1, H, W) in [0, 1].

    Found at half the size. A pure function of the number and the picture.
    """
    small = local_mean(half_size(paint), 1)
    _, height, width = small.shape
    side = max(MIN_PATCH_PX, height / PATCH_LINES)
    rows, columns = int(height / side) + 3, int(width / side) + 3  # one more on each side
    random = np.random.default_rng(abs(key_number)).random((4, rows, columns), np.float32)
    jitter = torch.from_numpy(random[:2]).to(small.device) * 0.8 + 0.1
    ranks = torch.from_numpy(random[2]).to(small.device)
    index = torch.arange(max(rows, columns), device=small.device, dtype=torch.float32)
    seed_y = (index[:rows, None] - 1 + jitter[0]) * side
    seed_x = (index[None, :columns] - 1 + jitter[1]) * side
    at = seed_y.long().clamp(0, height - 1), seed_x.long().clamp(0, width - 1)
    seed_colour = small[:, at[0], at[1]]
    y = torch.arange(height, device=small.device, dtype=torch.float32)[:, None]
    x = torch.arange(width, device=small.device, dtype=torch.float32)[None]
    row, column = ((y / side).long() + 1).expand(height, width), ((x / side).long() + 1).expand(height, width)
    nearest = torch.full((height, width), torch.inf, device=small.device)
    found = torch.zeros(height, width, device=small.device)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            r, c = row + down, column + right
            apart = ((seed_y[r, c] - y) / side).square() + ((seed_x[r, c] - x) / side).square()
            for channel, seeds in zip(small, seed_colour, strict=True):
                apart = apart + ((channel - seeds[r, c]) * COLOUR_WEIGHT).square()
            nearer = apart < nearest
            nearest, found = torch.where(nearer, apart, nearest), torch.where(nearer, ranks[r, c], found)
    return resize_bilinear(found[None], (paint.shape[-2], paint.shape[-1]))
