"""What the nets beside `dis` have to learn, and figures that tell how far they are."""

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

HIDDEN = 0.2
"""Weight of places that the other moment doesn't show: their motion is known, but hardly to be seen."""
MIDWAY = 0.6
SOFTNESS = 4.0
"""Pixels. Below it an error counts as it is; above, ten times the error counts little more than twice: to be right in
most places is worth more than to be less wrong in a few. (At 0.25 nothing is learnt: what is nearly right rules.)"""
MISSED = 6.0
"""What it costs to take the hidden for seen, against the other way round: foreign paint in a place that has just come
into sight is seen at once, paint that stands alone for a frame hardly."""

Figures = dict[str, Tensor]
Net = Callable[[Tensor, Tensor], Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A net and its lesson.

    Attributes:
        build: the net, untrained, of a width.
        whole: it works at the plate's size, on motion as it leaves `dis`; else at half the size, before the repair.
        loss_of: what is to become small for a batch of `flow_examples`, and figures for the log.
        logged: the figures' names.
    """

    build: Callable[[int], nn.Module]
    whole: bool
    loss_of: Callable[[Net, dict[str, Tensor]], tuple[Tensor, Figures]]
    logged: tuple[str, ...]


def errors(flows: Tensor, x: dict[str, Tensor]) -> Tensor:
    """Distance to the true motion, pixels of the examples' size, (N, 2, h, w)."""
    return ((flows - x["true"]).square().sum(2) + 1e-6).sqrt()


def repair_loss(net: Net, x: dict[str, Tensor]) -> tuple[Tensor, Figures]:
    """Distance to the true motion; of the choices, half way, as if one were drawn. (What the cost of their mean tells a
    share is next to nothing where the right one is far off and little of it is taken: nothing was learnt of it in 2,000
    steps.) Figures, of what both moments show: mean error in pixels of the half size, and the share that is off by over
    half of one; the same before the repair."""
    done, choices, shares = net(x["pictures"], x["found"])
    weight = HIDDEN + (1 - HIDDEN) * x["seen"]

    def cost(flows: Tensor) -> Tensor:
        return SOFTNESS * torch.log1p(errors(flows.float(), x) / SOFTNESS) * weight

    drawn = sum(share[:, :, 0].float() * cost(choice) for share, choice in zip(shares, choices, strict=True))
    loss = (cost(done) + MIDWAY * drawn).mean()
    seen = x["seen"] / x["seen"].mean((1, 2, 3), keepdim=True).clamp(min=0.05)
    with torch.no_grad():
        after, before = (errors(flows.float(), x) for flows in (done, x["found"]))
        return loss, {
            "loss": loss,
            "error": (after * seen).mean(),
            "before": (before * seen).mean(),
            "off": ((after > 0.5) * seen).mean(),
            "off_before": ((before > 0.5) * seen).mean(),
        }


def occlusion_loss(net: Net, x: dict[str, Tensor]) -> tuple[Tensor, Figures]:
    """Cross-entropy, the hidden counting `MISSED` times. Figures: the share of what is hidden that passes for seen, and
    of what is seen that passes for hidden; the same by going there and back."""
    told = net(x["pictures"], x["found"])[:, :, 0].float()
    hidden = 1 - x["seen"]
    loss = F.binary_cross_entropy_with_logits(told, x["seen"], weight=1 + (MISSED - 1) * hidden)
    with torch.no_grad():
        back = torch.stack([torch.cat([visibility(a, b), visibility(b, a)]) for a, b in x["found"]])

        def share(wrong: Tensor, of: Tensor) -> Tensor:
            return (wrong * of).sum() / of.sum().clamp(min=1)

        return loss, {
            "loss": loss,
            "missed": share(told > 0, hidden),
            "missed_before": share(back, hidden),
            "alarm": share(told <= 0, x["seen"]),
            "alarm_before": share(1 - back, x["seen"]),
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
