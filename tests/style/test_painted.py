from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from tsn.errors import InputError
from tsn.style.marks import marks
from tsn.style.painted import PaintedFrames


@pytest.fixture
def sequence(tmp_path):
    """Frames 1001-1003 of 6 x 4, 16-bit: red holds the frame, green a ramp."""
    for number in (1001, 1002, 1003):
        pixels = np.zeros((4, 6, 3), np.uint16)
        pixels[..., 2], pixels[..., 1] = number, np.arange(6) * 1000  # OpenCV writes BGR
        assert cv2.imwrite(str(tmp_path / f"p.{number}.png"), pixels)
    return str(tmp_path / "p.####.png")


PLATE = torch.zeros(3, 4, 6)


def painted_as_found(sequence):
    return PaintedFrames(sequence, marks(sequence))


def test_it_returns_the_painted_frame(sequence):
    painted = painted_as_found(sequence).paint(PLATE, 1002)
    assert painted.shape == (3, 4, 6)
    assert painted.dtype == torch.float32
    assert torch.allclose(painted[0], torch.tensor(1002 / 65535))
    assert torch.allclose(painted[1, 0], torch.arange(6) * 1000 / 65535)


def test_a_missing_frame_says_which_are_there(sequence):
    with pytest.raises(InputError, match=r"Painted frame 1009 is missing: .*p\.1009\.png") as caught:
        painted_as_found(sequence).paint(PLATE, 1009)
    assert "1001-1003" in caught.value.hint


def test_another_size_is_refused(sequence):
    with pytest.raises(InputError, match=r"p\.1001\.png: frame 1001 is 6 x 4, the plate is 12 x 8"):
        painted_as_found(sequence).paint(torch.zeros(3, 8, 12), 1001)


def test_a_damaged_frame_is_an_input_error(sequence, tmp_path):
    (tmp_path / "p.1002.png").write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"p\.1002\.png"):
        painted_as_found(sequence).paint(PLATE, 1002)


def test_a_frame_that_changes_after_its_mark_is_refused(sequence, tmp_path):
    painter = painted_as_found(sequence)
    assert cv2.imwrite(str(tmp_path / "p.1002.png"), np.zeros((4, 6, 3), np.uint16))
    painter.paint(PLATE, 1001)
    with pytest.raises(InputError, match=r"p\.1002\.png: frame 1002 was painted again after the plan was made"):
        painter.paint(PLATE, 1002)
