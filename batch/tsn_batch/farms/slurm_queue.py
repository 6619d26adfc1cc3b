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


LAUNCH_FAILED_REASON = "launch failed requeued held"


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """What the queue says of a step: its number there, Slurm's word for its state, its host, its reason for waiting."""

    id: str
    state: str
    host: str
    reason: str


Queue = dict[str, list[tuple[str, QueueState]]]
"""By the number of a job or an array there: the index of each step and its state."""


def read_queue() -> Queue:
    """All that the user has in the queue, running or waiting. Raises DeviceError."""
    found: Queue = defaultdict(list)
    for line in run_slurm("squeue", "--me", "-h", "-r", "-o", "%F|%K|%T|%N|%r").splitlines():
        number, index, state, host, reason = line.split("|", 4)
        found[number].append((index, QueueState(id=number, state=state, host=host, reason=reason)))
    return found


def job_states(job: FarmJob) -> dict[str, QueueState]:
    """The job's steps that are still in the queue, running or waiting. Raises DeviceError."""
    return states_in(job.submission(), read_queue())


def states_in(submission: Mapping[str, Any], queued: Queue) -> dict[str, QueueState]:
    """Those of the job with these submission: Slurm is asked once, however many jobs somebody looks at."""
    found = {step: state for step in (SURVEY, FINISH) for _, state in queued.get(str(submission[step]), ())}
    for array in submission["arrays"]:
        for index, state in queued.get(str(array["id"]), ()):
            found[str(int(index) + array["offset"])] = replace(state, id=f"{array['id']}_{index}")
    return found


def submitted_states(job: FarmJob) -> dict[str, QueueState]:
    """`job_states` of a job that may never have been submitted, or to another farm. Raises DeviceError."""
    submitted = (job.folder / "job.json").exists() and job.submission()["farm"] == "slurm"
    return job_states(job) if submitted else {}


def release(queued: Mapping[str, QueueState]) -> int:
    """Release the steps of a job that Slurm holds because a host could not launch them; return how many they are.

    A host that comes back while its old copy of a step is still ending refuses the new one ("Duplicate jobid"), and
    Slurm holds that until somebody says otherwise, with all that depend on it. What a person holds stays held.

    Raises:
        DeviceError: Slurm refuses, or doesn't answer.
    """
    held = [state.id for state in queued.values() if state.reason == LAUNCH_FAILED_REASON]
    if held:
        run_slurm("scontrol", "release", ",".join(held))
    return len(held)


def released_text(released: int) -> str:
    return f"{released} step{'s' * (released > 1)} that Slurm held after a failed launch may go on"


def cancel_steps(job: FarmJob) -> int:
    """Take the job out of the queue; how many steps that were. Raises DeviceError."""
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
    """A Slurm command's output. Raises DeviceError with its own words."""
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
