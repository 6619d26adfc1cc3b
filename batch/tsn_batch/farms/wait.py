"""Wait until submitted jobs have left the queue, and report the first fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tsn.errors import Cancelled, DeviceError, error_for_exit_code
from tsn_batch.farms import slurm_queue
from tsn_batch.farms.job import FINISH, FarmJob
from tsn_batch.farms.job_progress import JobProgress
from tsn_batch.farms.status import progress_text, step_text

POLL_S = 2.0
"""Seconds between two looks at the queue."""


MAX_FAILED_POLLS = 30
"""Failed looks in a row before `--wait` gives up: a minute, in which Slurm's controller may be restarted."""


def wait_for_jobs(jobs: Sequence[FarmJob], *, report: Callable[[str], None]) -> None:
    """Wait until no step of the jobs is in Slurm's queue.

    Raises:
        Cancelled: a job was cancelled; or Ctrl-C, which ends the wait only.
        TsnError: of the kind of the first fault, with the path of its log.
    """
    reported_releases: set[Path] = set()
    failed_polls = 0
    all_progress = [JobProgress(job) for job in jobs]
    try:
        waiting = all_progress
        while waiting:
            in_queue_before = waiting
            try:
                queue = slurm_queue.read_queue()
                queued = [(one, states) for one in waiting if (states := slurm_queue.states_in(one.submission, queue))]
                waiting = [one for one, _ in queued]
                for one, states in queued:
                    if (released := slurm_queue.release(states)) and one.job.folder not in reported_releases:
                        reported_releases.add(one.job.folder)
                        report(f"{one.plan.shot.file.stem}: {slurm_queue.released_text(released)}")
                failed_polls = 0
            except DeviceError:
                failed_polls += 1
                if failed_polls > MAX_FAILED_POLLS:
                    raise
            for one in in_queue_before:  # also jobs that have just left the queue
                if line := one.new_progress():
                    report(line)
            if waiting:
                time.sleep(POLL_S)
    except KeyboardInterrupt:
        raise Cancelled("The wait is over; the farm goes on with the job: see `tsn status` and `tsn cancel`.") from None
    for one in all_progress:
        one.update()
        report(progress_text(one, {}))
    for one in all_progress:
        require_done(one)


def require_done(one: JobProgress) -> None:
    """Raise the first fault of a job that has left the queue; return where it is done."""
    job, plan = one.job, one.plan
    for step in one.steps:
        record = one.records.get(step)
        if record is not None and record.code:
            raise error_for_exit_code(record.code)(
                f"{plan.shot.file.stem}, {step_text(plan, step)}: {record.message}", hint=f"Log: {job.log(step)}"
            )
    if FINISH not in one.records:
        raise Cancelled(
            f"{plan.shot.file.stem} left the queue before its end: cancelled, or lost with its host.",
            hint=f"Submit it again: only what is missing will be rendered. Logs: {job.folder / 'logs'}",
        )
