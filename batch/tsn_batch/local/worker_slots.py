"""Divide the devices and CPU cores of one machine among workers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tsn.cpu_quota import available_cpus
from tsn.errors import UsageError
from tsn.rendering.plan import default_chunk_size


@dataclass(frozen=True, kw_only=True)
class WorkerSlot:
    """The place of one worker: its name in progress output, its device, and its number of CPU threads."""

    name: str
    device: str
    threads: int


def worker_slots(device: str, workers: int | None = None) -> tuple[WorkerSlot, ...]:
    """One slot for each device of a list such as "cuda:0,cuda:1", or `workers` slots divided among them.

    Raises:
        UsageError: a name in the list is empty, or there are fewer workers than devices.
    """
    devices = [name.strip() for name in device.split(",")]
    if not all(devices):
        raise UsageError(f"--device {device}: a name is missing", hint="Write a list like cuda:0,cuda:1 or cpu.")
    count = len(devices) if workers is None else workers
    if count < len(devices):
        raise UsageError(
            f"--workers {count}: fewer than the {len(devices)} devices of --device {device}",
            hint="Name fewer devices; every device has a worker of its own.",
        )
    threads = max(1, available_cpus() // count)
    chosen = [devices[place % len(devices)] for place in range(count)]
    shared = Counter(chosen)
    seen: Counter[str] = Counter()
    slots = []
    for name in chosen:
        seen[name] += 1
        slots.append(
            WorkerSlot(name=f"{name} {seen[name]}" if shared[name] > 1 else name, device=name, threads=threads)
        )
    return tuple(slots)


def balanced_chunk_size(frames: int, *, workers: int, window: int) -> int:
    """Frames in a chunk such that equal workers end together, and no chunk is larger than by default."""
    rounds = -(-frames // (workers * default_chunk_size(window)))
    return max(1, -(-frames // (workers * rounds)))
