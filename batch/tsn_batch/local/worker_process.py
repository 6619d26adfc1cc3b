"""A worker process as its parent sees it: started, spoken to in JSON lines, ended."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from tsn_batch.local.worker import WorkerSetup
from tsn_batch.local.worker_slots import WorkerSlot
from tsn_batch.process.interpreter import child_environment, python_command
from tsn_batch.process.threads import PASSIVE_WAITING

Message = dict[str, Any]


class WorkerProcess:
    """One worker process after another in a slot; their answers go into an inbox, None when one is gone."""

    def __init__(self, slot: WorkerSlot, place: int, inbox: queue.Queue[tuple[WorkerProcess, Message | None]]) -> None:
        self.slot, self.place, self._inbox = slot, place, inbox
        self.chunk: int | None = None
        self.ready = False
        self.failed_starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, job: WorkerSetup) -> None:
        """A new process, which loads nothing before its first chunk."""
        self.ready = False
        threads = {"OMP_NUM_THREADS": str(self.slot.threads), **PASSIVE_WAITING}
        with _ctrl_c_later():
            self._process = subprocess.Popen(
                python_command("tsn_batch.local.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=threads | child_environment(),  # who sets OMP_NUM_THREADS means it
            )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        self.send(**asdict(job))

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as answers:
            for line in answers:
                with suppress(ValueError):  # the last words of a killed worker may be cut short
                    self._inbox.put((self, json.loads(line)))
        process.wait()
        self._inbox.put((self, None))

    def send(self, **message: Any) -> None:
        assert self._process is not None and self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is gone; the inbox will say so
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def close_input(self) -> None:
        """There is nothing more for it."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def exit_text(self) -> str:
        """How the last process ended, as a verb."""
        code = self._process.returncode if self._process is not None else None
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return f"was killed by {name}" + (" (perhaps for memory)" if name == "SIGKILL" else "")
        return f"ended with exit code {code}"

    def terminate(self) -> None:
        if self._process is not None and self._process.poll() is None:
            if self.chunk is None:
                self.close_input()
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
            self.close_input()


@contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """A process that is made here never sees Ctrl-C, not even before it can say so; this one sees it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
