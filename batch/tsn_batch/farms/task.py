"""Run one step of a job on a host of the farm: a child process with a log, up to three attempts, and a record.

All attempts happen inside the task, since a requeued task waits in the queue again (two minutes in a default Slurm).
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
from tsn_batch.farms import slurm_queue
from tsn_batch.farms.job import FINISH, SURVEY, FarmJob, StepRecord, save_record
from tsn_batch.process.interpreter import child_environment, python_command
from tsn_batch.process.threads import PASSIVE_WAITING

PAUSES_S = (2.0, 8.0)
"""Seconds before the second and the third attempt: time for a file server to recover."""
NO_RETRY_CODES = (2, 130)
"""Exit codes after which there is no other attempt: wrong usage or shot file; cancelled."""


def run_step(job: FarmJob, step: str, *, device: str, threads: int | None = None, openjd: bool = False) -> None:
    """Run a step: `survey`, `finish`, or the number of a chunk.

    Args:
        device: `auto`, `cpu` or `cuda`.
        threads: CPU cores for this task, as the host may run others; None = all.
        openjd: print progress and the fault as Open Job Description reads them.

    Raises:
        TsnError: with the exit code of the last attempt and the path of its log.
    """
    log = job.log(step)
    limit = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    environment = PASSIVE_WAITING | child_environment() | limit
    started = time.monotonic()
    attempt, code = 0, 0
    for attempt in range(1, len(PAUSES_S) + 2):
        if attempt > 1:
            time.sleep(PAUSES_S[attempt - 2])
        code = _run_attempt(job, step, attempt, device=device, openjd=openjd, environment=environment)
        if code == 0 or code in NO_RETRY_CODES:
            break
        print(f"Attempt {attempt} of {step_name(step)} ended with {_exit_text(code)}.", flush=True)
    record = job.record(step) if code == 0 else None
    if record is None:
        message = "" if code == 0 else _last_fault(log, step, attempt) or _exit_text(code)
        record = StepRecord(code=code if code >= 0 else 4, host=socket.gethostname(), message=message)
    seconds = time.monotonic() - started
    save_record(job.record_file(step), replace(record, attempts=attempt, seconds=seconds))
    with suppress(TsnError):  # no job.json, or Slurm doesn't answer: the next task that ends releases them
        if job.submission()["farm"] == "slurm":
            slurm_queue.release(slurm_queue.job_states(job))
    if code and openjd:  # not by the child, which may fail too early or be killed
        print(f"openjd_fail: {step_name(step)}: {' '.join(record.message.split())}", flush=True)
    if code == 130:
        raise Cancelled(f"Cancelled. Log: {log}")
    if code:
        kind = DeviceError if code < 0 else error_for_exit_code(code)
        raise kind(f"{step_name(step)} failed {attempt} times: {record.message}", hint=f"Log: {log}")


def step_name(step: str) -> str:
    """A step as messages name it: `survey`, `finish` or `chunk 3`."""
    return step if step in (SURVEY, FINISH) else f"chunk {step}"


def _headline(step: str, attempt: int) -> str:
    return f"--- {step_name(step)}, attempt {attempt}"


def _run_attempt(
    job: FarmJob, step: str, attempt: int, *, device: str, openjd: bool, environment: Mapping[str, str]
) -> int:
    """Run one attempt, and return its exit code, negative for a signal."""
    command = python_command("tsn_batch")
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
            with _SignalForwarding(silent) as forwarding:
                return forwarding.exit_code(silent.wait())
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
        assert child.stdout is not None
        with _SignalForwarding(child) as forwarding, child.stdout:
            for line in child.stdout:
                out.write(line)
                if not line.startswith(b"openjd_fail"):  # another attempt may succeed
                    os.write(1, line)
            return forwarding.exit_code(child.wait())


class _SignalForwarding:
    """Forward SIGTERM, with which farms end a task, to the child, which then ends in order."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.child = child
        self.received = False

    def __enter__(self) -> Self:
        def forward(signum: int, frame: FrameType | None) -> None:
            self.received = True
            self.child.send_signal(signal.SIGTERM)

        self.before = [(number, signal.signal(number, forward)) for number in (signal.SIGTERM, signal.SIGINT)]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before:
            signal.signal(number, handler)

    def exit_code(self, code: int) -> int:
        """The exit code of the step: a child that ended with `code` after a signal was cancelled, and did not fail."""
        return Cancelled.exit_code if self.received and code else code


def _exit_text(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _last_fault(log: Path, step: str, attempt: int) -> str:
    """The last fault that tsn printed in this attempt; empty where it printed none."""
    _, _, output = log.read_text(encoding="utf-8", errors="replace").rpartition(_headline(step, attempt))
    faults = [line for line in output.splitlines() if line.startswith("tsn: ")]
    return faults[-1].removeprefix("tsn: ") if faults else ""
