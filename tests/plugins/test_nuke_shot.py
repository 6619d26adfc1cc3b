"""What is chosen on a Nuke node is written into its shot file."""

from __future__ import annotations

import shutil

import pytest
import yaml
from nuke_node import refused, status, write_frame


@pytest.mark.parametrize(
    ("channels", "has_vectors"),
    [(("backward.u", "backward.v"), True), (("forward.u", "forward.v"), True), (("forward.u",), False)],
)
def test_one_direction_of_motion_is_enough(nuke, node, tmp_path, channels, has_vectors):
    nuke.selected.extra_channels = channels
    node["tsn_shot_file"].execute()
    shot = yaml.safe_load((tmp_path / "tsn/stylize/stylize.yaml").read_text())
    assert (shot["flow"]["vectors"] is not None) == has_vectors


def test_a_style_of_an_onnx_net_with_several(nuke, node, tmp_path):
    (tmp_path / "net.onnx").touch()
    node["tsn_source"].setValue("File")
    node["tsn_file"].setValue(f"{tmp_path}/net.onnx:19")
    node["tsn_shot_file"].execute()
    shot = yaml.safe_load((tmp_path / "tsn/stylize/stylize.yaml").read_text())
    assert shot["style"]["model"].endswith("net.onnx:19")


def test_vectors_and_cryptomatte_go_into_the_shot(nuke, node, tmp_path, monkeypatch):
    nuke.selected.extra_channels = ("forward.u", "forward.v", "backward.u", "backward.v")
    node["tsn_matte_layer"].setValue("crypto_object")
    node["tsn_matte_names"].setValue("boat, monkey")
    node["tsn_matte_invert"].setValue(True)
    node["tsn_shot_file"].execute()
    shot = yaml.safe_load((tmp_path / "tsn/stylize/stylize.yaml").read_text())
    assert shot["flow"]["vectors"] == {"layer": "motion", "convention": "nuke"}
    assert shot["matte"] == {"cryptomatte": "crypto_object", "names": ["boat", "monkey"], "invert": True}
    kinds = []
    nuke.writer = lambda path, number, write: (
        kinds.append(write["datatype"].value()),
        write_frame(path, number, write),
    )
    monkeypatch.setenv("TSN_COMMAND", shutil.which("false"))
    assert refused(node["tsn_render"].execute) == "tsn ended with code 1: it printed no message"
    assert kinds == ["32 bit float"] * 3


def test_a_painting_and_whose_colours(node, tmp_path):
    painting = tmp_path / "painting.png"
    painting.touch()
    node["tsn_source"].setValue("Painting")
    node["tsn_file"].setValue(str(painting))
    node["tsn_colours"].setValue("plate")
    node["tsn_shot_file"].execute()
    shot = yaml.safe_load((tmp_path / "tsn/stylize/stylize.yaml").read_text())
    assert shot["style"] == {"adain": str(painting), "colours": "plate", "strength": 1}


def test_missing_frames_of_the_plate_are_reported(nuke, node, tmp_path):
    node["tsn_shot_file"].execute()
    written = f"Wrote {tmp_path}/tsn/stylize/stylize.yaml"
    assert status(node) == f"{written}, whose plate lacks 1001-1003: press Render range"
    node["tsn_render"].execute()
    node["tsn_shot_file"].execute()
    assert status(node) == written
