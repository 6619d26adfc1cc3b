"""One step of a training: every part of its batch through the net, then the optimiser. All scripts use this one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from tsn.errors import TsnError
from tsn_training.parallel import Process, without_sync

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
WARM_UP_STEPS = 50

Loss = Callable[[Any], tuple[Tensor, dict[str, Tensor]]]
"""A batch -> the loss, and its parts for the log."""


class StepConfig(Protocol):
    """What a step reads from the config of any training."""

    @property
    def accumulate(self) -> int:
        """Parts that the batch of a process is cut into."""

    @property
    def precision(self) -> str:
        """A key of `PRECISIONS`."""


def cosine_decay(step: int, total: int, peak: float, *, floor: float) -> float:
    """Return a learning rate: `WARM_UP_STEPS` of linear warm-up, then cosine decay from `peak` to `floor * peak`."""
    warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
    return peak * warm_up * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * step / total)))


def training_step(
    step: int,
    batches: Iterator[Any],
    loss_of: Loss,
    *,
    shared: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    rate: float,
    config: StepConfig,
    process: Process,
    out: Path,
) -> dict[str, Tensor]:
    """Take one step, and return the parts of the loss of its last batch.

    Args:
        shared: the net that `loss_of` calls, perhaps wrapped by DDP.
        rate: the learning rate of this step; a parameter group multiplies it by its own key `times`.
        out: where the last checkpoint is, for the error message.

    Raises:
        TsnError: the loss or its gradient is not finite; the weights are then unchanged.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("times", 1.0)
    optimizer.zero_grad(set_to_none=True)
    for part in range(config.accumulate):
        with (
            without_sync(shared, last=part == config.accumulate - 1),
            torch.autocast(process.device.type, PRECISIONS[config.precision], enabled=config.precision != "fp32"),
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
    if not scaler.is_enabled() and not torch.isfinite(norm):  # in fp16 the scaler skips such a step
        raise TsnError(f"The gradient is no number at step {step}.", hint=f"The last checkpoint stays in {out}.")
    scaler.step(optimizer)
    scaler.update()
    return parts
