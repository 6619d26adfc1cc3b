"""The parent's side of a worker process: start it, exchange JSON lines with it, end it."""

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
"""One JSON line of a worker."""


class WorkerProcess:
    """The worker process of a slot, and its successors after it died.

    Args:
        slot: its device and threads.
        place: number of the slot, from 0.
        inbox: receives (self, message) for each answer, and (self, None) when the process has ended.

    Attributes:
        chunk: index of the chunk that it renders, None when idle.
        ready: whether this process has loaded the engine.
        failed_starts: how many processes in a row ended before they were ready.
    """

    def __init__(self, slot: WorkerSlot, place: int, inbox: queue.Queue[tuple[WorkerProcess, Message | None]]) -> None:
        self.slot, self.place, self._inbox = slot, place, inbox
        self.chunk: int | None = None
        self.ready = False
        self.failed_starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, setup: WorkerSetup) -> None:
        """Start a new process. It loads the engine with its first chunk."""
        self.ready = False
        threads = {"OMP_NUM_THREADS": str(self.slot.threads), **PASSIVE_WAITING}
        with _ctrl_c_blocked():
            self._process = subprocess.Popen(
                python_command("tsn_batch.local.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=threads | child_environment(),  # an OMP_NUM_THREADS of the user wins
            )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        self.send(**asdict(setup))

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as answers:
            for line in answers:
                with suppress(ValueError):  # the last line of a killed worker may be incomplete
                    self._inbox.put((self, json.loads(line)))
        process.wait()
        self._inbox.put((self, None))

    def send(self, **message: Any) -> None:
        """Send a message, as one JSON line."""
        assert self._process is not None and self._process.stdin is not None
        with suppress(BrokenPipeError):  # the process has ended; the inbox receives None
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def close_input(self) -> None:
        """Close its stdin: the process ends, as there are no more chunks for it."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def exit_text(self) -> str:
        """How the last process ended, such as "was killed by SIGKILL"."""
        code = self._process.returncode if self._process is not None else None
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return f"was killed by {name}" + (" (perhaps for memory)" if name == "SIGKILL" else "")
        return f"ended with exit code {code}"

    def terminate(self) -> None:
        """Ask the process to end, without waiting for it."""
        if self._process is not None and self._process.poll() is None:
            if self.chunk is None:
                self.close_input()
            else:
                self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait for its end, at most `seconds`."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def kill(self) -> None:
        """End the process at once, if it still runs."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self.close_input()


@contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """Delay Ctrl-C for this process; in a child that is started meanwhile it is blocked until that ignores it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
