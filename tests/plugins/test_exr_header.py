"""What the Blender add-on reads of an EXR itself: its channels, and whether two hold the same pixels."""

from __future__ import annotations

import numpy as np
import OpenEXR
import pytest
from plain_modules import exr_header


def write(path, value=1.0, *, parts=False, compression=OpenEXR.ZIP_COMPRESSION, **header):
    """Write an EXR whose channels have one value, and return its path."""
    names = [f"Composite.Combined.{end}" for end in "RGBA"] + ["ViewLayer.Vector.X"]
    channels = {name: np.full((40, 8), value, np.float16) for name in names}
    header = {"compression": compression, "type": OpenEXR.scanlineimage} | header
    if parts:
        made = {"Composite.Combined": {"R": channels[names[0]]}, "other": {"V.X": channels[names[4]]}}
        OpenEXR.File([OpenEXR.Part(dict(header), held, name) for name, held in made.items()]).write(str(path))
    else:
        OpenEXR.File(header, channels).write(str(path))
    return path


def test_channels_of_one_and_of_several_parts(tmp_path):
    assert exr_header.channel_names(write(tmp_path / "a.exr"))[:2] == ["Composite.Combined.A", "Composite.Combined.B"]
    assert exr_header.channel_names(write(tmp_path / "b.exr", parts=True)) == ["Composite.Combined.R", "V.X"]
    (tmp_path / "c.exr").write_bytes(b"no EXR at all")
    with pytest.raises(ValueError, match="no EXR"):
        exr_header.channel_names(tmp_path / "c.exr")


def test_a_header_may_be_long(tmp_path):
    """A Cryptomatte manifest names every object of the scene; some scenes have a hundred thousand."""
    long = write(tmp_path / "a.exr", **{"cryptomatte/1234567/manifest": "a long manifest" * 100_000})
    assert exr_header.channel_names(long) == exr_header.channel_names(write(tmp_path / "b.exr"))


def test_same_pixels_whatever_the_header_says(tmp_path):
    first = write(tmp_path / "a.exr", RenderTime="00:00.12")
    assert exr_header.same_pixels(first, write(tmp_path / "b.exr", RenderTime="00:11:00.12 and more"))
    assert not exr_header.same_pixels(first, write(tmp_path / "c.exr", 1.001))
    assert not exr_header.same_pixels(first, tmp_path / "none.exr")
    assert not exr_header.same_pixels(first, write(tmp_path / "d.exr", parts=True))
    piz = [write(tmp_path / name, compression=OpenEXR.PIZ_COMPRESSION) for name in ("e.exr", "f.exr")]
    assert not exr_header.same_pixels(*piz)
