"""Worker processes on this machine, one a device, each taking the next chunk when it is free.

A worker that dies gives its chunk back, at most twice; a fault that it reports fails that chunk only, unless every
chunk would meet the same one.
"""

from __future__ import annotations

import queue
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from tsn import frames as ranges
from tsn.errors import DeviceError, OutputError, TsnError, UsageError, error_for_exit_code
from tsn.rendering import plan_file
from tsn.rendering.event import Event, Report
from tsn.rendering.output import CACHE_VARIABLE
from tsn.rendering.plan import Plan
from tsn_batch.child import Child, Message
from tsn_batch.runs import HANDOVER
from tsn_batch.slots import Shares, Slot
from tsn_batch.worker import Job

RETURNS = 2
"""How often a chunk goes back to the queue after its worker died."""
GRACE_S = 20.0
"""For a worker to finish the operation it is in and to remove its temporary file."""


class Pool:
    """Renders chunks of a plan on several workers.

    Args:
        folder: for the plan and a log a chunk, of this render alone (`tsn_batch.runs`).
        report: told of progress, on the thread that calls `run`.
    """

    def __init__(self, plan: Plan, slots: Sequence[Slot], *, folder: Path, force: bool, report: Report) -> None:
        self.plan, self.folder, self.force, self._report = plan, folder, force, report
        self._inbox: queue.Queue[tuple[Child, Message | None]] = queue.Queue()
        self._workers = [Child(slot, place, self._inbox) for place, slot in enumerate(slots)]
        self._handover = folder / HANDOVER
        self._deaths: Counter[int] = Counter()
        self._failed: dict[int, TsnError] = {}
        self._frames: set[int] = set()
        self._said: set[str] = set()

    def run(self, chunks: Sequence[int]) -> None:
        """Render them.

        Raises:
            TsnError: of the kind of the first fault; all other chunks are finished, unless none could be.
        """
        started = time.monotonic()
        plan_file.save(self.plan, self.folder / "plan.json", CACHE_VARIABLE)
        self._total = len({number for index in chunks for number in self.plan.chunks[index].frames})
        self._report(Event(kind="start", total=self._total))
        workers = self._workers[: len(chunks)]
        self._queue = Shares(chunks, len(workers))
        self._shared, ahead = self._exchanged()
        try:
            for worker, first in zip(workers, ahead, strict=True):
                self._start(worker, first)
            while any(worker.chunk is not None for worker in self._workers):
                self._receive(*self._next())
        finally:
            self._stop()
            shutil.rmtree(self._handover, ignore_errors=True)
        if self._failed:
            self._raise(len(chunks))
        self._report(Event(kind="done", done=len(self._frames), total=self._total, seconds=time.monotonic() - started))

    def _next(self) -> tuple[Child, Message | None]:
        while True:  # with a limit, since a wait without one can't be interrupted on every system
            with suppress(queue.Empty):
                return self._inbox.get(timeout=1.0)

    def _start(self, worker: Child, ahead: Sequence[int] = ()) -> None:
        worker.start(
            Job(
                plan=str(self.folder / "plan.json"),
                device=worker.slot.device,
                place=worker.place,
                force=self.force,
                handover=str(self._handover),
                shared=self._shared,
                ahead=ahead,
            )
        )
        self._hand_out(worker)

    def _exchanged(self) -> tuple[tuple[int, ...], list[list[int]]]:
        """Frames around the places where two workers meet, and which of them each worker paints first.

        First of all those at its end, which the next worker needs at once. None where painting is reading a file.
        """
        runs = self._queue.runs()
        ahead: list[list[int]] = [[] for _ in runs]
        shared: set[int] = set()
        if self.plan.shot.style.frames is not None:
            return (), ahead
        own = [{number for index in run for number in self.plan.chunks[index].frames} for run in runs]
        for place, (before, after) in enumerate(pairwise(runs)):
            both = set(self.plan.chunks[before[-1]].reads) & set(self.plan.chunks[after[0]].reads)
            shared |= both
            ahead[place] = sorted(both & own[place]) + ahead[place]
            ahead[place + 1] = sorted(both & own[place + 1])
        return tuple(sorted(shared)), ahead

    def _hand_out(self, worker: Child) -> None:
        worker.chunk = self._queue.take(worker.place)
        if worker.chunk is None:
            worker.end()
        else:
            worker.say(chunk=worker.chunk, log=str(self._log(worker.chunk)))

    def _receive(self, worker: Child, message: Message | None) -> None:
        if message is None:
            if worker.chunk is not None:
                self._died(worker, worker.chunk)
        elif "event" in message:
            self._progress(worker, message["event"])
        elif "ready" in message:
            worker.ready = True
        else:
            if "failed" in message:
                self._fault(worker, message["chunk"], **message["failed"])
            self._hand_out(worker)

    def _progress(self, worker: Child, data: dict[str, Any]) -> None:
        event = replace(Event(**data), worker=worker.slot.name, total=self._total)
        if event.kind == "note" and event.text not in self._said:  # each worker says what the flow is
            self._said.add(event.text)
            self._report(event)
        elif event.kind == "frame" and event.frame is not None and event.frame not in self._frames:
            self._frames.add(event.frame)
            self._report(replace(event, done=len(self._frames)))

    def _fault(self, worker: Child, chunk: int, *, code: int, message: str, hint: str | None) -> None:
        kind = error_for_exit_code(code)
        if not worker.ready or kind in (UsageError, OutputError):  # the next chunk would meet it too
            raise kind(message, hint=hint)
        self._failed[chunk] = kind(message, hint=hint)
        self._note(f"{self._named(chunk)} failed: {message}")

    def _died(self, worker: Child, chunk: int) -> None:
        how = worker.ending()
        self._deaths[chunk] += 1
        worker.stillborn = 0 if worker.ready else worker.stillborn + 1
        hint = f"Its log: {self._log(chunk)}"
        if worker.stillborn > RETURNS:
            raise DeviceError(f"The worker on {worker.slot.name} can't be started: it {how}", hint=hint)
        if self._deaths[chunk] > RETURNS:
            self._failed[chunk] = DeviceError(f"its worker {how}, {self._deaths[chunk]} times", hint=hint)
            self._note(f"{self._named(chunk)} failed: its worker {how}, {self._deaths[chunk]} times. {hint}")
        else:
            self._queue.give_back(worker.place, chunk)
            self._note(f"The worker on {worker.slot.name} {how}; {self._named(chunk).lower()} goes back to the queue.")
        worker.chunk = None
        if self._queue:
            self._start(worker)

    def _note(self, text: str) -> None:
        self._report(Event(kind="note", text=text))

    def _log(self, chunk: int) -> Path:
        return self.folder / f"chunk-{chunk:04}.log"

    def _named(self, chunk: int) -> str:
        return f"Chunk {chunk} ({ranges.compact(self.plan.chunks[chunk].frames)})"

    def _raise(self, total: int) -> NoReturn:
        chunk, error = min(self._failed.items())
        many = f"{len(self._failed)} of {total} chunks failed" if len(self._failed) > 1 else "1 chunk failed"
        raise type(error)(
            f"{many}, the others are finished. {self._named(chunk)}: {error}",
            hint="\n  ".join(
                [*([error.hint] if error.hint else []), *(f"Log: {self._log(index)}" for index in sorted(self._failed))]
            ),
        )

    def _stop(self) -> None:
        """End every worker; those at work remove their temporary files first."""
        for worker in self._workers:
            worker.terminate()
        limit = time.monotonic() + GRACE_S
        try:
            for worker in self._workers:
                worker.wait(max(0.0, limit - time.monotonic()))
        finally:
            for worker in self._workers:
                worker.kill()
