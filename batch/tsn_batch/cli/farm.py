"""Commands for render farms: submit, status, cancel; and survey, task and finish, which the farm itself calls."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import click

from tsn.errors import UsageError
from tsn_batch.cli.group import TsnCommand
from tsn_batch.cli.options import CHUNK_SIZE, DEVICE, MISSING, OPENJD, SETS, json_option
from tsn_batch.cli.planning import load_shot, make_plan, pin_inputs

UNITS_MIB = {"M": 1, "G": 1024, "T": 1024**2}


class MemorySize(click.ParamType):
    """A size as farms write it, `12G`, `800M` or `1.5G`, converted to MiB."""

    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the size in MiB; fail where `value` is no size."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([MGT])(?:i?B)?", value.strip(), flags=re.IGNORECASE)
        size = round(float(match[1]) * UNITS_MIB[match[2].upper()]) if match else 0
        if size < 1:
            self.fail(f"{value!r} is not a size of memory: write 12G or 800M.", param, ctx)
        return size


JOBS = click.argument("jobs", nargs=-1, required=True, type=click.Path(path_type=Path))
JOB_FOLDER = click.argument("job", type=click.Path(path_type=Path))


@click.command(cls=TsnCommand)
@click.argument("shots", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--farm", required=True, type=click.Choice(["slurm", "openjd", "opencue"]), help="The render farm.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Make the job folders here.  [default: farm/ beside the shot file]",
)
@CHUNK_SIZE
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", default=1, show_default=True, help="CPU cores for each task."
)
@click.option(
    "--memory",
    type=MemorySize(),
    metavar="SIZE",
    help="Host memory for each task, such as 12G.  [default: computed from the frame size]",
)
@click.option(
    "--priority",
    type=click.IntRange(0, 100),
    metavar="N",
    help="Priority of the job, 100 is first.  [default: the farm's own]",
)
@click.option("--wait", is_flag=True, help="Wait until the job is done, and return its exit code. Slurm only.")
@DEVICE
@SETS
@MISSING
def submit(
    shots: tuple[Path, ...],
    farm: str,
    out: Path | None,
    chunk_size: int | None,
    threads: int,
    memory: int | None,
    priority: int | None,
    wait: bool,
    device: str,
    sets: tuple[str, ...],
    missing: str | None,
) -> None:
    """Submit shots to a render farm. Submitted again, only unfinished chunks are rendered.

    Each shot gets a job folder. All hosts must see the job folder, the plate and the output under the same paths.
    """
    from tsn.rendering.output import make_folder
    from tsn.rendering.plan import Plan
    from tsn_batch.farms import submit as submission
    from tsn_batch.farms.job import FarmJob
    from tsn_batch.farms.options import FarmOptions

    if wait and farm != "slurm":
        raise UsageError(f"--wait: tsn writes a file for {farm}, and can't see when the job is done.")
    if "," in device:
        raise UsageError(f"--device {device}: a task runs on one device.", hint="auto, cpu or cuda.")

    def plan(shot: Path) -> Plan:
        before = FarmJob(submission.job_folder(shot, out)).plan_or_none()
        made = pin_inputs(make_plan(load_shot(shot, sets, missing), None, chunk_size), before)
        make_folder(Path(made.shot.output).parent)  # fails here once, rather than on every host
        return made

    options = FarmOptions(
        device=device, threads=threads, memory=memory, priority=priority, command=submission.tsn_command()
    )
    plans = submission.plans_by_folder(shots, out, plan)
    jobs = submission.submit_plans(plans, farm=farm, options=options, report=click.echo)
    if wait:
        from tsn_batch.farms.wait import wait_for_jobs

        wait_for_jobs(jobs, report=click.echo)


@click.command(cls=TsnCommand)
@JOBS
@json_option("Print one JSON object a line for each job.")
def status(jobs: tuple[Path, ...], as_json: bool) -> None:
    """Show the progress of submitted shots, given as shot files or job folders."""
    from functools import cache

    from tsn_batch.farms import slurm_queue
    from tsn_batch.farms import status as job_status
    from tsn_batch.farms.submit import find_job

    read_queue = cache(slurm_queue.read_queue)
    for path in jobs:
        job = find_job(path)
        states = job_status.states_of(job, read_queue)
        if as_json:
            click.echo(json.dumps(job_status.as_data(job, states)))
        else:
            click.echo(job_status.as_text(job, states, terminal=sys.stdout.isatty()))


@click.command(cls=TsnCommand)
@JOBS
def cancel(jobs: tuple[Path, ...]) -> None:
    """Remove submitted shots from the queue. Finished frames stay."""
    from tsn_batch.farms.submit import cancel_job, find_job

    for path in jobs:
        click.echo(cancel_job(find_job(path)))


@click.command(cls=TsnCommand)
@click.argument("plan", type=click.Path(path_type=Path))
@DEVICE
def survey(plan: Path, device: str) -> None:
    """Calibrate a shot once: measure its statistics and cuts, and write them into the plan for all hosts."""
    from tsn.rendering import plan_file
    from tsn_batch.plan_validity import require_survey

    loaded = plan_file.load(plan)
    require_survey(loaded)
    if loaded.pins is not None:
        click.echo(f"{plan} is pinned already.")
        return
    from tsn.rendering.pin import pin
    from tsn_batch.local.worker_slots import worker_slots
    from tsn_batch.process.threads import limit_threads

    limit_threads()
    first = worker_slots(device)[0].device  # a host may list several for its chunks; they are of one type
    plan_file.save(pin(loaded, device=first, note=click.echo), plan)
    click.echo(f"{plan} is pinned.")


@click.command(cls=TsnCommand)
@JOB_FOLDER
@click.argument("step")
@DEVICE
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU cores for this task.  [default: all]")
@OPENJD
@click.option(
    "--path-map",
    metavar="FILE",
    help="Path-mapping rules of Open Job Description, added to those of $TSN_PATHMAP.",
)
def task(job: Path, step: str, device: str, threads: int | None, openjd: bool, path_map: str | None) -> None:
    """Run one step of a job: `survey`, `finish` or the number of a chunk.

    The step gets a log, up to three attempts and a record of how it ended, all in the job folder.
    """
    from tsn_batch.farms.job import FINISH, SURVEY, FarmJob
    from tsn_batch.farms.task import run_step

    if step not in (SURVEY, FINISH) and not step.isdecimal():
        raise UsageError(f"There is no step {step!r}.", hint="survey, finish, or a chunk's number.")
    if path_map is not None:
        os.environ["TSN_PATHMAP"] = ";".join(filter(None, [os.environ.get("TSN_PATHMAP"), path_map]))
    farm_job = FarmJob(job.absolute())
    farm_job.plan()  # fails here where there is no job, before a log is written
    run_step(farm_job, step, device=device, threads=threads, openjd=openjd)


@click.command(cls=TsnCommand)
@JOB_FOLDER
def finish(job: Path) -> None:
    """Check that every frame of a job is there and undamaged, make the contact sheet, and sum up."""
    from tsn_batch.farms.finish import finish_job
    from tsn_batch.farms.job import FarmJob

    click.echo(finish_job(FarmJob(job.absolute())))


COMMANDS = (submit, status, cancel, survey, task, finish)
