"""Options of a job that all farms share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FarmOptions:
    """How the tasks of a job run.

    Attributes:
        device: `auto`, `cpu` or `cuda`; a GPU is requested where it may be used.
        threads: CPU cores for each task.
        priority: 0 to 100, None = the farm's default.
        command: the command with which hosts run tsn.
        memory: MiB for each task, None = computed from the frame size (`tsn_batch.farms.memory_need`).
    """

    device: str
    threads: int
    priority: int | None
    command: Sequence[str]
    memory: int | None = None
