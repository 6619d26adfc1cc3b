"""Which statement wins, where faults lie, and that a shot travels as JSON unchanged."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsn.errors import ShotError, UsageError
from tsn.shot.curves import Curve
from tsn.shot.load import load
from tsn.shot.model import Colour, Flow, Matte, Shot, Style, Temporal, Vectors, from_json, to_json

Write = Callable[..., Path]


def refused(path: Path, **arguments: object) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(path, **{"environ": {}, **arguments})
    assert caught.value.exit_code == 2
    return caught.value


# --- a whole shot ------------------------------------------------------------------------------------


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
output: styled/{shot}_styled.####.exr
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
        output=f"{tmp_path}/styled/sh010_styled.####.exr",
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


def test_aliases_are_followed(write: Write) -> None:
    shot = load(write("temporal: {detail: &ramp {1: 0, 9: 1}}", style="style: {model: a}"), environ={})
    path = write("temporal: {detail: *ramp}", style="style: {model: a, strength: &ramp {1: 0, 9: 1}}")
    assert load(path, environ={}).temporal.detail == shot.temporal.detail


# --- faults and their places -------------------------------------------------------------------------


def test_all_faults_of_a_file_are_told_at_once(write: Write) -> None:
    path = write(
        "outptu: x",
        "temporal: {window: 64, detial: 1}",
        "colour:",
        "  input: lin",
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
    ("line", "column", "message", "hint"),
    [
        ("temporal: {detail: {1001:20}}", 21, "'1001:20' is no frame number", "space after the colon: 1001: 20"),
        ("temporal: {detail: 1001:0.5}", 20, "found the text '1001:0.5'", "space after the colon: 1001: 0.5"),
        ("temporal: {detail: {1001: 3}}", 21, "expected a number from 0 to 2, found 3", None),
        ("matte: {channel: 3}", 18, "expected text, found 3", 'Put it in quotes: "3".'),
        ("matte: {cryptomatte: c, names: [a, true]}", 36, "matte.names.1: expected text, found true", "quotes"),
        ("missing: hodl", 10, "found the text 'hodl'", "Perhaps you meant 'hold'?"),
        ("layer: !include x", 8, "expected a plain value, found !include 'x'", None),
        ("layer: !!int x", 8, "expected a plain value", None),
        ("? [a]\n: 1", 3, "expected a key, found a mapping or list", None),
        ("temporal: {window: 4", 1, "broken YAML", None),
        ("temporal: @x", 11, "broken YAML", "needs quotes"),
        ("plate2: {shot}.####.exr", 15, "broken YAML", "needs quotes"),
        ("a: 1\n---\nb: 2", 1, "broken YAML", None),
        ("\tlayer: x", 1, "broken YAML", None),
        ("layer: &a [*a]", 8, "aliases that never end", None),
        ("on: 1", 1, "unknown key 'on'", None),
    ],
)
def test_a_fault_has_its_place_and_a_hint(write: Write, line: str, column: int, message: str, hint: str | None) -> None:
    error = refused(write(line))
    assert isinstance(error, ShotError)
    assert message in str(error)
    assert error.line is not None and error.line >= 5
    assert error.column == column
    if hint:
        assert error.hint is not None and hint in error.hint


@pytest.mark.parametrize("key", ["version", "plate", "output", "style"])
def test_what_a_shot_needs(write: Write, key: str) -> None:
    error = refused(write(**{key: None}))
    assert f":1:1: {key} is missing" in str(error)
    assert error.hint


@pytest.mark.parametrize("version", ["2", "'1'", "1.0", "true", "null"])
def test_other_versions_are_refused_before_all_else(write: Write, version: str) -> None:
    error = refused(write("newer: {than: this}", version=f"version: {version}"))
    assert ":1:10: version: expected 1, the format this tsn reads, found" in str(error)
    assert "newer" not in str(error)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a shot, found an empty file"),
        (b"# only words\n", "expected a shot, found an empty file"),
        (b"hello", "expected a mapping of keys, found the text 'hello'"),
        (b"- 1\n", "expected a mapping of keys, found a list"),
        (b"version: 1\nplate: \xff\n", ":2: expected UTF-8 text, found byte 0xff at offset 18"),
        ("version: 1".encode("utf-16"), "expected UTF-8 text, found byte 0xff at offset 0"),
        (b"\x76\x2f\x31\x01\x02\x00", "expected text, found the character 0x01"),
        (b"version: 1\na: \x00", ":2:4: expected text, found the character 0x00"),
        (b"a: " + b"[" * 1_000, "nested too deeply"),
        (b" " * (1 << 21), "expected a shot file, found more than 1 MiB"),
        (
            b"version: 1\na: &a [" + b"x, " * 99 + b"]\nb: &b [" + b"*a, " * 99 + b"]\nc: [" + b"*b, " * 99 + b"]",
            "aliases",
        ),
    ],
)
def test_what_is_no_shot_file(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "sh010.yaml"
    path.write_bytes(data)
    error = refused(path)
    assert isinstance(error, ShotError)
    assert message in str(error)


def test_a_byte_order_mark_is_harmless(write: Write) -> None:
    path = write()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load(path, environ={}).version == 1


def test_a_missing_file_a_folder_and_their_hints(write: Write, tmp_path: Path) -> None:
    write()
    error = refused(tmp_path / "sh01.yaml")
    assert str(error) == f"{tmp_path}/sh01.yaml: can't read it: no such file or directory"
    assert error.hint == "Perhaps you meant 'sh010.yaml'?"
    error = refused(tmp_path)
    assert "expected a shot file, found a folder" in str(error)
    assert error.hint == "Shot files in it: sh010.yaml."
    assert refused(tmp_path / "nowhere" / "x.yaml").hint == "Check the path."


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text("ab:{}[]-&*!|>'\"#%@ \n\t0129.,?", max_size=60).map(str.encode)))
def test_no_file_gives_anything_but_a_shot_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "sh010.yaml"
    path.write_bytes(b"version: 1\n" + data)
    refused(path)


# --- inheritance, environment, --set -----------------------------------------------------------------


@pytest.fixture
def show(tmp_path: Path) -> Path:
    """show/_show.yaml, show/seq/_sequence.yaml, show/seq/sh010/sh010.yaml; gives the last."""
    files = {
        "show/_show.yaml": "version: 1\ntokens: {show: wave, version: v001}\ncolour: {input: acescg}\n"
        "output: out/{seq}/{shot}_{version}.####.exr\nstyle: {model: great-wave, strength: {1: 0, 5: 1}}\n"
        "temporal: {window: 2, detail: .5}\nmatte: {cryptomatte: CryptoObject, names: [a, b]}\n",
        "show/seq/_sequence.yaml": "tokens: {seq: sq1, version: v002}\ntemporal: {window: 3}\n",
        "show/seq/sh010/sh010.yaml": "version: 1\nplate: plate.####.exr\n",
        "_show.yaml": "nonsense: above the show\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "show/seq/sh010/sh010.yaml"


def add(path: Path, text: str) -> Path:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    return path


def test_a_shot_inherits_from_its_sequence_and_its_show(show: Path, tmp_path: Path) -> None:
    shot = load(show, environ={})
    assert shot.output == f"{tmp_path}/show/out/sq1/sh010_v002.####.exr", "relative to the file that says it"
    assert shot.plate == f"{show.parent}/plate.####.exr"
    assert shot.temporal == Temporal(window=3, detail=Curve.constant(0.5))
    assert shot.colour.input == "acescg"


def test_lists_and_keyframes_are_replaced_whole(show: Path) -> None:
    shot = load(add(show, "style: {strength: {5: 0.5, 9: 1}}\nmatte: {names: [c]}\n"), environ={})
    assert shot.style == Style(model="great-wave", strength=Curve(keys=((5, 0.5), (9, 1.0))))
    assert shot.matte == Matte(cryptomatte="CryptoObject", names=("c",))


def test_null_goes_back_to_the_default(show: Path) -> None:
    shot = load(add(show, "temporal: {window: null}\nmatte: null\ncolour: ~\n"), environ={})
    assert (shot.temporal.window, shot.temporal.detail.at(1)) == (8, 0.5)
    assert (shot.matte, shot.colour) == (None, Colour())


def test_stating_an_alternative_lets_go_of_the_inherited_one(show: Path) -> None:
    shot = load(add(show, "style: {blend: {a: 1}}\nmatte: {channel: mask.R}\n"), environ={})
    assert (shot.style.model, shot.style.blend) == (None, {"a": Curve.constant(1)})
    assert shot.style.strength.at(3) == 0.5, "what does not exclude it stays"
    assert shot.matte == Matte(channel="mask.R")
    shot = load(show, sets=["style=kandinsky"], environ={})
    assert (shot.style.model, shot.style.blend) == ("kandinsky", None)


def test_a_link_to_the_plates_folder_is_no_path_of_its_own(write: Write, tmp_path: Path) -> None:
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
def test_one_file_has_one_weight(write: Write, style: str, column: int, name: str, other: str) -> None:
    error = refused(write(style=f"style: {style}"))
    assert f":4:{column}: style." in str(error)
    assert f"{name!r} is the same file as {other!r}" in str(error)
    assert error.hint == "Name it once, with the weight that it shall have in all."


def test_styles_of_one_file_and_what_a_shot_took_out_are_not_the_same(write: Write, tmp_path: Path) -> None:
    (tmp_path / "_show.yaml").write_text("version: 1\nstyle: {blend: {k.onnx: 1}}\n", encoding="utf-8")
    blend = load(write(style="style: {blend: {k.onnx: null, ./k.onnx: .5, k.onnx:1: .5}}"), environ={}).style.blend
    assert blend == {f"{tmp_path}/k.onnx": Curve.constant(0.5), f"{tmp_path}/k.onnx:1": Curve.constant(0.5)}


PAINTERS = ("{model: a}", "{adain: a.png, colours: plate}", "{blend: {a: 1, b: 1}}", "{frames: p.####.exr}")


@pytest.mark.parametrize(("inherited", "stated"), [*permutations(PAINTERS, 2)])
def test_every_painter_takes_the_place_of_every_other(
    write: Write, tmp_path: Path, inherited: str, stated: str
) -> None:
    own = write(style=f"style: {stated}")
    alone = load(own, environ={}).style
    (tmp_path / "_show.yaml").write_text(f"version: 1\nstyle: {inherited}\n", encoding="utf-8")
    assert load(own, environ={}).style == alone


def test_colours_alone_let_go_of_nothing(show: Path) -> None:
    message = str(refused(add(show, "style: {colours: plate}\n")))
    assert "only paintings (adain) can be painted in the colours of the plate" in message


def test_blends_merge_by_name(show: Path) -> None:
    add(show.parents[2] / "_show.yaml", "").write_text(
        "style: {blend: {a: .5, b: .5}}\noutput: x.####.exr\n", encoding="utf-8"
    )
    blend = load(add(show, "style: {blend: {b: null, c: 1}}\n"), environ={}).style.blend
    assert blend == {"a": Curve.constant(0.5), "c": Curve.constant(1)}


def test_extends_names_the_parent_instead(show: Path, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\ntemporal: {window: 7}\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text(
        "output: o.####.exr\nstyle: x\ntemporal: {window: 6, detail: 0}\n", encoding="utf-8"
    )
    shot = load(add(show, "extends: ../../../a.yaml\n"), environ={})
    assert shot.output == f"{tmp_path}/o.####.exr"
    assert (shot.temporal.window, shot.temporal.detail.at(1), shot.colour.input) == (7, 0, "auto")


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("sh010.yaml", ":3:10: extends comes back to"),
        ("_shwo.yaml", ":3:10: extends: no file"),
        ("[a]", ":3:10: extends: expected a path, found a list"),
    ],
)
def test_extends_that_leads_nowhere(show: Path, extends: str, message: str) -> None:
    assert message in str(refused(add(show, f"extends: {extends}\n")))


def test_an_empty_show_only_marks_the_root(write: Write, tmp_path: Path) -> None:
    (tmp_path / "_show.yaml").touch()
    assert load(write(), environ={}).style.model == "great-wave"


def test_a_fault_of_the_show_is_placed_in_the_show(show: Path) -> None:
    file = add(show.parents[2] / "_show.yaml", "flow: {methd: dis}\n")
    error = refused(show)
    assert isinstance(error, ShotError)
    assert (error.file, error.line, error.column) == (file, 8, 8)
    add(show, "missing: hodl\n")
    assert [line.split(": ")[0] for line in str(refused(show)).splitlines()] == [f"{show}:3:10", f"  also {file}:8:8"]


def test_set_over_environment_over_file(show: Path) -> None:
    environ = {"TSN_TEMPORAL__WINDOW": "5", "TSN_MISSING": "hold", "TSN_COLOUR__INPUT": ""}
    assert load(show, environ=environ).temporal.window == 5
    assert load(show, environ=environ).colour.input == "acescg", "an empty variable counts as unset"
    shot = load(show, environ=environ, sets=["temporal.window=6", "temporal.window=7", "style.strength={1: 0, 3: 1}"])
    assert (shot.temporal.window, shot.missing) == (7, "hold")
    assert shot.style.strength.keys == ((1, 0.0), (3, 1.0))
    assert load(show, environ={}, sets=["temporal.window=null"]).temporal.window == 8


def test_one_keyframe_can_be_set_and_leaves_the_others(show: Path) -> None:
    shot = load(show, environ={}, sets=["style.strength.5=0.5", "style.strength.interp=hold"])
    assert shot.style.strength == Curve(keys=((1, 0.0), (5, 0.5)), interp="hold")
    shot = load(show, environ={"TSN_STYLE__STRENGTH__9": "1"}, sets=["temporal.detail=null", "temporal.detail.3=2"])
    assert shot.style.strength.keys == ((1, 0.0), (5, 1.0), (9, 1.0))
    assert shot.temporal.detail == Curve.constant(2)
    shot = load(add(show, "style: {blend: {a: 1, b: {1: 0, 9: 1}}}\n"), environ={}, sets=["style.blend.b.1=1"])
    assert shot.style.blend == {"a": Curve.constant(1), "b": Curve(keys=((1, 1.0), (9, 1.0)))}
    unstated = load(show, environ={}, sets=["style.strength=null", "style.strength.1=0", "style.strength.3=1"])
    assert unstated.style.strength.keys == ((1, 0.0), (3, 1.0))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("temporal.detail.1", "temporal.detail is .5 at {show}:6, so it has no keys of which one could be set"),
        ("matte.names.0", "matte.names is a list at {show}:7, so it has no keys of which one could be set"),
        ("style.strength.x", "style.strength: expected a frame number or interp, found 'x'"),
        ("style.strength.01", "style.strength: frame 1 has two keys"),
        ("style.strength.1.5", "style.strength.1 is 0 at {show}:5, so it has no keys of which one could be set"),
        ("style.strength.3.5", "style.strength: expected a number, found {{'5': 1}}"),
    ],
)
def test_a_key_that_cannot_be_set_is_named(show: Path, key: str, message: str) -> None:
    error = refused(show, sets=[f"{key}=1"])
    assert str(error).startswith(f"--set {key}=1: {message.format(show=show.parents[2] / '_show.yaml')}")


def test_settings_of_tsn_itself_are_not_the_shots(write: Write) -> None:
    names = ("TSN_CACHE", "TSN_WEIGHTS", "TSN_DEVICE", "TSN_LOG_LEVEL", "TSN_VERSION", "TSN_RENDER_FRAMES", "WINDOW")
    assert load(write(), environ=dict.fromkeys(names, "{")) == load(write(), environ={})


@pytest.mark.parametrize(
    ("environ", "sets", "message", "hint"),
    [
        (
            {"TSN_TEMPORAL__WINDOW": "99"},
            [],
            "TSN_TEMPORAL__WINDOW: temporal.window: expected a number, at most 32",
            None,
        ),
        ({"TSN_TEMPORL__WINDOW": "4"}, [], "TSN_TEMPORL__WINDOW: unknown key 'temporl'", "'temporal'"),
        ({"TSN_TEMPORAL__WINDWO": "4"}, [], "TSN_TEMPORAL__WINDWO: unknown key 'windwo'", "'window'"),
        ({"TSN_FRAMES": "[1"}, [], "TSN_FRAMES: broken YAML", None),
        ({}, ["temporal.windwo=4"], "--set temporal.windwo=4: unknown key 'windwo'", "'window'"),
        ({}, ["temporal.window"], "--set temporal.window: expected KEY=VALUE", "--set temporal.window=4"),
        ({}, ["=4"], "--set =4: expected KEY=VALUE", None),
        ({}, ["version=1"], "--set version=1: version can only stand in a file", None),
        ({}, ["temporal.window={"], "--set temporal.window={: broken YAML", None),
    ],
)
def test_faults_outside_files(
    write: Write, environ: dict[str, str], sets: list[str], message: str, hint: str | None
) -> None:
    error = refused(write(), environ=environ, sets=sets)
    assert str(error).startswith(message)
    if hint:
        assert error.hint is not None and hint in error.hint


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
    assert style("{blend: {~/a.safetensors: 1, ~nobody9/b.onnx:2: .5}}").blend == blend
    assert load(write(), environ={}, sets=["output=~/o.####.exr"]).output == f"{tmp_path}/home/o.####.exr"


# --- path tokens -------------------------------------------------------------------------------------


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
def test_output_paths_that_cannot_be(write: Write, output: str, message: str, hint: str | None) -> None:
    error = refused(write(output=f"output: {output}"))
    assert f":3:9: {message}" in str(error)
    if hint:
        assert error.hint is not None and hint in error.hint


# --- the digest, JSON, imports -----------------------------------------------------------------------


def test_the_digest_is_of_what_changes_pixels(write: Write) -> None:
    digest = load(write(), environ={}).digest
    assert len(digest) == 64
    assert load(write(name="moved/whole/sh010.yaml"), environ={}).digest == digest
    assert load(write("layer: null", "# a remark", output="output: elsewhere.####.exr"), environ={}).digest == digest
    assert load(write("temporal: {window: 8, detail: {1001: 1}}"), environ={}).digest == digest, (
        "said otherwise, the same"
    )
    for line in ("temporal: {window: 4}", "missing: hold", "frames: 1-2", "flow: {weights: w.pth}", "layer: x"):
        assert load(write(line), environ={}).digest != digest, line
    assert load(write(plate="plate: plate/other.####.exr"), environ={}).digest != digest


texts = st.text(min_size=1, max_size=8)
curve = st.builds(
    lambda keys, interp: Curve(keys=tuple(sorted(keys.items())), interp=interp),
    st.dictionaries(st.integers(-(10**6), 10**6), st.floats(0, 1), min_size=1, max_size=4),
    st.sampled_from(["linear", "hold", "smooth"]),
)
shots = st.builds(
    Shot,
    file=st.just(Path("/show/sh010.yaml")),
    plate=texts.map("/plates/{}.####.exr".format),
    output=texts.map("/out/{}.####.exr".format),
    layer=st.none() | texts,
    frames=st.none() | st.just("1001-1050"),
    missing=st.sampled_from(["error", "hold", "black", "skip"]),
    colour=st.builds(Colour, input=texts, highlights=st.sampled_from(["keep", "soft"])),
    style=st.builds(
        Style,
        model=st.none() | texts,
        blend=st.none() | st.dictionaries(texts, curve),
        strength=curve,
        scale=st.floats(0.1, 2),
    ),
    flow=st.builds(
        Flow,
        vectors=st.none() | st.builds(Vectors, layer=texts),
        scale=st.floats(0.1, 2),
        weights=st.none() | st.just(Path("/w.pth")),
    ),
    temporal=st.builds(Temporal, detail=curve, cuts=st.just("auto") | st.lists(st.integers()).map(tuple)),
    matte=st.none() | st.builds(Matte, names=st.lists(texts).map(tuple), invert=st.booleans()),
)


@given(shots)
def test_json_carries_a_shot_exactly(shot: Shot) -> None:
    again = from_json(json.loads(json.dumps(to_json(shot))))
    assert again == shot
    assert again.digest == shot.digest


def test_a_shot_cannot_be_changed(write: Write) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load(write(), environ={}).frames = "1-2"  # type: ignore[misc]


def test_loading_needs_no_heavy_import(write: Write) -> None:
    code = (
        "import sys, tsn.shot.explain, tsn.shot.load\n"
        f"tsn.shot.load.load({str(write('frames: 1001-1048'))!r}, environ={{}})\n"
        "heavy = {'torch', 'numpy', 'cv2', 'OpenImageIO', 'OpenEXR', 'PyOpenColorIO'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ}, timeout=60)
