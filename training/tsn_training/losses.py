"""Content, style and smoothness losses of feed-forward style transfer (Johnson et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.flow.warp import warp_batch


def gram(features: Tensor) -> Tensor:
    """Gram matrices of feature maps, per sample, divided by H*W: (N, C, H, W) -> (N, C, C).

    Maps in bfloat16 are multiplied as they are, a quarter of the time on a CPU with AMX: products are summed in float32
    and the sum is rounded to three digits, which is nothing beside what a net misses a painting by. Half floats would
    overflow.
    """
    n, c, h, w = features.shape
    # Pixels before channels, as channels_last lays them out: nothing has to be moved.
    flat = features.permute(0, 2, 3, 1).reshape(n, h * w, c)
    if features.dtype is not torch.bfloat16:
        flat = flat.float()
    with torch.autocast(features.device.type, enabled=False):
        return (flat.transpose(1, 2) @ flat).float() / (h * w)


class Moments(NamedTuple):
    """What a layer holds of a texture.

    Attributes:
        mean: of each channel, (N, C).
        gram: the Gram matrix of what deviates from it, (N, C, C).
    """

    mean: Tensor
    gram: Tensor

    def to(self, device: torch.device) -> Moments:
        return Moments(self.mean.to(device), self.gram.to(device))


def moments(features: Tensor) -> Moments:
    """Mean and centred Gram matrix of feature maps (N, C, H, W), per sample.

    A plain Gram matrix is the sum of both, and the means, which are mostly palette, rule it: a net may then trade
    strokes for colour. Apart, even grounds stay even and ink stays ink (docs/training.md).
    """
    mean = features.mean((2, 3))
    return Moments(mean.float(), gram(features - mean[..., None, None]))


def style_loss(painted: Mapping[str, Moments], target: Mapping[str, Moments], weights: Mapping[str, float]) -> Tensor:
    """Weighted mean over layers of (|G - G*|^2 / |G*|^2 + |m - m*|^2 / |m*|^2) / 2: layers compare whatever the scale
    of their features.

    Args:
        painted: moments per layer.
        target: the painting's, of one sample each.
        weights: of the layers.
    """
    terms = []
    for layer, weight in weights.items():
        mine, its = painted[layer], target[layer]
        texture = ((mine.gram - its.gram) ** 2).sum((1, 2)) / (its.gram**2).sum()
        palette = ((mine.mean - its.mean) ** 2).sum(1) / (its.mean**2).sum()
        terms.append(weight * (texture + palette) / 2)
    return torch.stack(terms).sum(0).mean() / sum(weights.values())


def content_loss(painted: Tensor, plate: Tensor) -> Tensor:
    """|f - f*|^2 / |f*|^2 between feature maps of one layer, sample by sample: (N, C, h, w)."""
    return (((painted - plate) ** 2).mean((1, 2, 3)) / (plate**2).mean((1, 2, 3))).mean()


def colour_loss(painted: Tensor, wanted: Tensor, size: int = 8) -> Tensor:
    """Error e of colours averaged over `size` pixels, as e + e^2 / 0.01: places keep their colour, strokes are free.

    Content features forgive any change of tone, and a Gram matrix wants the painting's palette in every crop; together
    they put bright blobs where the plate is dark, and its commonest colour everywhere. Squares alone let a net gather
    all accents of a painting in one such blob, which is why large errors count for more.

    Args:
        wanted: the plate in the painting's colours (`palette.recoloured`), (N, 3, H, W) as `painted`.
    """
    error = F.avg_pool2d(painted - wanted, size).square().mean(1)
    return (error + error.square() / 0.01).mean()


def total_variation(x: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels."""
    return ((x[..., 1:] - x[..., :-1]) ** 2).mean() + ((x[..., 1:, :] - x[..., :-1, :]) ** 2).mean()


def spikes(maps: Sequence[Tensor], limit: float = 4.0) -> Tensor:
    """How far features (N, C, H, W) rise beyond `limit` times their channel's root mean square, squared.

    Instance norm lets a net set a channel's strength by one spot, where it shouts: Karras et al., StyleGAN2 (2020), saw
    droplets of it, and we saw red blobs in dark corners, each block shouting louder than the one before.
    """
    levels = [x.float() / x.float().square().mean((2, 3), keepdim=True).sqrt().clamp(min=1e-3) for x in maps]
    return torch.stack([F.relu(level.abs() - limit).square().mean() for level in levels]).mean()


def temporal_loss(now: Tensor, then: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
    """Mean squared difference of two painted moments along the motion, where both see the same.

    Both are averaged over 2 px first: looking `then` up between its pixels blurs what is finer, and the loss
    would ask for a blurred painting.

    Args:
        now: painted, (N, 3, S, S); `then`: the other moment, painted.
        flow: from now to then, (N, 2, S, S), pixels; visible: (N, 1, S, S).
    """
    difference = F.avg_pool2d(now, 2) - F.avg_pool2d(warp_batch(then, flow), 2)
    seen = -F.max_pool2d(-visible, 2)  # all four pixels, or what is hidden leaks in
    return (difference**2 * seen).mean((1, 2, 3)).div(seen.mean((1, 2, 3)).clamp(min=0.05)).mean()
