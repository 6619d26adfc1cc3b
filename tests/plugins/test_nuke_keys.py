"""Key frames on a Nuke node: exported, shown on the timeline, painted, learnt; the real `tsn` behind it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import OpenImageIO as oiio
import pytest
import yaml
from nuke_node import refused, status


@pytest.fixture
def keys(node, tmp_path):
    """A node whose style is key frames, with a motion of its own frames 1001 to 1003; the current one is 1002."""
    node["tsn_source"].setValue("Key frames")
    node["tsn_basename"].setValue("stylize")
    return node


def marks(node):
    curve = node["tsn_keys_marks"].animation(0)
    return [] if curve is None else [key.x for key in curve.keys()]  # noqa: SIM118


def written(node, tmp_path):
    node["tsn_shot_file"].execute()
    return yaml.safe_load((tmp_path / "tsn/stylize/stylize.yaml").read_text())["style"]


def test_a_frame_is_exported_once_and_becomes_a_key(keys, tmp_path):
    file = tmp_path / "tsn/stylize/keys/stylize.1002.png"
    keys["tsn_key_export"].execute()
    assert status(keys) == f"Paint over {file}" and marks(keys) == [1002]
    picture = oiio.ImageBuf(str(file))
    assert picture.spec().format == oiio.TypeDesc("uint16") and 0.2 < np.mean(picture.get_pixels(oiio.FLOAT)) < 1
    file.write_bytes(b"painted over")
    keys["tsn_key_export"].execute()
    assert file.read_bytes() == b"painted over" and marks(keys) == [1002]
    assert written(keys, tmp_path) == {"keys": {1002: str(file)}, "strength": 1}


def test_in_a_window_it_is_opened(nuke, keys, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setitem(sys.modules, "nukescripts", SimpleNamespace(start=opened.append))
    nuke.GUI = True
    keys["tsn_key_export"].execute()
    assert opened == [str(tmp_path / "tsn/stylize/keys/stylize.1002.png")] and not nuke.messages


def test_files_of_ones_own(nuke, keys, tmp_path):
    keys["tsn_keys_file"].setValue(str(tmp_path / "art/k_%05d.tif"))
    keys["tsn_keys_minutes"].setValue(3)
    nuke.selected.extra_channels = ("CryptoObject00.red",)
    (tmp_path / "art").mkdir()
    keys["tsn_keys_marks"].setAnimated()
    for frame in (1003, 1001):
        keys["tsn_keys_marks"].setValueAt(1, frame)
        (tmp_path / f"art/k_{frame:05d}.tif").touch()
    files = {frame: str(tmp_path / f"art/k_{frame:05d}.tif") for frame in (1001, 1003)}
    assert written(keys, tmp_path) == {"keys": files, "learn": "3m", "ids": "CryptoObject", "strength": 1}
    keys["tsn_keys_file"].setValue(str(tmp_path / "art/####.png"))
    assert refused(keys["tsn_shot_file"].execute) == f"There is no key at {tmp_path}/art/1001.png, for frame 1001."
    keys["tsn_key_export"].execute()
    assert (tmp_path / "art/1002.png").is_file() and marks(keys) == [1001, 1002, 1003]


def test_what_is_missing_is_said_in_one_sentence(keys, tmp_path):
    assert refused(keys["tsn_learn"].execute).startswith("The node has no key: ")
    assert refused(keys["tsn_key_paint"].execute) == "There is no painting at an empty path."
    keys["tsn_key_export"].execute()
    assert refused(keys["tsn_preview"].execute) == "The plate lacks 1001-1003. Press Learn first."
    assert refused(keys["tsn_key_paint"].execute).endswith("Move it away to have another.")
    keys["tsn_last"].setValue(1001)
    assert refused(keys["tsn_render"].execute) == "The key at 1002 is outside of the frames 1001 to 1001."


def test_learning_runs_tsn_learn(keys, monkeypatch, tmp_path):
    """It is refused by name where the perceptual net is not here; what it learns is tsn's own tests' to see."""
    monkeypatch.setenv("TSN_WEIGHTS", str(tmp_path))
    keys["tsn_key_export"].execute()
    assert "tsn fetch vgg16" in refused(keys["tsn_learn"].execute)
