"""Worker processes on this machine, one a device, each taking the next chunk when it is free.

A worker that dies gives its chunk back, at most twice; a fault that it reports fails that chunk only, unless every
chunk would meet the same one.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tsn import frames as ranges
from tsn.errors import DeviceError, OutputError, TsnError, UsageError, kind_of
from tsn.shot.plan import Plan, default_chunk_size
from tsn_batch.worker import Job

if TYPE_CHECKING:
    from tsn.shot.render import Report

RETURNS = 2
"""How often a chunk goes back to the queue after its worker died."""
GRACE_S = 20.0
"""For a worker to finish the operation it is in and to remove its temporary file."""


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
    threads = max(1, _cores() // count)
    chosen = [devices[place % len(devices)] for place in range(count)]
    shared = Counter(chosen)
    seen: Counter[str] = Counter()
    made = []
    for name in chosen:
        seen[name] += 1
        made.append(Slot(name=f"{name} {seen[name]}" if shared[name] > 1 else name, device=name, threads=threads))
    return tuple(made)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def balanced(frames: int, *, workers: int, window: int) -> int:
    """Frames a chunk, so that equal workers end together and no chunk is larger than by default."""
    rounds = -(-frames // (workers * default_chunk_size(window)))
    return max(1, -(-frames // (workers * rounds)))


class Pool:
    """Renders chunks of a plan on several workers.

    Args:
        folder: for the plan and a log a chunk; made, and emptied of older logs.
        report: told of progress, on the thread that calls `run`.
    """

    def __init__(self, plan: Plan, slots: Sequence[Slot], *, folder: Path, force: bool, report: Report) -> None:
        self.plan, self.folder, self.force, self._report = plan, folder, force, report
        self._inbox: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()
        self._workers = [_Worker(slot, place, self._inbox) for place, slot in enumerate(slots)]
        self._deaths: Counter[int] = Counter()
        self._failed: dict[int, TsnError] = {}
        self._frames: set[int] = set()
        self._said: set[str] = set()

    def run(self, chunks: Sequence[int]) -> None:
        """Render them.

        Raises:
            TsnError: of the kind of the first fault; all other chunks are finished, unless none could be.
        """
        from tsn.shot import plan as plans
        from tsn.shot.render import Event

        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        for log in self.folder.glob("chunk-*.log"):
            log.unlink()
        plans.save(self.plan, self.folder / "plan.json")
        self._total = len({number for index in chunks for number in self.plan.chunks[index].frames})
        self._report(Event(kind="start", total=self._total))
        self._queue = deque(chunks)
        try:
            for worker in self._workers[: len(chunks)]:
                self._start(worker)
            while any(worker.chunk is not None for worker in self._workers):
                self._receive(*self._next())
        finally:
            self._stop()
        if self._failed:
            self._raise(len(chunks))
        self._report(Event(kind="done", done=len(self._frames), total=self._total, seconds=time.monotonic() - started))

    def _next(self) -> tuple[_Worker, dict[str, Any] | None]:
        while True:  # with a limit, since a wait without one can't be interrupted on every system
            with suppress(queue.Empty):
                return self._inbox.get(timeout=1.0)

    def _start(self, worker: _Worker) -> None:
        slot = worker.slot
        worker.start(
            Job(
                plan=str(self.folder / "plan.json"),
                device=slot.device,
                place=worker.place,
                threads=slot.threads,
                force=self.force,
            )
        )
        self._hand_out(worker)

    def _hand_out(self, worker: _Worker) -> None:
        worker.chunk = self._queue.popleft() if self._queue else None
        if worker.chunk is None:
            worker.end()
        else:
            worker.say(chunk=worker.chunk, log=str(self._log(worker.chunk)))

    def _receive(self, worker: _Worker, message: dict[str, Any] | None) -> None:
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

    def _progress(self, worker: _Worker, data: dict[str, Any]) -> None:
        from tsn.shot.render import Event

        event = replace(Event(**data), worker=worker.slot.name, total=self._total)
        if event.kind == "note" and event.text not in self._said:  # each worker says what the flow is
            self._said.add(event.text)
            self._report(event)
        elif event.kind == "frame" and event.frame is not None and event.frame not in self._frames:
            self._frames.add(event.frame)
            self._report(replace(event, done=len(self._frames)))

    def _fault(self, worker: _Worker, chunk: int, *, code: int, message: str, hint: str | None) -> None:
        kind = kind_of(code)
        if not worker.ready or kind in (UsageError, OutputError):  # the next chunk would meet it too
            raise kind(message, hint=hint)
        self._failed[chunk] = kind(message, hint=hint)
        self._note(f"{self._named(chunk)} failed: {message}")

    def _died(self, worker: _Worker, chunk: int) -> None:
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
            self._queue.appendleft(chunk)
            self._note(f"The worker on {worker.slot.name} {how}; {self._named(chunk).lower()} goes back to the queue.")
        worker.chunk = None
        if self._queue:
            self._start(worker)

    def _note(self, text: str) -> None:
        from tsn.shot.render import Event

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


class _Worker:
    """One worker process after another in a slot; its answers go into an inbox, None when it is gone."""

    def __init__(self, slot: Slot, place: int, inbox: queue.Queue[tuple[_Worker, dict[str, Any] | None]]) -> None:
        self.slot, self.place, self._inbox = slot, place, inbox
        self.chunk: int | None = None
        self.ready = False
        self.stillborn = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, job: Job) -> None:
        """A new process, which loads nothing before its first chunk."""
        self.ready = False
        threads = {"OMP_NUM_THREADS": str(job.threads), "OMP_WAIT_POLICY": "PASSIVE"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tsn_batch.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=threads | dict(os.environ),  # who sets OMP_NUM_THREADS means it
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        self.say(**asdict(job))

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as answers:
            for line in answers:
                with suppress(ValueError):  # the last words of a killed worker may be cut short
                    self._inbox.put((self, json.loads(line)))
        process.wait()
        self._inbox.put((self, None))

    def say(self, **message: Any) -> None:
        assert self._process is not None and self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is gone; the inbox will say so
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def end(self) -> None:
        """There is nothing more for it."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def ending(self) -> str:
        """How the last process ended, as a verb."""
        code = self._process.returncode if self._process is not None else None
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return f"was killed by {name}" + (" (perhaps for memory)" if name == "SIGKILL" else "")
        return f"ended with exit code {code}"

    def terminate(self) -> None:
        if self._process is not None and self._process.poll() is None:
            if self.chunk is None:
                self.end()
            else:
                self._process.terminate()

    def wait(self, seconds: float) -> None:
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def kill(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self.end()
