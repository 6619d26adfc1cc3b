"""Submit shots to a farm, find their job folders, and cancel them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tsn.errors import InputError, UsageError
from tsn.rendering.plan import Plan
from tsn.shot.cascade import SEQUENCE_FILE, SHOW_FILE
from tsn_batch.farms import opencue, openjd, slurm, slurm_queue
from tsn_batch.farms.finish import record_finished_chunks, unfinished_chunks
from tsn_batch.farms.job import FarmJob, prepare_job
from tsn_batch.farms.options import FarmOptions
from tsn_batch.process.interpreter import python_command
from tsn_batch.wording import gaps_text

FARMS: Mapping[str, Callable[[FarmJob, Plan, Sequence[int], FarmOptions], str]] = {
    "slurm": slurm.submit,
    "openjd": openjd.submit,
    "opencue": opencue.submit,
}
"""Farm -> function that submits chunks of a job and returns a sentence for the user."""


def tsn_command() -> list[str]:
    """The command with which hosts run tsn: `$TSN_COMMAND`, or else this installation, which they must share."""
    given = os.environ.get("TSN_COMMAND")
    return shlex.split(given) if given else python_command("tsn_batch")


def job_folder(shot: Path, out: Path | None = None) -> Path:
    """The job folder of a shot: farm/NAME beside its file, or NAME under `out`."""
    return (out.absolute() if out else shot.absolute().parent / "farm") / shot.stem


def find_job(path: Path) -> FarmJob:
    """Find a job by its folder or its shot file. Raises InputError where nothing was submitted."""
    job = FarmJob(path.absolute() if path.is_dir() else job_folder(path))
    job.submission()
    return job


def submit_plans(
    plans: Mapping[Path, Plan], *, farm: str, options: FarmOptions, report: Callable[[str], None]
) -> list[FarmJob]:
    """Submit the plan of each job folder, unless all its frames are finished.

    Returns:
        The jobs that are in the queue.

    Raises:
        UsageError: two shots have the same output, or the farm's commands or libraries are missing.
        TsnError: of any other kind.
    """
    outputs = [plan.shot.output for plan in plans.values()]
    if len(set(outputs)) < len(outputs):
        double = next(output for output in outputs if outputs.count(output) > 1)
        raise UsageError(f"Two of the shots write {double}.", hint="Give each its own `output:`.")
    jobs = []
    for folder, made in plans.items():
        job, plan = prepare_job(made, folder)
        chunks = unfinished_chunks(plan)
        record_finished_chunks(job, plan, chunks)
        if not chunks:
            # An older copy of a chunk may have finished it; Slurm still holds the new copy, and with it `finish`.
            released = slurm_queue.release(slurm_queue.submitted_states(job)) if farm == "slurm" else 0
            rest = slurm_queue.released_text(released) if released else "nothing to submit"
            rest += gaps_text(len(plan.requested) - len(plan.output_frames))
            report(f"{plan.shot.file.stem}: all {len(plan.output_frames)} frames are finished, {rest}.")
            if released:
                jobs.append(job)
            continue
        report(f"{plan.shot.file.stem}: {FARMS[farm](job, plan, chunks, options)}")
        report(f"  tsn status {shlex.quote(str(folder))}")
        jobs.append(job)
    return jobs


def cancel_job(job: FarmJob) -> str:
    """Remove a job from the queue, and return a sentence for the user.

    Raises:
        UsageError: tsn only wrote a file for this farm.
        DeviceError: Slurm doesn't answer.
    """
    farm = job.submission()["farm"]
    if farm != "slurm":
        raise UsageError(
            f"{job.folder}: tsn wrote a file for {farm}, and can't cancel the job.",
            hint="Cancel it with the tools of the farm.",
        )
    steps = slurm_queue.cancel_steps(job)
    return f"{job.folder}: {steps} steps cancelled" if steps else f"{job.folder}: nothing was in the queue"


def plans_by_folder(shots: Sequence[Path], out: Path | None, plan: Callable[[Path], Plan]) -> dict[Path, Plan]:
    """Make the plans of all shots, by job folder, before any is submitted.

    Files of shows and sequences, which `shots/*.yaml` also matches, are left out.

    Args:
        out: the folder for all job folders; None = `farm` beside each shot file.
        plan: makes the plan of one shot.

    Raises:
        UsageError: two shots would share a job folder.
        InputError: there are no shots.
    """
    shots = [shot for shot in shots if shot.name not in (SHOW_FILE, SEQUENCE_FILE)]
    if not shots:
        raise InputError("No shots were given.")
    plans: dict[Path, Plan] = {}
    for shot in shots:
        folder = job_folder(shot, out)
        if folder in plans:
            raise UsageError(f"Two shots would share the job folder {folder}.", hint="Submit them one by one.")
        plans[folder] = plan(shot)
    return plans
