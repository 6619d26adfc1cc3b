"""The net behind `adain.py`: an encoder with three levels of features, a decoder for each, and what they fold into.

The encoder is our own and small; it speaks in the principal components of VGG's features, so that matching
statistics there is matching them in VGG, where they are textures (see training/train_adain.py).

A map of feature vectors is linear, and so is what comes before it (the last 1x1 of the encoder) and after it (the
decoder's first convolution): all three fold into one, and a `Chain` is convolutions only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from tsn.colour import LUMA
from tsn.errors import InputError
from tsn.style import weights, whitening
from tsn.style.lockable import ConvNorm, LockableNet, Stats, enlarged

TRAINED_BY = "training/train_adain.py writes such files."
BUNDLED = Path(__file__).parent / "weights/adain.safetensors"

LEVELS = 3, 2, 1
"""In the order they are painted: features at 1/4, at 1/2 and at full size."""

DETAILED, DETAIL = (3, 2), 0.5
"""At these levels a decoder loses what is fine. So much of the luma that it loses of the plate is put back before
the next level: at 0 faces and windows melt, at 1 a photo shines through the paint (looked at; 0.5 draws)."""


class _Enlarge(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return enlarged(x)


def _conv(cin: int, cout: int, *, kernel: int = 3, relu: bool = True) -> ConvNorm:
    return ConvNorm(cin, cout, kernel=kernel, norm=False, relu=relu)


class AdainNet(nn.Module):
    """An encoder with three levels of features, and a decoder for each.

    Args:
        width: channels of the features at full size; twice that at 1/2, four times at 1/4.
    """

    stride = 4
    # Level by level, down and up: two convolutions a size, 2x2 averages, and 2 px of the smaller size to enlarge.
    radius = (2 + 1 + 4 + 2 + 8 + 8 + 8 + 4 + 4 + 2) + (2 + 1 + 4 + 4 + 4 + 2) + (2 + 2)

    def __init__(self, *, width: int = 24) -> None:
        super().__init__()
        self.width = w = width
        thin = 2 * w // 3  # at full size every channel costs as much as sixteen at 1/4
        self.stages = nn.ModuleList(
            [
                nn.Sequential(_conv(3, thin), _conv(thin, w)),
                nn.Sequential(nn.AvgPool2d(2), _conv(w, 2 * w), _conv(2 * w, 2 * w)),
                nn.Sequential(nn.AvgPool2d(2), _conv(2 * w, 4 * w), _conv(4 * w, 4 * w)),
            ]
        )
        self.heads = nn.ModuleList([_conv(c, c, kernel=1, relu=False) for c in (w, 2 * w, 4 * w)])
        self.decoders = nn.ModuleList(
            [
                nn.Sequential(_conv(w, thin), _conv(thin, 3, relu=False)),
                nn.Sequential(
                    _conv(2 * w, 2 * w), _conv(2 * w, w), _Enlarge(), _conv(w, thin), _conv(thin, 3, relu=False)
                ),
                nn.Sequential(
                    *(_conv(4 * w, 4 * w), _conv(4 * w, 2 * w), _Enlarge()),
                    *(_conv(2 * w, 2 * w), _conv(2 * w, w), _Enlarge()),
                    *(_conv(w, thin), _conv(thin, 3, relu=False)),
                ),
            ]
        )

    def encode(self, x: Tensor, last: int = 3) -> dict[int, Tensor]:
        """(N, 3, H, W) in [0, 1] -> features (N, C, h, w) of each level up to `last`."""
        x, found = x - 0.5, {}
        for level in range(1, last + 1):
            x = self.stages[level - 1](x)
            found[level] = self.heads[level - 1](x)
        return found

    def decode(self, features: Tensor, level: int) -> Tensor:
        """Features of a level -> picture (N, 3, H, W), about in [0, 1]."""
        return self.decoders[level - 1](features) + 0.5

    def channels(self, level: int) -> int:
        return _convolution(self.heads[level - 1]).out_channels

    def moments(self, pictures: Tensor, level: int) -> whitening.Moments:
        """Of the features of a level, one pair for each of the pictures (N, 3, H, W)."""
        return whitening.moments(self.encode(pictures, level)[level])

    def step(self, level: int, transform: whitening.Map) -> Step:
        """One level of painting with its map of features folded in."""
        size = self.channels(level)
        same = torch.eye(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
        plain = self._folded(level, same) if level in DETAILED else None
        return Step(copy.deepcopy(self.stages[:level]), self._folded(level, transform), plain)

    @torch.no_grad()
    def _folded(self, level: int, transform: whitening.Map) -> nn.Sequential:
        """A decoder that takes what comes before the head: head and map are in its first convolution."""
        decoder = copy.deepcopy(self.decoders[level - 1])
        assert isinstance(decoder, nn.Sequential)
        head, first = _convolution(self.heads[level - 1]), _convolution(decoder[0])
        assert head.bias is not None and first.bias is not None
        kernel, bias = first.weight.double().cpu(), first.bias.double().cpu()
        matrix, offset = transform
        with whitening.one_thread():
            offset = matrix @ head.bias.double().cpu() + offset
            matrix = matrix @ head.weight[:, :, 0, 0].double().cpu()
            bias = bias + torch.einsum("ofkl,f->o", kernel, offset)
            kernel = torch.einsum("ofkl,fh->ohkl", kernel, matrix)
        first.weight = nn.Parameter(kernel.to(first.weight))
        first.bias = nn.Parameter(bias.to(first.weight))
        return decoder


def _convolution(layer: nn.Module) -> nn.Conv2d:
    assert isinstance(layer, ConvNorm)
    return layer.conv


class Step(nn.Module):
    """Encode, and decode with another texture: picture -> picture.

    Args:
        plain: the decoder without that texture, where the detail that it loses shall come back.
    """

    def __init__(self, stages: Iterable[nn.Module], decoder: nn.Module, plain: nn.Module | None) -> None:
        super().__init__()
        self.encoder, self.decoder, self.plain = nn.Sequential(*stages), decoder, plain
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        x = x - 0.5
        seen = self.encoder(x)
        painted = self.decoder(seen) + 0.5
        if self.plain is not None:
            painted += DETAIL * luma(x - self.plain(seen))
        return painted.clamp_(0, 1)


class Chain(LockableNet):
    """The locked net: steps one after the other; no norms.

    Args:
        luma: (gain, offset) for the painted luma, where the plate keeps its colours; see `AdainPainter`.
    """

    stride, radius = AdainNet.stride, AdainNet.radius

    def __init__(self, steps: Sequence[Step], luma: tuple[float, float] | None) -> None:
        super().__init__()
        self.steps, self.luma = nn.Sequential(*steps), luma

    def paint(self, x: Tensor, record: Stats | None) -> Tensor:
        painted = self.steps(x)
        if self.luma is None:
            return painted
        gain, offset = self.luma
        # Chroma is what is left of a pixel without its luma; adding the same to R, G and B leaves it.
        return (x + (gain * luma(painted) + offset - luma(x))).clamp_(0, 1)


def luma(x: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, 1, H, W), Rec.709 weights."""
    r, g, b = LUMA
    return r * x[:, :1] + g * x[:, 1:2] + b * x[:, 2:]


def net_from(path: Path = BUNDLED) -> AdainNet:
    """The net in a safetensors file that training/train_adain.py wrote, in float32, on the CPU.

    Raises:
        InputError: the file is damaged, of another net, or its tensors do not fit what it says of itself.
    """
    facts = weights.metadata(path)
    width = text if (text := facts.get("width", "")).isdecimal() else "0"
    if facts.get("family") != "adain" or not int(width):
        raise InputError(
            f"{path}: expected weights of family 'adain' and their width, found {facts.get('family')!r},"
            f" width={facts.get('width')!r}.",
            hint=TRAINED_BY,
        )
    net = AdainNet(width=int(width))
    weights.fill(net, path, said=f"width {width}", hint=TRAINED_BY)
    return net
