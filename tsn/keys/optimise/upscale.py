"""Paint brought to a larger plate's size, with contours as sharp as the plate's.

A fast guided filter (He & Sun 2015) tells in small windows how far each colour of the paint follows the plate's
brightness; so much of the plate's own fine detail is added to the enlarged paint. Where a stroke has nothing to do with
the plate, nothing of its grain comes in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.colour.luminance import luminance

RADIUS = 2
"""Of the windows, in pixels of the small picture."""
LEAST_CONTRAST = 4e-4
"""Variance of the plate's brightness below which it is grain, not a contour: a deviation of 5 in 255."""
LEAST_PRODUCT = 1e-10
MOST_GAIN = 1.5


def enlarge(paint: Tensor, plate_small: Tensor, plate: Tensor) -> Tensor:
    """Bring paint (3, h, w) to the plate's size.

    Args:
        plate_small: the plate at the paint's size.
        plate: (3, H, W).

    Returns:
        (3, H, W) in [0, 1].
    """
    size = plate.shape[-2:]
    if paint.shape[-2:] == size:
        return paint
    small, large = luminance(plate_small), luminance(plate)
    mean, paint_mean = _box(small), _box(paint)
    variance, paint_variance = _box(small * small) - mean * mean, _box(paint * paint) - paint_mean * paint_mean
    together = _box(small * paint) - mean * paint_mean
    # Times the squared correlation: in a window of few pixels, strokes and grain always have some covariance.
    certain = together.square() / (variance * paint_variance + LEAST_PRODUCT)
    gain = (certain * together / (variance + LEAST_CONTRAST)).clamp(-MOST_GAIN, MOST_GAIN)
    detail = large - _resized(small, size)
    return (_resized(paint, size) + _resized(_box(gain), size, "bilinear") * detail).clamp(0, 1)


def _box(x: Tensor) -> Tensor:
    side = 2 * RADIUS + 1
    return F.avg_pool2d(F.pad(x[None], (RADIUS,) * 4, mode="replicate"), side, 1)[0]


def _resized(x: Tensor, size: torch.Size, mode: str = "bicubic") -> Tensor:
    return F.interpolate(x[None], size, mode=mode, align_corners=False)[0]
