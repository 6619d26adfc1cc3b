from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from tsn.errors import InputError
from tsn.style.painted_frame_hashes import hash_painted_frames
from tsn.style.painted_frames import PaintedFrames


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
    return PaintedFrames(sequence, hash_painted_frames(sequence))


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


def test_a_frame_with_a_number_of_its_own(sequence):
    painter = PaintedFrames(sequence, hash_painted_frames(sequence, offset=1000), offset=1000)
    assert torch.allclose(painter.paint(PLATE, 2)[0], torch.tensor(1002 / 65535))
    with pytest.raises(InputError, match=r"Painted frame 1009 is missing: .*p\.1009\.png"):
        painter.paint(PLATE, 9)
    with pytest.raises(InputError, match=r"Painted frame 2001 is missing") as caught:
        painter.paint(PLATE, 1001)
    assert caught.value.hint == "There are 1001-1003. Perhaps you meant style.offset: 0, painted frame 1001 for 1001?"


def test_another_size_is_brought_to_the_plates(tmp_path):
    ramp = np.repeat(np.repeat(np.linspace(0, 65535, 24)[None, :, None], 16, 0), 3, 2).astype(np.uint16)
    fine = (np.indices((16, 24)).sum(0)[..., None] % 2 * np.full(3, 65535)).astype(np.uint16)
    for number, pixels in ((1, ramp), (2, fine)):
        assert cv2.imwrite(str(tmp_path / f"p_{number}.png"), pixels)
    painter = painted_as_found(str(tmp_path / "p_#.png"))
    for height, width in ((32, 48), (8, 12)):  # larger, smaller
        painted = painter.paint(torch.zeros(3, height, width), 1)
        expected = ((torch.arange(width) + 0.5) * 24 / width - 0.5) / 23  # no shift: the centres stay
        assert painted.shape == (3, height, width)
        assert torch.allclose(painted[0, height // 2, 3:-3], expected[3:-3], atol=2e-3)
        assert painted.min() >= 0 and painted.max() <= 1
    grey = painter.paint(torch.zeros(3, 8, 12), 2)
    assert (grey[:, 1:-1, 1:-1] - 0.5).abs().max() < 0.01, "a pattern finer than a pixel leaves no alias"


@pytest.mark.parametrize(
    ("height", "width"), [(540, 960), (541, 961), (540, 961), (1080, 1920), (405, 719), (405, 721)]
)
def test_one_side_may_be_rounded(sequence, tmp_path, height, width):
    assert cv2.imwrite(str(tmp_path / "p.1001.png"), np.zeros((height, width, 3), np.uint8))
    painter = painted_as_found(sequence)
    assert painter.read(1001, 1080, 1920).shape == (3, height, width)
    assert painter.paint(torch.zeros(3, 1080, 1920), 1001).shape == (3, 1080, 1920)


@pytest.mark.parametrize(("height", "width"), [(544, 960), (512, 960), (1080, 1918), (858, 2048), (1, 1), (1920, 1080)])
def test_other_proportions_are_refused(sequence, tmp_path, height, width):
    assert cv2.imwrite(str(tmp_path / "p.1001.png"), np.zeros((height, width, 3), np.uint8))
    with pytest.raises(
        InputError, match=f"1001.png: frame 1001 is {width} x {height}, the plate is 1920 x 1080"
    ) as error:
        painted_as_found(sequence).paint(torch.zeros(3, 1080, 1920), 1001)
    assert "display window" in error.value.hint


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
