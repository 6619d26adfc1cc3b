"""What `tsn check` finds, and what it lets pass."""

from __future__ import annotations

import re
import shutil

import numpy as np
import OpenEXR
import pytest

from tsn import io


def test_check_tells_what_it_found(tsn, shot, plate, tmp_path):
    file = shot("matte: {channel: mask.V}")
    for number in range(1001, 1004):
        half = np.zeros((24, 40), np.float32)
        half[:, :10] = 1
        plate(tmp_path / "plate" / f"sh.{number}.exr", number, **{"mask.V": half})
    result = tsn("check", file, "--device", "cpu")
    assert result.exit_code == 0
    found = dict(re.split("  +", line, maxsplit=1) for line in result.stdout.splitlines() if "  " in line)
    assert found["colour"] == "Linear Rec.709 (sRGB)"
    assert found["matte"] == "covers 25.0 % of frame 1001"
    assert found["device"] == "cpu"
    assert result.stdout.endswith("No fault found.\n")
    assert not (tmp_path / "styled").exists()


def test_cuts_outside_of_the_shot_are_told(tsn, shot):
    file = shot()
    output = tsn("render", file, "--dry-run", "--set", "temporal.cuts=[1, 1001, 1003, 5000]").stdout
    assert "cuts      1, 5000 outside of the shot, without effect\n" in output
    for cuts in ("[1002]", "auto"):
        assert "cuts " not in tsn("render", file, "--dry-run", "--set", f"temporal.cuts={cuts}").stdout


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--set", "colour.input=lin_rec710"], 2, "lin_rec710"),
        (["--set", "layer=ViewLayer.Combined"], 3, "ViewLayer.Combined"),
        (["--set", "matte={cryptomatte: CryptoObject, names: [monkey]}"], 3, "CryptoObject"),
        (["--set", "style=nobody"], 2, "nobody"),
        (["--set", "flow={method: raft}"], 3, "tsn fetch"),
        (["--device", "gpu"], 4, "gpu"),
        (["--device", "cpu,gpu"], 4, "No device 'gpu' here"),
        (["--device", "cpu,"], 2, "a name is missing"),
    ],
)
def test_check_finds_what_would_stop_the_render(tsn, shot, words, code, expected):
    result = tsn("check", shot(), *words)
    assert expected in result.stderr + result.stdout
    assert result.exit_code == code
    assert "No fault" not in result.stdout


def test_check_takes_the_devices_that_render_takes(tsn, shot, monkeypatch):
    from tsn.rendering import layer_engines

    made, make = [], layer_engines.make_engine
    monkeypatch.setattr(
        layer_engines, "make_engine", lambda plan, **options: made.append(options) or make(plan, **options)
    )
    monkeypatch.setenv("TSN_DEVICE", "cpu,cpu")
    result = tsn("check", shot())
    assert result.exit_code == 0, result.stderr
    assert "device    cpu\n" in result.stdout and [options["device"] for options in made] == ["cpu"]


def test_check_names_the_damaged_frame(tsn, shot, tmp_path):
    file, path = shot(), tmp_path / "plate" / "sh.1002.exr"
    path.write_bytes(path.read_bytes()[:-40])
    result = tsn("check", file)
    assert result.exit_code == 3 and "sh.1002.exr" in result.stderr


def test_what_looks_like_a_frame_and_is_not_taken_is_named(tsn, shot, tmp_path):
    file = shot()
    for name in ("sh.01004.exr", "sh.1003 (1).exr"):
        shutil.copy(tmp_path / "plate/sh.1003.exr", tmp_path / "plate" / name)
    expected = "2 files look like frames and are not taken: sh.01004.exr, sh.1003 (1).exr.\n"
    assert f"left out  plate: {expected}" in tsn("check", file, "--device", "cpu").stdout
    assert f"left out  plate: {expected}" in tsn("render", file, "--dry-run").stdout
    assert tsn("render", file, "--device", "cpu").stdout.startswith(expected)


@pytest.fixture
def painted(shot, tmp_path):
    """A shot of three frames, each painted elsewhere at the size of its display window, larger than what it holds."""
    file = shot(style="{frames: painted.####.png}")
    for number in range(1001, 1004):
        path = tmp_path / f"plate/sh.{number}.exr"
        pixels = np.zeros((12, 20), np.float16)
        window = {"displayWindow": ((0, 0), (39, 23)), "dataWindow": ((4, 4), (23, 15))}
        kind = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        OpenEXR.File(kind | window, {name: pixels for name in "RGB"}).write(str(path))
        io.write_png(tmp_path / f"painted.{number}.png", np.full((24, 40, 3), 0.5, np.float32))
    return file


def test_check_looks_at_every_painted_frame(tsn, painted, tmp_path):
    (tmp_path / "painted.1004 (1).png").touch()
    result = tsn("check", painted, "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    assert "painted   3 frames of 40x24: 1001-1003\n" in result.stdout
    expected = "1 file looks like a frame and is not taken: painted.1004 (1).png.\n"
    assert f"left out  style.frames: {expected}" in result.stdout


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (None, "painted.####.png: 1 of 3 painted frames are missing: 1003\n"),
        ((12, 24), "painted.1003.png: frame 1003 is 24 x 12, the plate is 40 x 24.\n"),
        ((), "painted.1003.png is damaged"),
    ],
)
def test_check_names_a_painted_frame_that_cannot_be_used(tsn, painted, tmp_path, size, expected):
    path = tmp_path / "painted.1003.png"
    if size is None:
        path.unlink()
    elif size == ():
        path.write_bytes(path.read_bytes()[:-40])
    else:
        io.write_png(path, np.full((*size, 3), 0.5, np.float32))
    result = tsn("check", painted, "--device", "cpu")
    assert result.exit_code == 3 and expected in result.stderr
    assert "No fault" not in result.stdout
    if size is not None and size:
        assert "display window" in result.stderr


def test_check_tells_the_size_and_the_numbers_of_painted_frames(tsn, painted, tmp_path):
    for number in range(1001, 1004):
        io.write_png(tmp_path / f"p_{number - 1000}.png", np.full((12, 20, 3), 0.5, np.float32))
    frames = ("--device", "cpu", "--set", f"style.frames={tmp_path}/p_#.png")
    expected = "painted   3 frames of 20x12, resized to 40x24: 1-3 for 1001-1003\n"
    assert expected in tsn("check", painted, *frames, "--set", "style.offset=-1000").stdout
    result = tsn("check", painted, *frames)
    assert result.exit_code == 3 and "p_#.png: 3 of 3 painted frames are missing: 1001-1003\n" in result.stderr
    assert "There are 1-3. Perhaps you meant style.offset: -1000, painted frame 1 for 1001?" in result.stderr
    result = tsn("check", painted, *frames[:-1], f"style.frames={tmp_path}/p_###.png")
    assert result.exit_code == 3 and "3 files look like frames and are not taken: p_1.png, p_2.png" in result.stderr


def test_painted_frames_with_numbers_of_their_own_are_pinned_by_their_content(tsn, painted, tmp_path):
    for number in (1, 2, 3):
        io.write_png(tmp_path / f"p_{number}.png", np.full((24, 40, 3), 0.5, np.float32))
    options = ("--set", f"style.frames={tmp_path}/p_#.png", "--set", "style.offset=-1000", "--chunk-size", "1")
    assert tsn("plan", painted, *options, "-o", tmp_path / "plan.json").exit_code == 0
    io.write_png(tmp_path / "p_3.png", np.full((24, 40, 3), 0.25, np.float32))
    assert tsn("chunk", tmp_path / "plan.json", "0", "--device", "cpu").exit_code == 0
    result = tsn("chunk", tmp_path / "plan.json", "2", "--device", "cpu")
    assert result.exit_code == 3 and "painted frames that changed after the plan was made: 1003" in result.stderr


def test_check_asks_for_no_paint_that_does_not_show(tsn, painted, tmp_path):
    (tmp_path / "painted.1003.png").unlink()
    unpainted = ("--set", "style.strength={1001: 1, 1002: 0}", "--set", "temporal.window=0")
    assert "painted   1 frame of 40x24: 1001\n" in tsn("check", painted, "--device", "cpu", *unpainted).stdout
