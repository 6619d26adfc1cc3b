"""Submit a job to Slurm with its own commands: survey, then arrays of chunks, then finish, each after the other.

Any host that sees the job folder and has Slurm's commands can show the status of the job and cancel it.
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
"""Variables with which a user requests memory from Slurm; any of them wins over tsn's own request."""
SCRIPT = """\
#!/bin/sh
# Written by tsn {version}: runs one step of {job}
# Arguments: survey, finish, or `chunk` and the number to add to the array's index.
step=$1
[ "$step" != chunk ] || step=$((SLURM_ARRAY_TASK_ID + $2))
# In place of this shell, so that SIGTERM reaches it.
exec {tsn} task {job} "$step" --device {device} --threads {threads}
"""


def submit(job: FarmJob, plan: Plan, chunks: Sequence[int], options: FarmOptions) -> str:
    """Put the chunks into the queue, after survey and before finish.

    Returns:
        A sentence for the user.

    Raises:
        UsageError: Slurm's commands are missing, or the job is still in the queue.
        DeviceError: Slurm refuses or doesn't answer.
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
    painting, checking = ([*_resources(job, options, gpu=gpu), *memory] for gpu in (True, False))
    name = plan.shot.file.stem
    submission: dict[str, object] = {"farm": "slurm", "survey": None, "arrays": [], "finish": None}
    ids: list[str] = []
    try:
        dependency: list[str] = []
        if plan.pins is None:
            ids.append(_sbatch(*painting, f"--job-name={name}.survey", _output(job, "%j"), str(path), SURVEY))
            submission["survey"] = ids[-1]
            dependency = [f"--dependency=afterok:{ids[-1]}"]
        elements: list[str] = []
        arrays = []
        for offset, indices in _arrays(chunks, _array_limit()):
            array = f"--array={_ranges([index - offset for index in indices])}"
            ids.append(
                _sbatch(
                    *painting,
                    *dependency,
                    array,
                    f"--job-name={name}",
                    _output(job, "%A_%a"),
                    str(path),
                    "chunk",
                    str(offset),
                )
            )
            arrays.append({"id": ids[-1], "offset": offset, "chunks": indices})
            # On each element: a dependency on the whole array stays broken once an element was requeued.
            elements += [f"{ids[-1]}_{index - offset}" for index in indices]
        submission["arrays"] = arrays
        after = f"--dependency=afterok:{':'.join(elements)}"
        ids.append(_sbatch(*checking, after, f"--job-name={name}.finish", _output(job, "%j"), str(path), FINISH))
        submission["finish"] = ids[-1]
        job.save_submission(submission)
    except BaseException:
        if ids:
            run_slurm("scancel", *ids)
        raise
    return f"{len(chunks)} of {len(plan.chunks)} chunks are in Slurm's queue as {', '.join(ids)}"


def script(job: FarmJob, options: FarmOptions) -> str:
    """The shell script that Slurm runs for every step of a job."""
    return SCRIPT.format(
        version=__version__,
        job=shlex.quote(str(job.folder)),
        tsn=shlex.join(options.command),
        device=shlex.quote(options.device),
        threads=options.threads,
    )


def _resources(job: FarmJob, options: FarmOptions, *, gpu: bool = True) -> list[str]:
    """The arguments of `sbatch`, without memory. Partition, account and time limit come from SBATCH_* variables."""
    arguments = [
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
        arguments.append("--gres=gpu:1")
    if options.priority is not None:  # users may lower the priority of their jobs only
        arguments.append(f"--nice={(100 - options.priority) * 100}")
    return arguments


def _memory(plan: Plan, options: FarmOptions) -> list[str]:
    """The argument --mem; none where a variable sets the memory, or where Slurm does not know the memory of its hosts.

    A host without `RealMemory` in Slurm's configuration counts as having 1 MB, and every request would be refused.
    """
    from tsn_batch.farms.memory_need import memory_need

    if options.memory is None:
        if any(os.environ.get(name) for name in MEMORY_VARIABLES):
            return []
        if all(int(size) <= 1 for size in re.findall(r"\d+", run_slurm("sinfo", "-h", "-o", "%m"))):
            return []
    return [f"--mem={memory_need(plan, options).memory}M"]


def _output(job: FarmJob, name: str) -> str:
    folder = str(job.folder / "logs").replace("%", "%%")  # % starts a field of Slurm
    return f"--output={folder}/slurm-{name}.log"


def _arrays(chunks: Sequence[int], limit: int) -> list[tuple[int, list[int]]]:
    """Divide chunks into arrays: (number to add to the index, chunks). An index must be below Slurm's limit."""
    parts: dict[int, list[int]] = {}
    for index in chunks:
        parts.setdefault(index // limit * limit, []).append(index)
    return sorted(parts.items())


def _ranges(indices: Sequence[int]) -> str:
    from tsn import frames

    return frames.compact(indices).replace("x", ":")


def _array_limit() -> int:
    """The highest index of an array plus 1; 1001 in a default Slurm."""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", run_slurm("scontrol", "show", "config"), flags=re.MULTILINE)
    return int(found[1]) if found else 1001


def _sbatch(*arguments: str) -> str:
    return run_slurm("sbatch", *arguments).strip().partition(";")[0]
