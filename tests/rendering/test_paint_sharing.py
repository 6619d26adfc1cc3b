"""Paint that goes from one worker to another."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tsn.rendering.paint_sharing import PaintSharing, SharingPainter

IMAGE = torch.rand(3, 10, 7, generator=torch.Generator().manual_seed(0))


class Counting:
    """Its paint is a part of a larger tensor, as that of a net whose stride the frame doesn't fit."""

    name, fingerprint = "counting", "counting-1"

    def __init__(self) -> None:
        self.calls = 0

    def paint(self, image: Tensor, number: int) -> Tensor:
        self.calls += 1
        return torch.nn.functional.pad(image + number, (0, 1, 0, 2))[:, :10, :7]


@pytest.fixture
def inner() -> Counting:
    return Counting()


@pytest.fixture
def two(inner: Counting, tmp_path: Path) -> tuple[SharingPainter, SharingPainter]:
    sharing = PaintSharing(folder=tmp_path / "paint", shared=[3], ahead=[3])
    return SharingPainter(inner, sharing), SharingPainter(inner, sharing)


def test_taken_as_it_was_left(two, inner: Counting, tmp_path: Path) -> None:
    first, second = two
    left = first.paint(IMAGE, 3)
    taken = second.paint(IMAGE, 3)
    assert inner.calls == 1 and torch.equal(taken, left) and torch.equal(left, inner.paint(IMAGE, 3))
    assert taken.stride() == left.stride() == (96, 8, 1)
    taken.zero_()
    assert not list((tmp_path / "paint").iterdir())
    assert first.fingerprint == inner.fingerprint


def test_what_is_painted_ahead_serves_both(two, inner: Counting, tmp_path: Path) -> None:
    first, second = two
    first.ahead(IMAGE, 3)
    theirs, own = second.paint(IMAGE, 3), first.paint(IMAGE, 3)
    assert inner.calls == 1 and torch.equal(theirs, own) and torch.equal(own, inner.paint(IMAGE, 3))
    assert not list((tmp_path / "paint").iterdir())


def test_what_was_painted_ahead_and_lost_is_painted_again(two, inner: Counting, tmp_path: Path) -> None:
    first, _ = two
    first.ahead(IMAGE, 3)
    for path in (tmp_path / "paint").iterdir():
        path.unlink()
    assert torch.equal(first.paint(IMAGE, 3), inner.paint(IMAGE, 3)) and inner.calls == 3


def test_other_frames_stay_with_their_worker(two, inner: Counting, tmp_path: Path) -> None:
    for painter in two:
        painter.paint(IMAGE, 4)
    assert inner.calls == 2 and not (tmp_path / "paint").exists()


def test_a_frame_that_changed_in_between_is_painted(two, inner: Counting) -> None:
    first, second = two
    first.paint(IMAGE, 3)
    assert torch.equal(second.paint(IMAGE * 2, 3), inner.paint(IMAGE * 2, 3)) and inner.calls == 3


@pytest.mark.parametrize("how", ["cut short", "a flipped bit", "another stride"])
def test_a_damaged_file_is_painted_again(two, inner: Counting, tmp_path: Path, how: str, caplog) -> None:
    first, second = two
    left = first.paint(IMAGE, 3)
    (path,) = (tmp_path / "paint").iterdir()
    content = path.read_bytes()
    damaged = {
        "cut short": content[:-9],
        "a flipped bit": content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
        "another stride": content.replace(b"96,8,1", b"96,4,1"),
    }[how]
    assert damaged != content
    path.write_bytes(damaged)
    assert torch.equal(second.paint(IMAGE, 3), left) and inner.calls == 2
    assert "painted again" in caplog.text


def test_a_folder_that_cannot_be_written_is_a_warning_once(inner: Counting, tmp_path: Path, caplog) -> None:
    (tmp_path / "file").touch()
    painter = SharingPainter(inner, PaintSharing(folder=tmp_path / "file/paint", shared=[3, 4], ahead=[]))
    for number in (3, 4):
        assert torch.equal(painter.paint(IMAGE, number), inner.paint(IMAGE, number))
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
