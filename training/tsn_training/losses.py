"""Content, style and smoothness losses of feed-forward style transfer (Johnson et al. 2016)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn_training.motion import sample


def gram(features: Tensor) -> Tensor:
    """Gram matrices of feature maps, per sample, divided by H*W: (N, C, H, W) -> (N, C, C)."""
    n, c, h, w = features.shape
    flat = features.reshape(n, c, h * w).float()
    with torch.autocast(features.device.type, enabled=False):  # it would sum many pixels in half precision
        return flat @ flat.transpose(1, 2) / (h * w)


def style_loss(painted: dict[str, Tensor], target: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """Weighted mean over layers of |G - G*|^2 / |G*|^2: layers compare whatever the scale of their features.

    Args:
        painted: Gram matrices per layer, each (N, C, C).
        target: the painting's, each (1, C, C).
        weights: of the layers.
    """
    terms = [w * ((painted[k] - target[k]) ** 2).sum((1, 2)) / (target[k] ** 2).sum() for k, w in weights.items()]
    return torch.stack(terms).sum(0).mean() / sum(weights.values())


def content_loss(painted: Tensor, plate: Tensor) -> Tensor:
    """|f - f*|^2 / |f*|^2 between feature maps of one layer, sample by sample: (N, C, h, w)."""
    return (((painted - plate) ** 2).mean((1, 2, 3)) / (plate**2).mean((1, 2, 3))).mean()


def colour_loss(painted: Tensor, wanted: Tensor, size: int = 8) -> Tensor:
    """Mean squared error of colours averaged over `size` pixels: palette and light find their places, strokes are free.

    Content features forgive any change of tone, and a Gram matrix wants the painting's palette in every crop; together
    they put bright blobs where the plate is dark, and its commonest colour everywhere.

    Args:
        wanted: the plate in the painting's colours (`palette.recoloured`), (N, 3, H, W) as `painted`.
    """
    return (F.avg_pool2d(painted - wanted, size) ** 2).mean()


def total_variation(x: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels."""
    return ((x[..., 1:] - x[..., :-1]) ** 2).mean() + ((x[..., 1:, :] - x[..., :-1, :]) ** 2).mean()


def temporal_loss(now: Tensor, then: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
    """Mean squared difference of two painted moments along the motion, where both see the same.

    Both are averaged over 2 px first: looking `then` up between its pixels blurs what is finer, and the loss
    would ask for a blurred painting.

    Args:
        now: painted, (N, 3, S, S); `then`: the other moment, painted.
        flow: from now to then, (N, 2, S, S), pixels; visible: (N, 1, S, S).
    """
    difference = F.avg_pool2d(now, 2) - F.avg_pool2d(sample(then, flow), 2)
    seen = -F.max_pool2d(-visible, 2)  # all four pixels, or what is hidden leaks in
    return (difference**2 * seen).mean((1, 2, 3)).div(seen.mean((1, 2, 3)).clamp(min=0.05)).mean()
