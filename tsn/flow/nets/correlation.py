"""How alike the surroundings of two places look, whatever the light: patch correlation around a motion.

As PWC-Net's cost volumes (Sun et al., CVPR 2018), of fixed descriptors instead of learnt ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.flow.warp import warp_batch

PATCH_PX = 4
FLAT_DEVIATION = 0.02
"""Deviation of a patch's light below which it looks like nothing in particular."""


def patch_descriptors(light: Tensor) -> Tensor:
    """What surrounds every second pixel, without its mean and its contrast: (N, 1, h, w) -> (N, 16, h/2, w/2).

    Two such descriptors' product is the correlation of two patches, which a change of light leaves alone. A net that
    has to learn its own features first gets nowhere in hundreds of steps.
    """
    n, _, h, w = light.shape
    found = F.unfold(F.pad(light, [1] * 4, mode="replicate"), PATCH_PX, stride=2).view(n, PATCH_PX**2, h // 2, w // 2)
    found = found - found.mean(1, keepdim=True)
    return found / (found.square().sum(1, keepdim=True) + (PATCH_PX * FLAT_DEVIATION) ** 2).sqrt()


def correlation_volume(maps: Tensor, flow: Tensor, radius: int) -> Tensor:
    """Likeness, -1 to 1, of each place to the places around where its motion leads, (N, (2 radius + 1)^2, h, w).

    Each of those is where the motion leads from a neighbour: where motion is smooth, that is the neighbour of where it
    leads. Beyond the border nothing is like anything.
    """
    there = warp_batch(maps.unflatten(0, (-1, 2)).flip(1).flatten(0, 1), flow)
    wide = F.pad(there, [radius] * 4)
    height, width = maps.shape[-2:]
    size = range(2 * radius + 1)
    return torch.stack([(maps * wide[..., y : y + height, x : x + width]).sum(1) for y in size for x in size], 1)
