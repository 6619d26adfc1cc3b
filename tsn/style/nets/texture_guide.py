"""Where strokes begin: what little texture a surface has, as strong on a grey wall as on gravel.

A net of convolutions paints what is even evenly: to lay dabs on a sky it needs something there to begin them at.
Random numbers would do, but they stay on the screen while the sky moves. What the plate itself shows moves with what
is painted: luma in two bands, waves of some 10 and of some 25 px, each over its own contrast. Finer ones would be
the stock's grain, which is new in each frame.

Other figures here make other frames: `locked.METHOD` changes with them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.style.nets.boxes import box_mean

BANDS = ((5, 3), (9, 5))
"""Sides of the boxes by which one scale becomes the next coarser one, pixels of half size; the first is a 3x3 mean."""
CONTRAST_BOX = 17
"""Side of the box that contrast is taken over."""
HALF_CONTRAST = 0.002
"""Contrast (style space) that counts half of what a stronger one does: a clean wall of a renderer stays even, and the
rounding of half floats (.0005) shows nowhere."""
MARGIN = 1 + sum(side // 2 for band in BANDS for side in band) + CONTRAST_BOX // 2
"""Pixels of half size that one value sees to each side."""
RADIUS = 2 * MARGIN + 1
"""The same at full size."""


def texture_guide(plate: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, 2, H/2, W/2), about -1 to 1. No colour is added to move it by."""
    luma = F.avg_pool2d((plate[:, :1] + plate[:, 1:2] + plate[:, 2:]) / 3, 2)
    scale = box_mean(F.pad(luma, (MARGIN,) * 4, mode="replicate"), 3)
    found = []
    for sides in BANDS:
        coarser = scale
        for side in sides:
            coarser = box_mean(coarser, side)
        band = _middle(scale, coarser.shape[-2:]) - coarser
        contrast = torch.sqrt(box_mean(band * band, CONTRAST_BOX) + HALF_CONTRAST**2)
        found.append(_middle(band, luma.shape[-2:]) / _middle(contrast, luma.shape[-2:]) / 2)
        scale = coarser
    return torch.cat(found, 1)


def _middle(x: Tensor, size: torch.Size) -> Tensor:
    """The middle of a picture, `size` (height, width) of it."""
    top, left = ((have - want) // 2 for have, want in zip(x.shape[-2:], size, strict=True))
    return x[..., top : top + size[0], left : left + size[1]]
