"""Frames as the plug-ins name, find and count them."""

from __future__ import annotations

import pytest
from plain_modules import frame_numbers

from tsn.frames import parse as parse_frames


def test_runs_and_their_names():
    assert frame_numbers.consecutive_runs([3, 1, 2, 7, 9, 8, 20]) == [(1, 3), (7, 9), (20, 20)]
    assert frame_numbers.format_range([3, 1, 2, 20]) == "1-3, 20"


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([1, 3, 5, 7], "1-7x2"), ([-5, -1, 3], "-5-3x4"), ([1, 2, 3, 5, 7], "1-3, 5, 7"), ([1, 3], "1, 3"), ([4], "4"),
        ([1, 2], "1-2"), ([1, 5, 6, 7, 20, 30, 40, 41], "1, 5-7, 20-40x10, 41"), ([], ""),
    ],
)  # fmt: skip
def test_a_stepped_range_is_named_as_tsn_reads_it(numbers, expected):
    assert frame_numbers.format_range(numbers) == expected
    if numbers:
        assert list(parse_frames(expected)) == numbers


def test_frames_on_disk(tmp_path):
    for name in ("a.0001.exr", "a.0002.exr", "a.10000.exr", ".a.0003.exr", "a.0004.exr.tmp", "ab.0005.exr", "a.x.exr"):
        (tmp_path / name).touch()
    assert frame_numbers.frames_on_disk(tmp_path, "a") == {1, 2, 10000}
    for frame in (-1, -12, -1003):
        (tmp_path / f"b.{frame:04d}.exr").touch()
    assert frame_numbers.frames_on_disk(tmp_path, "b") == {-1, -12, -1003}
    assert frame_numbers.frames_on_disk(tmp_path / "none", "a") == set()


@pytest.mark.parametrize(
    ("painted", "stale", "expected"),
    [
        (range(48), [1, 2], "48 of 48 frames, 2 out of date"),
        (range(48), [], "48 of 48 frames"),
        (range(20, 60), [], "28 of 48 frames"),
        ([], [], "Nothing rendered yet"),
    ],
)
def test_status(painted, stale, expected):
    assert frame_numbers.status_line(painted=set(painted), requested=set(range(48)), stale=stale) == expected
