"""Scans: the pixels that `read_image` gives, or their means, whatever way they are stored."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenImageIO as oiio
import pytest

from tsn.errors import InputError
from tsn.io import downscaled, image, read_image
from tsn.io.downscaled import read_downscaled


def admitted(height: int, width: int) -> None:
    pass


def save(path: Path, pixels: np.ndarray, *, x: int = 0, y: int = 0, tile: int = 0, **attributes: Any) -> Path:
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], str(pixels.dtype))
    spec.x, spec.y, spec.tile_width, spec.tile_height = x, y, tile, tile
    for name, value in attributes.items():
        spec[name.replace("__", ":")] = value
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec), out.geterror()
    assert (out.write_image(pixels) if not tile else oiio.ImageBuf(pixels).write(out)) and out.close()
    return path


def noise(height: int, width: int, channels: int = 3, dtype: str = "uint8") -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(1).integers(0, top, (height, width, channels), endpoint=True).astype(dtype)


STORED: dict[str, dict[str, Any]] = {
    "a.png": {},
    "a.tif": {},
    "a.jpg": {},
    "a.webp": {},
    "tiled.tif": {"tile": 64},
    "planes.tif": {"planarconfig": "separate"},
    "moved.tif": {"x": 7, "y": 30},
    "moved_tiles.tif": {"x": 7, "y": 30, "tile": 64},
    "turned.tif": {"Orientation": 6},
    "mirrored.jpg": {"Orientation": 7},
}


@pytest.mark.parametrize("name", STORED)
def test_it_is_what_is_shown_bit_for_bit(name: str, tmp_path: Path) -> None:
    path = save(tmp_path / name, noise(150, 210), **STORED[name])
    found = read_downscaled(path, max_pixels=10**6, admit=admitted)
    assert found.alpha is None
    assert np.array_equal(found.rgb, read_image(path))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_of_any_depth_and_grey_too(dtype: str, separate: bool, channels: int, tmp_path: Path) -> None:
    how = {"planarconfig": "separate"} if separate else {}
    path = save(tmp_path / "a.tif", noise(70, 90, channels, dtype), **how)
    assert np.array_equal(read_downscaled(path, max_pixels=10**6, admit=admitted).rgb, read_image(path))


@pytest.mark.parametrize("name", STORED)
def test_a_large_one_is_read_as_means(name: str, tmp_path: Path) -> None:
    path = save(tmp_path / name, noise(150, 210), **STORED[name])
    found = read_downscaled(path, max_pixels=150 * 210 // 8, admit=admitted).rgb
    whole = read_image(path)
    assert "turned" in name or "mirrored" in name or found.shape == (50, 70, 3)
    height, width = found.shape[:2]
    wanted = whole.astype(np.float64).reshape(height, 3, width, 3, 3).mean((1, 3))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_lines_and_columns_that_make_no_whole_pixel_are_left_out(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", noise(149, 211))
    found = read_downscaled(path, max_pixels=149 * 211 // 8, admit=admitted).rgb
    wanted = read_image(path)[:147, :210].astype(np.float64).reshape(49, 3, 70, 3, 3).mean((1, 3))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("pixels", [10**6, 40])
def test_colours_come_multiplied_by_alpha(name: str, pixels: int, tmp_path: Path) -> None:
    stored = noise(20, 16, 4)
    path = save(tmp_path / name, stored, oiio__UnassociatedAlpha=1)
    found = read_downscaled(path, max_pixels=pixels, admit=admitted)
    assert found.alpha is not None
    alpha = stored[..., 3:] / 255
    wanted = np.concatenate([stored[..., :3] / 255 * alpha, alpha], axis=-1)
    if pixels == 40:
        wanted = wanted[:18, :15].reshape(6, 3, 5, 3, 4).mean((1, 3))
    np.testing.assert_allclose(np.concatenate([found.rgb, found.alpha], axis=-1), wanted, atol=1e-6)


def test_colours_that_are_stored_multiplied_are_not_multiplied_again(tmp_path: Path) -> None:
    stored = noise(20, 16, 4)
    stored[..., :3] //= 2
    stored[..., 3] = 128
    path = save(tmp_path / "a.tif", stored)
    found = read_downscaled(path, max_pixels=10**6, admit=admitted)
    np.testing.assert_allclose(found.rgb, stored[..., :3] / 255, atol=1e-6)


def png_of(width: int, height: int, path: Path) -> Path:
    """A PNG that says it is so large, and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    os.truncate(path, 256 << 20)  # of fewer bytes OpenImageIO would not believe it; none is on disk
    return path


def test_more_pixels_than_are_read_are_refused_by_the_header(tmp_path: Path) -> None:
    path = png_of(32768, 32769, tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png says that it is 32768 x 32769: more than the 1,073,741,824 pixels"):
        read_downscaled(path, max_pixels=10**6, admit=admitted)
    path = png_of(400_000, 300_000, tmp_path / "b.png")
    with pytest.raises(InputError, match=r"b\.png says that it is 400000 x 300000: more than the 8192 MiB"):
        read_downscaled(path, max_pixels=10**6, admit=admitted)
    with pytest.raises(InputError, match=r"b\.png says that it is 400000 x 300000"):
        read_image(path)


def test_a_format_that_is_decoded_whole_has_a_smaller_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.webp", noise(700, 600))
    monkeypatch.setattr(image, "WHOLE_LIMIT_MB", 1)
    with pytest.raises(InputError, match=r"a\.webp says that it is 600 x 700: more than the 1 MiB"):
        read_downscaled(path, max_pixels=10**6, admit=admitted)
    planes = save(tmp_path / "a.tif", noise(700, 600), planarconfig="separate")
    with pytest.raises(InputError, match=r"a\.tif says that it is 600 x 700: more than the 1 MiB, separated by colour"):
        read_downscaled(planes, max_pixels=10**6, admit=admitted)
    assert (
        read_downscaled(save(tmp_path / "a.png", noise(700, 600)), max_pixels=10**6, admit=admitted).rgb.shape[0] == 700
    )


def test_the_size_is_told_upright_before_anything_is_decoded(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", noise(200, 310), Orientation=6)
    path.write_bytes(path.read_bytes()[:9000])  # what is left would be refused as damaged
    told: list[tuple[int, int]] = []

    def admit(height: int, width: int) -> None:
        told.append((height, width))
        raise InputError("not wanted")

    for read in (lambda: read_downscaled(path, max_pixels=10**6, admit=admit), lambda: read_image(path, admit=admit)):
        with pytest.raises(InputError, match="not wanted"):
            read()
    assert told == [(310, 200)] * 2


def test_the_limit_of_others_is_left_as_it_was(tmp_path: Path) -> None:
    before = oiio.get_int_attribute("limits:imagesize_MB")
    read_downscaled(save(tmp_path / "a.png", noise(9, 9)), max_pixels=100, admit=admitted)
    assert oiio.get_int_attribute("limits:imagesize_MB") == before


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_damage_is_seen(name: str, tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / name), noise(200, 300))
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=name):
        read_downscaled(tmp_path / name, max_pixels=10**6, admit=admitted)


def test_an_animation_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    specs = [oiio.ImageSpec(16, 12, 3, "uint8")] * 2
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), tuple(specs)) and out.write_image(noise(12, 16))
    assert out.open(str(path), specs[1], "AppendSubimage") and out.write_image(noise(12, 16)) and out.close()
    with pytest.raises(InputError, match=r"a\.gif is an animation"):
        read_downscaled(path, max_pixels=10**6, admit=admitted)


def test_colours_that_are_none_of_a_monitor_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", noise(12, 16))
    data = bytearray(path.read_bytes())
    rgb, lab = (struct.pack("<HHIHH", 262, 3, 1, kind, 0) for kind in (2, 8))
    assert data.count(rgb) == 1
    path.write_bytes(data.replace(rgb, lab))
    for read in (read_image, lambda path: downscaled.read_downscaled(path, max_pixels=10**6, admit=admitted)):
        with pytest.raises(InputError, match=r"a\.tif: expected a picture in RGB, grey or CMYK, found CIELAB"):
            read(path)
