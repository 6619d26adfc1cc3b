"""Slurm, driven by its own commands: survey, then an array of chunks, then the finish, by explicit dependencies.

Jobs can be watched and cancelled from any host that has the job folder and Slurm's commands.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tsn import __version__
from tsn.errors import DeviceError, OutputError, UsageError
from tsn.rendering.plan import Plan
from tsn_batch.job import FINISH, SURVEY, Job
from tsn_batch.options import Options

TIMEOUT_S = 60
MEMORY_SAID = ("SBATCH_MEM_PER_NODE", "SBATCH_MEM_PER_CPU", "SBATCH_MEM_PER_GPU")
LAUNCH_FAILED = "launch failed requeued held"
SCRIPT = """\
#!/bin/sh
# Written by tsn {version}: runs one step of {job}
# Arguments: survey, finish, or `chunk` and what to add to the array's index.
step=$1
[ "$step" != chunk ] || step=$((SLURM_ARRAY_TASK_ID + $2))
# Not a child of this shell, so that SIGTERM reaches it.
exec {tsn} task {job} "$step" --device {device} --threads {threads}
"""


@dataclass(frozen=True, kw_only=True)
class State:
    """What the queue says of a step: its number there, Slurm's word for its state, its host, its reason for waiting."""

    id: str
    state: str
    host: str
    reason: str


Queue = dict[str, list[tuple[str, State]]]
"""By the number of a job or an array there: the index of each step and its state."""


def submit(job: Job, plan: Plan, chunks: Sequence[int], options: Options) -> str:
    """Put the chunks into the queue, with survey and finish around them.

    Returns:
        A sentence for the person.

    Raises:
        UsageError: no Slurm here, or the job is still in its queue.
        DeviceError: Slurm refuses, or doesn't answer.
    """
    if shutil.which("sbatch") is None:
        raise UsageError("There is no `sbatch` on this host.", hint="Submit where Slurm's commands are installed.")
    if queued := states_if_any(job):
        if released := release(queued):
            return said(released)
        raise UsageError(
            f"{job.folder} is still in Slurm's queue.",
            hint=f"tsn status {job.folder}, or tsn cancel {job.folder} first.",
        )
    job.forget(chunks)
    path = job.folder / "task.sh"
    try:
        path.write_text(script(job, options), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Can't write {path}: {error.strerror}") from error
    memory = _memory(plan, options)
    asked, after_all = [*_asked(job, options), *memory], [*_asked(job, options, gpu=False), *memory]
    name = plan.shot.file.stem
    facts: dict[str, object] = {"farm": "slurm", "survey": None, "arrays": [], "finish": None}
    made: list[str] = []
    try:
        dependency: list[str] = []
        if plan.pins is None:
            made.append(_sbatch(*asked, f"--job-name={name}.survey", _output(job, "%j"), str(path), SURVEY))
            facts["survey"] = made[-1]
            dependency = [f"--dependency=afterok:{made[-1]}"]
        elements: list[str] = []
        arrays = []
        for offset, indices in _arrays(chunks, _array_limit()):
            array = f"--array={_ranges([index - offset for index in indices])}"
            made.append(
                _sbatch(
                    *asked,
                    *dependency,
                    array,
                    f"--job-name={name}",
                    _output(job, "%A_%a"),
                    str(path),
                    "chunk",
                    str(offset),
                )
            )
            arrays.append({"id": made[-1], "offset": offset, "chunks": indices})
            # Element by element: on the array as a whole a dependency stays broken once an element was requeued.
            elements += [f"{made[-1]}_{index - offset}" for index in indices]
        facts["arrays"] = arrays
        after = f"--dependency=afterok:{':'.join(elements)}"
        made.append(_sbatch(*after_all, after, f"--job-name={name}.finish", _output(job, "%j"), str(path), FINISH))
        facts["finish"] = made[-1]
        job.save_facts(facts)
    except BaseException:
        if made:
            _run("scancel", *made)
        raise
    return f"{len(chunks)} of {len(plan.chunks)} chunks are in Slurm's queue as {', '.join(made)}"


def script(job: Job, options: Options) -> str:
    """What Slurm runs: a shell script for every step of a job."""
    return SCRIPT.format(
        version=__version__,
        job=shlex.quote(str(job.folder)),
        tsn=shlex.join(options.command),
        device=shlex.quote(options.device),
        threads=options.threads,
    )


def queue() -> Queue:
    """All that the user has in the queue, running or waiting. Raises DeviceError."""
    found: Queue = defaultdict(list)
    for line in _run("squeue", "--me", "-h", "-r", "-o", "%F|%K|%T|%N|%r").splitlines():
        number, index, state, host, reason = line.split("|", 4)
        found[number].append((index, State(id=number, state=state, host=host, reason=reason)))
    return found


def states(job: Job) -> dict[str, State]:
    """The job's steps that are still in the queue, running or waiting. Raises DeviceError."""
    return states_in(job.facts(), queue())


def states_in(facts: Mapping[str, Any], queued: Queue) -> dict[str, State]:
    """Those of the job with these facts: Slurm is asked once, however many jobs somebody looks at."""
    found = {step: state for step in (SURVEY, FINISH) for _, state in queued.get(str(facts[step]), ())}
    for array in facts["arrays"]:
        for index, state in queued.get(str(array["id"]), ()):
            found[str(int(index) + array["offset"])] = replace(state, id=f"{array['id']}_{index}")
    return found


def states_if_any(job: Job) -> dict[str, State]:
    """`states` of a job that may never have been submitted, or to another farm. Raises DeviceError."""
    submitted = (job.folder / "job.json").exists() and job.facts()["farm"] == "slurm"
    return states(job) if submitted else {}


def release(queued: Mapping[str, State]) -> int:
    """Of a job's `states`, let steps go on that Slurm holds because a host couldn't launch them; how many those were.

    A host that comes back while its old copy of a step is still ending refuses the new one ("Duplicate jobid"), and
    Slurm holds that until somebody says otherwise, with all that depend on it. What a person holds stays held.

    Raises:
        DeviceError: Slurm refuses, or doesn't answer.
    """
    held = [state.id for state in queued.values() if state.reason == LAUNCH_FAILED]
    if held:
        _run("scontrol", "release", ",".join(held))
    return len(held)


def said(released: int) -> str:
    return f"{released} step{'s' * (released > 1)} that Slurm held after a failed launch may go on"


def cancel(job: Job) -> int:
    """Take the job out of the queue; how many steps that were. Raises DeviceError."""
    facts = job.facts()
    waiting = len(states(job))
    if waiting:
        _run(
            "scancel",
            *(str(part) for part in (facts[FINISH], *(a["id"] for a in facts["arrays"]), facts[SURVEY]) if part),
        )
    return waiting


def _asked(job: Job, options: Options, *, gpu: bool = True) -> list[str]:
    """What a step asks for besides memory. A partition, an account or a time limit comes from SBATCH_* variables."""
    asked = [
        "--parsable",
        "--requeue",
        "--open-mode=append",
        "--signal=B:TERM@30",
        "--kill-on-invalid-dep=yes",
        f"--chdir={job.folder}",
        f"--cpus-per-task={options.threads}",
    ]
    auto = options.device == "auto"
    if gpu and (options.device.startswith("cuda") or (auto and "gpu" in _run("sinfo", "-h", "-o", "%G"))):
        asked.append("--gres=gpu:1")
    if options.priority is not None:  # raising one's own takes an operator; lowering is for everybody
        asked.append(f"--nice={(100 - options.priority) * 100}")
    return asked


def _memory(plan: Plan, options: Options) -> list[str]:
    """--mem, unless a SBATCH_* variable says it another way, or the cluster knows nothing of its hosts' memory.

    Without `RealMemory` in its configuration a host has 1 MB for Slurm, and every request would be refused.
    """
    from tsn_batch.needs import needs

    if options.memory is None:
        if any(os.environ.get(name) for name in MEMORY_SAID):
            return []
        if all(int(size) <= 1 for size in re.findall(r"\d+", _run("sinfo", "-h", "-o", "%m"))):
            return []
    return [f"--mem={needs(plan, options).memory}M"]


def _output(job: Job, name: str) -> str:
    folder = str(job.folder / "logs").replace("%", "%%")  # which begins a number of Slurm's own
    return f"--output={folder}/slurm-{name}.log"


def _arrays(chunks: Sequence[int], limit: int) -> list[tuple[int, list[int]]]:
    """(what to add to the index, chunks) of every array: Slurm takes indices below its limit only."""
    parts: dict[int, list[int]] = {}
    for index in chunks:
        parts.setdefault(index // limit * limit, []).append(index)
    return sorted(parts.items())


def _ranges(indices: Sequence[int]) -> str:
    from tsn import frames

    return frames.compact(indices).replace("x", ":")


def _array_limit() -> int:
    """One more than the highest index of an array; 1001 in a stock Slurm."""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", _run("scontrol", "show", "config"), flags=re.MULTILINE)
    return int(found[1]) if found else 1001


def _sbatch(*arguments: str) -> str:
    return _run("sbatch", *arguments).strip().partition(";")[0]


def _run(*command: str) -> str:
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
