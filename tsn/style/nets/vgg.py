"""VGG16's feature maps: how the look of a picture, its content and its texture are measured.

Simonyan & Zisserman 2015; Gatys, Ecker, Bethge 2016 (style = statistics of features); Johnson et al. 2016 (layers).
Its pools take averages, as Gatys advises and as our first net needed: max pooling rewards a woven halftone in flat
darks. `tsn.style.perceptual` loads the weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS = ((1, 2, 64), (2, 2, 128), (3, 3, 256), (4, 3, 512), (5, 1, 512))
"""(block, convolutions that are used, channels); of block 5 only the first is."""


class VGGFeatures(nn.Module):
    """(N, 3, H, W) in [0, 1] -> {layer name: (N, C, h, w)}, after each layer's ReLU. Its weights get no gradient.

    Args:
        convs: by layer name, "1_1" to "5_1".
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
        for block, count, _ in BLOCKS:
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


def empty_convs() -> dict[str, nn.Conv2d]:
    """The convolutions by layer name, with torch's random weights."""
    convs, cin = {}, 3
    for block, count, channels in BLOCKS:
        for i in range(1, count + 1):
            convs[f"{block}_{i}"] = nn.Conv2d(cin, channels, 3, padding=1)
            cin = channels
    return convs
