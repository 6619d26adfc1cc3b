import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenImageIO as oiio
import pytest

from tsn.errors import InputError, OutputError
from tsn.io import is_complete, probe, read_image, write_png
from tsn.io.image import apply_orientation


def save(path: Path, pixels: np.ndarray, **attributes: Any) -> Path:
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], str(pixels.dtype))
    for name, value in attributes.items():
        spec[name.replace("__", ":")] = value
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec) and out.write_image(pixels) and out.close()
    return path


def picture(channels: int, dtype: str = "uint8") -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(channels).integers(0, top, (20, 31, channels), endpoint=True).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_colours_come_as_stored(tmp_path: Path, channels: int, suffix: str, dtype: str) -> None:
    pixels = picture(channels, dtype)
    found = read_image(save(tmp_path / f"a.{suffix}", pixels, oiio__UnassociatedAlpha=1))
    colours = pixels[..., :3] if channels > 2 else np.repeat(pixels[..., :1], 3, -1)
    assert found.dtype == np.float32 and found.shape == (20, 31, 3)
    np.testing.assert_allclose(found, colours / np.float32(np.iinfo(dtype).max), rtol=1e-6)


def test_jpeg_and_webp(tmp_path: Path) -> None:
    smooth = np.dstack([np.tile(np.linspace(40, 200, 64), (48, 1))] * 3).astype(np.uint8)
    for name in ("a.jpg", "a.webp"):
        assert cv2.imwrite(str(tmp_path / name), smooth)
        assert np.abs(read_image(tmp_path / name) - smooth / np.float32(255)).max() < 0.03


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_tag_is_obeyed(orientation: int) -> None:
    pixels = np.arange(24, dtype=np.float32).reshape(4, 6, 1)
    expected = oiio.ImageBufAlgo.reorient(_with_orientation(pixels, orientation)).get_pixels("float")
    assert np.array_equal(apply_orientation(pixels, orientation), expected)


def _with_orientation(pixels: np.ndarray, orientation: int) -> oiio.ImageBuf:
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], 1, "float")
    spec["Orientation"] = orientation
    buffer = oiio.ImageBuf(spec)
    buffer.set_pixels(oiio.ROI(), pixels)
    return buffer


def test_a_rotated_photograph_standsupright(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", picture(3), Orientation=6)
    assert read_image(path).shape == (31, 20, 3)


def test_png_round_trip(tmp_path: Path) -> None:
    pixels = picture(3) / np.float32(255)
    pixels[0, :2, 0] = -1, 7
    write_png(tmp_path / "a.png", pixels)
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), np.clip(pixels, 0, 1), rtol=1e-6)
    found = probe(tmp_path / "a.png")
    assert (found.format, found.channels, found.data_window.width) == ("png", ("R", "G", "B"), 31)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(OutputError, match="does not exist"):
        write_png(tmp_path / "gone" / "a.png", pixels)


def test_a_name_that_is_no_utf8_is_refused_and_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    write_png(path, picture(3) / 255)
    with pytest.raises(InputError, match="not called in UTF-8") as caught:
        read_image(path)
    assert caught.value.hint == "Rename the file or its folder."


@pytest.mark.parametrize(("name", "kind"), [("a.exr", "openexr"), ("a.dpx", "dpx"), ("a.hdr", "hdr")])
def test_what_is_scene_linear_is_no_picture_as_it_is_shown(tmp_path: Path, name: str, kind: str) -> None:
    path = save(tmp_path / name, np.full((4, 4, 3), 0.5, np.float32))
    path = path.rename(tmp_path / "named.png")
    with pytest.raises(InputError, match=rf"named\.png: expected a picture as it is shown, found {kind}") as caught:
        read_image(path)
    assert caught.value.hint == "Convert it to sRGB as 16-bit PNG or TIFF."


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_damage_is_seen(tmp_path: Path, name: str) -> None:
    assert cv2.imwrite(str(tmp_path / name), picture(3))
    data = (tmp_path / name).read_bytes()
    for size in (1, 9, len(data) // 2):
        (tmp_path / name).write_bytes(data[:size])
        assert not is_complete(tmp_path / name)
        with pytest.raises(InputError, match=name):
            read_image(tmp_path / name)
    with pytest.raises(InputError, match="no picture"):
        read_image(tmp_path / "gone.png")
