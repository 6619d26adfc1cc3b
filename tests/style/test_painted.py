from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from tsn.errors import InputError
from tsn.style.painted import PaintedFrames, content_mark


@pytest.fixture
def sequence(tmp_path):
    """Frames 1001-1003 of 6 x 4, 16-bit: red holds the frame, green a ramp."""
    for number in (1001, 1002, 1003):
        pixels = np.zeros((4, 6, 3), np.uint16)
        pixels[..., 2], pixels[..., 1] = number, np.arange(6) * 1000  # OpenCV writes BGR
        assert cv2.imwrite(str(tmp_path / f"p.{number}.png"), pixels)
    return str(tmp_path / "p.####.png")


PLATE = torch.zeros(3, 4, 6)


def test_it_returns_the_painted_frame(sequence):
    painted = PaintedFrames(sequence).paint(PLATE, 1002)
    assert painted.shape == (3, 4, 6)
    assert painted.dtype == torch.float32
    assert torch.allclose(painted[0], torch.tensor(1002 / 65535))
    assert torch.allclose(painted[1, 0], torch.arange(6) * 1000 / 65535)


def test_a_missing_frame_says_which_are_there(sequence):
    with pytest.raises(InputError, match=r"Painted frame 1009 is missing: .*p\.1009\.png") as caught:
        PaintedFrames(sequence).paint(PLATE, 1009)
    assert "1001-1003" in caught.value.hint


def test_another_size_is_refused(sequence):
    with pytest.raises(InputError, match=r"p\.1001\.png: frame 1001 is 6 x 4, the plate is 12 x 8"):
        PaintedFrames(sequence).paint(torch.zeros(3, 8, 12), 1001)


def test_no_frames_at_all_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="No painted frames found"):
        PaintedFrames(str(tmp_path / "none.####.png"))


def test_a_damaged_frame_is_an_input_error(sequence, tmp_path):
    (tmp_path / "p.1002.png").write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"p\.1002\.png"):
        PaintedFrames(sequence).paint(PLATE, 1002)


def test_fingerprint_follows_content_and_not_dates(sequence, tmp_path):
    before = PaintedFrames(sequence).fingerprint
    first = tmp_path / "p.1001.png"
    content = first.read_bytes()
    first.write_bytes(content)
    assert PaintedFrames(sequence).fingerprint == before
    first.write_bytes(content[:-1] + b"x")
    assert PaintedFrames(sequence).fingerprint != before


def test_content_mark_sees_both_ends_and_the_size(tmp_path):
    path, content = tmp_path / "a", bytearray(300_000)
    marks = set()
    for change in (None, 0, 299_999):
        changed = bytearray(content)
        if change is not None:
            changed[change] = 1
        path.write_bytes(changed)
        marks.add(content_mark(path))
    path.write_bytes(content + b"\0")
    assert len(marks | {content_mark(path)}) == 4
