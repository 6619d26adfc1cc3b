"""A small net that refines estimated motion where comparing the pictures misleads.

No photometric criterion corrects motion that follows a shadow over the floor, or that bleeds over the edge of a plain
surface. This net sees both pictures, the estimated flows and their forward-backward error, and predicts a correction.
It works at half the size of the plate, on both directions alike: correlation volumes around the estimated motion (as in
PWC-Net, Sun et al., CVPR 2018, but of fixed patch descriptors) at a quarter and an eighth; a U-Net; and a correction at
half size, with a gate that leaves alone what is right already. Beside the estimated motion it may choose a proposal,
the motion of the context (`proposals.context_flow`).

training/train_flow.py trains the net; refine.md, beside the weights, is its model card.
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
"""Channels of the shipped net's features."""
FINE_RADIUS, COARSE_RADIUS = 4, 3
"""Radii of the correlation volumes: 16 pixels of the plate at a quarter of its size, 24 at an eighth."""
PROPOSAL_RADII = (3, 8)
"""Radii, in cells, of the contexts whose motion is proposed: 48 and 128 pixels of the plate."""
CANDIDATE_COUNT = 1 + len(PROPOSAL_RADII)
"""The estimated motion and the proposals beside it."""
PROPOSAL_VOLUME_RADIUS = 1
"""Radius of the correlation volumes around a proposal."""
PROPOSAL_PENALTY = 3.0
"""Logits against each proposal before training."""
SIDE_MULTIPLE = 8
"""Height and width of the net's input, at half size, must be multiples of this."""
MAX_ERROR_PX = 4.0
"""Pixels of the half size at which the forward-backward error is clipped: larger values mean the same."""
FLOW_SCALE_PX = 32
"""Pixels of flow that the net sees as 1."""


class Refinement(NamedTuple):
    """Refined motion of both directions, and the coarse half of the net's result, for the loss.

    Attributes:
        flows: (N, 2, 2, h, w), pixels.
        candidates: the estimated motion and each proposal, corrected, each as `flows`.
        weights: the share of each candidate, (N, 2, 1, h, w) in [0, 1]; they sum to 1.
    """

    flows: Tensor
    candidates: list[Tensor]
    weights: list[Tensor]


class RefinementNet(nn.Module):
    """Refines both directions of motion.

    Args:
        width: channels of the features; the U-Net has as many, twice and three times as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        half = width // 2
        self.enter = conv(3, half, 5)
        self.down = nn.Sequential(conv(half, width, stride=2), conv(width, width))
        volumes = (2 * FINE_RADIUS + 1) ** 2 + (2 * COARSE_RADIUS + 1) ** 2
        proposed = len(PROPOSAL_RADII) * (2 * (2 * PROPOSAL_VOLUME_RADIUS + 1) ** 2 + 3)
        # Two layers whose results are added: one would exceed `determinism.MAX_POINTWISE_CHANNELS`.
        self.look = nn.Conv2d(volumes + width + 6, 2 * width, 1)
        self.look_around = nn.Conv2d(proposed, 2 * width, 1, bias=False)
        self.u1 = conv(2 * width, width)
        self.u2 = nn.Sequential(conv(width, 2 * width, stride=2), conv(2 * width, 2 * width))
        self.u3 = nn.Sequential(conv(2 * width, 3 * width, stride=2), conv(3 * width, 3 * width))
        self.v2 = nn.Sequential(conv(5 * width, 2 * width, 1), conv(2 * width, 2 * width))
        self.v1 = nn.Sequential(conv(3 * width, width, 1), conv(width, width))
        self.coarse = nn.Conv2d(width, 3 * CANDIDATE_COUNT, 3, padding=1)
        self.rise = conv(width, half, 1)
        self.fine = nn.Sequential(conv(2 * half + 7 + 3 * len(PROPOSAL_RADII), half), nn.Conv2d(half, 3, 3, padding=1))
        for name, parameter in self.named_parameters():
            if name.startswith(("coarse.", "fine.1.")):  # before training the net changes nothing
                nn.init.zeros_(parameter)
        nn.init.constant_(self.coarse.bias[-len(PROPOSAL_RADII) :], -PROPOSAL_PENALTY)  # type: ignore[index]

    def forward(self, pictures: Tensor, flows: Tensor) -> Refinement:
        """Refine both directions.

        Args:
            pictures: both frames at half the plate's size, (N, 2, 3, h, w) in [0, 1], h and w multiples of
                `SIDE_MULTIPLE`.
            flows: forward and backward, (N, 2, 2, h, w), pixels of that size.
        """
        n, _, _, h, w = pictures.shape
        pictures = pictures.to(memory_format=torch.contiguous_format).flatten(0, 1)
        there = pictures.view(n, 2, 3, h, w).flip(1).flatten(0, 1)
        flow, back = flows.flatten(0, 1), flows.flip(1).flatten(0, 1)
        first = self.enter((pictures * 2 - 1).contiguous(memory_format=torch.channels_last))
        error = flow + warp_batch(back, flow)
        inside = warp_batch(torch.ones_like(flow[:, :1]), flow, padding="zeros")
        clipped = (error / MAX_ERROR_PX).clamp(-1, 1)
        known = torch.cat([flow / FLOW_SCALE_PX, clipped, inside, _photometric_error(pictures, there, flow)], 1)
        proposals = [context_flow(flow, error, radius) for radius in PROPOSAL_RADII]
        proposed = torch.cat(
            [
                x
                for proposal in proposals
                for x in ((proposal - flow) / FLOW_SCALE_PX, _photometric_error(pictures, there, proposal))
            ],
            1,
        )
        x = self.u1(self._correlations(pictures, self.down(first), flow, known, proposals, proposed))
        y = self.u2(x)
        y = self.v2(torch.cat([y, upsample_2x(self.u3(y))], 1))
        x = self.v1(torch.cat([x, upsample_2x(y)], 1))
        coarse = upsample_2x(self.coarse(x)).float()  # also when training in lower precision
        candidates = [to + 2 * coarse[:, 2 * k : 2 * k + 2] for k, to in enumerate([flow, *proposals])]
        weights = _softmax(coarse[:, 2 * CANDIDATE_COUNT :])
        mixed = torch.stack([weight * candidate for weight, candidate in zip(weights, candidates, strict=True)]).sum(0)
        full = torch.cat(
            [first, upsample_2x(self.rise(x)), known, _photometric_error(pictures, there, mixed), proposed], 1
        )
        fine = self.fine(full)
        refined = flow + apply_elementwise(torch.sigmoid, fine[:, 2:]) * 2 * (mixed - flow) + fine[:, :2]
        return Refinement(
            refined.view_as(flows), [x.view_as(flows) for x in candidates], [x.view(n, 2, 1, h, w) for x in weights]
        )

    def _correlations(
        self,
        pictures: Tensor,
        quarter: Tensor,
        flow: Tensor,
        known: Tensor,
        proposals: Sequence[Tensor],
        proposed: Tensor,
    ) -> Tensor:
        """Features at a quarter of the plate's size from correlation volumes, which are freed on return."""
        light = pictures.mean(1, keepdim=True)
        near, far = patch_descriptors(light), patch_descriptors(F.avg_pool2d(light, 2))

        def volumes(to: Tensor, fine: int, coarse: int) -> list[Tensor]:
            return [
                correlation_volume(near, F.avg_pool2d(to, 2) / 2, fine),
                upsample_2x(correlation_volume(far, F.avg_pool2d(to, 4) / 4, coarse)),
            ]

        own = self.look(torch.cat([*volumes(flow, FINE_RADIUS, COARSE_RADIUS), quarter, F.avg_pool2d(known, 2)], 1))
        around = [x for to in proposals for x in volumes(to, PROPOSAL_VOLUME_RADIUS, PROPOSAL_VOLUME_RADIUS)]
        return F.leaky_relu(own + self.look_around(torch.cat([*around, F.avg_pool2d(proposed, 2)], 1)), LEAKY_SLOPE)


@cache
def shipped_net() -> RefinementNet:
    """The net with the weights that come with tsn, in eval mode. Raises InputError if the file is damaged."""
    return load_shipped(RefinementNet(WIDTH), WEIGHTS)


@cache
def fingerprint() -> str:
    """Hash of the shipped weights, 16 hexadecimal digits. Raises InputError if they can't be read."""
    return weights_sha256(WEIGHTS)[:16]


@torch.inference_mode()
def refine_flows(pictures: Sequence[np.ndarray], flows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Both directions, refined by the shipped net: each float32 (h, w, 2).

    Args:
        pictures: both frames at half the plate's size, float32 (h, w, 3) in [0, 1].
        flows: forward and backward, (h, w, 2), pixels of that size.
    """
    height, width = pictures[0].shape[:2]
    right, bottom = -width % SIDE_MULTIPLE, -height % SIDE_MULTIPLE
    stacks = [torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() for arrays in (pictures, flows)]
    images, motion = (F.pad(stack, (0, right, 0, bottom), mode="replicate")[None] for stack in stacks)
    refined = shipped_net()(images, motion).flows
    return list(refined[0, :, :, :height, :width].permute(0, 2, 3, 1).contiguous().numpy())


def _softmax(logits: Tensor) -> list[Tensor]:
    """Softmax over the candidates, (N, CANDIDATE_COUNT, h, w) -> that many (N, 1, h, w)."""
    exponents = apply_elementwise(torch.exp, logits - logits.amax(1, keepdim=True))
    shares = [exponents[:, k, None] for k in range(CANDIDATE_COUNT)]
    total = torch.stack(shares).sum(0)
    return [share / total for share in shares]


def _photometric_error(pictures: Tensor, there: Tensor, flow: Tensor) -> Tensor:
    """Mean absolute difference of the pictures along a flow, (N, 1, h, w)."""
    return (warp_batch(there, flow) - pictures).abs().mean(1, keepdim=True)
