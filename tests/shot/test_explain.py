"""Where each value comes from, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tsn.errors import ShotError
from tsn.shot.explain import Row, explain, render_json, render_text

Write = Callable[..., Path]


@pytest.fixture
def rows(write: Write, tmp_path: Path) -> tuple[Row, ...]:
    (tmp_path / "_show.yaml").write_text(
        "tokens: {show: wave}\ncolour: {input: acescg}\ntemporal: {window: 3, detail: .5}\n", encoding="utf-8"
    )
    path = write(
        "temporal: {window: null, cuts: [1010]}",
        "matte: {channel: mask.R}",
        style="style: {blend: {a: 1, looks/b.onnx: {1: 0, 9: 1, interp: hold}}}",
    )
    return explain(path, sets=["flow.scale=.5"], environ={"TSN_FRAMES": "1001-1010"})


def test_every_value_has_its_origin(rows: tuple[Row, ...], tmp_path: Path) -> None:
    table = {row.key: (row.value, str(row.origin)) for row in rows}
    shot, show = f"{tmp_path}/sh010.yaml", f"{tmp_path}/_show.yaml"
    assert table["plate"] == (f"{tmp_path}/plate/sh010.####.exr", f"{shot}:2")
    assert table["colour.input"] == ("acescg", f"{show}:2")
    assert table["tokens.show"] == ("wave", f"{show}:1")
    assert table["tokens.shot"] == ("sh010", "default")
    assert table["frames"] == ("1001-1010", "TSN_FRAMES")
    assert table["flow.scale"] == (0.5, "--set flow.scale=.5")
    assert table["temporal.window"] == (8, f"default (null at {shot}:5)")
    assert table["temporal.detail"][0].at(1) == 0.5
    assert table["temporal.cuts"] == ((1010,), f"{shot}:5")
    assert table["matte.channel"] == ("mask.R", f"{shot}:6")
    assert table["matte.invert"] == (False, "default")
    assert table["flow.vectors"] == (None, "default")
    assert table["style.blend.a"][1] == table[f"style.blend.{tmp_path}/looks/b.onnx"][1] == f"{shot}:4"


def test_rows_follow_the_schema_and_none_is_twice(rows: tuple[Row, ...]) -> None:
    keys = [row.key for row in rows]
    assert len(set(keys)) == len(keys)
    wanted = ["version", "plate", "output", "colour.input", "style.scale", "flow.method", "temporal.window"]
    assert [key for key in keys if key in wanted] == wanted


def test_as_text(rows: tuple[Row, ...], tmp_path: Path) -> None:
    lines = render_text(rows).splitlines()
    assert len(lines) == len(rows)
    by_key = {line.split()[0]: line for line in lines}
    assert by_key["temporal.window"].split(maxsplit=2)[1:] == ["8", f"default (null at {tmp_path}/sh010.yaml:5)"]
    assert "  {1: 0, 9: 1, interp: hold}  " in by_key[f"style.blend.{tmp_path}/looks/b.onnx"]
    assert by_key["matte.invert"].split()[1:] == ["false", "default"]
    assert by_key["layer"].split()[1:] == ["-", "default"]
    assert len({line.rindex("default") for line in lines if line.endswith("  default")}) == 1, "origins line up"


def test_as_json(rows: tuple[Row, ...], tmp_path: Path) -> None:
    table = {row["key"]: row for row in json.loads(render_json(rows))}
    place = {"kind": "file", "file": f"{tmp_path}/_show.yaml", "line": 3, "column": 31, "name": None}
    assert table["temporal.detail"] == {"key": "temporal.detail", "value": 0.5, "origin": place}
    assert table["frames"]["origin"]["kind"] == "environment"
    assert table["frames"]["origin"]["name"] == "TSN_FRAMES"
    assert table["flow.scale"]["origin"]["kind"] == "set"
    assert table["layer"]["origin"]["kind"] == "default"
    assert table["temporal.cuts"]["value"] == [1010]


def test_a_broken_shot_cannot_be_explained(write: Write) -> None:
    with pytest.raises(ShotError, match="unknown key 'matt'"):
        explain(write("matt: {}"), environ={})
