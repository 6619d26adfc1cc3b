"""Losses of the net per shot, on feature maps of a perceptual net.

Relative ones: a squared distance over the target's squared length, so that layers and dark and bright places count
alike, whatever the scale of their features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

MEAN_PX = 8
UNSEEN_SHARE = 0.25
"""Pixels whose mean colour counts where no carried paint is trusted, and how much each of them counts there by itself,
against 1 elsewhere."""
Maps = Mapping[str, Tensor]
"""Feature maps (N, C, h, w) by the layer's name."""


class Perceptual(Protocol):
    """A net of feature maps such as VGG16: (N, 3, H, W) in [0, 1] -> maps by layer, `1_1` to `last`; the maps of block
    b have 1 / 2^(b-1) of the picture's size."""

    def __call__(self, x: Tensor, *, last: str | None = None) -> Maps: ...


def gram(features: Tensor) -> Tensor:
    """Gram matrices over pixels, (N, P, C) -> (N, C, C), float32; products of bfloat16 are summed in float32."""
    with torch.autocast(features.device.type, enabled=False):
        return (features.transpose(1, 2) @ features).float() / features.shape[1]


def pixels_of(maps: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, h*w, C); nothing is copied where maps are channels_last."""
    return maps.permute(0, 2, 3, 1).reshape(len(maps), -1, maps.shape[1])


def colour_loss(painted: Tensor, target: Tensor, weight: Tensor, shown: Tensor) -> Tensor:
    """Mean absolute difference of colours.

    Where carried paint is trusted, pixel by pixel. Where none is, of means over `MEAN_PX` pixels: nobody can know where
    each stroke of the key lay, and the mean of all that is likely would be soft.

    Args:
        painted, target: (N, 3, H, W).
        weight: of each pixel, (N, 1, H, W).
        shown: confidence of the carried paint, (N, 1, H, W).
    """
    difference = painted - target
    means = F.avg_pool2d(difference, MEAN_PX, stride=MEAN_PX // 2)
    by_pixel = weight * (UNSEEN_SHARE + (1 - UNSEEN_SHARE) * shown)
    by_mean = F.avg_pool2d(weight * (1 - shown), MEAN_PX, stride=MEAN_PX // 2)
    total = (difference.abs() * by_pixel).sum() / (3 * weight.sum()).clamp(min=1)
    return total + (means.abs() * by_mean).sum() * (MEAN_PX // 2) ** 2 / (3 * weight.sum()).clamp(min=1)


def key_losses(painted: Maps, target: Maps, weight: Tensor, layers: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Relative distances of features and of Gram matrices to the key's, each the mean over layers and samples.

    Args:
        painted: maps of painted patches.
        target: of the keys' patches.
        weight: of each pixel, (N, 1, H, W).
        layers: those that count.
    """
    features, grams = [], []
    whole = bool((weight == 1).all())
    for layer in layers:
        ours, its = painted[layer], target[layer]
        if not whole:
            share = F.avg_pool2d(weight, weight.shape[-1] // ours.shape[-1]).to(ours.dtype)
            ours, its = ours * share, its * share
        features.append(relative_distance(ours, its))
        grams.append(gram_distance(gram(pixels_of(ours)), gram(pixels_of(its))))
    return torch.stack(features).mean(), torch.stack(grams).mean()


def relative_distance(ours: Tensor, its: Tensor) -> Tensor:
    """|f - f*|^2 / |f*|^2 of two batches of maps; in their own precision, since float32 would double the time."""
    with torch.autocast(ours.device.type, enabled=False):
        length = F.mse_loss(its, torch.zeros((), dtype=its.dtype, device=its.device).expand_as(its))
        return F.mse_loss(ours, its).float() / length.float().clamp(min=1e-6)


def gram_distance(ours: Tensor, its: Tensor) -> Tensor:
    """|G - G*|^2 / |G*|^2, the mean over samples; both (N, C, C)."""
    return ((ours - its).square().sum((1, 2)) / its.square().sum((1, 2)).clamp(min=1e-6)).mean()
