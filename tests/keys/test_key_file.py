"""Keys that somebody painted, as files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tsn.errors import InputError
from tsn.keys.key_file import read_matte, read_painted

SIZE = {"height": 8, "width": 16}


def write(path: Path, picture: np.ndarray) -> Path:
    codes = np.rint(picture * 65535).astype(np.uint16)
    order = [2, 1, 0, 3][: picture.shape[-1]]
    assert cv2.imwrite(str(path), codes[..., order])
    return path


def flat(*values: float, height: int = 8, width: int = 16) -> np.ndarray:
    return np.broadcast_to(np.array(values, np.float32), (height, width, len(values))).copy()


def test_a_key_without_alpha_is_painted_everywhere(tmp_path: Path) -> None:
    rgb, alpha = read_painted(write(tmp_path / "key.png", flat(0.25, 0.5, 0.75)), **SIZE)
    assert rgb[:, 3, 5].numpy() == pytest.approx([0.25, 0.5, 0.75], abs=1e-4)
    assert alpha.unique().tolist() == [1]


@pytest.mark.parametrize("factor", [0.5, 2])
def test_a_proxy_and_a_multiple_come_to_the_plates_size(tmp_path: Path, factor: float) -> None:
    key = write(tmp_path / "key.tif", flat(0.2, 0.4, 0.6, height=int(8 * factor), width=int(16 * factor)))
    rgb, _ = read_painted(key, **SIZE)
    assert rgb.shape == (3, 8, 16) and rgb[1].numpy() == pytest.approx(0.4, abs=1e-4)


def test_colours_under_a_soft_edge_are_the_papers_not_darkened(tmp_path: Path) -> None:
    picture = flat(0.8, 0.4, 0.2, 1.0, height=16, width=32)
    picture[:, :15, 3] = 0  # cut inside a pixel of the plate
    rgb, alpha = read_painted(write(tmp_path / "key.png", picture), **SIZE)
    rim = alpha[0, 4, 7]
    assert 0.1 < rim < 0.9 and alpha[0, 4, 2] == 0
    assert rgb[:, 4, 7].numpy() == pytest.approx([0.8, 0.4, 0.2], abs=2e-3)


def test_a_matte_is_brightness_times_alpha(tmp_path: Path) -> None:
    picture = flat(1, 1, 1, 1)
    picture[:, 8:] = [0.5, 0.5, 0.5, 0.5]
    found = read_matte(write(tmp_path / "matte.png", picture), **SIZE)
    assert found[0, 4, 2] == pytest.approx(1) and found[0, 4, 13] == pytest.approx(0.25, abs=1e-3)


def test_a_key_of_other_proportions_is_refused_with_both_sizes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"key\.png has 16x16 pixels, other proportions .* 16x8") as caught:
        read_painted(write(tmp_path / "key.png", flat(0.5, 0.5, 0.5, height=16)), **SIZE)
    assert "tsn key" in str(caught.value.hint)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.png"):
        read_painted(tmp_path / "nothing.png", **SIZE)
