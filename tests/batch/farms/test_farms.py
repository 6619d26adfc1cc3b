"""What goes to farms; the farms themselves are in tests/hosts."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from lxml import etree

from tsn.shot.curves import Curve
from tsn.shot.model import Style
from tsn_batch.farms import opencue, openjd, slurm, status
from tsn_batch.farms.job import FarmJob, StepRecord, save_record
from tsn_batch.farms.memory_need import memory_need
from tsn_batch.farms.options import FarmOptions

CPU = FarmOptions(device="cpu", threads=2, priority=None, command=["tsn"])
GPU = FarmOptions(device="cuda", threads=4, priority=70, command=["/opt/tsn env/bin/python", "-P", "-m", "tsn_batch"])


def test_openjd_bundle(job, tmp_path) -> None:
    sentence = openjd.submit(job, job.plan(), [0, 2], GPU)
    assert "2 of 3 chunks" in sentence
    template = yaml.safe_load((job.folder / "template.yaml").read_text())
    survey, render, finish = template["steps"]
    (chunk,) = render["parameterSpace"]["taskParameterDefinitions"]
    assert (chunk["type"], chunk["range"]) == ("INT", "0,2")
    assert [step.get("dependencies") for step in (survey, render, finish)] == [
        None,
        [{"dependsOn": "Survey"}],
        [{"dependsOn": "Render"}],
    ]
    amounts = {amount["name"]: amount["min"] for amount in render["hostRequirements"]["amounts"]}
    needed = memory_need(job.plan(), GPU)
    assert amounts == {
        "amount.worker.vcpu": 4,
        "amount.worker.memory": needed.memory,
        "amount.worker.gpu": 1,
        "amount.worker.gpu.memory": needed.gpu_memory,
    }
    assert render["script"]["actions"]["onRun"]["command"] == "/opt/tsn env/bin/python"
    values = yaml.safe_load((job.folder / "parameter_values.yaml").read_text())["parameterValues"]
    assert {"name": "deadline:priority", "value": 70} in values
    assets = yaml.safe_load((job.folder / "asset_references.yaml").read_text())["assetReferences"]
    assert {str(tmp_path / f"plate/sh.{n}.exr") for n in range(1001, 1008)} < set(assets["inputs"]["filenames"])
    assert any(name.endswith("tiny.safetensors") for name in assets["inputs"]["filenames"])
    assert str(tmp_path / "styled") in assets["outputs"]["directories"]
    openjd_command = Path(sys.executable).with_name("openjd")
    for options in (CPU, GPU):
        openjd.submit(job, job.plan(), [0, 2], options)
        command = [openjd_command, "check", job.folder / "template.yaml"]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("paint", "files"),
    [
        (Style(model="/s/wave.onnx:19"), ["s/wave.onnx"]),
        (Style(blend={"/s/wave.onnx:2": Curve.constant(1), "great-wave": Curve.constant(1)}), ["s/wave.onnx"]),
        (Style(adain={"/s/one.png": 1.0, "/s/two.jpg": 2.0}), ["s/one.png", "s/two.jpg"]),
        (Style(frames="/s/painted.####.png"), ["s/painted.1001.png", "s/painted.1002.png"]),
        (Style(frames="/s/p_##.png", offset=-1000), ["s/p_01.png", "s/p_02.png"]),
        (
            Style(strokes="/s/mine.yaml", palette="/s/one.png", brush=("/s/flat.png",)),
            ["s/mine.yaml", "s/scan.png", "s/one.png", "s/flat.png"],
        ),
    ],
)
def test_assets_hold_all_that_the_style_reads(job, tmp_path, paint: Style, files: list[str]) -> None:
    """Under `tmp_path` where the test has `/s`."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s/wave.onnx").touch()
    (tmp_path / "s/scan.png").touch()
    layers = "layers: [{width: 9, length: 30, spacing: 7}]"
    (tmp_path / "s/mine.yaml").write_text(f"title: Mine\nbrush: scan.png\n{layers}\n")

    def here(name: str) -> str:
        return name.replace("/s/", f"{tmp_path}/s/")

    plan = job.plan()
    moved = replace(
        paint,
        model=paint.model and here(paint.model),
        frames=paint.frames and here(paint.frames),
        blend=paint.blend and {here(name): curve for name, curve in paint.blend.items()},
        strokes=paint.strokes and here(paint.strokes),
        palette=here(paint.palette),
        brush=tuple(map(here, paint.brush)),
        adain=paint.adain and {here(name): weight for name, weight in paint.adain.items()},
    )
    painted = {1001: "a", 1002: "b"} if paint.frames else {}
    made = replace(plan, shot=replace(plan.shot, style=moved), plate=replace(plan.plate, painted=painted))
    openjd.submit(job, made, [0], CPU)
    assets = yaml.safe_load((job.folder / "asset_references.yaml").read_text())["assetReferences"]
    named = {name for name in assets["inputs"]["filenames"] if name.startswith(f"{tmp_path}/s/")}
    assert named == {str(tmp_path / name) for name in files}


@pytest.mark.parametrize("farm", [openjd, opencue])
def test_steps_that_are_submitted_again_are_not_done(job, farm) -> None:
    plan = job.plan()
    for step in ("survey", "0", "1", "2", "finish"):
        save_record(job.record_file(step), StepRecord(code=3 if step == "1" else 0, host="n1"))
    farm.submit(job, plan, [1, 2], CPU)
    kept = {step for step in ("survey", "0", "1", "2", "finish") if job.record(step) is not None}
    assert kept == {"0"}
    assert status.as_text(job, {}).splitlines()[0] == "sh: 1 of 3 chunks, 3 of 7 frames done"
    assert "failed" not in status.as_text(job, {})


@pytest.mark.parametrize("options", [CPU, GPU])
def test_opencue_job(job, options) -> None:
    opencue.submit(job, job.plan(), [0, 2], options)
    text = (job.folder / "job.xml").read_text()
    root = etree.fromstring(re.sub(r"^<\?xml.*?\?><!DOCTYPE.*?>", "", text, flags=re.DOTALL))
    with Path(__file__).with_name("opencue_spec.dtd").open() as file:
        grammar = etree.DTD(file)
    assert grammar.validate(root), grammar.error_log
    assert (root.findtext("shot"), root.find("job").get("name")) == ("sh_", "sh_"), "Cuebot wants three characters"
    layers = {layer.get("name"): layer for layer in root.iter("layer")}
    assert list(layers) == ["survey", "render", "finish"]
    assert (layers["render"].findtext("range"), layers["render"].findtext("chunk")) == ("0,2", "1")
    # With a point they are cores, without one hundredths of a core.
    assert {layer.findtext("cores") for layer in layers.values()} == {f"{options.threads}.0"}
    assert " #IFRAME# " in layers["render"].findtext("cmd")
    with_gpu = [name for name, layer in layers.items() if layer.find("gpus") is not None]
    assert with_gpu == (["survey", "render"] if options is GPU else [])
    assert [(d.findtext("deplayer"), d.findtext("onlayer")) for d in root.iter("depend")] == [
        ("render", "survey"),
        ("finish", "render"),
    ]


def test_arrays_keep_below_the_limit() -> None:
    arrays = slurm._arrays([0, 1, 1000, 1001, 2500], 1001)
    assert arrays == [(0, [0, 1, 1000]), (1001, [1001]), (2002, [2500])]
    assert slurm._ranges([0, 1, 2, 5, 7, 9]) == "0-2,5-9:2"


def test_slurm_takes_no_number_out_of_a_folders_name(tmp_path):
    assert slurm._output(FarmJob(tmp_path / "50%j"), "%j") == f"--output={tmp_path}/50%%j/logs/slurm-%j.log"
