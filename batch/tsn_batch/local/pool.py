"""A pool of worker processes on this machine; each takes the next chunk when it is free.

The chunk of a worker that died goes back to the queue, at most twice. A fault that a worker reports fails its chunk
only, unless every chunk would fail in the same way.
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
from tsn_batch.local.chunk_queue import ChunkQueue
from tsn_batch.local.run_folder import EXCHANGE_FOLDER
from tsn_batch.local.worker import WorkerSetup
from tsn_batch.local.worker_process import Message, WorkerProcess
from tsn_batch.local.worker_slots import WorkerSlot

MAX_RETURNS = 2
"""How often a chunk may go back to the queue after its worker died."""
GRACE_S = 20.0
"""Seconds a worker has to finish its current operation and to remove its temporary file."""


class Pool:
    """Render chunks of a plan with several workers.

    Args:
        folder: for the plan and the logs of this render alone (`tsn_batch.local.run_folder`).
        report: receives the events, on the thread that calls `run`.
    """

    def __init__(self, plan: Plan, slots: Sequence[WorkerSlot], *, folder: Path, force: bool, report: Report) -> None:
        self.plan, self.folder, self.force, self._report = plan, folder, force, report
        self._inbox: queue.Queue[tuple[WorkerProcess, Message | None]] = queue.Queue()
        self._workers = [WorkerProcess(slot, place, self._inbox) for place, slot in enumerate(slots)]
        self._exchange_folder = folder / EXCHANGE_FOLDER
        self._deaths: Counter[int] = Counter()
        self._failed: dict[int, TsnError] = {}
        self._reported_frames: set[int] = set()
        self._reported_notes: set[str] = set()

    def run(self, chunks: Sequence[int]) -> None:
        """Render the chunks of these indices.

        Raises:
            TsnError: of the kind of the first fault; the other chunks are finished, unless none can be rendered.
        """
        started = time.monotonic()
        plan_file.save(self.plan, self.folder / "plan.json", CACHE_VARIABLE)
        self._total = len({number for index in chunks for number in self.plan.chunks[index].frames})
        self._report(Event(kind="start", total=self._total))
        workers = self._workers[: len(chunks)]
        self._queue = ChunkQueue(chunks, len(workers))
        self._shared, ahead = self._shared_frames()
        try:
            for worker, first in zip(workers, ahead, strict=True):
                self._start(worker, first)
            while any(worker.chunk is not None for worker in self._workers):
                self._receive(*self._next())
        finally:
            self._stop()
            shutil.rmtree(self._exchange_folder, ignore_errors=True)
        if self._failed:
            self._raise_first_fault(len(chunks))
        self._report(
            Event(kind="done", done=len(self._reported_frames), total=self._total, seconds=time.monotonic() - started)
        )

    def _next(self) -> tuple[WorkerProcess, Message | None]:
        while True:  # with a timeout: a wait without one can't be interrupted on every system
            with suppress(queue.Empty):
                return self._inbox.get(timeout=1.0)

    def _start(self, worker: WorkerProcess, ahead: Sequence[int] = ()) -> None:
        worker.start(
            WorkerSetup(
                plan=str(self.folder / "plan.json"),
                device=worker.slot.device,
                place=worker.place,
                force=self.force,
                exchange_folder=str(self._exchange_folder),
                shared=self._shared,
                ahead=ahead,
            )
        )
        self._hand_out(worker)

    def _shared_frames(self) -> tuple[tuple[int, ...], list[list[int]]]:
        """Frames at the borders of two workers' runs, which both need, and those that each worker paints first.

        A worker starts with those at the end of its run, since the next worker needs them at once. There are none where
        painted frames are read from files, and none with strokes and keys, whose paint is not of one frame alone; of
        layers, those of the others are shared.
        """
        runs = self._queue.runs()
        ahead: list[list[int]] = [[] for _ in runs]
        shared: set[int] = set()
        if not any(layer.style.paints_single_frames for layer in self.plan.shot.by_layer):
            return (), ahead
        own = [{number for index in run for number in self.plan.chunks[index].frames} for run in runs]
        for place, (before, after) in enumerate(pairwise(runs)):
            both = set(self.plan.chunks[before[-1]].reads) & set(self.plan.chunks[after[0]].reads)
            shared |= both
            ahead[place] = sorted(both & own[place]) + ahead[place]
            ahead[place + 1] = sorted(both & own[place + 1])
        return tuple(sorted(shared)), ahead

    def _hand_out(self, worker: WorkerProcess) -> None:
        worker.chunk = self._queue.take(worker.place)
        if worker.chunk is None:
            worker.close_input()
        else:
            worker.send(chunk=worker.chunk, log=str(self._log(worker.chunk)))

    def _receive(self, worker: WorkerProcess, message: Message | None) -> None:
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

    def _progress(self, worker: WorkerProcess, data: dict[str, Any]) -> None:
        event = replace(
            Event(**data),
            worker=worker.slot.name,
            total=self._total,
            covers=tuple(data["covers"]),  # a list in JSON
        )
        if event.kind == "note" and event.text not in self._reported_notes:  # every worker reports the flow method
            self._reported_notes.add(event.text)
            self._report(event)
        elif event.kind == "frame" and event.frame is not None and event.frame not in self._reported_frames:
            self._reported_frames.add(event.frame)
            self._report(replace(event, done=len(self._reported_frames)))

    def _fault(self, worker: WorkerProcess, chunk: int, *, code: int, message: str, hint: str | None) -> None:
        kind = error_for_exit_code(code)
        if not worker.ready or kind in (UsageError, OutputError):  # every other chunk would fail too
            raise kind(message, hint=hint)
        self._failed[chunk] = kind(message, hint=hint)
        self._note(f"{self._chunk_text(chunk)} failed: {message}")

    def _died(self, worker: WorkerProcess, chunk: int) -> None:
        how = worker.exit_text()
        self._deaths[chunk] += 1
        worker.failed_starts = 0 if worker.ready else worker.failed_starts + 1
        hint = f"Its log: {self._log(chunk)}"
        if worker.failed_starts > MAX_RETURNS:
            raise DeviceError(f"The worker on {worker.slot.name} can't be started: it {how}", hint=hint)
        if self._deaths[chunk] > MAX_RETURNS:
            self._failed[chunk] = DeviceError(f"its worker {how}, {self._deaths[chunk]} times", hint=hint)
            self._note(f"{self._chunk_text(chunk)} failed: its worker {how}, {self._deaths[chunk]} times. {hint}")
        else:
            self._queue.give_back(worker.place, chunk)
            self._note(
                f"The worker on {worker.slot.name} {how}; {self._chunk_text(chunk).lower()} goes back to the queue."
            )
        worker.chunk = None
        if self._queue:
            self._start(worker)

    def _note(self, text: str) -> None:
        self._report(Event(kind="note", text=text))

    def _log(self, chunk: int) -> Path:
        return self.folder / f"chunk-{chunk:04}.log"

    def _chunk_text(self, chunk: int) -> str:
        return f"Chunk {chunk} ({ranges.compact(self.plan.chunks[chunk].frames)})"

    def _raise_first_fault(self, total: int) -> NoReturn:
        chunk, error = min(self._failed.items())
        many = f"{len(self._failed)} of {total} chunks failed" if len(self._failed) > 1 else "1 chunk failed"
        raise type(error)(
            f"{many}, the others are finished. {self._chunk_text(chunk)}: {error}",
            hint="\n  ".join(
                [*([error.hint] if error.hint else []), *(f"Log: {self._log(index)}" for index in sorted(self._failed))]
            ),
        )

    def _stop(self) -> None:
        """End all workers; those that render remove their temporary files first."""
        for worker in self._workers:
            worker.terminate()
        limit = time.monotonic() + GRACE_S
        try:
            for worker in self._workers:
                worker.wait(max(0.0, limit - time.monotonic()))
        finally:
            for worker in self._workers:
                worker.kill()
