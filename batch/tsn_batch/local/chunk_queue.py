"""Which worker renders which chunk: a run of neighbouring chunks for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class ChunkQueue:
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
