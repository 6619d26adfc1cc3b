"""What is no YAML, and where in it a fault lies."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsn.errors import ShotError, UsageError
from tsn.shot.load import load

Write = Callable[..., Path]
Refused = Callable[..., UsageError]


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
def test_what_is_no_shot_file(refused: Refused, tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "sh010.yaml"
    path.write_bytes(data)
    error = refused(path)
    assert isinstance(error, ShotError)
    assert message in str(error)


def test_a_byte_order_mark_is_harmless(write: Write) -> None:
    path = write()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load(path, environ={}).version == 1


def test_a_missing_file_a_folder_and_their_hints(refused: Refused, write: Write, tmp_path: Path) -> None:
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
def test_no_file_gives_anything_but_a_shot_error(refused: Refused, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "sh010.yaml"
    path.write_bytes(b"version: 1\n" + data)
    refused(path)


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
        ("frmaes:", 1, "unknown key 'frmaes'", "'frames'"),
        ("temporal: {windwo: , window: 0}", 12, "unknown key 'windwo'", "'window'"),
        ("tokens: {vresion: ~}", 10, "unknown key 'vresion'", "'version'"),
        ("flow: {vectors: {layer: V, convntion: }}", 28, "unknown key 'convntion'", "'convention'"),
        ("temporal: {window:0}", 12, "unknown key 'window:0'", "space after the colon: window: 0"),
        ("temporal: {detail: 0,5}", 22, "unknown key '5'", "Decimals have a point: detail: 0.5"),
        ("temporal: {detail: {1001: 0,5}}", 29, "expected a number, found nothing", "1001: 0.5"),
        ("temporal: {detail: {1001-1010: 1}}", 21, "found '1001-1010'", "A key is one frame"),
        ("window: 0", 1, "unknown key 'window'", "Perhaps you meant temporal.window?"),
        ("<<: {missing: hold}", 1, "unknown key '<<'", "extends: FILE"),
        ("temporal: {<<: {window: 0}}", 12, "unknown key '<<'", "extends: FILE"),
        ("\u201cframes\u201d: 1001", 1, "unknown key", "'frames', without quotes"),
        ("layer: \u201cbeauty\u201d", 8, "found typographic quotes", "Type it anew: beauty"),
        ("layer: \u00a0beauty", 8, "found spaces that nobody sees: '\\xa0beauty'", "Type it anew: beauty"),
        ("layer: be\u200bauty", 8, "found spaces that nobody sees", "Type it anew: beauty"),
        ("temporal: {detail: 50%}", 20, "found the text '50%'", "0.5"),
        ("temporal: {window: 8 frames}", 20, "expected a whole number, found the text '8 frames'", "alone: 8."),
        ("flow: {scale: '0.5'}", 15, "found the text '0.5'", "without quotes: 0.5"),
        ("flow: {scale: \uff11}", 15, "found the text", "without quotes: 1"),
        ("matte: {channel: m, invert: yes}", 29, "expected true or false", "Write true."),
        ("matte: {cryptomatte: c, names: monkey}", 32, "expected a list", "names: [monkey]"),
        ("matte: mask.R", 8, "expected a mapping of keys", "Its keys: cryptomatte, names, channel, invert."),
        ("frames: [1001, 1002]", 9, "frames: expected text, found a list", "frames: 1001,1002"),
        ("frames: [1001-1010, 1020]", 9, "frames: expected text, found a list", "frames: 1001-1010,1020"),
        ("frames: {first: 1001, last: 1004}", 9, "frames: expected text, found a mapping", "frames: 1001-1004"),
        ("frames: {1001-1004}", 9, "frames: expected text, found a mapping", "frames: 1001-1004"),
        ("frames: [[1], {a: 1}]", 9, "frames: expected text, found a list", "frames: 1001-1010"),
        ("frames: 1001..1004", 9, "frames: '1001..1004' is not a frame range", "'1001-1004'"),
        ("layer: [beauty]", 8, "layer: expected text, found a list", "layer: beauty"),
        ("layer: [a, b]", 8, "layer: expected text, found a list", "Only one can stand here, such as layer: a"),
        ("layer: {shot}", 8, "layer: expected text, found a mapping", 'layer: "{shot}"'),
        ("temporal: {cuts: 1017}", 18, "temporal.cuts: expected auto, or a list", "Write [1017]."),
        ("temporal: {cuts: '1017 1043'}", 18, "found the text '1017 1043'", "Write [1017, 1043]."),
        ("temporal: {cuts: {a: [true, null]}}", 18, "found {a: [true, null]}", None),
        ("temporal:\n\twindow: 8", 1, "broken YAML", "There is a tab where YAML takes spaces only."),
        ('output: "P:\\show\\o.####.exr"', 13, "broken YAML: found unknown escape", "use / between folders"),
        ("layer:beauty\nmissing: hold", 1, "broken YAML", "a colon and a space"),
    ],
)
def test_a_fault_has_its_place_and_a_hint(
    refused: Refused, write: Write, line: str, column: int, message: str, hint: str | None
) -> None:
    error = refused(write(line))
    assert isinstance(error, ShotError)
    assert message in str(error)
    assert error.line is not None and error.line >= 5
    assert error.column == column
    if hint:
        assert error.hint is not None and hint in error.hint


@pytest.mark.parametrize("line", ["frames", "layer", "missing", "temporal", "flow", "matte", "colour", "extends"])
@pytest.mark.parametrize("value", ["[a, {b: [c]}]", "{a: [b], c: {d: 1}}", "[[]]", "[{a}]"])
def test_no_message_shows_what_python_makes_of_it(refused: Refused, write: Write, line: str, value: str) -> None:
    error = refused(write(f"{line}: {value}"))
    assert not re.search("Node|object at|tag:|'b'", f"{error} {error.hint}")


def test_aliases_are_followed(write: Write) -> None:
    shot = load(write("temporal: {detail: &ramp {1: 0, 9: 1}}", style="style: {model: a}"), environ={})
    path = write("temporal: {detail: *ramp}", style="style: {model: a, strength: &ramp {1: 0, 9: 1}}")
    assert load(path, environ={}).temporal.detail == shot.temporal.detail
