"""Content, style, colour and smoothness losses of feed-forward style transfer (Johnson et al. 2016), and ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.flow.warp import warp_batch

LayerName = TypeVar("LayerName", bound=str)

LARGE_ERROR = 0.01
"""Mean squared error of a colour at which the squared term of `colour_loss` weighs as much as the plain one."""


def gram(features: Tensor) -> Tensor:
    """Return the Gram matrix of each sample's feature maps, over H*W: (N, C, H, W) -> (N, C, C), float32.

    Maps in bfloat16 are multiplied as they are, in a quarter of the time on a CPU with AMX. Products are summed in
    float32 and the sum is rounded to three digits, far below the distance between a net and a painting. Float16 would
    overflow, so it becomes float32.
    """
    n, c, h, w = features.shape
    # Pixels before channels, as channels_last stores them: nothing is copied.
    flat = features.permute(0, 2, 3, 1).reshape(n, h * w, c)
    if features.dtype is not torch.bfloat16:
        flat = flat.float()
    with torch.autocast(features.device.type, enabled=False):
        return (flat.transpose(1, 2) @ flat).float() / (h * w)


class Moments(NamedTuple):
    """The texture statistics of one layer.

    Attributes:
        mean: of each channel, (N, C).
        gram: the centred Gram matrix, that of the deviations from the mean, (N, C, C).
    """

    mean: Tensor
    gram: Tensor

    def to(self, device: torch.device) -> Moments:
        """Return them on a device."""
        return Moments(self.mean.to(device), self.gram.to(device))


def moments(features: Tensor) -> Moments:
    """Return the mean and the centred Gram matrix of each sample's feature maps (N, C, H, W).

    A plain Gram matrix is the sum of both, and the means, which are mostly palette, outweigh the rest: a net may then
    give up strokes for colour. Kept apart, even areas stay even and ink stays ink (docs/research/training.md).
    """
    mean = features.mean((2, 3))
    return Moments(mean.float(), gram(features - mean[..., None, None]))


def style_loss(
    painted: Mapping[str, Moments], target: Mapping[str, Moments], weights: Mapping[LayerName, float]
) -> Tensor:
    """Return the weighted mean over layers of (|G - G*|^2 / |G*|^2 + |m - m*|^2 / |m*|^2) / 2.

    So layers count alike, whatever the scale of their features.

    Args:
        painted: moments of the painted pictures, by layer.
        target: the painting's, of one sample each.
        weights: by layer.
    """
    terms = []
    for layer, weight in weights.items():
        ours, its = painted[layer], target[layer]
        texture = ((ours.gram - its.gram) ** 2).sum((1, 2)) / (its.gram**2).sum()
        palette = ((ours.mean - its.mean) ** 2).sum(1) / (its.mean**2).sum()
        terms.append(weight * (texture + palette) / 2)
    return torch.stack(terms).sum(0).mean() / sum(weights.values())


def content_loss(painted: Tensor, plate: Tensor) -> Tensor:
    """Return |f - f*|^2 / |f*|^2 between the feature maps of one layer, (N, C, h, w); the mean over samples."""
    return (((painted - plate) ** 2).mean((1, 2, 3)) / (plate**2).mean((1, 2, 3))).mean()


def colour_loss(painted: Tensor, wanted: Tensor, size: int = 8) -> Tensor:
    """Return the mean of e + e^2 / 0.01, e the squared error of colours averaged over `size` pixels.

    Places keep their colour, and strokes are free. Content features forgive any change of tone, and a Gram matrix wants
    the painting's palette in every crop; together they put bright blobs where the plate is dark, and the painting's
    commonest colour everywhere. With e alone a net may still gather all accents of a painting in one blob, so large
    errors count for more.

    Args:
        wanted: the plate in the painting's colours (`palette.recoloured`), (N, 3, H, W) as `painted`.
    """
    error = F.avg_pool2d(painted - wanted, size).square().mean(1)
    return (error + error.square() / LARGE_ERROR).mean()


def total_variation(x: Tensor) -> Tensor:
    """Return the mean squared difference of neighbouring pixels."""
    return ((x[..., 1:] - x[..., :-1]) ** 2).mean() + ((x[..., 1:, :] - x[..., :-1, :]) ** 2).mean()


def spike_loss(maps: Sequence[Tensor], limit: float = 4.0) -> Tensor:
    """Return the mean squared excess of features (N, C, H, W) over `limit` times their channel's root mean square.

    Instance norm lets a net control a channel's scale by one spot with a very high value: the "droplets" of Karras et
    al., StyleGAN2 (2020). Ours were red blobs in dark corners, which grew from block to block.
    """
    relative = [x.float() / x.float().square().mean((2, 3), keepdim=True).sqrt().clamp(min=1e-3) for x in maps]
    return torch.stack([F.relu(x.abs() - limit).square().mean() for x in relative]).mean()


def temporal_loss(now: Tensor, then: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
    """Return the mean squared difference of two painted moments along the motion, where both show the same surface.

    Both are averaged over 2 px first: sampling `then` between its pixels blurs what is finer, and the loss would ask
    for a blurred painting.

    Args:
        now: painted, (N, 3, S, S).
        then: the other moment, painted, (N, 3, S, S).
        flow: from now to then, (N, 2, S, S), pixels.
        visible: (N, 1, S, S), 1 where `then` shows the surface seen now.
    """
    difference = F.avg_pool2d(now, 2) - F.avg_pool2d(warp_batch(then, flow), 2)
    both = -F.max_pool2d(-visible, 2)  # all four pixels, or hidden ones would count
    return (difference**2 * both).mean((1, 2, 3)).div(both.mean((1, 2, 3)).clamp(min=0.05)).mean()
