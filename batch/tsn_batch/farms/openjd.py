"""Open Job Description, the format of AWS Deadline Cloud: a job bundle.

A bundle is a folder with template.yaml, parameter_values.yaml and asset_references.yaml. The job folder is the bundle;
plan, logs and records are beside them. Hosts see it, the plate and the output on a shared file system, or get copies,
as job attachments of Deadline Cloud are. Copies have other dates, therefore the plan pins the contents of files, and
are in other folders, which the path-mapping rules of the session name.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tsn.io.atomic import atomic_write
from tsn.io.sequence import FrameSequence
from tsn.rendering.pinned_weights import weight_file
from tsn.rendering.plan import Plan, calibration_frames
from tsn.shot.model import Style
from tsn.strokes.preset_file import find_preset
from tsn_batch.farms.job import FINISH, SURVEY, FarmJob
from tsn_batch.farms.memory_need import memory_need
from tsn_batch.farms.options import FarmOptions


def submit(job: FarmJob, plan: Plan, chunks: Sequence[int], options: FarmOptions) -> str:
    """Write the bundle into the job folder. Raises OutputError."""
    from tsn import frames

    values: list[dict[str, Any]] = [{"name": "JobFolder", "value": str(job.folder)}]
    if options.priority is not None:
        values.append({"name": "deadline:priority", "value": options.priority})
    job.remove_records(chunks)
    _write(job.folder / "template.yaml", template(plan, frames.compact(chunks).replace("x", ":"), options))
    _write(job.folder / "parameter_values.yaml", {"parameterValues": values})
    _write(job.folder / "asset_references.yaml", {"assetReferences": _assets(job, plan)})
    job.save_submission({"farm": "openjd"})
    return (
        f"A bundle with {len(chunks)} of {len(plan.chunks)} chunks is in {job.folder}: "
        f"deadline bundle submit {shlex.quote(str(job.folder))}"
    )


def template(plan: Plan, chunks: str, options: FarmOptions) -> dict[str, Any]:
    """The job template, specification 2023-09.

    Args:
        chunks: a range expression such as "0-3,7"; a list would end at 1024 items.
    """
    painting, checking = (_amounts(plan, options, gpu=gpu) for gpu in (True, False))
    render = _step("Render", "{{Task.Param.Chunk}}", options, painting, after="Survey")
    render["parameterSpace"] = {"taskParameterDefinitions": [{"name": "Chunk", "type": "INT", "range": chunks}]}
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": f"tsn {plan.shot.file.stem}"[:128],
        "parameterDefinitions": [
            {
                "name": "JobFolder",
                "type": "PATH",
                "objectType": "DIRECTORY",
                "dataFlow": "INOUT",
                "default": ".",  # the folder of the template; absolute paths are refused
                "description": "Plan, logs and records; all hosts read and write it.",
            },
            {
                "name": "Device",
                "type": "STRING",
                "default": options.device,
                "description": "auto, cpu or cuda.",
            },
        ],
        "steps": [
            _step("Survey", SURVEY, options, painting),
            render,
            _step("Finish", FINISH, options, checking, after="Render"),
        ],
    }


def _step(
    name: str, step: str, options: FarmOptions, amounts: list[dict[str, Any]], after: str | None = None
) -> dict[str, Any]:
    program, *first = options.command
    arguments = [*first, "task", "{{Param.JobFolder}}", step, "--device", "{{Param.Device}}"]
    arguments += ["--threads", str(options.threads), "--openjd", "--path-map", "{{Session.PathMappingRulesFile}}"]
    step_template: dict[str, Any] = {"name": name}
    if after is not None:
        step_template["dependencies"] = [{"dependsOn": after}]
    step_template["hostRequirements"] = {"amounts": amounts}
    step_template["script"] = {
        "actions": {
            "onRun": {
                "command": program,
                "args": arguments,
                # SIGTERM first, so that a frame that is being written is finished or removed.
                "cancelation": {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": 30},
            }
        }
    }
    return step_template


def _amounts(plan: Plan, options: FarmOptions, *, gpu: bool) -> list[dict[str, Any]]:
    """The requirements for hosts: cores, memory in MiB, and a GPU if `gpu` is set and the options ask for one."""
    need = memory_need(plan, options)
    amounts: list[dict[str, Any]] = [
        {"name": "amount.worker.vcpu", "min": options.threads},
        {"name": "amount.worker.memory", "min": need.memory},
    ]
    if gpu and options.device.startswith("cuda"):
        amounts.append({"name": "amount.worker.gpu", "min": 1})
        amounts.append({"name": "amount.worker.gpu.memory", "min": need.gpu_memory})
    return amounts


def _assets(job: FarmJob, plan: Plan) -> dict[str, Any]:
    """The files that the job reads and writes, for farms that copy them to hosts."""
    plates = FrameSequence.parse(plan.shot.plate, base=Path())
    reads = {number for chunk in plan.chunks for number in chunk.reads} | set(calibration_frames(plan.plate.present))
    if any(layer.style.keys is not None for layer in plan.shot.by_layer):
        reads.update(plan.plate.present)  # the survey learns from the whole shot
    files = [str(plates.path(number)) for number in plan.plate.present if number in reads]
    for layer, marks in zip(plan.shot.by_layer, plan.plate.painted_by_layer, strict=True):
        files += _style_files(layer.style, [number for number in marks if number in reads])
    files = list(dict.fromkeys(files))  # two layers may have a picture in common
    files += [str(plan.shot.flow.weights)] if plan.shot.flow.weights else []
    return {
        "inputs": {"filenames": [str(job.plan_file), *files], "directories": []},
        "outputs": {"directories": [str(Path(plan.shot.output).parent), str(job.folder)]},
        "referencedPaths": [],
    }


def _style_files(style: Style, painted_frames: Sequence[int]) -> Iterator[str]:
    """The files that a style is made of, with those painted frames of it."""
    models = map(weight_file, style.blend or ([style.model] if style.model else []))
    yield from (name for name in models if Path(name).is_absolute() and Path(name).is_file())
    yield from style.adain or ()
    keys = [*(style.keys or {}).values(), *(style.key_mattes or {}).values()]
    pictures = [style.strokes or "", style.palette, *style.brush, *style.brush_height, *keys]
    yield from (name for name in pictures if Path(name).is_absolute())
    if style.strokes is not None:
        yield from map(str, find_preset(style.strokes).pictures)
    if style.frames is not None:
        painted = FrameSequence.parse(style.frames, base=Path())
        yield from (str(painted.path(number + style.offset)) for number in painted_frames)


def _write(path: Path, data: dict[str, Any]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(yaml.safe_dump(data, sort_keys=False, width=100), encoding="utf-8")
