from __future__ import annotations

import hashlib
import json

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from tsn.errors import InputError, UsageError
from tsn.style import catalogue, loading
from tsn.style.calibration import natural_noise
from tsn.style.feedforward import FeedforwardPainter
from tsn.style.loading import load_style_prediction_net
from tsn.style.nets.johnson import JohnsonNet
from tsn.style.nets.palette import apply_palette

BUNDLED = [info.name for info in catalogue.bundled_styles() if info.family != "adain"]


@pytest.fixture
def shelf(tmp_path, monkeypatch, weights_file):
    """Two bundled styles."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setattr(catalogue, "BUNDLED_DIR", folder)
    return [weights_file(name, folder=folder) for name in ("great-wave", "auvers")]


def test_bundled_styles_tell_who_they_are(shelf):
    auvers, wave = catalogue.bundled_styles()
    assert (auvers.name, wave.name) == ("auvers", "great-wave")
    assert (wave.family, wave.title, wave.licence) == ("feedforward", "The great-wave", "CC0-1.0")
    assert wave.sha256 == hashlib.sha256(shelf[0].read_bytes()).hexdigest()
    assert wave.size == shelf[0].stat().st_size
    assert json.loads(json.dumps(wave.to_dict()))["path"] == str(shelf[0])


@pytest.mark.parametrize("name", BUNDLED)
def test_what_is_darker_than_all_of_the_calibration_keeps_its_colours(name):
    """A fade to black must not turn red, though no frame of the calibration is as dark."""
    net = loading.load_style_net(catalogue.resolve_style(name))
    painter = FeedforwardPainter(net, name=name, weights="x")
    bright = 0.3 + 0.7 * natural_noise()
    frozen = painter.frozen(painter.calibrate([bright]))
    for light in (0, 0.05, 0.15, 0.3, 0.5):
        plate = light * bright
        wanted = apply_palette(F.avg_pool2d(plate[None], 2), net.palette)
        apart = F.avg_pool2d(frozen.paint(plate, 1)[None], 16) - F.avg_pool2d(wanted, 8)
        assert apart.abs().max() < 0.15, light


def test_what_is_shipped_loads():

    for info in catalogue.bundled_styles():
        net = load_style_prediction_net(info.path).canvas if info.family == "adain" else loading.load_style_net(info)
        card = info.path.with_suffix(".md").read_text()
        (family,) = (line for line in card.splitlines() if line.startswith("| family"))
        assert (net.palette is not None) == ("recolours" in family), info.name
        assert net.simplifies == ("simplifies" in family), info.name
        assert net.seeded == ("seeded" in family), info.name
        assert net.radius > 0
        assert info.licence != "unknown"
        assert info.name == info.path.stem, "a shot file is checked by the names of files"


def test_a_name_finds_the_bundled_style(shelf):
    assert catalogue.resolve_style("great-wave").path == shelf[0]


def test_a_mistyped_name_is_a_usage_error_with_the_near_one(shelf):
    with pytest.raises(UsageError, match="No style is called 'great-wav'; bundled are: auvers, great-wave") as caught:
        catalogue.resolve_style("great-wav")
    assert caught.value.hint == "Perhaps you meant 'great-wave'?"


def test_a_path_is_relative_to_the_base(tmp_path, weights_file):
    path = weights_file("mine")
    assert catalogue.resolve_style("mine.safetensors", base=tmp_path).name == "mine"
    assert catalogue.resolve_style(str(path)).path == path


def test_a_missing_file_is_an_input_error_with_the_near_one(tmp_path, weights_file):
    weights_file("mine")
    with pytest.raises(InputError, match="does not exist") as caught:
        catalogue.resolve_style("mina.safetensors", base=tmp_path)
    assert caught.value.exit_code == 3
    assert caught.value.hint == "Perhaps you meant 'mine.safetensors'?"
    with pytest.raises(InputError, match=r"does not exist: .*~nobody9/mine"):
        catalogue.resolve_style("~nobody9/mine.safetensors", base=tmp_path)


@pytest.mark.parametrize("name", ["mosaic.pth", "models/mosaic.PT", "mosaic.ckpt"])
def test_pickles_are_refused_whether_they_exist_or_not(tmp_path, name):
    with pytest.raises(InputError, match=r"must be a \.safetensors or \.onnx file") as caught:
        catalogue.resolve_style(name, base=tmp_path)
    assert "pickle" in caught.value.hint


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"found \.png"):
        catalogue.resolve_style("./painting.png", base=tmp_path)


def test_the_loaded_net_is_the_saved_one_in_float32(weights_file):
    path = weights_file(seed=3)
    net = loading.load_style_net(catalogue.describe_weights(path))
    saved = load_file(path)
    assert all(value.dtype == torch.float32 for value in net.state_dict().values())
    assert all(torch.equal(value, saved[name].float()) for name, value in net.state_dict().items())
    assert not net.training


def test_what_a_net_is_shown_is_part_of_its_file(weights_file):
    shown = {
        key: loading.load_style_net(
            catalogue.describe_weights(weights_file(str(place), **({key: "yes"} if key else {})))
        )
        for place, key in enumerate(("", "recolours", "simplifies", "seeded"))
    }
    assert [net.simplifies for net in shown.values()] == [False, False, True, False]
    assert [net.palette is not None for net in shown.values()] == [False, True, False, False]
    assert [net.seeded for net in shown.values()] == [False, False, False, True]


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_a_truncated_file_is_an_input_error(weights_file, keep):
    path = weights_file()
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="is damaged, or no safetensors file"):
        catalogue.resolve_style(str(path))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"width": "8"}, r"do not fit width 8, blocks 1: .* expected \(.*\), found \(.*\)"),
        ({"blocks": "2"}, r"body\.1\..* expected \(.*\), found nothing"),
        ({"blocks": "0"}, "whole numbers"),
        ({"width": "wide"}, "must give the net's width and blocks as whole numbers, found width='wide'"),
        ({"width": "0"}, "whole numbers"),
        ({"width": "20000"}, "the tensors do not fit width 20000: there are 26 of them, with [0-9,]+ numbers"),
        ({"blocks": "100000"}, "the tensors do not fit blocks 100000: there are 26 of them"),
        ({"width": "9" * 17}, "the tensors do not fit width 9+:"),
        ({"width": "9" * 5000}, "whole numbers, found width='9{40}'"),
        ({"width": "-4"}, "whole numbers"),
        ({"width": "4.0"}, "whole numbers"),
        ({"width": "\u0664"}, "whole numbers"),  # a four in Arabic
        ({"simplifies": "true"}, "must give simplifies as yes or no, found 'true'"),
        ({"seeded": "Yes"}, "must give seeded as yes or no, found 'Yes'"),
        ({"family": "adain"}, "expected weights of family 'feedforward' or 'mobile', found 'adain'"),
    ],
)
def test_metadata_that_does_not_fit_the_tensors_is_an_input_error(weights_file, metadata, message):
    path = weights_file(**metadata)
    with pytest.raises(InputError, match=message) as caught:
        loading.load_style_net(catalogue.describe_weights(path))
    assert str(path) in str(caught.value)


def test_tensors_without_metadata_are_an_input_error(tmp_path):
    path = tmp_path / "bare.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="found 'none'"):
        loading.load_style_net(catalogue.describe_weights(path))


def test_diverged_weights_are_an_input_error(weights_file):
    path = weights_file()
    tensors = load_file(path)
    tensors["leave.conv.bias"][0] = float("nan")
    save_file(tensors, path, metadata={"family": "feedforward", "width": "4", "blocks": "1"})
    with pytest.raises(InputError, match=r"leave\.conv\.bias holds values that are no numbers"):
        loading.load_style_net(catalogue.describe_weights(path))


def test_nothing_is_built_of_what_is_only_claimed(weights_file, monkeypatch):
    """Claims that are in proportion to the file may still ask for a thousand times its memory."""
    from tsn.style.nets.families import NETS

    path = weights_file(width="80", blocks="4")
    devices = []

    def record_device(**sizes):
        devices.append(torch.empty(0).device.type)
        return JohnsonNet(**sizes)

    monkeypatch.setitem(NETS, "feedforward", record_device)
    with pytest.raises(InputError, match="do not fit width 80, blocks 4"):
        loading.load_style_net(catalogue.describe_weights(path))
    assert devices == ["meta"]


def test_weights_that_make_no_picture_are_refused_when_the_shot_is_calibrated(weights_file, picture):
    path = weights_file()
    tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    tensors["enter.conv.weight"] *= 1e30
    save_file(tensors, path, metadata={"family": "feedforward", "width": "4", "blocks": "1"})
    painter = FeedforwardPainter(loading.load_style_net(catalogue.describe_weights(path)), name="loud", weights="x")
    with pytest.raises(InputError, match=r"The calibration holds values in .* that are no statistics of pictures"):
        painter.frozen(painter.calibrate([picture(32, 32)]))
