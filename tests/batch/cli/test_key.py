"""`tsn key`: frames of the plate to paint over."""

from __future__ import annotations

import numpy as np
import OpenImageIO as oiio


def read(path):
    picture = oiio.ImageBuf(str(path))
    return picture.get_pixels(oiio.FLOAT), picture.spec()


def test_a_key_shows_what_the_painter_sees(tsn, shot, tmp_path):
    file = shot()
    result = tsn("key", file, "-F", "1001-1003x2", "-o", tmp_path / "keys", "--set", "style={keys: {1001: later.png}}")
    assert result.exit_code == 0, result.output
    files = sorted((tmp_path / "keys").iterdir())
    assert result.stdout.split() == [str(path) for path in files]
    assert [path.name.rsplit(".", 2)[1:] for path in files] == [["1001", "png"], ["1003", "png"]]
    pixels, spec = read(files[0])
    assert (spec.width, spec.height, spec.format) == (40, 24, oiio.TypeDesc("uint16"))
    assert 0.2 < pixels[..., :3].mean() < 0.9

    pixels[:] = 0
    files[0].write_bytes(files[1].read_bytes())
    again = tsn("key", file, "-F", "1001", "-o", tmp_path / "keys")
    assert again.exit_code == 5 and "may be painted over" in again.stderr
    assert files[0].read_bytes() == files[1].read_bytes()
    assert tsn("key", file, "-F", "1001", "-o", tmp_path / "keys", "--force").exit_code == 0
    assert not np.array_equal(read(files[0])[0], read(files[1])[0])


def test_frames_that_the_shot_has_not(tsn, shot, tmp_path):
    result = tsn("key", shot(), "-F", "999", "-o", tmp_path / "keys")
    assert result.exit_code == 2 and "999" in result.stderr
    assert not (tmp_path / "keys").exists()
