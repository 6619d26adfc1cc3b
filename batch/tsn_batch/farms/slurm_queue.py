"""Slurm's queue: read it, release held steps, cancel."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tsn.errors import DeviceError, UsageError
from tsn_batch.farms.job import FINISH, SURVEY, FarmJob

TIMEOUT_S = 60
"""Seconds that a command of Slurm may take."""


LAUNCH_FAILED_REASON = "launch failed requeued held"
"""Slurm's word for a step that it holds because its host could not launch it."""


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """A step in the queue: its number there, and Slurm's words for its state, its host and the reason of its state."""

    id: str
    state: str
    host: str
    reason: str


Queue = dict[str, list[tuple[str, QueueState]]]
"""Number of a job or an array -> (index in the array, state) of each of its steps."""


def read_queue() -> Queue:
    """Read all steps of the user, running or waiting. Raises DeviceError."""
    found: Queue = defaultdict(list)
    for line in run_slurm("squeue", "--me", "-h", "-r", "-o", "%F|%K|%T|%N|%r").splitlines():
        number, index, state, host, reason = line.split("|", 4)
        found[number].append((index, QueueState(id=number, state=state, host=host, reason=reason)))
    return found


def job_states(job: FarmJob) -> dict[str, QueueState]:
    """Read the queue and return the steps of one job that are in it. Raises DeviceError."""
    return states_in(job.submission(), read_queue())


def states_in(submission: Mapping[str, Any], queued: Queue) -> dict[str, QueueState]:
    """The steps of one job in a queue that was read already; one look serves many jobs."""
    found = {step: state for step in (SURVEY, FINISH) for _, state in queued.get(str(submission[step]), ())}
    for array in submission["arrays"]:
        for index, state in queued.get(str(array["id"]), ()):
            found[str(int(index) + array["offset"])] = replace(state, id=f"{array['id']}_{index}")
    return found


def submitted_states(job: FarmJob) -> dict[str, QueueState]:
    """`job_states`; empty for a job that was not submitted to Slurm. Raises DeviceError."""
    submitted = (job.folder / "job.json").exists() and job.submission()["farm"] == "slurm"
    return job_states(job) if submitted else {}


def release(queued: Mapping[str, QueueState]) -> int:
    """Release the steps of a job that Slurm holds because a host could not launch them; return how many they are.

    A host that comes back while its old copy of a step is still ending refuses the new one ("Duplicate jobid"), and
    Slurm holds that one, and all steps that depend on it, until it is released. Steps held by a user are not touched.

    Raises:
        DeviceError: Slurm refuses, or doesn't answer.
    """
    held = [state.id for state in queued.values() if state.reason == LAUNCH_FAILED_REASON]
    if held:
        run_slurm("scontrol", "release", ",".join(held))
    return len(held)


def released_text(released: int) -> str:
    """What `release` did, as a sentence without its end."""
    return f"{released} step{'s' * (released > 1)} that Slurm held after a failed launch may go on"


def cancel_steps(job: FarmJob) -> int:
    """Cancel all steps of a job, and return their number. Raises DeviceError."""
    submission = job.submission()
    waiting = len(job_states(job))
    if waiting:
        run_slurm(
            "scancel",
            *(
                str(part)
                for part in (submission[FINISH], *(a["id"] for a in submission["arrays"]), submission[SURVEY])
                if part
            ),
        )
    return waiting


def run_slurm(*command: str) -> str:
    """Run a command of Slurm and return its output. Raises DeviceError with its message."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except FileNotFoundError as error:
        raise UsageError(
            f"There is no `{command[0]}` on this host.", hint="Run it where Slurm's commands are."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"Slurm doesn't answer: {command[0]} took over {TIMEOUT_S} s.") from error
    if done.returncode:
        raise DeviceError(f"{command[0]}: {' '.join(done.stderr.split()) or f'exit code {done.returncode}'}")
    return done.stdout
