"""Layers in a shot file: their keys, faults at their lines, paths, windows, and what a show gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tsn.errors import ShotError, UsageError
from tsn.shot.explain import explain
from tsn.shot.json_schema import json_schema
from tsn.shot.load import load
from tsn.shot.model import Matte, change_paths, from_json, to_json

Write = Callable[..., Path]
Refused = Callable[..., UsageError]

LAYERS = """layers:
- style: {strokes: oil, palette: pictures/night.png}
- style: great-wave
  matte: {cryptomatte: CryptoObject, names: [monkey]}
- style: {blend: {mine.onnx: 1, great-wave: 0.5}, strength: {1001: 0, 1012: 1}}
  matte: {channel: hero.A}
  temporal: {window: 4, detail: 0.5}
- style: {frames: "painted/{shot}.####.png"}
"""


def test_each_layer_is_a_shot_of_its_own(write: Write, tmp_path: Path) -> None:
    shot = load(write(style=LAYERS), environ={})
    strokes, wave, blend, frames = shot.by_layer
    assert strokes.style.strokes == "oil" and strokes.style.palette == f"{tmp_path}/pictures/night.png"
    assert wave.matte == Matte(cryptomatte="CryptoObject", names=("monkey",)) and strokes.matte is None
    assert blend.style.blend is not None and f"{tmp_path}/mine.onnx" in blend.style.blend
    assert blend.style.strength.at(1001) == 0
    assert frames.style.frames == f"{tmp_path}/painted/sh010.####.png"
    assert [layer.temporal.window for layer in shot.by_layer] == [16, 8, 4, 8] and shot.longest_window == 16
    assert [layer.temporal.detail.at(1) for layer in shot.by_layer] == [1, 1, 0.5, 1]
    assert {layer.plate for layer in shot.by_layer} == {shot.plate} and not strokes.layers


def test_the_windows_of_layers_are_by_default_that_of_the_shot(write: Write) -> None:
    shot = load(write("temporal: {window: 3, detail: 2}", style=LAYERS), environ={})
    assert [layer.temporal.window for layer in shot.by_layer] == [3, 3, 4, 3]
    assert [layer.temporal.detail.at(1) for layer in shot.by_layer] == [2, 2, 0.5, 2]


def test_a_shot_with_one_style_is_its_only_layer_and_says_nothing_of_layers(write: Write) -> None:
    shot = load(write(), environ={})
    assert shot.by_layer == (shot,)
    assert "layers" not in to_json(shot)


def test_json_carries_layers_exactly(write: Write) -> None:
    shot = load(write(style=LAYERS), environ={})
    data = json.loads(json.dumps(to_json(shot)))
    assert from_json(data) == shot and from_json(data).digest == shot.digest
    moved = from_json(change_paths(data, lambda path: path.replace(str(shot.file.parent), "/mnt")))
    assert moved.layers[0].style.palette == "/mnt/pictures/night.png"
    assert moved.digest == shot.digest


def test_the_digest_knows_layers_and_their_order(write: Write, tmp_path: Path) -> None:
    def digest(*layers: str) -> str:
        return load(write(style=f"layers: [{', '.join(layers)}]"), environ={}).digest

    one, other = "{style: great-wave}", "{style: tarascon, matte: {channel: A}}"
    found = {digest(one), digest(other), digest(one, other), digest(other, one), load(write(), environ={}).digest}
    assert len(found) == 5


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("layers: []", 4, "layers: expected at least one layer, found none", "- style: great-wave"),
        ("layers: {style: great-wave}", 4, "layers: expected a list, found a mapping", "begins with a dash: - style:"),
        ("layers: [great-wave]", 4, "layers.0: expected a mapping of keys", "Its keys: style, matte, temporal."),
        ("layers:\n- matte: {channel: A}", 5, "layers.0.style is missing", None),
        ("layers:\n- style: great-wave\n- style: null", 6, "layers.1.style is missing", None),
        ("layers:\n- style: great-wave\n  mate: {channel: A}", 6, "unknown key 'mate'", "'matte'"),
        ("layers:\n- style: great-wave\n  matte:\n    chanel: A", 7, "unknown key 'chanel'", "'channel'"),
        ("layers:\n- style: great-wav", 5, "layers.0.style.model: No style is called", "'great-wave'"),
        ("layers:\n- style: {strokes: oil}\n- style: {strokes: oli}", 6, "layers.1.style.strokes: No preset", "oil"),
        ("layers:\n- style: great-wave\n  temporal: {cuts: auto}", 6, "unknown key 'cuts'", "temporal.cuts"),
        ("layers:\n- style: {blend: {great-wav: null}}", 5, "layers.0.style.blend.great-wav: No style", "great-wave"),
        ("layers:\n- style: {frames: p.####.exr}", 5, "layers.0.style.frames: expected PNG", "16-bit"),
        ("layers:\n- style: great-wave\nstyle: tarascon", 6, "style: expected exactly one of style and layers", "Move"),
        ("layers:\n- style: great-wave\nmatte: {channel: A}", 6, "matte: this goes with style only", "Move"),
        (
            "layers:\n- style: {strokes: oil, aovs: [height]}\n- style: {strokes: ink, aovs: [coverage]}",
            6,
            "layers.1.style.aovs: only one layer can write its aovs, and layers.0 does",
            "Render the shot once more",
        ),
        ("missing: hold", 1, "style is missing", "exactly one of"),
    ],
)
def test_faults_have_their_lines(
    write: Write, refused: Refused, text: str, line: int, message: str, hint: str | None
) -> None:
    error = refused(write(style=text))
    assert isinstance(error, ShotError) and error.line == line
    assert message in str(error)
    assert hint is None or hint in f"{error} {error.hint}"


def test_layers_and_a_style_replace_what_a_show_gives_as_a_whole(write: Write, tmp_path: Path) -> None:
    show = tmp_path / "_show.yaml"
    show.write_text("style: {model: tarascon, strength: 0.5}\nmatte: {channel: A}\n")
    shot = load(write(style="layers: [{style: great-wave}]"), environ={})
    assert [layer.style.model for layer in shot.by_layer] == ["great-wave"]
    assert shot.matte is None and shot.by_layer[0].style.strength.at(1) == 1

    show.write_text("layers: [{style: great-wave}, {style: tarascon, matte: {channel: A}}]\n")
    assert len(load(write(style=""), environ={}).layers) == 2
    assert len(load(write(style="layers: [{style: great-wave}]"), environ={}).layers) == 1
    assert load(write(style="style: great-wave"), environ={}).layers == ()
    assert load(write(style=""), sets=["layers=[{style: {strokes: ink}}]"], environ={}).layers[0].style.strokes == "ink"
    assert len(load(write(style=""), environ={"TSN_LAYERS": "[{style: tarascon}]"}).layers) == 1


def test_a_single_key_of_a_list_cannot_be_set(write: Write, refused: Refused) -> None:
    file = write(style=LAYERS)
    error = refused(file, sets=["layers.0.style.strength=0"])
    assert "layers is a list" in str(error) and error.hint == "Set it whole: layers=[..., ...]."
    error = refused(file, sets=["style.strength=0"])
    assert str(error).endswith("style: expected exactly one of style and layers, found both")
    assert "A list is replaced as a whole" in str(error.hint)


def test_editors_know_layers() -> None:
    schema = json_schema()
    layers = [option for option in schema["properties"]["layers"]["anyOf"] if option.get("type") == "array"]
    assert [option["items"] for option in layers] == [{"$ref": "#/$defs/LayerSection"}]
    layer = schema["$defs"]["LayerSection"]
    assert layer["required"] == ["style"] and {"type": "string"} in layer["properties"]["style"]["anyOf"]


def test_explain_shows_the_keys_of_each_layer(write: Write) -> None:
    file = write(style=LAYERS)
    table = {row.key: (row.value, str(row.origin)) for row in explain(file, environ={})}
    assert table["layers.0.style.strokes"] == ("oil", f"{file}:5")
    assert table["layers.0.temporal.window"] == (16, "default")
    assert table["layers.1.style.model"] == ("great-wave", f"{file}:6")
    assert table["layers.1.matte.names"] == (("monkey",), f"{file}:7")
    assert table["layers.2.temporal.window"] == (4, f"{file}:10")
    assert table["layers.2.style.blend.great-wave"][1] == f"{file}:8"
    assert not any(key.startswith(("style.", "matte")) and key != "matte" for key in table)
