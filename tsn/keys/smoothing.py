"""Local means and extremes of (C, H, W) tensors, and smooth steps; borders are repeated or left out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def scaled_radius(radius: int, picture: Tensor, lines: int) -> int:
    """A radius in pixels of pictures of `lines` lines, in those of a picture (C, H, W), and never less."""
    return max(radius, round(radius * picture.shape[-2] / lines))


def scaled_side(side: int, picture: Tensor, lines: int) -> int:
    """The same for `close_gaps`: gaps up to side - 1 pixels, an even number, grow with the picture."""
    return 2 * scaled_radius(side // 2, picture, lines) + 1


def local_mean(picture: Tensor, radius: int) -> Tensor:
    """Mean of the square of 2 radius + 1 pixels around each; beyond the border nothing counts."""
    side = 2 * radius + 1
    rows = F.avg_pool2d(picture[None], (1, side), 1, (0, radius), count_include_pad=False)
    return F.avg_pool2d(rows, (side, 1), 1, (radius, 0), count_include_pad=False)[0]


def local_max(picture: Tensor, side: int) -> Tensor:
    """Largest value of the side x side pixels around each, side odd."""
    return _along(_along(picture, side, -1), side, -2)


def local_min(picture: Tensor, side: int) -> Tensor:
    """Smallest value of the side x side pixels around each, side odd."""
    return -local_max(-picture, side)


def close_gaps(mask: Tensor, side: int) -> Tensor:
    """Morphological closing: what is low over fewer than `side` pixels, side odd, is as high as what surrounds it.

    Beyond the border all is 1, so that a line of up to side // 2 pixels along it is closed as well. Values in [0, 1].
    """
    reach = side // 2
    padded = F.pad(mask, (reach, reach, reach, reach), value=1.0)
    return local_min(local_max(padded, side), side)[:, reach:-reach, reach:-reach]


def smoothstep(x: Tensor, low: float, high: float) -> Tensor:
    """0 up to `low`, 1 from `high` on, between them a cubic without corners."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _along(picture: Tensor, side: int, axis: int) -> Tensor:
    """Largest value of `side` pixels along an axis."""
    reach, count = side // 2, picture.shape[axis]
    padded = F.pad(picture[None], (reach, reach, 0, 0) if axis == -1 else (0, 0, reach, reach), mode="replicate")[0]
    found = padded.narrow(axis, 0, count)
    for shift in range(1, side):
        found = torch.maximum(found, padded.narrow(axis, shift, count))
    return found
