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


MAX_FAILED_POLLS = 30
"""How long `--wait` puts up with a controller that is being restarted: a minute."""


def wait_for_jobs(jobs: Sequence[FarmJob], *, report: Callable[[str], None]) -> None:
    """Until the queue holds nothing of the jobs any more.

    Raises:
        Cancelled: Ctrl-C, or the job was cancelled; on Ctrl-C it goes on.
        TsnError: of the first fault's kind, naming its log.
    """
    held: set[Path] = set()
    silent = 0
    watched = [JobProgress(job) for job in jobs]
    try:
        waiting = watched
        while waiting:
            looking = waiting
            try:
                queue = slurm_queue.read_queue()
                queued = [(one, states) for one in waiting if (states := slurm_queue.states_in(one.submission, queue))]
                waiting = [one for one, _ in queued]
                for one, states in queued:
                    if (released := slurm_queue.release(states)) and one.job.folder not in held:
                        held.add(one.job.folder)
                        report(f"{one.plan.shot.file.stem}: {slurm_queue.released_text(released)}")
                silent = 0
            except DeviceError:
                silent += 1
                if silent > MAX_FAILED_POLLS:
                    raise
            for one in looking:  # what has left the queue just now, for the last time
                if line := one.new_progress():
                    report(line)
            if waiting:
                time.sleep(POLL_S)
    except KeyboardInterrupt:
        raise Cancelled("Not waiting any more; the farm goes on. `tsn status` and `tsn cancel` know the job.") from None
    for one in watched:
        one.update()
        report(progress_text(one, {}))
    for one in watched:
        _require_done(one)


def require_done(job: FarmJob) -> None:
    """Raise the fault that kept a job from its end."""
    _require_done(JobProgress.read(job))


def _require_done(one: JobProgress) -> None:
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
