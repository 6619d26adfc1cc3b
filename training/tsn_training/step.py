"""One step of a training: every part of its batch through the net, then the optimiser; the same in every script."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from tsn.errors import TsnError
from tsn_training.parallel import Place, without_sync

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

Loss = Callable[[Any], tuple[Tensor, dict[str, Tensor]]]
"""A batch -> what is to become small, and its parts for the log."""


class Precise(Protocol):
    accumulate: int
    precision: str


def decayed(step: int, total: int, peak: float, *, floor: float) -> float:
    """Learning rate: cosine decay from the peak to `floor` of it, after 50 steps of warm-up."""
    return peak * min(1.0, (step + 1) / 50) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * step / total)))


def take(
    step: int,
    batches: Iterator[Any],
    loss_of: Loss,
    *,
    shared: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    rate: float,
    config: Precise,
    here: Place,
    out: Path,
) -> dict[str, Tensor]:
    """Take a step; the parts of the loss of its last batch.

    Args:
        shared: what `loss_of` calls, perhaps wrapped by DDP.
        rate: the learning rate of this step; a parameter group may take it several `times`.
        out: where the last checkpoint is, for the message.

    Raises:
        TsnError: the loss or its gradient is no number; nothing has learnt from it.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("times", 1.0)
    optimizer.zero_grad(set_to_none=True)
    for part in range(config.accumulate):
        with (
            without_sync(shared, last=part == config.accumulate - 1),
            torch.autocast(here.device.type, PRECISIONS[config.precision], enabled=config.precision != "fp32"),
        ):
            loss, parts = loss_of(next(batches))
        if not torch.isfinite(loss):
            raise TsnError(
                f"The loss is no number at step {step} ({', '.join(f'{k} {v:.3g}' for k, v in parts.items())}).",
                hint=f"The last checkpoint stays in {out}. A lower learning_rate helps, or precision: fp32.",
            )
        scaler.scale(loss / config.accumulate).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(shared.parameters(), 1.0)
    if not scaler.is_enabled() and not torch.isfinite(norm):  # in fp16 the scaler leaves such a step out
        raise TsnError(f"The gradient is no number at step {step}.", hint=f"The last checkpoint stays in {out}.")
    scaler.step(optimizer)
    scaler.update()
    return parts
