"""The status of a submitted job, as text and as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tsn import frames as ranges
from tsn.rendering.plan import Plan
from tsn_batch.farms import slurm_queue
from tsn_batch.farms.finish import host_table
from tsn_batch.farms.job import SURVEY, FarmJob, StepRecord
from tsn_batch.farms.job_progress import JobProgress
from tsn_batch.wording import format_table

MAX_STATUS_ROWS = 20
"""Steps in the table of a status; the others are counted."""


def as_text(job: FarmJob, states: Mapping[str, slurm_queue.QueueState], *, terminal: bool = False) -> str:
    """The status for people: one line of progress, a table of unfinished steps, and a table of hosts."""
    return progress_text(JobProgress.read(job), states, terminal=terminal)


def progress_text(one: JobProgress, states: Mapping[str, slurm_queue.QueueState], *, terminal: bool = False) -> str:
    """The same for a job that was read already."""
    job, plan = one.job, one.plan
    left = []
    for step in one.steps:
        record, state = one.records.get(step), states.get(step)
        if state is None and record is not None and record.code == 0:
            continue
        if state is None and record is None and (step == SURVEY or one.submission["farm"] != "slurm"):
            continue
        left.append((step, record, state))
    rows = [
        (step_text(plan, step), _state_text(record, state), _host(record, state), _log(job, step))
        for step, record, state in left[:MAX_STATUS_ROWS]
    ]
    lines = [one.progress()]
    if rows:
        lines.append(format_table(("step", "state", "host", "log"), rows, terminal=terminal))
    if len(left) > MAX_STATUS_ROWS:
        lines.append(f"... and {len(left) - MAX_STATUS_ROWS} more steps that are not done")
    return "\n".join(filter(None, [*lines, host_table(plan, one.records, terminal=terminal)]))


def as_data(job: FarmJob, states: Mapping[str, slurm_queue.QueueState]) -> dict[str, object]:
    """The status for programs: every step with its state, its log, its place in the queue and its record."""
    from dataclasses import asdict

    one = JobProgress.read(job)
    steps = {}
    for step in one.steps:
        record, state = one.records.get(step), states.get(step)
        steps[step] = {
            "state": _state_text(record, state),
            "log": str(job.log(step)),
            "queue": None if state is None else asdict(state),
            "record": None if record is None else asdict(record),
        }
    return {"folder": str(job.folder), "shot": str(one.plan.shot.file), **one.submission, "steps": steps}


def states_of(
    job: FarmJob, queue: Callable[[], slurm_queue.Queue] = slurm_queue.read_queue
) -> Mapping[str, slurm_queue.QueueState]:
    """The states of the job's steps in the queue; empty for farms that have a monitor of their own."""
    submission = job.submission()
    return slurm_queue.states_in(submission, queue()) if submission["farm"] == "slurm" else {}


def step_text(plan: Plan, step: str) -> str:
    """A step with its frames, such as "chunk 3 (1031-1040)"."""
    return f"chunk {step} ({ranges.compact(plan.chunks[int(step)].frames)})" if step.isdigit() else step


def _state_text(record: StepRecord | None, state: slurm_queue.QueueState | None) -> str:
    if state is not None:
        return state.state.lower() + (f" ({state.reason})" if state.state == "PENDING" else "")
    if record is None:
        return "not done"
    return "done" if record.code == 0 else f"failed with {record.code}: {record.message}"


def _host(record: StepRecord | None, state: slurm_queue.QueueState | None) -> str:
    return (state.host if state is not None else record.host if record is not None else "").strip()


def _log(job: FarmJob, step: str) -> str:
    return str(job.log(step)) if job.log(step).exists() else ""
