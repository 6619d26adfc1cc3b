"""What is no YAML, and where in it a fault lies."""

from __future__ import annotations

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


def test_aliases_are_followed(write: Write) -> None:
    shot = load(write("temporal: {detail: &ramp {1: 0, 9: 1}}", style="style: {model: a}"), environ={})
    path = write("temporal: {detail: *ramp}", style="style: {model: a, strength: &ramp {1: 0, 9: 1}}")
    assert load(path, environ={}).temporal.detail == shot.temporal.detail
