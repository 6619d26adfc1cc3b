"""The texture guide: what little texture a plate has, brought to the same strength on a grey wall as on gravel.

A convolutional net paints an even surface evenly: to lay dabs on a sky it needs something there to start them at.
Random numbers would do, but they stand still on the screen while the sky moves. Texture of the plate itself moves with
the surface: its luma in two bands, of waves of about 10 and about 25 px, each divided by its own local contrast. Finer
bands would hold the film grain, which is new in each frame. Nets with `seeded` in their metadata get this guide.

Other values of these constants give other frames: increase `feedforward.METHOD` with any change.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.style.nets.boxes import box_mean

BANDS = ((5, 3), (9, 5))
"""Per band, sides of the boxes that blur one scale to the next coarser one, in pixels of half size. The finest scale
is a 3x3 mean."""
CONTRAST_BOX = 17
"""Side of the box over which local contrast is taken, pixels of half size."""
HALF_CONTRAST = 0.002
"""Contrast (style space) at which a band has half its full strength. The clean wall of a renderer stays even, and the
rounding of half floats (0.0005) is not amplified."""
MARGIN = 1 + sum(side // 2 for band in BANDS for side in band) + CONTRAST_BOX // 2
"""Pixels of half size to each side that one value depends on."""
RADIUS = 2 * MARGIN + 1
"""The same in pixels of full size."""


def texture_guide(plate: Tensor) -> Tensor:
    """Compute the guide of a plate.

    A constant that is added to all pixels does not change it.

    Args:
        plate: (N, 3, H, W) in [0, 1], H and W even.

    Returns:
        (N, 2, H/2, W/2), about -1 to 1: one channel per band.
    """
    luma = F.avg_pool2d((plate[:, :1] + plate[:, 1:2] + plate[:, 2:]) / 3, 2)
    scale = box_mean(F.pad(luma, (MARGIN,) * 4, mode="replicate"), 3)
    channels = []
    for sides in BANDS:
        coarser = scale
        for side in sides:
            coarser = box_mean(coarser, side)
        band = _crop_centre(scale, coarser.shape[-2:]) - coarser
        contrast = torch.sqrt(box_mean(band * band, CONTRAST_BOX) + HALF_CONTRAST**2)
        channels.append(_crop_centre(band, luma.shape[-2:]) / _crop_centre(contrast, luma.shape[-2:]) / 2)
        scale = coarser
    return torch.cat(channels, 1)


def _crop_centre(x: Tensor, size: torch.Size) -> Tensor:
    """The central part of a picture, `size` (height, width) of it."""
    top, left = ((length - wanted) // 2 for length, wanted in zip(x.shape[-2:], size, strict=True))
    return x[..., top : top + size[0], left : left + size[1]]
