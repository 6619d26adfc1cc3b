"""The hash of a painted frame is over all of its content, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tsn.errors import InputError
from tsn.style.painted_frame_hashes import hash_file, hash_painted_frames, missing_frames_hint


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    for number in (1001, 1002, 1003):
        (tmp_path / f"p.{number}.tif").write_bytes(bytes([number % 256]) * 300_000)
    return str(tmp_path / "p.####.tif")


@pytest.mark.parametrize("place", [0, 150_000, 299_999])
def test_a_byte_anywhere_counts(pattern: str, tmp_path: Path, place: int) -> None:
    before = hash_painted_frames(pattern)
    with (tmp_path / "p.1002.tif").open("r+b") as file:  # in place: the size stays
        file.seek(place)
        file.write(b"x")
    after = hash_painted_frames(pattern)
    assert [number for number in before if before[number] != after[number]] == [1002]


def test_a_date_does_not_count(pattern: str, tmp_path: Path) -> None:
    before = hash_painted_frames(pattern)
    os.utime(tmp_path / "p.1002.tif", (0, 0))
    assert hash_painted_frames(pattern) == before


def test_only_what_is_wanted_is_read(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "p.1003.tif").unlink()
    (tmp_path / "p.1003.tif").symlink_to("/proc/self/mem")  # a file whose first byte nobody can read
    assert list(hash_painted_frames(pattern, {1001, 1002, 1009})) == [1001, 1002]
    with pytest.raises(InputError, match=r"Can't read the painted frame .*p\.1003\.tif: Input/output error"):
        hash_painted_frames(pattern)


def test_marks_go_by_the_plates_numbers(pattern: str, tmp_path: Path) -> None:
    here = hash_painted_frames(pattern)
    assert hash_painted_frames(pattern, {1, 3, 1001}, offset=1000) == {1: here[1001], 3: here[1003]}
    assert hash_painted_frames(pattern, offset=-7) == {number + 7: digest for number, digest in here.items()}


def test_what_to_do_about_frames_that_are_not_there(pattern: str, tmp_path: Path) -> None:
    assert missing_frames_hint(pattern, 0, {1, 2}) == (
        "There are 1001-1003. Perhaps you meant style.offset: 1000, painted frame 1001 for 1?"
    )
    assert missing_frames_hint(pattern, 0, {1003, 1004}).startswith("There are 1001-1003; paint the frame, or correct")
    assert missing_frames_hint(str(tmp_path / "none/p.##.png"), 0, {1}).startswith("There are none; ")


def test_a_painted_frame_under_two_names_is_refused(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "p.01002.tif").touch()
    with pytest.raises(InputError, match=r"under two names: p\.1002\.tif and p\.01002\.tif"):
        hash_painted_frames(pattern)
    assert list(hash_painted_frames(pattern, {1001})) == [1001]


def test_a_frame_has_the_same_mark_wherever_it_lies(pattern: str, tmp_path: Path) -> None:
    assert (
        hash_painted_frames(pattern)[1001] == hash_file(tmp_path / "p.1001.tif") != hash_file(tmp_path / "p.1002.tif")
    )


def test_no_frames_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No painted frames found"):
        hash_painted_frames(str(tmp_path / "none.####.png"))
    (tmp_path / "p_0001.png").touch()
    with pytest.raises(InputError) as caught:
        hash_painted_frames(str(tmp_path / "p.###.png"))
    assert caught.value.hint == "1 file looks like a frame and is not taken: p_0001.png."
