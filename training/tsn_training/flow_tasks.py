"""What the nets beside `dis` learn: their losses, and the figures that show how well they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.flow.nets.occlusion import OcclusionNet
from tsn.flow.nets.refine import RefinementNet
from tsn.flow.warp import visibility

OCCLUDED_WEIGHT = 0.2
"""Weight of places that the other frame does not show: their motion is known, but hardly visible."""
PROPOSAL_LOSS_WEIGHT = 0.6
SOFTNESS_PX = 4.0
"""Smaller errors count linearly, larger ones by their logarithm: ten times the error counts little more than twice.

To be right in most places is worth more than to be less wrong in a few. (At 0.25 px nothing is learnt, because small
errors outweigh all others.)
"""
MISSED_COST = 6.0
"""Cost of an occluded place taken for visible; the other way round costs 1.

Foreign paint in a disocclusion is conspicuous; paint that is not carried on for a frame is hardly seen.
"""

Figures = dict[str, Tensor]
Net = Callable[[Tensor, Tensor], Any]
"""Pictures (N, 2, 3, h, w) and estimated flows (N, 2, 2, h, w) -> see the net's class."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A net and what it learns.

    Attributes:
        build: width -> the net with random weights.
        whole: it works at the plate's size, on flows as they leave `dis`; else at half the size, before the repair.
        loss_of: net and batch of `flow_examples` -> the loss, and figures for the log.
        logged: names of the figures, which are columns of log.csv.
    """

    build: Callable[[int], nn.Module]
    whole: bool
    loss_of: Callable[[Net, dict[str, Tensor]], tuple[Tensor, Figures]]
    logged: tuple[str, ...]


def endpoint_errors(flows: Tensor, x: dict[str, Tensor]) -> Tensor:
    """Return the distance of flows (N, 2, 2, h, w) to the true ones, pixels of the examples' size, (N, 2, h, w)."""
    return ((flows - x["true"]).square().sum(2) + 1e-6).sqrt()


def repair_loss(net: Net, x: dict[str, Tensor]) -> tuple[Tensor, Figures]:
    """Return the endpoint error of the repaired flow, and its figures.

    To it is added the error of the proposals of each level, weighted by their shares, as if one were drawn. (The error
    of their mean hardly depends on a share where the right proposal is far away and has a small one: nothing was learnt
    from it in 2,000 steps.)

    Figures, over what both frames show: the mean error in pixels of half size, and the share of places that are off by
    more than half of one; the same before the repair.
    """
    repaired, proposals, shares = net(x["pictures"], x["found"])
    weight = OCCLUDED_WEIGHT + (1 - OCCLUDED_WEIGHT) * x["seen"]

    def cost(flows: Tensor) -> Tensor:
        return SOFTNESS_PX * torch.log1p(endpoint_errors(flows.float(), x) / SOFTNESS_PX) * weight

    expected = sum(share[:, :, 0].float() * cost(flow) for share, flow in zip(shares, proposals, strict=True))
    loss = (cost(repaired) + PROPOSAL_LOSS_WEIGHT * expected).mean()
    seen = x["seen"] / x["seen"].mean((1, 2, 3), keepdim=True).clamp(min=0.05)
    with torch.no_grad():
        after, before = (endpoint_errors(flows.float(), x) for flows in (repaired, x["found"]))
        return loss, {
            "loss": loss,
            "error": (after * seen).mean(),
            "before": (before * seen).mean(),
            "off": ((after > 0.5) * seen).mean(),
            "off_before": ((before > 0.5) * seen).mean(),
        }


def occlusion_loss(net: Net, x: dict[str, Tensor]) -> tuple[Tensor, Figures]:
    """Return the cross-entropy of the visibility, occluded places weighted by `MISSED_COST`, and its figures.

    Figures: the share of occluded places taken for visible, and of visible ones taken for occluded; the same by the
    forward-backward check.
    """
    logits = net(x["pictures"], x["found"])[:, :, 0].float()
    occluded = 1 - x["seen"]
    loss = F.binary_cross_entropy_with_logits(logits, x["seen"], weight=1 + (MISSED_COST - 1) * occluded)
    with torch.no_grad():
        checked = torch.stack([torch.cat([visibility(a, b), visibility(b, a)]) for a, b in x["found"]])

        def share(wrong: Tensor, of: Tensor) -> Tensor:
            return (wrong * of).sum() / of.sum().clamp(min=1)

        return loss, {
            "loss": loss,
            "missed": share(logits > 0, occluded),
            "missed_before": share(checked, occluded),
            "alarm": share(logits <= 0, x["seen"]),
            "alarm_before": share(1 - checked, x["seen"]),
        }


TASKS = {
    "repair": Task(
        build=RefinementNet, whole=False, loss_of=repair_loss, logged=("loss", "error", "before", "off", "off_before")
    ),
    "occlusion": Task(
        build=OcclusionNet,
        whole=True,
        loss_of=occlusion_loss,
        logged=("loss", "missed", "missed_before", "alarm", "alarm_before"),
    ),
}
"""By the config's `net`."""
