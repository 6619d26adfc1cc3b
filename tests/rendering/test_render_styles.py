"""Whole shots with other things to paint by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tsn import io
from tsn.rendering import plan as plans
from tsn.rendering.inspect import inspect
from tsn.rendering.render import render
from tsn.shot.load import load

DEMO = Path(__file__).parents[2] / "shots" / "demo" / "plate"
Shot = Callable[..., Path]


@pytest.fixture
def painted(tmp_path: Path) -> Callable[..., dict[int, np.ndarray]]:
    """painted(numbers): PNGs as another tool paints them, grain that does not move with the picture."""

    def make(numbers: Sequence[int]) -> dict[int, np.ndarray]:
        (tmp_path / "painted").mkdir()
        pictures = {n: np.random.default_rng(n).uniform(0.2, 0.7, (48, 64, 3)).astype(np.float32) for n in numbers}
        for number, picture in pictures.items():
            io.write_png(tmp_path / f"painted/p.{number}.png", picture)
        return {n: np.rint(picture * 255) / 255 for n, picture in pictures.items()}

    return make


def test_painted_frames_per_frame_and_made_stable(shot: Shot, painted, plate, rendered, rgb, source) -> None:
    pictures = painted(range(1001, 1006))
    file = shot(frames=range(1001, 1006), style="{frames: painted/p.####.png}")
    paths, _ = rendered(file, "temporal.window=0", "colour.highlights=keep", to="w0")
    for number, path in paths.items():
        linear = np.asarray(rgb(path))
        encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
        plain = (rgb(source(path)).max(-1) < 0.55) & (plate.pixels(number)["A"] == 1)
        assert plain.any() and np.abs(encoded - pictures[number])[plain].max() < 2e-3
    stable, _ = rendered(file, "temporal.detail=0", "colour.highlights=keep", to="w2")
    assert np.std(rgb(stable[1003])[10:-10, 12:-10]) < 0.9 * np.std(rgb(paths[1003])[10:-10, 12:-10]), "averaged"


def test_a_painted_frame_that_changes_is_seen(shot: Shot, painted, tmp_path: Path, rendered, status) -> None:
    painted(range(1001, 1004))
    file = shot(frames=range(1001, 1004), style="{frames: painted/p.####.png}")
    rendered(file)
    assert status(rendered(file)[1], "rendered") == []
    io.write_png(tmp_path / "painted/p.1002.png", np.full((48, 64, 3), 0.5, np.float32))
    assert status(rendered(file)[1], "rendered") == [1001, 1002, 1003]


def test_painted_frames_that_count_from_one(shot: Shot, painted, tmp_path: Path, rendered, channels, status) -> None:
    painted(range(1001, 1005))
    file = shot(frames=range(1001, 1005), style="{frames: painted/p.####.png}")
    expected, _ = rendered(file)
    for number in range(1001, 1005):
        (tmp_path / f"painted/p.{number}.png").rename(tmp_path / f"painted/q_{number - 1000:05}.png")
    moved = (f"style.frames={tmp_path}/painted/q_%05d.png", "style.offset=-1000")
    found, _ = rendered(file, *moved, to="moved")
    for number in range(1001, 1005):
        ours, theirs = channels(found[number]), channels(expected[number])
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    # Another offset paints another frame: nothing is skipped for one that was rendered with this one.
    sets = (*moved[:1], "style.offset=-1001", "style.strength={1001: 0, 1002: 1, interp: hold}", "temporal.window=0")
    assert status(rendered(file, *sets, to="moved")[1], "rendered") == [1001, 1002, 1003, 1004]


def test_painted_frames_of_half_the_size(shot: Shot, painted, tmp_path: Path, rendered, rgb) -> None:
    painted([])
    for number in (1001, 1002):
        io.write_png(tmp_path / f"painted/p.{number}.png", np.full((24, 32, 3), 0.5, np.float32))
        io.write_png(tmp_path / f"painted/whole.{number}.png", np.full((48, 64, 3), 0.5, np.float32))
    file = shot(frames=[1001, 1002], style="{frames: painted/p.####.png}")
    half, _ = rendered(file)
    whole, _ = rendered(file, f"style.frames={tmp_path}/painted/whole.####.png", to="whole")
    for number in (1001, 1002):
        assert np.allclose(rgb(half[number]), rgb(whole[number]), atol=2e-3)


def test_blend(shot: Shot, style, tmp_path: Path, rendered, rgb) -> None:
    style(tmp_path / "a.safetensors"), style(tmp_path / "b.safetensors", seed=1)
    file = shot(frames=range(1001, 1004))

    def picture(text: str, name: str) -> np.ndarray:
        return rgb(rendered(file, f"style={text.replace('ROOT', str(tmp_path))}", to=f"{name}")[0][1002])

    a, b = picture("{model: ROOT/a.safetensors}", "a"), picture("{model: ROOT/b.safetensors}", "b")
    assert np.array_equal(picture("{blend: {ROOT/a.safetensors: 1, ROOT/b.safetensors: 0}}", "aa"), a)
    half = picture("{blend: {ROOT/a.safetensors: 0.5, ROOT/b.safetensors: 0.5}}", "ab")
    assert min(np.abs(half - a).mean(), np.abs(half - b).mean()) > 1e-3
    assert np.abs(half - a).mean() < np.abs(b - a).mean()


def test_cryptomatte_by_name_on_the_demo_plate(shot: Shot, tmp_path: Path, channels) -> None:
    file = shot(
        "frames: 1001-1003",
        frames=[],
        plate=f"{DEMO}/demo.####.exr",
        output="styled/demo.####.exr",
        matte="{cryptomatte: CryptoObject, names: [quay]}",
        temporal="{window: 1, cuts: []}",
        flow="{vectors: {layer: ViewLayer.Vector, background: still}}",
    )
    paths = render(
        plans.make_plan(load(file, environ={}), inspect(load(file, environ={})), frames=[1002]), device="cpu"
    )
    assert paths == (tmp_path / "styled/demo.1002.exr",)
    from tsn.matte import cryptomatte

    frame = io.read_frame(DEMO / "demo.1002.exr", 1002)
    cover = cryptomatte(frame.channels, frame.header, layer="CryptoObject", names=["quay"])
    before, after = channels(DEMO / "demo.1002.exr"), channels(paths[0])
    touched = {name for name in before if not np.array_equal(before[name], after[name])}
    assert touched == {f"ViewLayer.Combined.{letter}" for letter in "RGB"}
    moved = before["ViewLayer.Combined.R"] != after["ViewLayer.Combined.R"]
    assert 0.01 < (cover == 1).mean() < 0.9
    assert not moved[cover == 0].any() and moved[cover == 1].mean() > 0.8


def test_an_object_that_comes_and_goes_is_painted(shot: Shot, add_cryptomatte, rendered, rgb, source) -> None:
    file = shot("matte: {cryptomatte: CryptoObject, names: [monkey]}", frames=range(1001, 1006))
    floor, monkey = np.ones((48, 64), bool), np.zeros((48, 64), bool)
    monkey[10:30, 20:50] = True
    there = (1002, 1004)
    add_cryptomatte({n: {"floor": floor} | ({"monkey": monkey} if n in there else {}) for n in range(1001, 1006)})
    for number, path in rendered(file)[0].items():
        moved = (rgb(path) != rgb(source(path))).any(-1)
        assert not moved[~monkey].any()
        assert (moved[monkey].mean() > 0.8) == (number in there), number
