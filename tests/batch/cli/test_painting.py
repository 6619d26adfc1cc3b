"""`tsn paint`: its lines, its exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def test_paint_prints_scales_and_files(tsn: Callable, shot: Callable, stripes: Callable, thin_weights: Path, tmp_path):
    painting = stripes()
    words = ("paint", str(shot()), "-F", "1001,1003", "--painting", f"{painting}=0.5", "--effort", "0.05")
    result = tsn(*words, "-o", str(tmp_path / "keys"))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "24 lines painted" in lines[-4] and lines[-4].startswith("1001  100%"), lines
    assert lines[-2:] == [str(tmp_path / f"keys/sh.{number}.png") for number in (1001, 1003)]


def test_paint_is_refused_by_name(tsn: Callable, shot: Callable, stripes: Callable, thin_weights: Path, tmp_path: Path):
    words = ["paint", str(shot()), "-o", str(tmp_path / "keys"), "--painting", str(stripes())]
    for more, code, text in (
        (["-F", "1001", "--method", "gatis"], 2, "Perhaps you meant 'gatys'?"),
        (["-F", "2001"], 2, "2001"),
        (["-F", "1001", "--painting", str(tmp_path / "none.png")], 3, "none.png"),
        (["-F", "1001", "--stroke-size", "40"], 2, "0.25 to 2.0"),
    ):
        result = tsn(*words, *more)
        assert result.exit_code == code and text in result.stderr, result.output
