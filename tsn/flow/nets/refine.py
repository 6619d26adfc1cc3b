"""A small net that repairs motion: it starts from what the pictures say, and knows what pictures get wrong.

No photometric choice mends a motion that follows a shadow over the floor, or one that bleeds over the edge of a plain
surface. This net sees both pictures, the motion found and whether there and back meet, and says what to add. It works
at half the size of the plate, on both directions alike: volumes of patch correlation around the motion found (as
PWC-Net has of learnt features, Sun et al. 2018) at a quarter and an eighth; a U-Net; and what it adds, at the half
size again, with a gate that leaves alone what is right already. What it adds may lead to the motion of the surroundings
(`surroundings`), which it is shown beside the motion found.

training/train_flow.py trains it; refine.md, beside the weights, is its card.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.determinism import apply_elementwise
from tsn.flow.nets.blocks import LEAKY_SLOPE, conv, load_shipped, upsample_2x
from tsn.flow.nets.correlation import correlation_volume, patch_descriptors
from tsn.flow.nets.proposals import context_flow
from tsn.flow.raft_weights import weights_sha256
from tsn.flow.warp import warp_batch

WEIGHTS = Path(__file__).with_name("refine.safetensors")
WIDTH = 32
FINE_RADIUS, COARSE_RADIUS = 4, 3
"""Radii of the cost volumes: 16 pixels of the plate at a quarter of its size, 24 at an eighth."""
PROPOSAL_RADII = (3, 8)
"""Cells to each side whose motion is offered: 48 and 128 pixels of the plate."""
CANDIDATE_COUNT = 1 + len(PROPOSAL_RADII)
"""The motion found and what is offered beside it."""
PROPOSAL_VOLUME_RADIUS = 1
"""Radius of the cost volumes around such an offer."""
PROPOSAL_PENALTY = 3.0
"""Logits against an offer, before anything is learnt."""
SIDE_MULTIPLE = 8
"""Sides must be a multiple of this, at the half size."""
MAX_ERROR_PX = 4.0
"""Pixels of the half size: a meeting of there and back that is missed by more says nothing more."""


class Refinement(NamedTuple):
    """Both directions after the repair, and what the coarse half of the net says to it.

    Attributes:
        flows: (N, 2, 2, h, w).
        choices: the motion found and each offer, with what is added to it, each as `flows`.
        shares: how much of each was taken, (N, 2, 1, h, w) in [0, 1], together 1.
    """

    flows: Tensor
    candidates: list[Tensor]
    weights: list[Tensor]


class RefinementNet(nn.Module):
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
        volumes = (2 * FINE_RADIUS + 1) ** 2 + (2 * COARSE_RADIUS + 1) ** 2
        offered = len(PROPOSAL_RADII) * (2 * (2 * PROPOSAL_VOLUME_RADIUS + 1) ** 2 + 3)
        # Two, since oneDNN sums over more than 192 channels in an order that depends on the number of threads.
        self.look = nn.Conv2d(volumes + width + 6, 2 * width, 1)
        self.look_around = nn.Conv2d(offered, 2 * width, 1, bias=False)
        self.u1 = conv(2 * width, width)
        self.u2 = nn.Sequential(conv(width, 2 * width, stride=2), conv(2 * width, 2 * width))
        self.u3 = nn.Sequential(conv(2 * width, 3 * width, stride=2), conv(3 * width, 3 * width))
        self.v2 = nn.Sequential(conv(5 * width, 2 * width, 1), conv(2 * width, 2 * width))
        self.v1 = nn.Sequential(conv(3 * width, width, 1), conv(width, width))
        self.coarse = nn.Conv2d(width, 3 * CANDIDATE_COUNT, 3, padding=1)
        self.rise = conv(width, half, 1)
        self.fine = nn.Sequential(conv(2 * half + 7 + 3 * len(PROPOSAL_RADII), half), nn.Conv2d(half, 3, 3, padding=1))
        for name, parameter in self.named_parameters():
            if name.startswith(("coarse.", "fine.1.")):  # at first it leaves everything as it is
                nn.init.zeros_(parameter)
        nn.init.constant_(self.coarse.bias[-len(PROPOSAL_RADII) :], -PROPOSAL_PENALTY)  # type: ignore[index]

    def forward(self, pictures: Tensor, flows: Tensor) -> Refinement:
        """What both directions are after the repair.

        Args:
            pictures: (N, 2, 3, h, w) in [0, 1], both frames at half size, sides a multiple of `SIDE_MULTIPLE`.
            flows: (N, 2, 2, h, w), there and back, pixels of that size.
        """
        n, _, _, h, w = pictures.shape
        pictures = pictures.to(memory_format=torch.contiguous_format).flatten(0, 1)
        there = pictures.view(n, 2, 3, h, w).flip(1).flatten(0, 1)
        flow, back = flows.flatten(0, 1), flows.flip(1).flatten(0, 1)
        first = self.enter((pictures * 2 - 1).contiguous(memory_format=torch.channels_last))
        missed = flow + warp_batch(back, flow)
        inside = warp_batch(torch.ones_like(flow[:, :1]), flow, padding="zeros")
        meeting = (missed / MAX_ERROR_PX).clamp(-1, 1)
        known = torch.cat([flow / 32, meeting, inside, _photometric_error(pictures, there, flow)], 1)
        offers = [context_flow(flow, missed, radius) for radius in PROPOSAL_RADII]
        offered = torch.cat(
            [x for to in offers for x in ((to - flow) / 32, _photometric_error(pictures, there, to))], 1
        )
        x = self.u1(self._looked(pictures, self.down(first), flow, known, offers, offered))
        y = self.u2(x)
        y = self.v2(torch.cat([y, upsample_2x(self.u3(y))], 1))
        x = self.v1(torch.cat([x, upsample_2x(y)], 1))
        coarse = upsample_2x(self.coarse(x)).float()  # in a training with fewer bits, too
        choices = [to + 2 * coarse[:, 2 * k : 2 * k + 2] for k, to in enumerate([flow, *offers])]
        shares = _softmax(coarse[:, 2 * CANDIDATE_COUNT :])
        midway = torch.stack([share * choice for share, choice in zip(shares, choices, strict=True)]).sum(0)
        fine = self.fine(
            torch.cat(
                [first, upsample_2x(self.rise(x)), known, _photometric_error(pictures, there, midway), offered], 1
            )
        )
        done = flow + apply_elementwise(torch.sigmoid, fine[:, 2:]) * 2 * (midway - flow) + fine[:, :2]
        return Refinement(
            done.view_as(flows), [x.view_as(flows) for x in choices], [x.view(n, 2, 1, h, w) for x in shares]
        )

    def _looked(
        self,
        pictures: Tensor,
        quarter: Tensor,
        flow: Tensor,
        known: Tensor,
        offers: Sequence[Tensor],
        offered: Tensor,
    ) -> Tensor:
        """What is seen around where the motion leads, at a quarter of the size; the volumes are gone after it."""
        light = pictures.mean(1, keepdim=True)
        near, far = patch_descriptors(light), patch_descriptors(F.avg_pool2d(light, 2))

        def volumes(to: Tensor, fine: int, coarse: int) -> list[Tensor]:
            return [
                correlation_volume(near, F.avg_pool2d(to, 2) / 2, fine),
                upsample_2x(correlation_volume(far, F.avg_pool2d(to, 4) / 4, coarse)),
            ]

        looked = self.look(torch.cat([*volumes(flow, FINE_RADIUS, COARSE_RADIUS), quarter, F.avg_pool2d(known, 2)], 1))
        around = [x for to in offers for x in volumes(to, PROPOSAL_VOLUME_RADIUS, PROPOSAL_VOLUME_RADIUS)]
        return F.leaky_relu(looked + self.look_around(torch.cat([*around, F.avg_pool2d(offered, 2)], 1)), LEAKY_SLOPE)


@cache
def shipped_net() -> RefinementNet:
    """The net that comes with tsn, ready to use. Raises InputError where its file is damaged."""
    return load_shipped(RefinementNet(WIDTH), WEIGHTS)


@cache
def fingerprint() -> str:
    """Of the weights. Raises InputError where they aren't there."""
    return weights_sha256(WEIGHTS)[:16]


@torch.inference_mode()
def refine_flows(pictures: Sequence[np.ndarray], flows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Both directions repaired.

    Args:
        pictures: both moments at half the plate's size, float32 (h, w, 3) in [0, 1].
        flows: there and back, (h, w, 2), pixels of that size.
    """
    height, width = pictures[0].shape[:2]
    right, bottom = -width % SIDE_MULTIPLE, -height % SIDE_MULTIPLE
    stacks = [torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).float() for found in (pictures, flows)]
    seen, motion = (F.pad(stack, (0, right, 0, bottom), mode="replicate")[None] for stack in stacks)
    done = shipped_net()(seen, motion).flows
    return list(done[0, :, :, :height, :width].permute(0, 2, 3, 1).contiguous().numpy())


def _softmax(logits: Tensor) -> list[Tensor]:
    """Softmax over `CANDIDATE_COUNT`, (N, CHOICES, h, w) -> that many (N, 1, h, w)."""
    exponents = apply_elementwise(torch.exp, logits - logits.amax(1, keepdim=True))
    shares = [exponents[:, k, None] for k in range(CANDIDATE_COUNT)]
    whole = torch.stack(shares).sum(0)
    return [share / whole for share in shares]


def _photometric_error(pictures: Tensor, there: Tensor, flow: Tensor) -> Tensor:
    """How the pictures differ along a motion, (N, 1, h, w)."""
    return (warp_batch(there, flow) - pictures).abs().mean(1, keepdim=True)
