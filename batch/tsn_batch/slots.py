"""Who renders what on one machine: a worker for each device, and a run of neighbouring chunks for each worker."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from tsn.cpu_quota import available_cpus
from tsn.errors import UsageError
from tsn.rendering.plan import default_chunk_size


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Where a worker runs, and what progress calls it."""

    name: str
    device: str
    threads: int


def slots(device: str, workers: int | None = None) -> tuple[Slot, ...]:
    """One worker for each device of a list such as "cuda:0,cuda:1", or `workers` shared out among them.

    Raises:
        UsageError: an empty name in the list, or fewer workers than devices.
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
    made = []
    for name in chosen:
        seen[name] += 1
        made.append(Slot(name=f"{name} {seen[name]}" if shared[name] > 1 else name, device=name, threads=threads))
    return tuple(made)


def balanced(frames: int, *, workers: int, window: int) -> int:
    """Frames a chunk, so that equal workers end together and no chunk is larger than by default."""
    rounds = -(-frames // (workers * default_chunk_size(window)))
    return max(1, -(-frames // (workers * rounds)))


class Shares:
    """Chunks shared out among workers, each of which gets a run of neighbours.

    A worker keeps what it painted of the next chunk while it renders one, so that handles are painted twice only where
    two runs meet. Who has done its own run takes over the rear half of the longest that is left.
    """

    def __init__(self, chunks: Sequence[int], workers: int) -> None:
        count = len(chunks)
        self._runs = [
            deque(chunks[count * place // workers : count * (place + 1) // workers]) for place in range(workers)
        ]

    def __bool__(self) -> bool:
        return any(self._runs)

    def runs(self) -> tuple[tuple[int, ...], ...]:
        """What is left for each worker."""
        return tuple(map(tuple, self._runs))

    def take(self, worker: int) -> int | None:
        """The next chunk for a worker, None where there is none left."""
        if not self._runs[worker]:
            longest = max(self._runs, key=len)
            rear = [longest.pop() for _ in range((len(longest) + 1) // 2)]
            self._runs[worker].extend(reversed(rear))
        return self._runs[worker].popleft() if self._runs[worker] else None

    def give_back(self, worker: int, chunk: int) -> None:
        """It is the next one again."""
        self._runs[worker].appendleft(chunk)
