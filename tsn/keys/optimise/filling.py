"""Void filled with the colours around it, so that no darkness bleeds into what is painted."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST_COVER = 1e-3
"""Of a pixel whose own colour is used."""


def fill_void(picture: Tensor, cover: Tensor) -> Tensor:
    """Fill a picture (3, H, W) where its cover (1, H, W) is 0, by means of ever larger surroundings (pull-push).

    Colours are straight, not premultiplied. Pixels with cover stay as they are.
    """
    kept = (cover >= LEAST_COVER).to(picture)
    return torch.where(kept > 0, picture, _filled((picture * kept)[None], kept[None])[0])


def _filled(weighted: Tensor, weight: Tensor) -> Tensor:
    """Colours (1, 3, h, w) everywhere, from colours times weight and the weights."""
    own = weighted / weight.clamp_min(LEAST_COVER)
    if min(weight.shape[-2:]) == 1 or bool((weight >= LEAST_COVER).all()):
        return own
    smaller = [F.avg_pool2d(one, 2, ceil_mode=True, count_include_pad=False) for one in (weighted, weight)]
    around = F.interpolate(_filled(*smaller), weight.shape[-2:], mode="bilinear", align_corners=False)
    share = weight.clamp(0, 1)
    return own * share + around * (1 - share)
