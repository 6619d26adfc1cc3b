"""The memory that is requested for tasks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import yaml
from lxml import etree

from tsn.io.frame import Box
from tsn.rendering.plan import Plan
from tsn.shot.curves import Curve
from tsn.shot.model import Flow, Layer, LayerTemporal, Style, Temporal
from tsn_batch.farms import opencue, openjd, slurm
from tsn_batch.farms.memory_need import MemoryNeed, memory_need
from tsn_batch.farms.options import FarmOptions

HD, UHD = (1920, 1080), (3840, 2160)


def needed(plan: Plan, size: tuple[int, int] = HD, *, device: str = "cpu", threads: int = 1, **shot) -> MemoryNeed:
    canvas = Box(0, 0, *size)
    made = replace(plan, shot=replace(plan.shot, **shot), plate=replace(plan.plate, canvas=canvas))
    return memory_need(made, FarmOptions(device=device, threads=threads, priority=None, command=["tsn"]))


@pytest.fixture
def plan(job) -> Plan:
    """With a bundled style and DIS."""
    made = job.plan()
    return replace(made, shot=replace(made.shot, style=Style(model="great-wave"), flow=Flow(method="dis")))


def test_more_for_larger_frames_a_longer_window_and_more_threads(plan) -> None:
    sizes = [(640, 360), (1280, 720), HD, UHD]
    by_size = [needed(plan, size).memory for size in sizes]
    assert by_size == sorted(set(by_size)) and by_size[-1] > 2 * by_size[-2]
    by_window = [needed(plan, temporal=Temporal(window=window)).memory for window in (0, 4, 8, 16)]
    assert by_window == sorted(set(by_window))
    assert needed(plan, UHD, threads=64).memory > needed(plan, UHD).memory


def test_raft_where_it_may_be_used(plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It compares all with all: sixteen times as much for twice the size."""
    window = Temporal(window=1)
    auto = [needed(plan, temporal=window, flow=Flow(method="auto")).memory]
    monkeypatch.setenv("TSN_WEIGHTS", str(tmp_path))
    (tmp_path / "raft_large_C_T_SKHT_V2-ff5fadd5.pth").touch()
    auto.append(needed(plan, temporal=window, flow=Flow(method="auto")).memory)
    raft = needed(plan, temporal=window, flow=Flow(method="raft")).memory
    assert auto[0] == needed(plan, temporal=window).memory and auto[1] == raft > auto[0] + 8000
    assert needed(plan, temporal=window, flow=Flow(method="raft", scale=0.5)).memory < auto[0] + 2000
    assert needed(plan, temporal=Temporal(window=0), flow=Flow(method="raft")) == needed(
        plan, temporal=Temporal(window=0)
    )


def test_tiles_bound_a_net_that_can_be_cut_into_them(plan) -> None:
    size, alone = (8192, 4320), Temporal(window=0)
    bundled, tiled, any_painting = (
        needed(plan, size, temporal=alone, style=style).memory
        for style in (Style(model="great-wave"), Style(model="great-wave", tile=1024), Style(adain={"/a.png": 1.0}))
    )
    assert tiled < bundled < any_painting / 2


def test_every_channel_counts(plan, tmp_path: Path) -> None:
    before = needed(plan).memory
    channels = {f"crypto{n:02}.{c}": np.zeros((270, 480), np.float32) for n in range(40) for c in "RGBA"}
    OpenEXR.File({"type": OpenEXR.scanlineimage}, channels | {c: channels["crypto00.R"] for c in "RGB"}).write(
        str(tmp_path / "plate/sh.1001.exr")
    )
    assert needed(plan).memory > before + 500


def test_a_gpu_holds_what_is_computed_and_the_host_the_frames(plan) -> None:
    cpu, cuda, auto = (needed(plan, device=device) for device in ("cpu", "cuda", "auto"))
    assert cpu.memory == auto.memory > cuda.memory
    assert cuda.gpu_memory == needed(plan, device="cuda:1").gpu_memory >= 4096
    tiny = {device: needed(plan, (40, 24), device=device).memory for device in ("cpu", "cuda", "auto")}
    assert tiny["cpu"] < tiny["cuda"] == tiny["auto"]


@pytest.mark.parametrize(("given", "memory"), [(None, None), (12288, 12288)])
def test_each_farm_is_given_the_request_in_its_own_form(job, plan, given: int | None, memory: int | None) -> None:
    options = FarmOptions(device="cuda", threads=1, priority=None, command=["tsn"], memory=given)
    needed = memory_need(plan, options)
    assert memory in (None, needed.memory)
    template = openjd.template(plan, "0", options)
    amounts = [{a["name"]: a["min"] for a in step["hostRequirements"]["amounts"]} for step in template["steps"]]
    assert [a["amount.worker.memory"] for a in amounts] == [needed.memory] * 3
    assert [a.get("amount.worker.gpu.memory") for a in amounts] == [needed.gpu_memory] * 2 + [None]
    assert yaml.safe_dump(template)
    text = opencue.as_xml(job, plan, [0], options)
    layers = list(etree.fromstring(text.partition("?>")[2].partition(">")[2]).iter("layer"))
    assert [layer.findtext("memory") for layer in layers] == [f"{needed.memory}m"] * 3
    assert [layer.findtext("gpu_memory") for layer in layers] == [f"{needed.gpu_memory}m"] * 2 + [None]


@pytest.mark.parametrize(
    ("hosts", "environment", "memory", "words"),
    [
        ("64000\n128000+\n", {}, None, ["--mem={}M"]),
        ("1\n", {}, None, []),  # no RealMemory in its configuration
        ("1\n", {}, 500, ["--mem=500M"]),
        ("64000\n", {"SBATCH_MEM_PER_CPU": "4G"}, None, []),
        ("64000\n", {"SBATCH_MEM_PER_NODE": "4G"}, 500, ["--mem=500M"]),
    ],
)
def test_slurm_is_asked_where_it_knows_its_hosts_memory(
    plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: str, environment, memory: int | None, words
) -> None:
    """A `sinfo` that answers as that of a cluster."""
    for name in ("MEM_PER_NODE", "MEM_PER_CPU", "MEM_PER_GPU"):
        monkeypatch.delenv(f"SBATCH_{name}", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    sinfo = tmp_path / "bin/sinfo"
    sinfo.parent.mkdir()
    sinfo.write_text(f"#!/bin/sh\nprintf '{hosts}'\n")
    sinfo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sinfo.parent}:/usr/bin:/bin")
    options = FarmOptions(device="cpu", threads=1, priority=None, command=["tsn"], memory=memory)
    assert slurm._memory(plan, options) == [word.format(memory_need(plan, options).memory) for word in words]


@pytest.mark.parametrize(("word", "memory"), [("12G", 12288), ("800M", 800), ("1.5GiB", 1536), ("2 gb", 2048)])
def test_memory_as_farms_write_it(tsn, shot, tmp_path: Path, word: str, memory: int) -> None:
    result = tsn("submit", shot(), "--farm", "openjd", "--device", "cpu", "--memory", word)
    assert result.exit_code == 0, result.output
    template = yaml.safe_load((tmp_path / "farm/sh/template.yaml").read_text())
    amounts = template["steps"][1]["hostRequirements"]["amounts"]
    assert {"name": "amount.worker.memory", "min": memory} in amounts


@pytest.mark.parametrize("word", ["12", "much", "0G", "-1G"])
def test_what_is_no_size(tsn, shot, word: str) -> None:
    result = tsn("submit", shot(), "--farm", "openjd", "--memory", word)
    assert result.exit_code == 2 and "12G or 800M" in result.output


@pytest.mark.parametrize(
    ("size", "window", "peak"),
    [((640, 360), 0, 1456), ((640, 360), 16, 2017), ((1280, 720), 4, 2647), (HD, 0, 2992), (HD, 4, 4369)],
)
def test_what_was_measured_fits_and_not_too_loosely(plan, tmp_path: Path, size, window: int, peak: int) -> None:
    """Peaks of whole renders, MiB, by benchmarks/memory.py on plates of nine half-float channels.

    docs/reference/cost.md lists them.
    """
    picture = np.zeros(size[::-1], np.float16)
    channels = {**dict.fromkeys("RGBAZ", picture), **{f"ViewLayer.Vector.{c}": picture for c in "XYZW"}}
    OpenEXR.File({"type": OpenEXR.scanlineimage}, channels).write(str(tmp_path / "plate/sh.1001.exr"))
    assert 1.3 * peak < needed(plan, size, temporal=Temporal(window=window)).memory < 2 * peak


def test_strokes_hold_the_guides_of_half_a_window(plan) -> None:
    def need(window: int, hold: float = 1) -> int:
        style = Style(strokes="oil", hold=Curve.constant(hold))
        return needed(plan, UHD, style=style, temporal=Temporal(window=window)).memory

    assert need(0) < need(8) < need(16) < need(16, hold=12)
    assert need(16) < needed(plan, UHD, style=Style(model="great-wave"), temporal=Temporal(window=16)).memory


def test_layers_hold_a_window_each_and_paint_one_after_the_other(plan) -> None:
    net, strokes = Style(model="great-wave"), Style(strokes="oil")
    short, long = LayerTemporal(window=8), LayerTemporal(window=16)

    def layered(*layers: tuple[Style, LayerTemporal]) -> int:
        return needed(plan, layers=tuple(Layer(style=style, temporal=window) for style, window in layers)).memory

    alone = layered((net, short)), layered((strokes, long))
    assert alone[0] == needed(plan, temporal=Temporal(window=8)).memory
    both, one_more = layered((net, short), (strokes, long)), layered((net, short), (strokes, long), (net, short))
    assert max(alone) + 1000 < both < sum(alone) < one_more + alone[1]
