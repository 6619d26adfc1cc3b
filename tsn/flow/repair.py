"""A small net that repairs motion: it starts from what the pictures say, and knows what pictures get wrong.

No photometric choice mends a motion that follows a shadow over the floor, or one that bleeds over the edge of a plain
surface. This net sees both pictures, the motion found and whether there and back meet, and says what to add. It works
at half the size of the plate, on both directions alike: volumes of patch correlation around the motion found (as
PWC-Net has of learnt features, Sun et al. 2018) at a quarter and an eighth; a U-Net; and what it adds, at the half
size again, with a gate that leaves alone what is right already.

training/train_flow.py trains it; repair.md, beside the weights, is its card.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.elementwise import steadily
from tsn.flow.blocks import conv, ready, twice
from tsn.flow.visibility import sample
from tsn.flow.weights import sha256

WEIGHTS = Path(__file__).with_name("repair.safetensors")
WIDTH = 32
FINE, COARSE = 4, 3
"""Radii of the cost volumes: 16 pixels of the plate at a quarter of its size, 24 at an eighth."""
PATCH = 4
FLAT = 0.02
"""Deviation of a patch's light below which it looks like nothing in particular."""
MULTIPLE = 8
"""Sides must be a multiple of this, at the half size."""
MEETING = 4.0
"""Pixels of the half size: a meeting of there and back that is missed by more says nothing more."""


class Repair(nn.Module):
    """Both directions of motion, made better.

    Args:
        width: channels of the features; the U-Net has the same, twice and three times as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        half = width // 2
        self.enter = conv(3, half, 5)
        self.down = nn.Sequential(conv(half, width, stride=2), conv(width, width))
        volumes = (2 * FINE + 1) ** 2 + (2 * COARSE + 1) ** 2
        self.look = conv(volumes + width + 6, 2 * width, 1)
        self.u1 = conv(2 * width, width)
        self.u2 = nn.Sequential(conv(width, 2 * width, stride=2), conv(2 * width, 2 * width))
        self.u3 = nn.Sequential(conv(2 * width, 3 * width, stride=2), conv(3 * width, 3 * width))
        self.v2 = nn.Sequential(conv(5 * width, 2 * width, 1), conv(2 * width, 2 * width))
        self.v1 = nn.Sequential(conv(3 * width, width, 1), conv(width, width))
        self.coarse = nn.Conv2d(width, 2, 3, padding=1)
        self.rise = conv(width, half, 1)
        self.fine = nn.Sequential(conv(2 * half + 7, half), nn.Conv2d(half, 3, 3, padding=1))
        for name, parameter in self.named_parameters():
            if name.startswith(("coarse.", "fine.1.")):  # at first it leaves everything as it is
                nn.init.zeros_(parameter)

    def forward(self, pictures: Tensor, flows: Tensor) -> tuple[Tensor, Tensor]:
        """What both directions are after the repair, and what they were half way.

        Args:
            pictures: (N, 2, 3, h, w) in [0, 1], both moments at half the plate's size, sides a multiple of `MULTIPLE`.
            flows: (N, 2, 2, h, w), there and back, pixels of that size.

        Returns:
            flows repaired, and flows with what the coarse half of the net adds; both as `flows`.
        """
        n, _, _, h, w = pictures.shape
        pictures = pictures.to(memory_format=torch.contiguous_format).flatten(0, 1)
        there = pictures.view(n, 2, 3, h, w).flip(1).flatten(0, 1)
        flow, back = flows.flatten(0, 1), flows.flip(1).flatten(0, 1)
        first = self.enter((pictures * 2 - 1).contiguous(memory_format=torch.channels_last))
        missed = ((flow + sample(back, flow)) / MEETING).clamp(-1, 1)
        inside = sample(torch.ones_like(flow[:, :1]), flow, beyond="zeros")
        unlike = (sample(there, flow) - pictures).abs().mean(1, keepdim=True)
        known = torch.cat([flow / 32, missed, inside, unlike], 1)
        x = self.u1(self._looked(pictures, self.down(first), flow, known))
        y = self.u2(x)
        y = self.v2(torch.cat([y, twice(self.u3(y))], 1))
        x = self.v1(torch.cat([x, twice(y)], 1))
        added = twice(self.coarse(x)) * 2
        midway = flow + added
        unlike = (sample(there, midway) - pictures).abs().mean(1, keepdim=True)
        fine = self.fine(torch.cat([first, twice(self.rise(x)), known, unlike], 1))
        done = flow + steadily(torch.sigmoid, fine[:, 2:]) * 2 * added + fine[:, :2]
        return done.view_as(flows), midway.view_as(flows)

    def _looked(self, pictures: Tensor, quarter: Tensor, flow: Tensor, known: Tensor) -> Tensor:
        """What is seen around where the motion leads, at a quarter of the size; the volumes are gone after it."""
        light = pictures.mean(1, keepdim=True)
        near, far = patches(light), patches(F.avg_pool2d(light, 2))
        found = torch.cat(
            [
                _volume(near, F.avg_pool2d(flow, 2) / 2, FINE),
                twice(_volume(far, F.avg_pool2d(flow, 4) / 4, COARSE)),
                quarter,
                F.avg_pool2d(known, 2),
            ],
            1,
        )
        looked: Tensor = self.look(found)
        return looked


@cache
def net() -> Repair:
    """The net that comes with tsn, ready to use. Raises InputError where its file is damaged."""
    return ready(Repair(WIDTH), WEIGHTS)


@cache
def fingerprint() -> str:
    """Of the weights. Raises InputError where they aren't there."""
    return sha256(WEIGHTS)[:16]


@torch.inference_mode()
def repaired(pictures: Sequence[np.ndarray], flows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Both directions repaired.

    Args:
        pictures: both moments at half the plate's size, float32 (h, w, 3) in [0, 1].
        flows: there and back, (h, w, 2), pixels of that size.
    """
    height, width = pictures[0].shape[:2]
    right, bottom = -width % MULTIPLE, -height % MULTIPLE
    stacks = [torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).float() for found in (pictures, flows)]
    seen, motion = (F.pad(stack, (0, right, 0, bottom), mode="replicate")[None] for stack in stacks)
    done, _ = net()(seen, motion)
    return list(done[0, :, :, :height, :width].permute(0, 2, 3, 1).contiguous().numpy())


def patches(light: Tensor) -> Tensor:
    """What surrounds every second pixel, without its mean and its contrast: (N, 1, h, w) -> (N, 16, h/2, w/2).

    Two such descriptors' product is the correlation of two patches, which a change of light leaves alone. A net that
    has to learn its own features first gets nowhere in hundreds of steps.
    """
    n, _, h, w = light.shape
    found = F.unfold(F.pad(light, [1] * 4, mode="replicate"), PATCH, stride=2).view(n, PATCH**2, h // 2, w // 2)
    found = found - found.mean(1, keepdim=True)
    return found / (found.square().sum(1, keepdim=True) + (PATCH * FLAT) ** 2).sqrt()


def _volume(maps: Tensor, flow: Tensor, radius: int) -> Tensor:
    """Likeness, -1 to 1, of each place to the places around where its motion leads: (N, (2 radius + 1)^2, h, w)."""
    there = sample(maps.unflatten(0, (-1, 2)).flip(1).flatten(0, 1), flow)
    wide = F.pad(there, [radius] * 4)
    height, width = maps.shape[-2:]
    size = range(2 * radius + 1)
    return torch.stack([(maps * wide[..., y : y + height, x : x + width]).sum(1) for y in size for x in size], 1)
