"""Which worker renders which chunk: a run of neighbouring chunks for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class ChunkQueue:
    """Chunks divided among workers; each gets a run of neighbouring chunks.

    A worker keeps the frames it painted for the handles of one chunk until the next, so that frames are painted twice
    only where two runs meet. A worker that has finished its run takes the second half of the longest remaining run.
    """

    def __init__(self, chunks: Sequence[int], workers: int) -> None:
        count = len(chunks)
        self._runs = [
            deque(chunks[count * place // workers : count * (place + 1) // workers]) for place in range(workers)
        ]

    def __bool__(self) -> bool:
        """Whether any chunk is left."""
        return any(self._runs)

    def runs(self) -> tuple[tuple[int, ...], ...]:
        """The remaining chunks of each worker."""
        return tuple(map(tuple, self._runs))

    def take(self, worker: int) -> int | None:
        """Remove and return the next chunk for a worker; None where none is left."""
        if not self._runs[worker]:
            longest = max(self._runs, key=len)
            second_half = [longest.pop() for _ in range((len(longest) + 1) // 2)]
            self._runs[worker].extend(reversed(second_half))
        return self._runs[worker].popleft() if self._runs[worker] else None

    def give_back(self, worker: int, chunk: int) -> None:
        """Put a chunk back; it becomes the next one of this worker."""
        self._runs[worker].appendleft(chunk)
