"""Brush strokes on a Nuke node: what its knobs and their keys become in the shot file, and what is refused."""

from __future__ import annotations

import os
import subprocess

import OpenEXR
import pytest
import yaml
from nuke_node import refused, status, write_frame

from tsn.shot.load import load as load_shot


@pytest.fixture
def strokes(node):
    """strokes(name, value): set a knob of a node whose style is brush strokes; without a value the knob."""
    node["tsn_source"].setValue("Brush strokes")

    def knob(name, *value):
        if value:
            node[f"tsn_strokes_{name}"].setValue(*value)
        return node[f"tsn_strokes_{name}"]

    return knob


@pytest.fixture
def written(node, tmp_path):
    """written(): the style in the shot file as the node is set now."""

    def style():
        node["tsn_shot_file"].execute()
        return yaml.safe_load((tmp_path / "tsn/stylize/stylize.yaml").read_text())["style"]

    return style


def test_knobs_that_nobody_touched_are_not_written(strokes, written):
    assert written() == {"strokes": "oil", "strength": 1}


def test_every_knob_is_written_as_tsn_reads_it(nuke, strokes, written, tmp_path):
    nuke.selected.extra_channels = (
        "CryptoAsset00.red",
        "crypto_object00.red",
        "crypto_object01.red",
        "uv.red",
        "uv.green",
    )
    painting = tmp_path / "palette.png"
    painting.touch()
    for name, value in (
        ("palette", str(painting)), ("detail", 2.0), ("density", 0.5), ("opacity", 0.7), ("jitter", 0.0),
        ("own_relief", True), ("relief", 1.0), ("light", 90.0), ("ground", "colour"), ("colour", "#ff8000"),
        ("borders", True), ("surface", "uv"), ("height", True), ("stroke_id", True),
    ):  # fmt: skip
        strokes(name, value)
    for name, keys in (("size", {1001: 1.0, 1003: 2.0}), ("hold", {1001: 1, 1002: 1, 1003: 2}), ("length", {1: 4.0})):
        strokes(name).setAnimated()
        for frame, value in keys.items():
            strokes(name).setValueAt(value, frame)
    assert written() == {
        "strokes": "oil",
        "palette": str(painting),
        "size": {1001: 1.0, 1003: 2.0},
        "detail": 2.0,
        "length": 4.0,
        "density": 0.5,
        "opacity": 0.7,
        "jitter": 0.0,
        "relief": 1.0,
        "light": 90.0,
        "hold": {1001: 1, 1003: 2, "interp": "hold"},
        "ground": "#ff8000",
        "ids": "crypto_object",
        "surface": "uv",
        "aovs": ["height", "stroke_id"],
        "strength": 1,
    }
    file = tmp_path / "tsn/stylize/stylize.yaml"
    subprocess.run([os.environ["TSN_COMMAND"], "explain", file], check=True, capture_output=True, timeout=120)
    style = load_shot(file, environ={}).style
    assert [style.size.at(frame) for frame in (1001, 1002, 1003)] == [1, 1.5, 2]
    assert [style.hold.at(frame) for frame in (1001, 1002, 1003)] == [1, 1, 2]


def test_a_preset_of_the_artists_own(strokes, written, tmp_path):
    own = tmp_path / "own.yaml"
    own.touch()
    strokes("file", str(own))
    assert written()["strokes"] == str(own)


@pytest.mark.parametrize(
    ("channels", "layer"),
    [
        ((), None),
        (("crypto_material00.red",), "crypto_material"),
        (("CryptoObject00.red", "aov00.red"), "CryptoObject"),
    ],
)
def test_borders_are_taken_from_cryptomatte_where_there_is_one(nuke, strokes, written, channels, layer):
    nuke.selected.extra_channels = channels
    strokes("borders", True)
    assert written().get("ids") == layer


def test_ids_and_positions_are_written_in_full_floats(nuke, node, strokes, monkeypatch):
    kinds = []
    nuke.writer = lambda path, number, write: (
        kinds.append(write["datatype"].value()),
        write_frame(path, number, write),
    )
    monkeypatch.setenv("TSN_COMMAND", "/bin/false")
    nuke.selected.extra_channels = ("P.red", "crypto00.red")
    for name, value in (("borders", False), ("borders", True)):
        strokes(name, value)
        refused(node["tsn_preview"].execute)
    strokes("borders", False)
    strokes("surface", "P")
    refused(node["tsn_preview"].execute)
    assert kinds == ["16 bit half", "32 bit float", "32 bit float"]


def test_what_tsn_could_not_use_is_refused_before_anything_is_rendered(node, strokes, tmp_path):
    def error():
        return refused(node["tsn_render"].execute)

    strokes("file", "/none.yaml")
    assert error() == "There is no preset of brush strokes at /none.yaml."
    strokes("file", __file__)
    assert error() == f"{__file__} is no preset of brush strokes: choose a .yaml file."
    strokes("file", "")
    strokes("palette", "/none.png")
    assert error() == "There is no painting at /none.png."
    strokes("palette", "")
    strokes("size").setAnimated()
    strokes("size").setValueAt(1.0, 1001)
    strokes("size").setValueAt(7.0, 1003)
    assert error() == "The strokes' size is 7 at frame 1003; it goes from 0.25 to 4."
    node["tsn_last"].setValue(1002)
    strokes("ground", "colour")
    strokes("colour", "f4efe4")
    assert error() == "f4efe4 is no colour for the ground: write one such as #f4efe4."
    strokes("ground", "none")
    strokes("surface", "Pref")
    assert error() == "The input has no layer 'Pref' for the strokes' surface."
    assert not list((tmp_path / "tsn").rglob("*.exr"))


def test_the_real_tsn_paints_them(node, strokes, tmp_path):
    strokes("size", 0.5)
    strokes("coverage", True)
    node["tsn_last"].setValue(1002)
    node["tsn_render"].execute()
    assert status(node) == "2 of 2 frames"
    painted = OpenEXR.File(str(tmp_path / "tsn/stylize/styled/stylize.1002.exr"), separate_channels=True).channels()
    assert painted["strokes.coverage"].pixels.max() > 0.5


def test_a_node_of_an_old_script_has_no_such_knobs(nuke, node, tmp_path):
    """Its knobs are saved in the script; brush strokes are none of its choices."""
    for name in [name for name in node.knobs() if name.startswith("tsn_strokes")]:
        del node._knobs[name]
    node["tsn_shot_file"].execute()
    shot = yaml.safe_load((tmp_path / "tsn/stylize/stylize.yaml").read_text())
    assert set(shot["style"]) == {"model", "strength"}


def test_presets_can_be_chosen_and_are_no_styles(tsn_nuke):
    node = tsn_nuke.create()
    assert "oil" in node["tsn_strokes_preset"].values() and "tarascon" not in node["tsn_strokes_preset"].values()
    assert "oil" not in node["tsn_style"].values()
