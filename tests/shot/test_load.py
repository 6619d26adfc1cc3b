"""A whole shot from its file, and all its faults at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tsn.errors import InputError, ShotError, UsageError
from tsn.shot.curves import Curve
from tsn.shot.load import load
from tsn.shot.model import Colour, Flow, Matte, Shot, Style, Temporal, Vectors

Write = Callable[..., Path]
Refused = Callable[..., UsageError]


def test_a_minimal_shot_has_the_defaults(write: Write, tmp_path: Path) -> None:
    assert load(write(), environ={}) == Shot(
        file=tmp_path / "sh010.yaml",
        plate=f"{tmp_path}/plate/sh010.####.exr",
        output=f"{tmp_path}/styled/sh010.####.exr",
        style=Style(model="great-wave"),
    )


def test_a_full_shot_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "sh010.yaml"
    path.write_text(
        """\
# yaml-language-server: $schema=../shot.schema.json
version: 1
plate: /plates/sh010.%04d.dpx
layer: ViewLayer.Combined
frames: 1001-1048
missing: hold
output: styled/{shot}_styled.####.dpx
colour: {input: lin_rec709, highlights: soft}
style:
  blend: {great-wave: .7, looks/k.onnx: .3}
  strength: {1012: 1.0, 1001: 0.0}
  scale: 1.5
  tile: 512
flow: {method: auto, vectors: {layer: ViewLayer.Vector, convention: blender}, scale: .5, weights: raft.pth}
temporal: {window: 4, detail: .8, cuts: [1020, 1010, 1020]}
matte: {cryptomatte: CryptoObject, names: [monkey, on, "7"], invert: true}
""",
        encoding="utf-8",
    )
    assert load(str(path), environ={}) == Shot(
        file=path,
        plate="/plates/sh010.####.dpx",
        layer="ViewLayer.Combined",
        frames="1001-1048",
        missing="hold",
        output=f"{tmp_path}/styled/sh010_styled.####.dpx",
        colour=Colour(input="lin_rec709", highlights="soft"),
        style=Style(
            blend={f"{tmp_path}/looks/k.onnx": Curve.constant(0.3), "great-wave": Curve.constant(0.7)},
            strength=Curve(keys=((1001, 0.0), (1012, 1.0))),
            scale=1.5,
            tile=512,
        ),
        flow=Flow(vectors=Vectors(layer="ViewLayer.Vector"), scale=0.5, weights=tmp_path / "raft.pth"),
        temporal=Temporal(window=4, detail=Curve.constant(0.8), cuts=(1010, 1020)),
        matte=Matte(cryptomatte="CryptoObject", names=("monkey", "on", "7"), invert=True),
    )


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("style: great-wave", "great-wave"),
        ("style: {model: looks/mine.safetensors}", "{folder}/looks/mine.safetensors"),
        ("style: /looks/mine.onnx", "/looks/mine.onnx"),
        ("style: looks/many.onnx:19", "{folder}/looks/many.onnx:19"),
    ],
)
def test_a_model_is_a_name_or_a_file_beside_the_shot(write: Write, tmp_path: Path, style: str, expected: str) -> None:
    assert load(write(style=style), environ={}).style.model == expected.format(folder=tmp_path)


def test_painted_frames_are_a_style(write: Write, tmp_path: Path) -> None:
    style = load(write(style="style: {frames: 'painted/{shot}.####.png'}"), environ={}).style
    assert (style.model, style.frames) == (None, f"{tmp_path}/painted/sh010.####.png")


@pytest.mark.parametrize(("written", "frames"), [("0101", "0101"), ("1001", "1001"), ("'-5--1'", "-5--1")])
def test_frames_are_kept_as_written(write: Write, written: str, frames: str) -> None:
    assert load(write(f"frames: {written}"), environ={}).frames == frames


def test_padded_keyframes_are_decimal_and_json_keys_are_frames(write: Write) -> None:
    shot = load(write("temporal: {detail: {0010: 0, '20': 1}}"), environ={})
    assert shot.temporal.detail.keys == ((10, 0.0), (20, 1.0))


def test_all_faults_of_a_file_are_told_at_once(refused: Refused, write: Write) -> None:
    path = write(
        "outptu: x",
        "temporal: {window: 64, detial: 1}",
        "colour:",
        "  input: lin_rec709",
        "  input: acescg",
        plate="plate: plate/{shto}.exr",
    )
    error = refused(path)
    assert isinstance(error, ShotError)
    assert (error.file, error.line, error.column) == (path, 2, 8)
    assert str(error).splitlines() == [
        f"{path}:2:8: plate: unknown token {{shto}}",
        f"  also {path}:5:1: unknown key 'outptu' (Perhaps you meant 'output'?)",
        f"  also {path}:6:20: temporal.window: expected a number, at most 32, found 64",
        f"  also {path}:6:24: unknown key 'detial' (Perhaps you meant 'detail'?)",
        f"  also {path}:9:3: the key 'input' is here twice, first on line 8",
    ]


@pytest.mark.parametrize(
    ("line", "place", "message", "hint"),
    [
        ("style: great-wav", "4:8", "style.model: No style is called 'great-wav'; ", "'great-wave'"),
        ("style: {blend: {great-wave: 1, tarascn: 1}}", "4:32", "style.blend.tarascn: No style", "'tarascon'"),
        ("colour: {input: lin_rec70}", "5:17", "colour.input: Colour space 'lin_rec70' is not", "'lin_rec709'"),
        ("colour: {input: Raw}", "5:17", "colour.input: Colour space 'Raw' is for data", "lin_rec709"),
        (
            "flow: {vectors: {layer: V, convention: blendr}}",
            "5:40",
            "flow.vectors.convention: expected 'blender', 'nuke', 'renderman', 'arnold', 'vray', 'karma', 'normalised',"
            " 'pixels-next', 'pixels-previous' or 'ndc-next', found the text 'blendr'",
            "Perhaps you meant 'blender'?",
        ),
        ("output: o.####.png", "3:9", "output: expected a name that ends in .exr, found .png", "EXR or DPX"),
        ("output: o.####.dpx", "3:9", "output: expected a name that ends in .exr, found .dpx", "the plate's format"),
    ],
)
def test_what_a_value_names_is_looked_up_at_its_place(
    refused: Refused, write: Write, line: str, place: str, message: str, hint: str
) -> None:
    path = write(**{line.split(":")[0]: line})
    error = refused(path)
    assert str(error).startswith(f"{path}:{place}: {message}")
    assert error.hint is not None and hint in error.hint


def test_a_plate_of_another_ending_leaves_the_output_its_choice(refused: Refused, write: Write) -> None:
    for ending in ("exr", "EXR", "dpx"):
        load(write(plate="plate: p.####.sxr", output=f"output: o.####.{ending}"), environ={})
    assert ":3:9: output: expected a name that ends in .exr or .dpx" in str(
        refused(write(plate="plate: p.####.sxr", output="output: o.####.sxr"))
    )


def test_colour_spaces_are_those_of_the_show(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.ocio"
    config.write_text(
        "ocio_profile_version: 2\nroles: {default: house}\ndisplays: {d: [!<View> {name: v, colorspace: house}]}\n"
        "colorspaces: [!<ColorSpace> {name: house}]\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("OCIO", str(config))
    assert load(write("colour: {input: house}"), environ={}).colour.input == "house"
    monkeypatch.setenv("OCIO", str(tmp_path / "none.ocio"))
    with pytest.raises(InputError, match=r"none\.ocio: the OCIO environment variable"):
        load(write("colour: {input: house}"), environ={})
    assert load(write("colour: {input: Auto}"), environ={}).colour.input == "Auto"


@pytest.mark.parametrize("key", ["version", "plate", "output", "style"])
def test_what_a_shot_needs(refused: Refused, write: Write, key: str) -> None:
    error = refused(write(**{key: None}))
    assert f":1:1: {key} is missing" in str(error)
    assert error.hint


def test_loading_needs_no_heavy_import(write: Write) -> None:
    code = (
        "import sys, tsn.shot.explain, tsn.shot.load\n"
        f"tsn.shot.load.load({str(write('frames: 1001-1048'))!r}, environ={{}})\n"
        "heavy = {'torch', 'numpy', 'cv2', 'OpenImageIO', 'OpenEXR', 'PyOpenColorIO'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ}, timeout=60)
    code = code.replace("environ={}", "environ={}, sets=['colour.input=acescg']").replace(", 'PyOpenColorIO'", "")
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ}, timeout=60)


def test_strokes_live_longer_than_paint_is_averaged(write) -> None:
    style = "style: {strokes: oil}"
    assert load(write(), environ={}).temporal.window == 8
    assert load(write(style=style), environ={}).temporal.window == 16
    assert load(write("temporal: {detail: 1}", style=style), environ={}).temporal.window == 16
    assert load(write("temporal: {window: 8}", style=style), environ={}).temporal.window == 8
    assert load(write(), sets=["style.strokes=ink"], environ={}).temporal.window == 16
