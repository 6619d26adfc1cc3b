"""OpenCue: the job as the XML that Cuebot reads, made by OpenCue's own pyoutline.

Checked against OpenCue's DTD and what its JobSpec.java asks of names; never run on a Cuebot here.
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
from tsn_batch.job import FINISH, SURVEY, Job
from tsn_batch.needs import needs
from tsn_batch.options import Options

MISSING = "OpenCue needs its library: pip install 'temporalstylenet[farm]'"


def submit(job: Job, plan: Plan, chunks: Sequence[int], options: Options) -> str:
    """Write job.xml into the job folder.

    Raises:
        UsageError: pyoutline isn't installed.
        OutputError: the file can't be written.
    """
    path = job.folder / "job.xml"
    text = as_xml(job, plan, chunks, options)
    job.forget(chunks)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    job.save_facts({"farm": "opencue"})
    return f"{path} describes {len(chunks)} of {len(plan.chunks)} chunks for Cuebot's `launchSpec`"


def as_xml(job: Job, plan: Plan, chunks: Sequence[int], options: Options) -> str:
    """The job's specification. Chunks are OpenCue's frames, one by one: it must not slice them itself."""
    try:
        import outline
        from outline import cuerun
        from outline.backend import cue
        from outline.modules.shell import Shell
    except ImportError as error:
        raise UsageError(f"{MISSING} ({error})") from error
    from tsn import frames

    needed = needs(plan, options)
    made = outline.Outline(_name(plan.shot.file.stem), shot=_name(plan.shot.file.stem), user=getpass.getuser())

    def layer(name: str, step: str, numbers: str) -> Shell:
        command = [*options.command, "task", str(job.folder)]
        words = [*map(shlex.quote, command), step, "--device", shlex.quote(options.device)]
        words += ["--threads", str(options.threads)]
        asked: dict[str, Any] = {"cores": options.threads, "threadable": False, "memory": f"{needed.memory}m"}
        if options.device.startswith("cuda") and step != FINISH:
            asked |= {"gpus": 1, "gpu_memory": f"{needed.gpu_memory}m"}
        made_layer = Shell(name, command=words, range=numbers, chunk=1, **asked)
        made.add_layer(made_layer)
        return made_layer

    survey = layer("survey", SURVEY, "0")
    render = layer("render", "#IFRAME#", frames.compact(chunks))
    finish = layer("finish", FINISH, "0")
    render.depend_all(survey)  # not frame by frame: their numbers have nothing to do with each other
    finish.depend_all(render)
    launcher = cuerun.OutlineLauncher(made, nomail=True)
    if options.priority is not None:
        launcher.set_flag("priority", options.priority)
    return str(cue.serialize_simple(launcher))


def _name(text: str) -> str:
    """A name that XML takes as a token, and Cuebot for a shot or a job: three letters, digits or `_` at least."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text).ljust(3, "_")
