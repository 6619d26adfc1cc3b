"""Paintings as files: what sizes, and what of them is seen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from tsn.errors import InputError
from tsn.io import read_image
from tsn.style import paintings
from tsn.style.paintings import PAINTING_LINES, read_paintings, resize_painting


def painting(height: int, width: int, channels: int = 3) -> np.ndarray:
    blobs = np.random.default_rng(2).integers(0, 255, (7, 9, channels), np.uint8)
    return cv2.resize(blobs, (width, height), interpolation=cv2.INTER_CUBIC)


def read(path: Path) -> Tensor:
    (found,) = read_paintings({str(path): 1.0})
    return resize_painting(found.image)


def saved(path: Path, pixels: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


def as_it_was(path: Path) -> Tensor:
    """How every painting was read before there were limits."""
    return resize_painting(torch.from_numpy(read_image(path)).permute(2, 0, 1).contiguous())


@pytest.mark.parametrize("size", [(8, 12), (300, 400), (440, 700), (441, 100), (1200, 1600), (900, 601)])
@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_of_a_usual_size_it_is_seen_as_ever_bit_for_bit(size: tuple[int, int], ending: str, tmp_path: Path) -> None:
    path = saved(tmp_path / f"a.{ending}", painting(*size))
    assert torch.equal(read(path), as_it_was(path))


def test_opaque_alpha_16_bit_and_grey_change_no_bit(tmp_path: Path) -> None:
    opaque = painting(500, 600, 4)
    opaque[..., 3] = 255
    deep = painting(500, 600).astype(np.uint16) * 257
    for name, pixels in {"a": opaque, "b": deep, "c": painting(500, 600)[..., 0]}.items():
        path = saved(tmp_path / f"{name}.png", pixels)
        assert torch.equal(read(path), as_it_was(path)), name


def test_a_scan_is_seen_as_the_painting_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.png", painting(1500, 2001))
    whole = read(path)
    monkeypatch.setattr(paintings, "MAX_READ_PIXELS", 1000 * 1500)
    scanned = read(path)
    assert scanned.shape == whole.shape or abs(scanned.shape[2] - whole.shape[2]) <= 1
    width = min(scanned.shape[2], whole.shape[2])
    assert not torch.equal(scanned[..., :width], whole[..., :width])
    assert (scanned[..., :width] - whole[..., :width]).abs().max() < 0.02


@pytest.mark.parametrize(("height", "width"), [(3, 2000), (2000, 3), (7, 7), (40, 401), (401, 40)])
def test_a_strip_is_no_painting(height: int, width: int, tmp_path: Path) -> None:
    path = saved(tmp_path / "strip.png", painting(height, width))
    with pytest.raises(InputError, match=rf"strip\.png is {width} x {height} pixels; expected at least 8") as caught:
        read_paintings({str(path): 1.0})
    assert "Crop it" in str(caught.value.hint)


def test_what_is_read_of_it_is_bounded(tmp_path: Path) -> None:
    for height, width in ((40, 400), (400, 40), (2000, 20000)):
        found = read(saved(tmp_path / "a.png", np.full((height, width), 99, np.uint8)))
        assert found.shape == (3, PAINTING_LINES, PAINTING_LINES * width // height)


def cut_out(*, under: int, ending: str, tmp_path: Path) -> Path:
    """An orange field with a hole in it, on a transparent background."""
    pixels = np.full((300, 480, 4), under, np.uint8)
    pixels[..., 3] = 0
    pixels[100:200, 100:400] = (40, 120, 220, 255)
    pixels[120:140, 200:300] = (under, under, under, 0)
    return saved(tmp_path / f"cut_{under}.{ending}", pixels)


@pytest.mark.parametrize("under", [0, 255])
@pytest.mark.parametrize("ending", ["png", "webp"])
def test_what_is_transparent_is_no_colour_of_the_painting(under: int, ending: str, tmp_path: Path) -> None:
    found = read(cut_out(under=under, ending=ending, tmp_path=tmp_path))
    assert found.shape == (3, PAINTING_LINES, 3 * PAINTING_LINES)  # without its border
    orange = torch.tensor([220, 120, 40])[:, None, None] / 255
    assert (found - orange).abs().max() < 0.03


def test_a_painting_that_is_not_seen_is_refused(tmp_path: Path) -> None:
    clear = painting(60, 60, 4)
    clear[..., 3] = 0
    path = saved(tmp_path / "clear.png", clear)
    with pytest.raises(InputError, match=r"clear\.png is fully transparent"):
        read_paintings({str(path): 1.0})
    clear[30:33, :, 3] = 255
    with pytest.raises(InputError, match=r"strip\.png is 60 x 3 pixels"):
        read_paintings({str(saved(tmp_path / "strip.png", clear)): 1.0})


@pytest.mark.parametrize("name", ["clip.mp4", "clip.MOV"])
def test_a_movie_is_refused_by_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\0\0\0\x20ftypisom")
    with pytest.raises(InputError, match=r"clip\.\w+ is a movie; a painting is a picture") as caught:
        read_paintings({name: 1.0}, base=tmp_path)
    assert "Save one frame" in str(caught.value.hint)
