"""16-bit PNGs with alpha and texts: read back by OpenImageIO and by ourselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from tsn.errors import OutputError
from tsn.io.image import read_image, write_png
from tsn.io.key_png import read_texts, write_png16


@pytest.mark.parametrize("with_alpha", [False, True])
def test_pixels_and_texts_come_back(tmp_path: Path, with_alpha: bool) -> None:
    rng = np.random.default_rng(0)
    rgb, alpha = rng.random((5, 7, 3), np.float32), rng.random((5, 7), np.float32) if with_alpha else None
    texts = {"Software": "tsn", "tsn:key": "abc", "tsn:paint": '{"painting": "Nachtcafé"}'}
    path = tmp_path / "key.png"

    write_png16(path, rgb, alpha, texts)

    assert read_texts(path) == texts
    assert np.abs(read_image(path) - rgb).max() < 1 / 65535
    source = oiio.ImageInput.open(str(path))
    assert source.spec().format == "uint16" and source.spec().nchannels == (4 if with_alpha else 3)
    assert source.spec().get_string_attribute("Software") == "tsn"
    source.close()


def test_other_files_have_no_texts(tmp_path: Path) -> None:
    write_png(tmp_path / "plain.png", np.zeros((4, 4, 3), np.float32))
    (tmp_path / "text.png").write_text("no picture")
    assert read_texts(tmp_path / "plain.png") == read_texts(tmp_path / "text.png") == {}


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the folder does not exist"):
        write_png16(tmp_path / "none" / "key.png", np.zeros((2, 2, 3), np.float32), None, {})
