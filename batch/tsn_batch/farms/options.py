"""What a person asks of a farm, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FarmOptions:
    """How a job shall run.

    Attributes:
        device: `auto`, `cpu` or `cuda`; a GPU is asked for where it may be used.
        threads: cores for a task.
        priority: 0 to 100, None = the farm's own default.
        command: how the hosts call `tsn`.
        memory: MiB for a task, None = by frame size (`tsn_batch.needs`).
    """

    device: str
    threads: int
    priority: int | None
    command: Sequence[str]
    memory: int | None = None
