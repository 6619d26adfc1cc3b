"""Plate frames by number, read ahead on a thread of their own."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tsn import io
from tsn.io.frame import Frame
from tsn.rendering.engine import Engine
from tsn.rendering.plan import Plan

AHEAD_FRAMES = 2


class PlateReader:
    """Reads plate frames, the next ones in advance; `close` ends its thread."""

    def __init__(self, engine: Engine, plan: Plan) -> None:
        self._engine, self._thread = engine, ThreadPoolExecutor(1, "read")
        self._sequence = io.FrameSequence.parse(plan.shot.plate, base=Path())
        present = plan.plate.present
        self._next = {a: present[i + 1 : i + 1 + AHEAD_FRAMES] for i, a in enumerate(present)}
        self._coming: dict[int, Future[Frame]] = {}

    def get(self, number: int) -> Frame:
        """A plate frame; those after it are read on the thread meanwhile."""
        coming = self._coming.pop(number, None)
        frame = coming.result() if coming else self._read(number)
        for ahead in self._next[number]:
            if ahead not in self._coming:
                self._coming[ahead] = self._thread.submit(self._read, ahead)
        while len(self._coming) > AHEAD_FRAMES:  # after a jump, frames that nobody needs any more
            self._coming.pop(next(iter(self._coming))).cancel()
        return frame

    def reread(self, number: int) -> Frame:
        """A frame that was read before, for its output: keeping those of a whole window would keep all their AOVs."""
        return self._read(number)

    def close(self) -> None:
        """End the thread; frames that were read in advance are dropped."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _read(self, number: int) -> Frame:
        return self._engine.read(self._sequence.path(number), number)
