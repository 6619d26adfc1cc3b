"""OpenCue: write a job as the XML that Cuebot reads, with OpenCue's own library pyoutline.

Tested against OpenCue's DTD and the rules for names in its JobSpec.java; not yet run on a Cuebot.
"""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Sequence
from typing import Any

from tsn.errors import UsageError
from tsn.io.atomic import atomic_write
from tsn.rendering.plan import Plan
from tsn_batch.farms.job import FINISH, SURVEY, FarmJob
from tsn_batch.farms.memory_need import memory_need
from tsn_batch.farms.options import FarmOptions

LIBRARY_MISSING = "OpenCue needs its library: pip install 'temporalstylenet[farm]'"


def submit(job: FarmJob, plan: Plan, chunks: Sequence[int], options: FarmOptions) -> str:
    """Write job.xml into the job folder.

    Raises:
        UsageError: pyoutline is not installed.
        OutputError: the file can't be written.
    """
    path = job.folder / "job.xml"
    text = as_xml(job, plan, chunks, options)
    job.remove_records(chunks)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    job.save_submission({"farm": "opencue"})
    return f"{path} describes {len(chunks)} of {len(plan.chunks)} chunks for Cuebot's `launchSpec`"


def as_xml(job: FarmJob, plan: Plan, chunks: Sequence[int], options: FarmOptions) -> str:
    """The specification of the job. Each chunk is one frame of OpenCue, so that it does not divide them further."""
    try:
        import outline
        from outline import cuerun
        from outline.backend import cue
        from outline.modules.shell import Shell
    except ImportError as error:
        raise UsageError(f"{LIBRARY_MISSING} ({error})") from error
    from tsn import frames

    need = memory_need(plan, options)
    job_outline = outline.Outline(_name(plan.shot.file.stem), shot=_name(plan.shot.file.stem), user=getpass.getuser())

    def layer(name: str, step: str, numbers: str) -> Shell:
        command = [*options.command, "task", str(job.folder)]
        words = [*map(shlex.quote, command), step, "--device", shlex.quote(options.device)]
        words += ["--threads", str(options.threads)]
        resources: dict[str, Any] = {"cores": options.threads, "threadable": False, "memory": f"{need.memory}m"}
        if options.device.startswith("cuda") and step != FINISH:
            resources |= {"gpus": 1, "gpu_memory": f"{need.gpu_memory}m"}
        shell = Shell(name, command=words, range=numbers, chunk=1, **resources)
        job_outline.add_layer(shell)
        return shell

    survey = layer("survey", SURVEY, "0")
    render = layer("render", "#IFRAME#", frames.compact(chunks))
    finish = layer("finish", FINISH, "0")
    render.depend_all(survey)  # on the whole layer: the frame numbers of the two are unrelated
    finish.depend_all(render)
    launcher = cuerun.OutlineLauncher(job_outline, nomail=True)
    if options.priority is not None:
        launcher.set_flag("priority", options.priority)
    return str(cue.serialize_simple(launcher))


def _name(text: str) -> str:
    """Make a valid name of a shot or a job: at least three letters, digits or `_`."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text).ljust(3, "_")
