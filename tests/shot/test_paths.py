"""The paths of a shot: tokens, what they are relative to, and those that would do harm."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tsn.errors import UsageError
from tsn.shot.curves import Curve
from tsn.shot.load import load
from tsn.shot.model import Style

Write = Callable[..., Path]
Refused = Callable[..., UsageError]


@pytest.mark.parametrize("folder", ["jane@studio.com", "sc#1", "50%d", "cost$F4"])
def test_a_shot_may_lie_below_any_folder(write: Write, tmp_path: Path, folder: str) -> None:
    shot = load(write(name=f"{folder}/sh010.yaml", output="output: v#/o.%04d.exr"), environ={})
    assert shot.plate == f"{tmp_path}/{folder}/plate/sh010.####.exr"
    assert shot.output == f"{tmp_path}/{folder}/v#/o.####.exr"
    load(write(plate="plate: v##/p.####.exr", output="output: v#/p.####.exr"), environ={})


def test_a_link_to_the_plates_folder_is_no_path_of_its_own(refused: Refused, write: Write, tmp_path: Path) -> None:
    (tmp_path / "plate").mkdir()
    (tmp_path / "styled").symlink_to("plate")
    message = str(refused(write(plate="plate: plate/p.####.exr", output="output: styled/p.####.exr")))
    assert "output: expected a path of its own, found that of plate" in message


@pytest.mark.parametrize(
    ("style", "column", "name", "other"),
    [
        ("{blend: {k.onnx: .5, ./k.onnx: {1: 1}}}", 29, "./k.onnx", "k.onnx"),
        ("{blend: {a: 1, x/../k.onnx:2: .5, k.onnx:2: .5}}", 42, "k.onnx:2", "x/../k.onnx:2"),
        ("{adain: {a.png: .5, ./a.png: 1}}", 28, "./a.png", "a.png"),
        ("{adain: [a.png, b.png, a.png]}", 31, "a.png", "a.png"),
    ],
)
def test_one_file_has_one_weight(
    refused: Refused, write: Write, style: str, column: int, name: str, other: str
) -> None:
    error = refused(write(style=f"style: {style}"))
    assert f":4:{column}: style." in str(error)
    assert f"{name!r} is the same file as {other!r}" in str(error)
    assert error.hint == "Name it once, with the weight that it shall have in all."


def test_styles_of_one_file_and_what_a_shot_took_out_are_not_the_same(write: Write, tmp_path: Path) -> None:
    (tmp_path / "_show.yaml").write_text("version: 1\nstyle: {blend: {k.onnx: 1}}\n", encoding="utf-8")
    blend = load(write(style="style: {blend: {k.onnx: null, ./k.onnx: .5, k.onnx:1: .5}}"), environ={}).style.blend
    assert blend == {f"{tmp_path}/k.onnx": Curve.constant(0.5), f"{tmp_path}/k.onnx:1": Curve.constant(0.5)}


def test_paths_stated_outside_files_are_relative_to_where_you_stand(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(name="deep/sh010.yaml")
    monkeypatch.chdir(tmp_path)
    assert load(path, environ={"TSN_OUTPUT": "o.####.exr"}).output == f"{tmp_path}/o.####.exr"
    shot = load("deep/sh010.yaml", environ={}, sets=["flow.weights=w.pth"])
    assert (shot.flow.weights, shot.file) == (tmp_path / "w.pth", path)
    assert shot.plate == f"{tmp_path}/deep/plate/sh010.####.exr"


def test_a_tilde_is_the_home_folder_in_every_path(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", f"{tmp_path}/home")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/base.yaml").write_text("missing: hold\n", encoding="utf-8")
    plain = {"plate": "plate: ~/p.%04d.exr", "output": "output: '{show}/o.####.exr'"}
    lines = ("extends: ~/base.yaml", "tokens: {show: ~/out}", "flow: {weights: ~/w.pth}")

    def style(text: str) -> Style:
        return load(write(*lines, **plain, style=f"style: {text}"), environ={}).style

    shot = load(write(*lines, **plain), environ={})
    assert (shot.plate, shot.output) == (f"{tmp_path}/home/p.####.exr", f"{tmp_path}/home/out/o.####.exr")
    assert (shot.flow.weights, shot.missing) == (tmp_path / "home/w.pth", "hold")
    assert style("~/net.onnx:19").model == f"{tmp_path}/home/net.onnx:19"
    assert style("{frames: ~/f.####.png}").frames == f"{tmp_path}/home/f.####.png"
    assert style("{adain: ~/a.png}").adain == {f"{tmp_path}/home/a.png": 1.0}
    blend = {f"{tmp_path}/home/a.safetensors": Curve.constant(1), f"{tmp_path}/~nobody9/b.onnx:2": Curve.constant(0.5)}
    assert style("{blend: {~/a.safetensors: 1, ./~nobody9/b.onnx:2: .5}}").blend == blend
    assert load(write(), environ={}, sets=["output=~/o.####.exr"]).output == f"{tmp_path}/home/o.####.exr"


def test_variables_are_filled_in_in_every_path(write: Write, tmp_path: Path) -> None:
    environ = {"ROOT": f"{tmp_path}/root", "SHOW": "wave", "F4": "no frame"}
    (tmp_path / "root").mkdir()
    (tmp_path / "root/base.yaml").write_text("missing: hold\n", encoding="utf-8")
    plain = {"plate": "plate: $ROOT/p.$F4.exr", "output": "output: '${ROOT}/{show}_{seq}/o.${F4}.exr'"}
    lines = ("extends: $ROOT/base.yaml", "tokens: {show: $SHOW, seq: x$SHOW-y}", "flow: {weights: $ROOT/w.pth}")

    def style(text: str) -> Style:
        return load(write(*lines, **plain, style=f"style: {text}"), environ=environ).style

    shot = load(write(*lines, **plain), environ=environ)
    root = f"{tmp_path}/root"
    assert (shot.plate, shot.output) == (f"{root}/p.####.exr", f"{root}/wave_xwave-y/o.####.exr")
    assert (shot.flow.weights, shot.missing) == (tmp_path / "root/w.pth", "hold")
    assert style("$ROOT/net.onnx:19").model == f"{root}/net.onnx:19"
    assert style("{frames: $ROOT/f.####.png}").frames == f"{root}/f.####.png"
    assert style("{adain: $ROOT/a.png}").adain == {f"{root}/a.png": 1.0}
    assert style("{adain: [$ROOT/a.png, b.png]}").adain == {f"{root}/a.png": 1.0, f"{tmp_path}/b.png": 1.0}
    assert style("{adain: {$ROOT/a.png: 2}}").adain == {f"{root}/a.png": 2.0}
    assert style("{blend: {$ROOT/a.onnx: 1, a: .5}}").blend == {
        f"{root}/a.onnx": Curve.constant(1),
        "a": Curve.constant(0.5),
    }
    assert load(write(), environ={**environ, "TSN_OUTPUT": "$ROOT/o.####.exr"}).output == f"{root}/o.####.exr"
    assert load(write(), environ=environ, sets=["output=$ROOT/o.####.exr"]).output == f"{root}/o.####.exr"


@pytest.mark.parametrize("path", ["$ROOT/{}", "${{ROOT}}/{}", "%ROOT%/{}", "P:/x/{}", "P:\\x\\{}", "s3://x/{}"])
@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("plate", "p.####.exr"),
        ("output", "o.####.exr"),
        ("style", "{model: PATH}:n.onnx"),
        ("style", "{frames: PATH}:f.####.png"),
        ("style", "{adain: PATH}:a.png"),
        ("style", "{adain: [PATH]}:a.png"),
        ("style", "{adain: {? PATH : 1}}:a.png"),
        ("style", "{blend: {? PATH : 1}}:n.onnx"),
        ("style", "{strokes: PATH}:mine.yaml"),
        ("style", "{strokes: oil, palette: PATH}:a.png"),
        ("style", "{strokes: oil, brush: [PATH]}:a.png"),
        ("style", "{strokes: oil, brush: a.png, brush_height: PATH}:b.png"),
        ("flow", "{weights: PATH}:w.pth"),
        ("extends", "b.yaml"),
        ("tokens", "{show: PATH}:x"),
    ],
)
def test_a_path_that_is_none_here_is_refused_once_under_every_key(
    refused: Refused, write: Write, key: str, name: str, path: str
) -> None:
    around, _, name = name.rpartition(":")
    value = (around or "PATH").replace("PATH", f"'{path.format(name)}'")
    lines = {key: f"{key}: {value}"} | ({"output": "output: '{show}/o.####.exr'"} if key == "tokens" else {})
    error = refused(write(**lines))
    assert re.search("is not set|Windows|backslash|address", str(error)) and error.hint
    assert "\n" not in str(error) and ("output" if key == "tokens" and "$" not in path else key) in str(error)


def test_two_slashes_are_one_and_never_hide_the_plate(refused: Refused, write: Write, tmp_path: Path) -> None:
    assert load(write(output=f"output: /{tmp_path}/o.####.exr"), environ={}).output == f"{tmp_path}/o.####.exr"
    error = refused(write(output=f"output: /{tmp_path}/plate/sh010.####.exr"))
    assert "output: expected a path of its own, found that of plate" in str(error)


def test_tokens_are_filled_in(write: Write, tmp_path: Path) -> None:
    path = write(
        "tokens: {show: wave, seq: sq1, version: 003}",
        "layer: beauty",
        output="output: '{show}/{seq}/{shot}_{layer}_{version}.{frame}.exr'",
        name="sh010.v2.yaml",
    )
    assert load(path, environ={}).output == f"{tmp_path}/wave/sq1/sh010_beauty_003.####.exr"
    sets = ["tokens.version=010", "tokens.shot=x", "tokens.layer=y"]
    assert load(path, environ={}, sets=sets).output == f"{tmp_path}/wave/sq1/x_y_010.####.exr"


@pytest.mark.parametrize("ending", ["exr", "EXR", "dpx"])
def test_painted_frames_are_pictures_as_they_are_shown(refused: Refused, write: Write, ending: str) -> None:
    error = refused(write(style=f"style: {{frames: painted.####.{ending}}}"))
    assert f":4:17: style.frames: expected PNG, TIFF, JPEG or WebP, found .{ending.lower()}" in str(error)
    assert error.hint == "Convert the frames to sRGB as 16-bit PNG or TIFF."


@pytest.mark.parametrize(
    ("output", "message", "hint"),
    [
        ("'{verison}.####.exr'", "output: unknown token {verison}", "Perhaps you meant 'version'?"),
        ("'{zzz}.####.exr'", "output: unknown token {zzz}", "Tokens: {show} {seq} {shot} {version} {layer} {frame}."),
        ("'{seq}.####.exr'", "output: the token {seq} has no value", "Add tokens: {seq: ...}"),
        ("'{layer}.####.exr'", "output: the token {layer} has no value", None),
        ("'a{b.####.exr'", "output: a brace without its other half", None),
        ("out/still.exr", "output: The sequence 'out/still.exr' has no place for a frame number", "####"),
        ("a.####.####.exr", "output: The sequence 'a.####.####.exr' has more than one place", "####"),
        ("plate/./sh010.%04d.exr", "output: expected a path of its own, found that of plate", None),
        ("plate/sh010.$F4.exr", "output: expected a path of its own, found that of plate", None),
    ],
)
def test_output_paths_that_cannot_be(
    refused: Refused, write: Write, output: str, message: str, hint: str | None
) -> None:
    error = refused(write(output=f"output: {output}"))
    assert f":3:9: {message}" in str(error)
    if hint:
        assert error.hint is not None and hint in error.hint
