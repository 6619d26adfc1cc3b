"""Shots to a farm, and what became of them."""

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


def tsn_command() -> list[str]:
    """How hosts call tsn: `$TSN_COMMAND`, else this very installation, which they are expected to share."""
    given = os.environ.get("TSN_COMMAND")
    return shlex.split(given) if given else python_command("tsn_batch")


def job_folder(shot: Path, out: Path | None = None) -> Path:
    """The job folder of a shot: farm/NAME beside its file, or NAME under `out`."""
    return (out.absolute() if out else shot.absolute().parent / "farm") / shot.stem


def find_job(path: Path) -> FarmJob:
    """A job by its folder or by its shot file. Raises InputError where nothing was submitted."""
    job = FarmJob(path.absolute() if path.is_dir() else job_folder(path))
    job.submission()
    return job


def submit_plans(
    plans: Mapping[Path, Plan], *, farm: str, options: FarmOptions, report: Callable[[str], None]
) -> list[FarmJob]:
    """Submit a plan for each job folder; those with nothing left to do are not. The jobs that go on in the queue.

    Raises:
        UsageError: two shots would share a folder or an output, or the farm isn't here.
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
            # A chunk's old copy may have painted it to the end while Slurm held the new one, and the finish behind it.
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
    """Take a job out of the queue; a sentence for the person.

    Raises:
        UsageError: it is with a farm that tsn doesn't talk to.
        DeviceError: Slurm doesn't answer.
    """
    farm = job.submission()["farm"]
    if farm != "slurm":
        raise UsageError(f"{job.folder} went to {farm} as a file.", hint="Cancel it with that farm's own tools.")
    steps = slurm_queue.cancel_steps(job)
    return f"{job.folder}: {steps} steps cancelled" if steps else f"{job.folder}: nothing was in the queue"


def plans_by_folder(shots: Sequence[Path], out: Path | None, plan: Callable[[Path], Plan]) -> dict[Path, Plan]:
    """A plan for each shot by job folder, all of them before any is submitted. What `shots/*.yaml` finds of shows and
    sequences is left out.

    Raises:
        UsageError: two shots would share a folder.
        InputError: no shots.
    """
    shots = [shot for shot in shots if shot.name not in (SHOW_FILE, SEQUENCE_FILE)]
    if not shots:
        raise InputError("No shots were named.")
    made: dict[Path, Plan] = {}
    for shot in shots:
        folder = job_folder(shot, out)
        if folder in made:
            raise UsageError(f"Two shots would share the job folder {folder}.", hint="Submit them one by one.")
        made[folder] = plan(shot)
    return made
