"""The commands that deal with farms. `survey`, `task` and `finish` are what farms call."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import click

from tsn.errors import UsageError
from tsn_batch.asking import DEVICE, MISSING, SETS, json_option, load, planned, portable
from tsn_batch.group import Command

UNITS_MIB = {"M": 1, "G": 1024, "T": 1024**2}


class Memory(click.ParamType):
    """`12G`, `800M`, `1.5G`: a size as farms write it, in MiB."""

    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([MGT])(?:i?B)?", value.strip(), flags=re.IGNORECASE)
        size = round(float(found[1]) * UNITS_MIB[found[2].upper()]) if found else 0
        if size < 1:
            self.fail(f"{value!r} is no size of memory: write 12G or 800M.", param, ctx)
        return size


JOBS = click.argument("jobs", nargs=-1, required=True, type=click.Path(path_type=Path))
FOLDER = click.argument("job", type=click.Path(path_type=Path))
OPENJD = click.option("--openjd", is_flag=True, help="Progress and faults as Open Job Description reads them.")


@click.command(cls=Command)
@click.argument("shots", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--farm", required=True, type=click.Choice(["slurm", "openjd", "opencue"]), help="Which farm.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="For job folders.  [farm, beside the shot]")
@click.option("--chunk-size", type=click.IntRange(min=1), metavar="N", help="Frames a chunk.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Cores for a task.")
@click.option("--memory", type=Memory(), metavar="SIZE", help="Of a host for a task, such as 12G.  [by frame size]")
@click.option("--priority", type=click.IntRange(0, 100), help="100 is before 0.  [the farm's own]")
@click.option("--wait", is_flag=True, help="Until it is done, with its exit code. Slurm only.")
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
    """Submit shots to a farm. Submitted again, only what is missing is rendered.

    Each shot gets a job folder that every host must see, as it must see plate and output, under the same path.
    """
    from tsn.rendering.output import make_folder
    from tsn.rendering.plan import Plan
    from tsn_batch import submit as submitting
    from tsn_batch.job import Job
    from tsn_batch.options import Options

    if wait and farm != "slurm":
        raise UsageError(f"--wait: {farm} gets a file, and tsn can't tell when it is done.")
    if "," in device:
        raise UsageError(f"--device {device}: a task runs on one device.", hint="auto, cpu or cuda.")

    def plan(shot: Path) -> Plan:
        before = Job(submitting.folder_of(shot, out)).plan_if_any()
        made = portable(planned(load(shot, sets, missing), None, chunk_size), before)
        make_folder(Path(made.shot.output).parent)  # told here, not by a hundred hosts
        return made

    options = Options(device=device, threads=threads, memory=memory, priority=priority, command=submitting.command())
    plans = submitting.plans_for(shots, out, plan)
    jobs = submitting.submit(plans, farm=farm, options=options, say=click.echo)
    if wait:
        submitting.wait(jobs, say=click.echo)


@click.command(cls=Command)
@JOBS
@json_option("One JSON object a job.")
def status(jobs: tuple[Path, ...], as_json: bool) -> None:
    """How submitted shots go, by their shot files or job folders."""
    from functools import cache

    from tsn_batch import slurm
    from tsn_batch import submit as submitting

    queue = cache(slurm.queue)
    for path in jobs:
        job = submitting.job_of(path)
        states = submitting.states_of(job, queue)
        if as_json:
            click.echo(json.dumps(submitting.as_data(job, states)))
        else:
            click.echo(submitting.status(job, states, terminal=sys.stdout.isatty()))


@click.command(cls=Command)
@JOBS
def cancel(jobs: tuple[Path, ...]) -> None:
    """Take submitted shots out of the queue. Finished frames stay."""
    from tsn_batch import submit as submitting

    for path in jobs:
        click.echo(submitting.cancel(submitting.job_of(path)))


@click.command(cls=Command)
@click.argument("plan", type=click.Path(path_type=Path))
@DEVICE
def survey(plan: Path, device: str) -> None:
    """Look at the whole shot once, and write into its plan what no host shall decide again: statistics and cuts."""
    from tsn.rendering import plan_file
    from tsn_batch.check import require_survey

    loaded = plan_file.load(plan)
    require_survey(loaded)
    if loaded.pins is not None:
        click.echo(f"{plan} is pinned already.")
        return
    from tsn.rendering.pin import pin
    from tsn_batch.slots import slots
    from tsn_batch.threads import keep_to_threads

    keep_to_threads()
    first = slots(device)[0].device  # of the list that a host has for its chunks: all are of one kind
    plan_file.save(pin(loaded, device=first, note=click.echo), plan)
    click.echo(f"{plan} is pinned.")


@click.command(cls=Command)
@FOLDER
@click.argument("step")
@DEVICE
@click.option("--threads", type=click.IntRange(min=1), help="For this task.  [all cores]")
@OPENJD
@click.option("--path-map", metavar="FILE", help="Rules of Open Job Description, besides those of $TSN_PATHMAP.")
def task(job: Path, step: str, device: str, threads: int | None, openjd: bool, path_map: str | None) -> None:
    """Do one step of a job, with a log, a few tries and a record: `survey`, `finish` or a chunk's number."""
    from tsn_batch import task as tasks
    from tsn_batch.job import FINISH, SURVEY, Job

    if step not in (SURVEY, FINISH) and not step.isdecimal():
        raise UsageError(f"There is no step {step!r}.", hint="survey, finish, or a chunk's number.")
    if path_map is not None:
        os.environ["TSN_PATHMAP"] = ";".join(filter(None, [os.environ.get("TSN_PATHMAP"), path_map]))
    folder = Job(job.absolute())
    folder.plan()
    tasks.run(folder, step, device=device, threads=threads, openjd=openjd)


@click.command(cls=Command)
@FOLDER
def finish(job: Path) -> None:
    """Check that every frame of a job is there, right and whole, make the contact sheet, and sum up."""
    from tsn_batch import job as jobs

    click.echo(jobs.finish(jobs.Job(job.absolute())))


COMMANDS = (submit, status, cancel, survey, task, finish)
