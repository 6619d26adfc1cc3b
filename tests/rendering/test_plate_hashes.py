"""Plate frames by content: another date alone changes nothing, another content of the same size does."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tsn.errors import InputError
from tsn.rendering.inspect import stamp
from tsn.rendering.plate_hashes import changed_frames, hashes_by_stamp, plate_hashes


@pytest.fixture
def plate(tmp_path: Path) -> str:
    for number in (1, 2, 3):
        (tmp_path / f"p.{number:04}.exr").write_bytes(bytes([number]) * 8)
    return str(tmp_path / "p.####.exr")


def stamps(plate: str) -> dict[int, str]:
    return {n: stamp(Path(plate.replace("####", f"{n:04}"))) for n in (1, 2, 3)}


def test_contents_are_their_hashes(plate: str) -> None:
    found = plate_hashes(plate, stamps(plate))
    assert found == {n: hashlib.sha256(bytes([n]) * 8).hexdigest() for n in (1, 2, 3)}


def test_what_was_read_before_is_not_read_again(plate: str, tmp_path: Path) -> None:
    before = stamps(plate)
    known = hashes_by_stamp(plate, before, plate_hashes(plate, before))
    status = os.stat(tmp_path / "p.0001.exr")
    (tmp_path / "p.0001.exr").write_bytes(b"12345678")
    os.utime(tmp_path / "p.0001.exr", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "p.0002.exr").write_bytes(b"12345678")
    os.utime(tmp_path / "p.0002.exr", (1, 1))
    found = plate_hashes(plate, stamps(plate), known)
    assert found[1] == hashlib.sha256(bytes([1]) * 8).hexdigest(), "believed, as its size and date are the same"
    assert found[2] == hashlib.sha256(b"12345678").hexdigest()


def test_a_frame_that_cannot_be_read_is_named(plate: str, tmp_path: Path) -> None:
    told = stamps(plate)
    (tmp_path / "p.0002.exr").unlink()
    with pytest.raises(InputError, match=r"Can't read .*p\.0002\.exr"):
        plate_hashes(plate, told)


def test_only_content_size_and_presence_count(plate: str, tmp_path: Path) -> None:
    told = stamps(plate)
    found = plate_hashes(plate, told)
    for number in (1, 2, 3):
        os.utime(tmp_path / f"p.000{number}.exr", (1, 1))
    assert changed_frames(plate, told, found, told) == []
    assert changed_frames(plate, told, {}, told) == [1, 2, 3], "without contents the date decides"
    (tmp_path / "p.0002.exr").write_bytes(b"12345678")
    (tmp_path / "p.0003.exr").write_bytes(b"longer than before")
    assert changed_frames(plate, told, found, [1, 2, 3, 4]) == [2, 3]
    (tmp_path / "p.0001.exr").unlink()
    (tmp_path / "p.0004.exr").touch()
    assert changed_frames(plate, told, found, [4, 3, 2, 1]) == [1, 2, 3, 4]
