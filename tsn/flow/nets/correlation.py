"""Patch correlation around a motion: how alike two places look, whatever the light.

Correlation volumes as in PWC-Net (Sun et al., CVPR 2018), of fixed descriptors instead of learnt features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.flow.warp import warp_batch

PATCH_PX = 4
"""Side of a patch."""
FLAT_DEVIATION = 0.02
"""Standard deviation of a patch's luma below which it is too flat to be told from others."""


def patch_descriptors(light: Tensor) -> Tensor:
    """Patches around every second pixel, less their mean and divided by their contrast.

    The dot product of two descriptors is the normalised cross-correlation of two patches, which a change of light
    leaves alone. A net that must learn its own features first gets nowhere in hundreds of steps.

    Args:
        light: luma, (N, 1, h, w).

    Returns:
        (N, `PATCH_PX`^2, h/2, w/2).
    """
    n, _, h, w = light.shape
    patches = F.unfold(F.pad(light, [1] * 4, mode="replicate"), PATCH_PX, stride=2).view(n, PATCH_PX**2, h // 2, w // 2)
    patches = patches - patches.mean(1, keepdim=True)
    return patches / (patches.square().sum(1, keepdim=True) + (PATCH_PX * FLAT_DEVIATION) ** 2).sqrt()


def correlation_volume(maps: Tensor, flow: Tensor, radius: int) -> Tensor:
    """Correlation, -1 to 1, of each place with the places around the end of its flow: (N, (2 radius + 1)^2, h, w).

    Each of those is the end of a neighbour's flow: where motion is smooth, that is a neighbour of the end. Beyond the
    border the correlation is 0.

    Args:
        maps: descriptors of both frames of each pair in turn, (N, C, h, w), N even.
        flow: to the pair's other frame, (N, 2, h, w).
        radius: of the neighbourhood, pixels.
    """
    there = warp_batch(maps.unflatten(0, (-1, 2)).flip(1).flatten(0, 1), flow)
    wide = F.pad(there, [radius] * 4)
    height, width = maps.shape[-2:]
    size = range(2 * radius + 1)
    return torch.stack([(maps * wide[..., y : y + height, x : x + width]).sum(1) for y in size for x in size], 1)
