"""Shots to a farm, and what became of them."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tsn import frames as ranges
from tsn.errors import Cancelled, DeviceError, InputError, UsageError, error_for_exit_code
from tsn.rendering.plan import Plan
from tsn.shot.cascade import SEQUENCE_FILE, SHOW_FILE
from tsn_batch import opencue, openjd, slurm
from tsn_batch.interpreter import python
from tsn_batch.job import FINISH, SURVEY, Job, Record, by_host, prepare, settle, unfinished
from tsn_batch.options import Options
from tsn_batch.progress import table, without_plate
from tsn_batch.watched import Watched

FARMS: Mapping[str, Callable[[Job, Plan, Sequence[int], Options], str]] = {
    "slurm": slurm.submit,
    "openjd": openjd.submit,
    "opencue": opencue.submit,
}
POLL_S = 2.0
SILENT_POLLS = 30
"""How long `--wait` puts up with a controller that is being restarted: a minute."""
SHOWN = 20


def command() -> list[str]:
    """How hosts call tsn: `$TSN_COMMAND`, else this very installation, which they are expected to share."""
    given = os.environ.get("TSN_COMMAND")
    return shlex.split(given) if given else python("tsn_batch")


def folder_of(shot: Path, out: Path | None = None) -> Path:
    """The job folder of a shot: farm/NAME beside its file, or NAME under `out`."""
    return (out.absolute() if out else shot.absolute().parent / "farm") / shot.stem


def job_of(path: Path) -> Job:
    """A job by its folder or by its shot file. Raises InputError where nothing was submitted."""
    job = Job(path.absolute() if path.is_dir() else folder_of(path))
    job.facts()
    return job


def submit(plans: Mapping[Path, Plan], *, farm: str, options: Options, say: Callable[[str], None]) -> list[Job]:
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
        job, plan = prepare(made, folder)
        chunks = unfinished(plan)
        settle(job, plan, chunks)
        if not chunks:
            # A chunk's old copy may have painted it to the end while Slurm held the new one, and the finish behind it.
            released = slurm.release(slurm.states_if_any(job)) if farm == "slurm" else 0
            rest = slurm.said(released) if released else "nothing to submit"
            rest += without_plate(len(plan.requested) - len(plan.output_frames))
            say(f"{plan.shot.file.stem}: all {len(plan.output_frames)} frames are finished, {rest}.")
            if released:
                jobs.append(job)
            continue
        say(f"{plan.shot.file.stem}: {FARMS[farm](job, plan, chunks, options)}")
        say(f"  tsn status {shlex.quote(str(folder))}")
        jobs.append(job)
    return jobs


def wait(jobs: Sequence[Job], *, say: Callable[[str], None]) -> None:
    """Until the queue holds nothing of the jobs any more.

    Raises:
        Cancelled: Ctrl-C, or the job was cancelled; on Ctrl-C it goes on.
        TsnError: of the first fault's kind, naming its log.
    """
    held: set[Path] = set()
    silent = 0
    watched = [Watched(job) for job in jobs]
    try:
        waiting = watched
        while waiting:
            looking = waiting
            try:
                queue = slurm.queue()
                queued = [(one, states) for one in waiting if (states := slurm.states_in(one.facts, queue))]
                waiting = [one for one, _ in queued]
                for one, states in queued:
                    if (released := slurm.release(states)) and one.job.folder not in held:
                        held.add(one.job.folder)
                        say(f"{one.plan.shot.file.stem}: {slurm.said(released)}")
                silent = 0
            except DeviceError:
                silent += 1
                if silent > SILENT_POLLS:
                    raise
            for one in looking:  # what has left the queue just now, for the last time
                if line := one.news():
                    say(line)
            if waiting:
                time.sleep(POLL_S)
    except KeyboardInterrupt:
        raise Cancelled("Not waiting any more; the farm goes on. `tsn status` and `tsn cancel` know the job.") from None
    for one in watched:
        one.look()
        say(_status(one, {}))
    for one in watched:
        _require_done(one)


def require_done(job: Job) -> None:
    """Raise the fault that kept a job from its end."""
    _require_done(Watched.now(job))


def _require_done(one: Watched) -> None:
    job, plan = one.job, one.plan
    for step in one.steps:
        record = one.records.get(step)
        if record is not None and record.code:
            raise error_for_exit_code(record.code)(
                f"{plan.shot.file.stem}, {_step(plan, step)}: {record.message}", hint=f"Log: {job.log(step)}"
            )
    if FINISH not in one.records:
        raise Cancelled(
            f"{plan.shot.file.stem} left the queue before its end: cancelled, or lost with its host.",
            hint=f"Submit it again: only what is missing will be rendered. Logs: {job.folder / 'logs'}",
        )


def status(job: Job, states: Mapping[str, slurm.State], *, terminal: bool = False) -> str:
    """How a job goes: a line in all, what is not done, and a table by host."""
    return _status(Watched.now(job), states, terminal=terminal)


def _status(one: Watched, states: Mapping[str, slurm.State], *, terminal: bool = False) -> str:
    job, plan = one.job, one.plan
    left = []
    for step in one.steps:
        record, state = one.records.get(step), states.get(step)
        if state is None and record is not None and record.code == 0:
            continue
        if state is None and record is None and (step == SURVEY or one.facts["farm"] != "slurm"):
            continue
        left.append((step, record, state))
    rows = [
        (_step(plan, step), _word(record, state), _host(record, state), _log(job, step))
        for step, record, state in left[:SHOWN]
    ]
    lines = [one.progress()]
    if rows:
        lines.append(table(("step", "state", "host", "log"), rows, terminal=terminal))
    if len(left) > SHOWN:
        lines.append(f"... and {len(left) - SHOWN} more steps that are not done")
    return "\n".join(filter(None, [*lines, by_host(plan, one.records, terminal=terminal)]))


def as_data(job: Job, states: Mapping[str, slurm.State]) -> dict[str, object]:
    """The same for programs."""
    from dataclasses import asdict

    one = Watched.now(job)
    steps = {}
    for step in one.steps:
        record, state = one.records.get(step), states.get(step)
        steps[step] = {
            "state": _word(record, state),
            "log": str(job.log(step)),
            "queue": None if state is None else asdict(state),
            "record": None if record is None else asdict(record),
        }
    return {"folder": str(job.folder), "shot": str(one.plan.shot.file), **one.facts, "steps": steps}


def states_of(job: Job, queue: Callable[[], slurm.Queue] = slurm.queue) -> Mapping[str, slurm.State]:
    """What the queue says; nothing for farms that have their own eyes."""
    facts = job.facts()
    return slurm.states_in(facts, queue()) if facts["farm"] == "slurm" else {}


def cancel(job: Job) -> str:
    """Take a job out of the queue; a sentence for the person.

    Raises:
        UsageError: it is with a farm that tsn doesn't talk to.
        DeviceError: Slurm doesn't answer.
    """
    farm = job.facts()["farm"]
    if farm != "slurm":
        raise UsageError(f"{job.folder} went to {farm} as a file.", hint="Cancel it with that farm's own tools.")
    steps = slurm.cancel(job)
    return f"{job.folder}: {steps} steps cancelled" if steps else f"{job.folder}: nothing was in the queue"


def _step(plan: Plan, step: str) -> str:
    return f"chunk {step} ({ranges.compact(plan.chunks[int(step)].frames)})" if step.isdigit() else step


def _word(record: Record | None, state: slurm.State | None) -> str:
    if state is not None:
        return state.state.lower() + (f" ({state.reason})" if state.state == "PENDING" else "")
    if record is None:
        return "not done"
    return "done" if record.code == 0 else f"failed with {record.code}: {record.message}"


def _host(record: Record | None, state: slurm.State | None) -> str:
    return (state.host if state is not None else record.host if record is not None else "").strip()


def _log(job: Job, step: str) -> str:
    return str(job.log(step)) if job.log(step).exists() else ""


def plans_for(shots: Sequence[Path], out: Path | None, plan: Callable[[Path], Plan]) -> dict[Path, Plan]:
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
        folder = folder_of(shot, out)
        if folder in made:
            raise UsageError(f"Two shots would share the job folder {folder}.", hint="Submit them one by one.")
        made[folder] = plan(shot)
    return made
