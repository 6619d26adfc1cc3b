from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tsn.errors import InputError, ShotError, UsageError
from tsn.strokes.preset import DrawnBrush, Layer
from tsn.strokes.preset_file import find_preset, preset_names, read_preset

LAYER = "{width: 10, length: 40, spacing: 8}"


@pytest.mark.parametrize("name", preset_names())
def test_bundled_presets_are_complete(name: str) -> None:
    preset = find_preset(name)
    assert preset.title and preset.licence == "MIT"
    assert preset.layers[0].always and preset.layers[0].width == max(layer.width for layer in preset.layers[:2])


def write(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    write(tmp_path, f'title: Mine\nbrush: {{hairs: 1}}\nground: "#ff0080"\nlayers: [{LAYER}]\n')
    preset = find_preset("mine.yaml", base=tmp_path)
    assert preset.layers == (Layer(width=10, length=40, spacing=8),) and preset.brush == DrawnBrush(hairs=1)
    assert preset.ground == (1, 0, 128 / 255)


def test_scanned_brushes(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    (tmp_path / "h.png").write_bytes(b"height")
    file = write(tmp_path, f"title: Mine\nbrush: a.png\nbrush_height: h.png\nlayers: [{LAYER}]\n")
    first = read_preset(file)
    assert isinstance(first.brush, tuple)
    assert [(each.mask, each.height) for each in first.brush] == [(tmp_path / "a.png", tmp_path / "h.png")]
    (tmp_path / "h.png").write_bytes(b"another")
    assert read_preset(file).fingerprint != first.fingerprint
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"Cannot read the picture of a brush .*a\.png"):
        read_preset(file)


def test_the_fingerprint_tells_what_can_change_pixels(tmp_path: Path) -> None:
    preset = read_preset(write(tmp_path, f"title: Mine\nlayers: [{LAYER}]\n"))
    renamed = read_preset(write(tmp_path, f"# words\ntitle: Yours\nlayers: [{LAYER}]\n"))
    assert preset.fingerprint == renamed.fingerprint
    assert preset.fingerprint != replace(preset, relief=0.4).fingerprint


@pytest.mark.parametrize(
    ("text", "expected", "hint"),
    [
        ("layers: [{width: 10, length: 40}]", ":2: layers.0.spacing is missing", None),
        (
            f"layers:\n  - {LAYER}\n  - {{width: 0, length: 40, spacing: 8}}",
            ":4: layers.1.width: expected a number, more than 0, found 0",
            None,
        ),
        (f"layers: [{LAYER}]\nreleif: 1", ":3: unknown key 'releif'", "Perhaps you meant 'relief'?"),
        (f"layers: [{LAYER}]\nbrush: {{hair: 1}}", ":3: unknown key 'brush.hair'", "Perhaps you meant 'hairs'?"),
        (f"layers: [{LAYER}]\nrelief: 0,5", ":3: relief: expected a number, found the text '0,5'", "0.5"),
        (f"layers: [{LAYER}]\nrelief: .nan", ":3: relief: expected a finite number, found nan", None),
        (
            f"layers: [{LAYER}]\nground: plat",
            "such as \"#f4efe4\" or [0.9, 0.9, 0.8], found the text 'plat'",
            "Perhaps you meant 'plate'?",
        ),
        (f"layers: [{LAYER}]\nground: #ffffff", "found nothing", "quotes"),
        (
            f"layers: [{LAYER}]\nground: [1, 2, red]",
            ":3: ground: expected paint, plate, none, or a colour such as",
            None,
        ),
        (f"layers: [{LAYER}]\nsteps: 2.5", ":3: steps: expected a whole number, found 2.5", None),
        (f"layers: [{LAYER}]\npigment: red", ":3: pigment: expected a colour such as", None),
        (f"layers: [{LAYER}]\nbrush: 3", ":3: brush: expected the name of a picture, or a list of them, found 3", None),
        (
            f"layers: [{LAYER}]\nbrush: {{kind: chalc}}",
            ":3: brush.kind: expected 'bristle',",
            "Perhaps you meant 'chalk'?",
        ),
        (
            f"layers: [{LAYER}]\nbrush_height: h.png",
            ":3: brush_height: expected as many pictures as brush has, 0",
            None,
        ),
        (
            "layers: [{width: 9, length: 40, spacing: 8, low: .5, high: .2}]",
            "expected a number, more than low, 0.5",
            None,
        ),
        ("layers: [{width: 9, length: 40, spacing: 8, tones: [1, 1]}]", "tones: expected two different tones", None),
        ("layers: []", ":2: layers: expected at least one, found an empty list", None),
        ("layers: [1", ":3:1: this is no YAML", None),
        ("layers: " + 400 * "[", "this is no YAML", None),
    ],
)
def test_faults_say_where_and_what(tmp_path: Path, text: str, expected: str, hint: str | None) -> None:
    file = write(tmp_path, f"title: Mine\n{text}\n")
    with pytest.raises(ShotError) as caught:
        read_preset(file)
    assert str(caught.value).startswith(str(file)) and expected in str(caught.value)
    assert (hint or "") in (caught.value.hint or "")


def test_all_faults_are_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, f"layers: [{LAYER}]\nhue: 2\nrelief: x\n")
    with pytest.raises(ShotError) as caught:
        read_preset(file)
    first, second, third = str(caught.value).splitlines()
    assert "title is missing" in first and "hue: expected a number, at most 1, found 2" in second
    assert f"{file}:3: relief" in third


def test_names_and_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'oli'; bundled are") as unknown:
        find_preset("oli")
    assert unknown.value.hint == "Perhaps you meant 'oil'?"
    write(tmp_path, "")
    with pytest.raises(InputError, match="does not exist") as missing:
        find_preset("mein.yaml", base=tmp_path)
    assert missing.value.hint == "Perhaps you meant 'mine.yaml'?"
    with pytest.raises(InputError, match=r"expected a preset as a \.yaml file"):
        find_preset("./mine.png")
    with pytest.raises(ShotError, match="expected a mapping with layers, found nothing"):
        find_preset("mine.yaml", base=tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text in UTF-8"):
        find_preset("binary.yaml", base=tmp_path)
