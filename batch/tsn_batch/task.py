"""One step of a job, as a farm runs it: a child process, its log, a few tries, and a record of the outcome.

Tries happen inside the task, since a requeued one waits in the queue again (two minutes in a stock Slurm).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Self

from tsn.errors import Cancelled, DeviceError, TsnError, error_for_exit_code
from tsn.io.atomic import write_error
from tsn_batch import slurm
from tsn_batch.interpreter import python, surroundings
from tsn_batch.job import FINISH, SURVEY, Job, Record, save_record
from tsn_batch.threads import WAITING

PAUSES_S = (2.0, 8.0)
"""Before the second and the third try: what a file server needs to come back after a hiccup."""
HOPELESS = (2, 130)
"""Exit codes that a second try won't change: the shot file is wrong; somebody cancelled."""


def run(job: Job, step: str, *, device: str, threads: int | None = None, openjd: bool = False) -> None:
    """Do a step: `survey`, `finish`, or a chunk's number.

    Args:
        threads: for this task alone, since the host may have others.

    Raises:
        TsnError: with the exit code of the last try, naming its log.
    """
    log = job.log(step)
    told = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    environment = WAITING | surroundings() | told
    started = time.monotonic()
    attempt, code = 0, 0
    for attempt in range(1, len(PAUSES_S) + 2):
        if attempt > 1:
            time.sleep(PAUSES_S[attempt - 2])
        code = _try(job, step, attempt, device=device, openjd=openjd, environment=environment)
        if code == 0 or code in HOPELESS:
            break
        print(f"Attempt {attempt} of {named(step)} ended with {_ending(code)}.", flush=True)
    record = job.record(step) if code == 0 else None
    if record is None:
        message = "" if code == 0 else _last_words(log, step, attempt) or _ending(code)
        record = Record(code=code if code >= 0 else 4, host=socket.gethostname(), message=message)
    seconds = time.monotonic() - started
    save_record(job.record_file(step), replace(record, attempts=attempt, seconds=seconds))
    with suppress(TsnError):  # of no farm, or Slurm doesn't answer: the next one that ends will try again
        if job.facts()["farm"] == "slurm":
            slurm.release(slurm.states(job))
    if code and openjd:  # in place of the child's own, which meets faults before it can say so, or is killed
        print(f"openjd_fail: {named(step)}: {' '.join(record.message.split())}", flush=True)
    if code == 130:
        raise Cancelled(f"Cancelled. Log: {log}")
    if code:
        kind = DeviceError if code < 0 else error_for_exit_code(code)
        raise kind(f"{named(step)} failed {attempt} times: {record.message}", hint=f"Log: {log}")


def named(step: str) -> str:
    return step if step in (SURVEY, FINISH) else f"chunk {step}"


def _headline(step: str, attempt: int) -> str:
    return f"--- {named(step)}, attempt {attempt}"


def _try(job: Job, step: str, attempt: int, *, device: str, openjd: bool, environment: Mapping[str, str]) -> int:
    """One attempt; its exit code, negative for a signal."""
    command = python("tsn_batch")
    if step == SURVEY:
        command += ["survey", str(job.plan_file), "--device", device]
    elif step == FINISH:
        command += ["finish", str(job.folder)]
    else:
        command += ["chunk", str(job.plan_file), step, "--device", device, "--record", str(job.record_file(step))]
        command += ["--openjd"] if openjd else []
    log = job.log(step)
    try:
        out = log.open("ab", buffering=0)
    except OSError as error:
        raise write_error(log, error) from error
    with out:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        out.write(f"{_headline(step, attempt)} on {socket.gethostname()}, {now}\n".encode())
        if not openjd:
            silent = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)
            with _forwarding(silent) as forwarding:
                return forwarding.outcome(silent.wait())
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
        assert child.stdout is not None
        with _forwarding(child) as forwarding, child.stdout:
            for line in child.stdout:
                out.write(line)
                if not line.startswith(b"openjd_fail"):  # it may still go well
                    os.write(1, line)
            return forwarding.outcome(child.wait())


class _forwarding:
    """SIGTERM, with which farms end a task, goes on to the child, which then ends by itself."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.child = child
        self.came = False

    def __enter__(self) -> Self:
        def forward(signum: int, frame: FrameType | None) -> None:
            self.came = True
            self.child.send_signal(signal.SIGTERM)

        self.before = [(number, signal.signal(number, forward)) for number in (signal.SIGTERM, signal.SIGINT)]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before:
            signal.signal(number, handler)

    def outcome(self, code: int) -> int:
        """Of a child that ended with `code`: one that was told to end didn't fail, and isn't tried again."""
        return Cancelled.exit_code if self.came and code else code


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _last_words(log: Path, step: str, attempt: int) -> str:
    """The last fault that tsn told of in an attempt; what an earlier one died of is another matter."""
    _, _, own = log.read_text(encoding="utf-8", errors="replace").rpartition(_headline(step, attempt))
    told = [line for line in own.splitlines() if line.startswith("tsn: ")]
    return told[-1].removeprefix("tsn: ") if told else ""
