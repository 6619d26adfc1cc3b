"""What the keys of a shot may hold, for tsn and for editors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tsn.errors import ShotError, UsageError
from tsn.shot.curves import Curve
from tsn.shot.json_schema import json_schema
from tsn.shot.load import load
from tsn.shot.model import from_json, to_json

Write = Callable[..., Path]


def accepts(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    """Enough of JSON Schema for this one; an unknown keyword fails."""
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    kinds |= {"object": dict, "array": list}
    properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for keyword, said in schema.items():
        match keyword:
            case "description" | "default" | "title" | "$schema" | "$defs" | "patternProperties":
                ok = True
            case "$ref":
                ok = accepts(root["$defs"][said.removeprefix("#/$defs/")], value, root)
            case "anyOf":
                ok = any(accepts(option, value, root) for option in said)
            case "type":
                names = [said] if isinstance(said, str) else said
                ok = any(
                    isinstance(value, kinds[name]) and (name == "boolean") == (value is True or value is False)
                    for name in names
                )
            case "const":
                ok = value == said
            case "enum":
                ok = value in said
            case "minimum":
                ok = value >= said
            case "maximum":
                ok = value <= said
            case "exclusiveMinimum":
                ok = value > said
            case "minLength":
                ok = len(value) >= said
            case "items":
                ok = all(accepts(said, item, root) for item in value)
            case "required":
                ok = set(said) <= set(value)
            case "propertyNames":
                ok = all(accepts(said, key, root) for key in value)
            case "properties":
                ok = all(accepts(said[key], item, root) for key, item in value.items() if key in said)
            case "additionalProperties":
                for key, item in value.items():
                    rules = [rule for pattern, rule in patterns.items() if re.search(pattern, key)]
                    rules += [] if key in properties or rules else [said]
                    if any(rule is False or (rule is not True and not accepts(rule, item, root)) for rule in rules):
                        return False
                ok = True
            case _:
                raise AssertionError(f"unknown keyword {keyword}")
        if not ok:
            return False
    return True


def ordered(schema: Any) -> Any:
    """`type` first, so that the checks after it can rely on it."""
    if isinstance(schema, dict):
        return {key: ordered(schema[key]) for key in sorted(schema, key=lambda key: (key != "type", key))}
    return [ordered(item) for item in schema] if isinstance(schema, list) else schema


GOOD = [
    "frames: 1001-1050x2",
    "frames: 1001",
    "layer: ViewLayer.Combined",
    "missing: hold",
    "colour: {input: lin_rec709, highlights: soft}",
    "flow: {method: dis, scale: 0.5, weights: raft.pth}",
    "flow: {vectors: {layer: ViewLayer.Vector, convention: blender}}",
    "temporal: {window: 0, detail: 2, cuts: [1010, 1020]}",
    "temporal: {window: 32, detail: {1001: 0, 1020: 1, interp: smooth}, cuts: auto}",
    "matte: {cryptomatte: CryptoObject, names: [monkey], invert: true}",
    "matte: {channel: mask.R}",
    "matte: null",
    "temporal: {window: null}",
    "tokens: {show: wave, version: 003}",
]
BAD = [
    ("colors: {}", "unknown key 'colors'"),
    ("missing: hodl", "missing: expected 'error', 'hold', 'black' or 'skip', found the text 'hodl'"),
    ("temporal: {window: 33}", "temporal.window: expected a number, at most 32, found 33"),
    ("temporal: {window: -1}", "temporal.window: expected a number, at least 0, found -1"),
    ("temporal: {window: 4.5}", "temporal.window: expected a whole number, found 4.5"),
    ("temporal: {window: '4'}", "temporal.window: expected a whole number, found the text '4'"),
    ("temporal: {detail: 2.01}", "temporal.detail: expected a number from 0 to 2, found 2.01"),
    ("temporal: {detail: {1001: -1}}", "temporal.detail: expected a number from 0 to 2, found -1"),
    ("temporal: {detail: {start: 1}}", "temporal.detail: expected a frame number or interp, found 'start'"),
    ("temporal: {detail: {1001: 1, interp: cubic}}", "expected 'linear', 'hold' or 'smooth', found 'cubic'"),
    ("temporal: {detail: true}", "temporal.detail: expected a number, or keyframes"),
    ("temporal: {cuts: sometimes}", "temporal.cuts: expected auto, or a list of frame numbers"),
    ("temporal: {cuts: [1.5]}", "temporal.cuts: expected auto, or a list of frame numbers"),
    ("temporal: 8", "temporal: expected a mapping of keys, found 8"),
    ("flow: {scale: 0}", "flow.scale: expected a number, more than 0, found 0"),
    ("flow: {scale: 2.5}", "flow.scale: expected a number, at most 2, found 2.5"),
    ("flow: {method: magic}", "flow.method: expected 'auto', 'vectors', 'raft' or 'dis'"),
    ("matte: {channel: m, invert: yes}", "matte.invert: expected true or false, found the text 'yes'"),
    ("matte: {cryptomatte: c, names: monkey}", "matte.names: expected a list, found the text 'monkey'"),
    ("layer: ''", "layer: expected some text, found the text ''"),
    ("layer: [a]", "layer: expected text, found a list"),
    ("layer: 5", "layer: expected text, found 5"),
    ("tokens: {frame: x}", "unknown key 'frame'"),
]
ONLY_TSN = [
    ("frames: 1001-abc", "frames: '1001-abc' is not a frame range"),
    ("flow: {scale: .nan}", "flow.scale: expected a finite number, found .nan"),
    ("temporal: {detail: .inf}", "temporal.detail: expected a number from 0 to 2, found inf"),
    ("temporal: {detail: {}}", "temporal.detail: expected at least one keyframe"),
    ("temporal: {detail: {interp: hold}}", "temporal.detail: expected at least one keyframe"),
    ("temporal: {detail: {1001: 1, '01001': 2}}", "temporal.detail: frame 1001 has two keys"),
    ("temporal: {detail: {99999999999: 1}}", "temporal.detail: expected a frame number or interp"),
    ("temporal: {detail: {1001: null}}", "temporal.detail: expected a number, found nothing"),
    ("flow: {method: vectors}", "flow: expected a layer of vectors, found none"),
    ("flow: {vectors: {convention: blender}}", "flow.vectors.layer is missing"),
    ("matte: {names: [monkey]}", "matte: expected exactly one of cryptomatte and channel, found none of them"),
    (
        "matte: {cryptomatte: c, names: [a], channel: m}",
        "matte: expected exactly one of cryptomatte and channel, found both",
    ),
    ("matte: {cryptomatte: CryptoObject}", "matte: expected cryptomatte together with names, found no names"),
    ("matte: {channel: m, names: [a]}", "matte: expected cryptomatte together with names, found names without it"),
    ('layer: "a\\nb"', "layer: expected one line of text"),
]
EDITOR = ordered(json_schema())


def as_editors_read(path: Path) -> Any:
    # JSON has no integer keys, and editors read numbers in a path token's place as numbers.
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("line", GOOD)
def test_good_lines_pass_in_tsn_and_in_editors(write: Write, line: str) -> None:
    path = write(line)
    load(path, environ={})
    assert accepts(EDITOR, as_editors_read(path), EDITOR)


@pytest.mark.parametrize(("line", "message"), BAD + ONLY_TSN)
def test_bad_lines_are_refused(write: Write, line: str, message: str) -> None:
    with pytest.raises(ShotError) as caught:
        load(write(line), environ={})
    assert message in str(caught.value)
    assert caught.value.line == 5
    assert "\n" not in str(caught.value), "one fault, one message"


@pytest.mark.parametrize("line", [line for line, _ in BAD if "yes" not in line])
def test_editors_refuse_them_too(write: Write, line: str) -> None:
    assert not accepts(EDITOR, as_editors_read(write(line)), EDITOR)


@pytest.mark.parametrize(
    ("style", "message"),
    [
        (
            "style: {strength: 1}",
            "expected exactly one of model, adain, blend, frames, keys and strokes, found none of them",
        ),
        (
            "style: {model: a, blend: {a: 1}}",
            "expected exactly one of model, adain, blend, frames, keys and strokes, found model and blend",
        ),
        (
            "style: {model: look.pth}",
            "style.model: expected the name of a bundled style, or a .safetensors or .onnx file",
        ),
        ("style: {model: looks/great-wave}", "style.model: expected the name of a bundled style"),
        ("style: {blend: {look.pth: 1}}", "expected the name of a bundled style"),
        ("style: {blend: {a: 0, b: 0}}", "style: expected a weight above 0, found none"),
        ("style: {blend: {}}", "style: expected a weight above 0, found none"),
        (
            "style: {blend: {a: {1: 0, 5: 1}, b: {1: 0, 9: 1}}}",
            "style: expected a weight above 0 at frame 1, found none",
        ),
        ("style: {blend: {a: 1.5}}", "style.blend.a: expected a number from 0 to 1, found 1.5"),
        ("style: {model: a, strength: 1.01}", "style.strength: expected a number from 0 to 1, found 1.01"),
        ("style: {model: a, tile: -1}", "style.tile: expected a number, at least 0, found -1"),
        ("style: {model: a, scale: 3}", "style.scale: expected a number, at most 2, found 3"),
        ("style: {adain: {a.png: 0}}", "style.adain.a.png: expected a number, more than 0, found 0"),
        ("style: {adain: []}", "expected a painting, a list of them, or their weights"),
        ("style: {model: great-wave, colours: plate}", "only paintings (adain) can be painted in the colours"),
        ("style: [a]", "style: expected a mapping of keys, found a list"),
    ],
)
def test_bad_styles_are_refused(write: Write, style: str, message: str) -> None:
    with pytest.raises(ShotError) as caught:
        load(write(style=style), environ={})
    assert message in str(caught.value)
    assert caught.value.line == 4


def test_weights_may_meet_zero_one_at_a_time(write: Write) -> None:
    blend = load(
        write(style="style: {blend: {b: {1: 0, 9: 1}, a: {1: 1, 9: 0, interp: hold}}}"), environ={}
    ).style.blend
    assert blend is not None
    assert list(blend) == ["a", "b"], "sorted: the order of summing must not depend on the file"
    assert blend["b"] == Curve(keys=((1, 0.0), (9, 1.0)))
    assert blend["a"].interp == "hold"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("painting.png", {"painting.png": 1.0}),
        ("[b.png, a.png]", {"a.png": 1.0, "b.png": 1.0}),
        ("{b.png: 3, a.png: 0.5}", {"a.png": 0.5, "b.png": 3.0}),
    ],
)
def test_paintings_are_files_beside_the_shot_and_their_weights(
    write: Write, written: str, expected: dict[str, float]
) -> None:
    file = write(style=f"style: {{adain: {written}, colours: plate}}")
    style = load(file, environ={}).style

    assert style.adain == {str(file.parent / name): weight for name, weight in expected.items()}
    assert list(style.adain) == sorted(style.adain), "the order of summing must not depend on the file"
    assert style.colours == "plate"
    assert style.model is None


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ("{keys: {1001: a.txt}}", "style.keys: expected a file in PNG, TIFF, JPEG or EXR, found 'a.txt'"),
        ("{keys: {first: a.png}}", "expected a frame number, found 'first'"),
        ("{keys: {1: a.png, 01: b.png}}", "frame 1 has two keys"),
        ("{keys: {painting: a.png, 4: b.png}}", "a painting stands alone"),
        ("{keys: a.png}", "expected frames and their files"),
        ("{keys: {1: a.png}, key_mattes: {2: b.png}}", "frame 2 has a matte and no key"),
        ("{keys: {painting: a.png}, key_mattes: {painting: b.png}}", "frame painting has a matte and no key"),
        ("{keys: {1: a.png}, learn: 12}", "expected a time such as 90s, 12m or 1h, found 12"),
        ("{keys: {1: a.png}, learn: 0s}", "expected a time"),
        ("{keys: {1: a.png}, scale: 0.5}", "keys are painted at the plate's size"),
        ("{keys: {1: a.png}, hold: 2}", "this goes with strokes only"),
        ("{model: great-wave, learn: 3m}", "this goes with keys only"),
        ("{model: great-wave, depth: Depth.Z}", "this goes with strokes and keys only"),
    ],
)
def test_bad_keys_are_refused(
    write: Callable[..., Path], refused: Callable[..., UsageError], style: str, message: str
) -> None:
    assert message in str(refused(write(style=f"style: {style}")))


def test_keys_are_resolved_beside_the_file_that_names_them(write: Callable[..., Path], tmp_path: Path) -> None:
    shot = load(write(style="style: {keys: {1040: k/b.png, 1001: k/a.exr}, key_mattes: {1001: m.png}, learn: 1.5h}"))
    assert shot.style.keys == {"1001": str(tmp_path / "k/a.exr"), "1040": str(tmp_path / "k/b.png")}
    assert list(shot.style.keys) == ["1001", "1040"]
    assert shot.style.key_mattes == {"1001": str(tmp_path / "m.png")} and shot.style.learn == 5400
    assert from_json(json.loads(json.dumps(to_json(shot)))) == shot
    painted = load(write(style="style: {keys: {painting: p.png}}"))
    assert painted.style.keys == {"painting": str(tmp_path / "p.png")}


def test_a_shot_that_moves_with_its_keys_keeps_its_digest(write: Callable[..., Path]) -> None:
    style = "style: {keys: {1001: k/a.png}}"
    assert load(write(style=style)).digest == load(write(style=style, name="elsewhere/sh010.yaml")).digest
