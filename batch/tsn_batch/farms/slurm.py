"""Slurm, driven by its own commands: survey, then an array of chunks, then the finish, by explicit dependencies.

Jobs can be watched and cancelled from any host that has the job folder and Slurm's commands.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Sequence

from tsn import __version__
from tsn.errors import OutputError, UsageError
from tsn.rendering.plan import Plan
from tsn_batch.farms.job import FINISH, SURVEY, FarmJob
from tsn_batch.farms.options import FarmOptions
from tsn_batch.farms.slurm_queue import release, released_text, run_slurm, submitted_states

MEMORY_VARIABLES = ("SBATCH_MEM_PER_NODE", "SBATCH_MEM_PER_CPU", "SBATCH_MEM_PER_GPU")
SCRIPT = """\
#!/bin/sh
# Written by tsn {version}: runs one step of {job}
# Arguments: survey, finish, or `chunk` and what to add to the array's index.
step=$1
[ "$step" != chunk ] || step=$((SLURM_ARRAY_TASK_ID + $2))
# Not a child of this shell, so that SIGTERM reaches it.
exec {tsn} task {job} "$step" --device {device} --threads {threads}
"""


def submit(job: FarmJob, plan: Plan, chunks: Sequence[int], options: FarmOptions) -> str:
    """Put the chunks into the queue, with survey and finish around them.

    Returns:
        A sentence for the person.

    Raises:
        UsageError: no Slurm here, or the job is still in its queue.
        DeviceError: Slurm refuses, or doesn't answer.
    """
    if shutil.which("sbatch") is None:
        raise UsageError("There is no `sbatch` on this host.", hint="Submit where Slurm's commands are installed.")
    if queued := submitted_states(job):
        if released := release(queued):
            return released_text(released)
        raise UsageError(
            f"{job.folder} is still in Slurm's queue.",
            hint=f"tsn status {job.folder}, or tsn cancel {job.folder} first.",
        )
    job.remove_records(chunks)
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
        job.save_submission(facts)
    except BaseException:
        if made:
            run_slurm("scancel", *made)
        raise
    return f"{len(chunks)} of {len(plan.chunks)} chunks are in Slurm's queue as {', '.join(made)}"


def script(job: FarmJob, options: FarmOptions) -> str:
    """What Slurm runs: a shell script for every step of a job."""
    return SCRIPT.format(
        version=__version__,
        job=shlex.quote(str(job.folder)),
        tsn=shlex.join(options.command),
        device=shlex.quote(options.device),
        threads=options.threads,
    )


def _asked(job: FarmJob, options: FarmOptions, *, gpu: bool = True) -> list[str]:
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
    if gpu and (options.device.startswith("cuda") or (auto and "gpu" in run_slurm("sinfo", "-h", "-o", "%G"))):
        asked.append("--gres=gpu:1")
    if options.priority is not None:  # raising one's own takes an operator; lowering is for everybody
        asked.append(f"--nice={(100 - options.priority) * 100}")
    return asked


def _memory(plan: Plan, options: FarmOptions) -> list[str]:
    """--mem, unless a SBATCH_* variable says it another way, or the cluster knows nothing of its hosts' memory.

    Without `RealMemory` in its configuration a host has 1 MB for Slurm, and every request would be refused.
    """
    from tsn_batch.farms.memory_need import memory_need

    if options.memory is None:
        if any(os.environ.get(name) for name in MEMORY_VARIABLES):
            return []
        if all(int(size) <= 1 for size in re.findall(r"\d+", run_slurm("sinfo", "-h", "-o", "%m"))):
            return []
    return [f"--mem={memory_need(plan, options).memory}M"]


def _output(job: FarmJob, name: str) -> str:
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
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", run_slurm("scontrol", "show", "config"), flags=re.MULTILINE)
    return int(found[1]) if found else 1001


def _sbatch(*arguments: str) -> str:
    return run_slurm("sbatch", *arguments).strip().partition(";")[0]
