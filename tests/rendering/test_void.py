"""The look of an element does not depend on the void around it: on its data window, that is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import torch

from tsn import io
from tsn.io.frame import Box
from tsn.rendering.engine import VOID, make_engine, take_calibration, with_calibration
from tsn.rendering.pin import pin
from tsn.rendering.render import render
from tsn.style.export.exporter import export_style

Shot = Callable[..., Path]
Window = tuple[tuple[int, int], tuple[int, int]]

ELEMENT = Box(20, 12, 124, 108)
"""Where the element is in frame 1001; it moves by (2, 1) pixels a frame."""
DISPLAY = Box(0, 0, 180, 144)
TIGHT, WHOLE, OVERSCAN = Box(20, 12, 136, 112), DISPLAY, Box(-30, -20, 236, 188)
CORE = Box(68, 56, 28, 20)
"""As far from the element's border as the net sees."""
FRAMES = range(1001, 1005)


def write(path: Path, number: int, window: Box, *, alpha: bool = True, colour: float | None = None) -> None:
    """An element of soft shapes; `colour` instead of them. Opaque within its box, premultiplied on void."""
    x, y = np.meshgrid(np.arange(window.x, window.right), np.arange(window.y, window.bottom))
    u, v = x - ELEMENT.x - 2 * (number - 1001), y - ELEMENT.y - (number - 1001)
    there = ((u >= 0) & (u < ELEMENT.width) & (v >= 0) & (v < ELEMENT.height)).astype(np.float32)
    waves = [0.4 + 0.3 * np.sin(u / 5), 0.4 + 0.3 * np.cos(v / 4), 0.3 + 0.2 * np.sin((u + 2 * v) / 7)]
    channels = {
        n: ((w if colour is None else colour) * there).astype(np.float16) for n, w in zip("RGB", waves, strict=True)
    }
    if alpha:
        channels["A"] = there.astype(np.float16)
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "dataWindow": ((window.x, window.y), (window.right - 1, window.bottom - 1)),
        "displayWindow": ((0, 0), (DISPLAY.width - 1, DISPLAY.height - 1)),
    }
    OpenEXR.File(header, channels).write(str(path))


@pytest.fixture
def element(shot: Shot, tmp_path: Path) -> Callable[..., Path]:
    """element({frame: data window}, **keys of the shot file): the shot file."""

    def make(windows: Mapping[int, Box], *, alpha: bool = True, **keys: str) -> Path:
        shutil.rmtree(tmp_path / "plate", ignore_errors=True)
        shutil.rmtree(tmp_path / "styled", ignore_errors=True)
        file = shot(frames=(), **({"flow": "{method: dis}", "temporal": "{window: 0}"} | keys))
        for number, window in windows.items():
            write(tmp_path / f"plate/sh.{number}.exr", number, window, alpha=alpha)
        return file

    return make


def core(path: Path) -> np.ndarray:
    frame = io.read_frame(path, 0)
    return io.place(frame.rgb.astype(np.float32), frame.data_window, CORE)


def same(box: Box) -> dict[int, Box]:
    return dict.fromkeys(FRAMES, box)


@pytest.mark.parametrize(
    "style",
    [
        "{model: tiny.safetensors}",
        "{model: tiny.safetensors, scale: 2}",
        "{blend: {great-wave-mobile: 0.5, ./tiny.safetensors: 0.5}}",
    ],
)
@pytest.mark.parametrize("window", [0, 2])
def test_an_element_is_painted_alike_from_any_data_window(element, rendered, style: str, window: int) -> None:
    windows = {
        "whole": same(WHOLE),
        "cropped": same(TIGHT),
        "overscan": same(OVERSCAN),
        "cropped by frame": {n: replace(TIGHT, width=TIGHT.width - 4 * (n == 1001)) for n in FRAMES},
        "one frame larger": same(WHOLE) | {1003: OVERSCAN},
    }
    found = {}
    for name, boxes in windows.items():
        paths, _ = rendered(element(boxes, style=style, temporal=f"{{window: {window}}}"), to=name.replace(" ", "_"))
        found[name] = core(paths[1002])
    assert found["whole"].std() > 0.01
    for name, picture in found.items():
        assert np.abs(picture - found["whole"]).mean() < 0.01, name


def test_outside_of_its_data_window_a_plate_without_alpha_is_void_too(element, rendered) -> None:
    inner = Box(28, 16, 112, 100)  # all of it element
    found = []
    for far in ({}, {1003: Box(400, 300, 1, 1)}):
        paths, _ = rendered(element({1001: inner, 1002: inner} | far, alpha=False), to=f"out{len(found)}")
        found.append(core(paths[1001]))
    assert found[0].std() > 0.01 and np.abs(found[0] - found[1]).mean() < 0.01


def test_a_net_that_normalises_each_frame_is_shown_no_void(element, rendered, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    file = element(same(WHOLE), style="{model: tiny.onnx}")
    export_style("onnx", str(tmp_path / "tiny.safetensors"), tmp_path / "tiny.onnx")
    found = [core(rendered(file, to="whole")[0][1002])]
    for name, box in (("cropped", TIGHT), ("overscan", OVERSCAN)):
        paths, _ = rendered(element(same(box), style="{model: tiny.onnx}"), to=name)
        found.append(core(paths[1002]))
    assert found[0].std() > 0.01
    for other in found[1:]:
        assert np.abs(other - found[0]).mean() < 0.02


def test_chunks_of_an_element_agree_bit_for_bit(element, planned, tmp_path: Path) -> None:
    boxes = {n: replace(TIGHT, x=TIGHT.x + n - 1001) for n in FRAMES} | {1003: OVERSCAN}
    made = planned(element(boxes, temporal="{window: 2}"), size=2)
    (tmp_path / "styled").mkdir()
    render(made, device="cpu")
    whole = {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()}
    for plan in (made, pin(made, device="cpu")):
        shutil.rmtree(tmp_path / "styled")
        for index in (1, 0):
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)
            render(plan, chunks=[index], device="cpu")
        assert {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()} == whole


def test_a_shot_of_which_all_is_void_renders_and_stays(element, rendered, channels, source) -> None:
    far = Box(170, 140, 1, 1)  # an autocropped empty element
    paths, _ = rendered(element(same(far), temporal="{window: 1}"))
    for path in paths.values():
        before, after = channels(source(path)), channels(path)
        assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (1, 30), (40, 1)])
@pytest.mark.parametrize("window", [0, 2])
def test_tiny_data_windows_render(element, rendered, size: tuple[int, int], window: int) -> None:
    box = Box(CORE.x, CORE.y, *size)
    paths, _ = rendered(element(same(box), temporal=f"{{window: {window}}}"))
    for path in paths.values():
        assert np.isfinite(io.read_frame(path, 0).rgb).all()


def test_only_what_holds_void_has_another_hash(element, planned) -> None:
    """A finished frame from before void was left out is stale; that of an opaque plate is not."""
    inner = Box(28, 16, 112, 100)  # all of it element in every frame, its alpha 1
    for boxes, void in ((same(inner), False), (same(WHOLE), True), (same(inner) | {1004: OVERSCAN}, True)):
        plan = planned(element(boxes))
        bare = make_engine(plan, device="cpu", calibrated=False)
        calibration = take_calibration(bare, plan, lambda text: None)
        assert (VOID in calibration.tensors) == void
        assert (with_calibration(bare.fingerprint, calibration, bare.painter) == bare.fingerprint) == (not void)
        assert bare.fingerprint[0] == bare.painter.fingerprint
        engine = make_engine(plan, device="cpu")
        assert engine.fingerprint == with_calibration(bare.fingerprint, calibration, bare.painter)
        pinned = pin(plan, device="cpu")
        assert pinned.pins is not None and pinned.pins.fingerprint == engine.fingerprint
        assert make_engine(pinned, device="cpu").fingerprint == engine.fingerprint


def test_what_counts_of_a_frame(element, planned) -> None:
    plan = planned(element({1001: WHOLE, 1002: Box(28, 16, 112, 100)}))
    engine = make_engine(plan, device="cpu")
    whole, cropped = (
        engine.prepare(engine.read(Path(plan.shot.plate.replace("####", str(n))), n)) for n in (1001, 1002)
    )
    assert torch.equal(whole.cover, whole.alpha)
    assert cropped.cover.sum() == 112 * 100
    opaque = planned(element(same(Box(28, 16, 112, 100))))
    engine = make_engine(opaque, device="cpu")
    assert engine.prepare(engine.read(Path(plan.shot.plate.replace("####", "1001")), 1001)).cover is None
