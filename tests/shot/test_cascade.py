"""Which statement of a value wins: files, environment, --set."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest

from tsn.errors import ShotError, UsageError
from tsn.shot.curves import Curve
from tsn.shot.load import load
from tsn.shot.model import Colour, Matte, Style, Temporal

pytestmark = pytest.mark.usefixtures("letter_styles")

Write = Callable[..., Path]
Refused = Callable[..., UsageError]


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


def test_null_under_a_key_of_the_show_that_nobody_knows_is_refused(refused: Refused, show: Path) -> None:
    file = add(show.parents[2] / "_show.yaml", "mising: null\n")
    error = refused(show)
    assert str(error) == f"{file}:8:1: unknown key 'mising'" and error.hint == "Perhaps you meant 'missing'?"


def test_null_takes_only_what_can_be_a_model_out_of_a_blend(refused: Refused, show: Path) -> None:
    error = refused(add(show, "style: {blend: {great-wave: 1,0, tarascn: null}}\n"))
    first, second = str(error).splitlines()
    assert "sh010.yaml:3:31: style.blend.0: No style is called '0'" in first
    assert error.hint == "Decimals have a point: great-wave: 1.0"
    assert "sh010.yaml:3:34: style.blend.tarascn: No style is called" in second and "'tarascon'" in second


def test_null_goes_back_to_the_default(show: Path) -> None:
    shot = load(add(show, "temporal: {window: null}\nmatte: null\ncolour: ~\n"), environ={})
    assert (shot.temporal.window, shot.temporal.detail.at(1)) == (8, 0.5)
    assert (shot.matte, shot.colour) == (None, Colour())


def test_stating_an_alternative_lets_go_of_the_inherited_one(show: Path) -> None:
    shot = load(add(show, "style: {blend: {a: 1}}\nmatte: {channel: mask.R}\n"), environ={})
    assert (shot.style.model, shot.style.blend) == (None, {"a": Curve.constant(1)})
    assert shot.style.strength.at(3) == 0.5, "what does not exclude it stays"
    assert shot.matte == Matte(channel="mask.R")
    shot = load(show, sets=["style=tarascon"], environ={})
    assert (shot.style.model, shot.style.blend) == ("tarascon", None)


PAINTERS = ("{model: a}", "{adain: a.png, colours: plate}", "{blend: {a: 1, b: 1}}", "{frames: p.####.png, offset: -7}")


@pytest.mark.parametrize(("inherited", "stated"), [*permutations(PAINTERS, 2)])
def test_every_painter_takes_the_place_of_every_other(
    write: Write, tmp_path: Path, inherited: str, stated: str
) -> None:
    own = write(style=f"style: {stated}")
    alone = load(own, environ={}).style
    (tmp_path / "_show.yaml").write_text(f"version: 1\nstyle: {inherited}\n", encoding="utf-8")
    assert load(own, environ={}).style == alone


def test_colours_alone_let_go_of_nothing(refused: Refused, show: Path) -> None:
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
def test_extends_that_leads_nowhere(refused: Refused, show: Path, extends: str, message: str) -> None:
    assert message in str(refused(add(show, f"extends: {extends}\n")))


def test_an_empty_show_only_marks_the_root(write: Write, tmp_path: Path) -> None:
    (tmp_path / "_show.yaml").touch()
    assert load(write(), environ={}).style.model == "great-wave"


def test_a_fault_of_the_show_is_placed_in_the_show(refused: Refused, show: Path) -> None:
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
        ("style.strength.3.5", "style.strength: expected a number, found {{5: 1}}"),
    ],
)
def test_a_key_that_cannot_be_set_is_named(refused: Refused, show: Path, key: str, message: str) -> None:
    error = refused(show, sets=[f"{key}=1"])
    assert str(error).startswith(f"--set {key}=1: {message.format(show=show.parents[2] / '_show.yaml')}")


def test_settings_of_tsn_itself_are_not_the_shots(write: Write) -> None:
    names = "CACHE CACHE_SIZE WEIGHTS DEVICE LOG_LEVEL VERSION RENDER_FRAMES COMMAND"
    environ = {f"TSN_{name}": "{" for name in names.split(" ")} | {"WINDOW": "{", "TSN_PATHMAP": "/none=/other"}
    assert load(write(), environ=environ) == load(write(), environ={})


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
        ({"TSN_TEMPORAL_WINDOW": "4"}, [], "TSN_TEMPORAL_WINDOW: unknown key", "TSN_TEMPORAL__WINDOW, with two"),
        ({"TSN_FRAMES": "[1"}, [], "TSN_FRAMES: broken YAML", None),
        ({}, ["temporal.windwo=4"], "--set temporal.windwo=4: unknown key 'windwo'", "'window'"),
        ({}, ["temporal.window"], "--set temporal.window: expected KEY=VALUE", "--set temporal.window=4"),
        ({}, ["=4"], "--set =4: expected KEY=VALUE", None),
        ({"TSN_STLYE__STRENGTH": ""}, [], "TSN_STLYE__STRENGTH: unknown key 'stlye'", "'style'"),
        ({"TSN_STYLE__STRNGTH": ""}, [], "TSN_STYLE__STRNGTH: unknown key 'strngth'", "'strength'"),
        ({"TSN_FRMAES": "1001"}, [], "TSN_FRMAES: unknown key 'frmaes'", "TSN_FRAMES?"),
        ({"TSN_TEMPORL_WINDOW": "4"}, [], "TSN_TEMPORL_WINDOW: unknown key", "TSN_TEMPORAL__WINDOW?"),
        ({"TSN_CAHCE": "x"}, [], "TSN_CAHCE: unknown key 'cahce'", "TSN_CACHE?"),
        ({"TSN_FRAMES": "1-10@2"}, [], "TSN_FRAMES: frames: '1-10@2' is not a frame range", "'1-10x2'"),
        ({}, ["temporal.windwo="], "--set temporal.windwo=: unknown key 'windwo'", "'window'"),
        ({}, ["frmaes="], "--set frmaes=: unknown key 'frmaes'", "'frames'"),
        ({}, ["frames=1001 #5"], "--set frames=1001 #5: expected one value, found a comment: #5", '"1001 #5"'),
        ({}, ["layer=#5"], "--set layer=#5: expected one value, found a comment: #5", '"#5"'),
        ({}, ["style={model: a, strength: 0,5}"], "--set style={model: a, strength: 0,5}: unknown key '5'", "0.5"),
        ({}, ["version=1"], "--set version=1: version can only stand in a file", None),
        ({}, ["temporal.window={"], "--set temporal.window={: broken YAML", None),
    ],
)
def test_faults_outside_files(
    refused: Refused, write: Write, environ: dict[str, str], sets: list[str], message: str, hint: str | None
) -> None:
    error = refused(write(), environ=environ, sets=sets)
    assert str(error).startswith(message)
    if hint:
        assert error.hint is not None and hint in error.hint


@pytest.mark.parametrize("version", ["2", "'1'", "1.0", "true", "null"])
def test_other_versions_are_refused_before_all_else(refused: Refused, write: Write, version: str) -> None:
    error = refused(write("newer: {than: this}", version=f"version: {version}"))
    assert ":1:10: version: expected 1, the format this tsn reads, found" in str(error)
    assert "newer" not in str(error)
