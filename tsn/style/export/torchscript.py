"""A style as TorchScript, for Nuke's CatFileCreator; see `export.py`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tsn.style.catalogue import StyleInfo
from tsn.style.export.graph import Branches, ChannelSlice, PaletteLookup, Step, steps_of, window_kernel
from tsn.style.nets.kuwahara import HALF_WEIGHT_DEVIATION, RADIUS, ROUNDS, TEXTURE_AMPLITUDE
from tsn.style.nets.layers import BASE_COLOUR_MARGIN, StyleNet
from tsn.style.nets.palette import GRID_SIZE
from tsn.style.nets.texture_guide import BANDS, CONTRAST_BOX, HALF_CONTRAST, MARGIN


class _Layer(nn.Module):
    """`lockable.ConvNorm`, written for the TorchScript compiler."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.weight, self.bias = layer.conv.weight, layer.conv.bias
        self.scale, self.shift = layer.scale, layer.shift
        self.pad: int = layer.conv.kernel_size[0] // 2
        self.groups: int = layer.conv.groups
        self.relu: bool = layer.relu

    def forward(self, x: Tensor) -> Tensor:
        x = torch.ops.aten.reflection_pad2d(x, [self.pad, self.pad, self.pad, self.pad])
        x = torch.conv2d(x, self.weight, self.bias, groups=self.groups)
        if self.scale is not None:
            x = torch.instance_norm(x, self.scale, self.shift, None, None, True, 0.1, 1e-5, False)
        return torch.relu(x) if self.relu else x


class _Simplified(nn.Module):
    """`simplify.simplified`, in float32 always: a half float has no digits for the spread of an even window."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("places", window_kernel())
        self.rounds: int = ROUNDS
        self.margin: int = RADIUS // ROUNDS
        self.even: float = HALF_WEIGHT_DEVIATION**2
        self.texture: float = TEXTURE_AMPLITUDE

    def forward(self, x: Tensor) -> Tensor:
        plate = x.to(torch.float32)
        shapes = plate
        for _ in range(self.rounds):
            y = torch.ops.aten.replication_pad2d(shapes, [self.margin, self.margin, self.margin, self.margin])
            y = torch.cat([y, torch.sum(y * y, 1, True)], 1)
            y = torch.ops.aten.avg_pool2d(torch.ops.aten.avg_pool2d(y, [3, 3], [1, 1]), [3, 3], [1, 1])
            mean = y[:, :3]
            spread = torch.clamp(y[:, 3:] - torch.sum(mean * mean, 1, True), min=0.0) / self.even
            weight = 1.0 / (1.0 + spread * spread)
            kernel, weighed = self.places.to(torch.float32), torch.cat([mean * weight, weight], 1)
            total = torch.ops.aten.conv2d(weighed, kernel, None, [1, 1], [0, 0], [1, 1], 4)
            shapes = total[:, :3] / total[:, 3:]
        rest = plate - shapes
        size = torch.max(torch.abs(rest), 1, True)[0]
        kept = torch.clamp(size - self.texture, min=0.0) / torch.clamp(size, min=self.texture)
        return (shapes + rest * kept).to(x.dtype)


class _Seeds(nn.Module):
    """`seeds.seeds`, in float32 always: a half float rounds as much as there is to see."""

    def __init__(self) -> None:
        super().__init__()
        self.bands: list[list[int]] = [list(sides) for sides in BANDS]
        self.margin: int = MARGIN
        self.around: int = CONTRAST_BOX
        self.floor: float = HALF_CONTRAST**2

    def forward(self, x: Tensor) -> Tensor:
        luma = torch.ops.aten.avg_pool2d(torch.sum(x.to(torch.float32), 1, True) / 3.0, [2, 2], [2, 2])
        scale = torch.ops.aten.replication_pad2d(luma, [self.margin, self.margin, self.margin, self.margin])
        scale = torch.ops.aten.avg_pool2d(scale, [3, 3], [1, 1])
        found: list[Tensor] = []
        for sides in self.bands:
            coarser = scale
            for side in sides:
                coarser = torch.ops.aten.avg_pool2d(coarser, [side, side], [1, 1])
            band = self.middle(scale, coarser) - coarser
            around = torch.ops.aten.avg_pool2d(band * band, [self.around, self.around], [1, 1])
            contrast = torch.sqrt(self.middle(around, luma) + self.floor)
            found.append(self.middle(band, luma) / contrast / 2.0)
            scale = coarser
        return torch.cat(found, 1).to(x.dtype)

    def middle(self, x: Tensor, like: Tensor) -> Tensor:
        height, width = like.size(2), like.size(3)
        top, left = (x.size(2) - height) // 2, (x.size(3) - width) // 2
        return x[:, :, top : top + height, left : left + width]


class _Forked(nn.Module):
    def __init__(self, fork: Branches) -> None:
        super().__init__()
        self.one, self.other = _flat(fork.one), _flat(fork.other)
        self.added = fork.added

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.one(x), self.other(x)
        return one + other if self.added else torch.cat([one, other], dim=1)


class _Chosen(nn.Module):
    def __init__(self, channels: ChannelSlice) -> None:
        super().__init__()
        self.first, self.end = channels.first, channels.end

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.first : self.end]


class _Recoloured(nn.Module):
    """`palette.recoloured`, in float32 always: a half float is too coarse to look a colour up by."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table.float().view(1, 3, GRID_SIZE, GRID_SIZE, GRID_SIZE))

    def forward(self, x: Tensor) -> Tensor:
        grid = 2.0 * x.to(torch.float32).permute(0, 2, 3, 1).unsqueeze(1)
        found = torch.ops.aten.grid_sampler_3d(self.table.to(torch.float32), grid, 0, 1, True)
        return (found.squeeze(2) - 0.5).to(x.dtype)


class _Blurred(nn.Module):
    """`lockable.out_of_focus`."""

    def forward(self, x: Tensor) -> Tensor:
        x = torch.ops.aten.avg_pool2d(x, [2, 2], [2, 2])
        x = torch.ops.aten.upsample_nearest2d(x, [4 * x.size(2), 4 * x.size(3)])
        x = torch.ops.aten.replication_pad2d(x, [3, 3, 3, 3])
        return torch.ops.aten.avg_pool2d(torch.ops.aten.avg_pool2d(x, [4, 4], [1, 1]), [4, 4], [1, 1])


class _Logit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.least: float = BASE_COLOUR_MARGIN

    def forward(self, x: Tensor) -> Tensor:
        x = torch.clamp(x + 0.5, self.least, 1.0 - self.least)
        return torch.log(x / (1.0 - x))


class _Halved(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.aten.avg_pool2d(x, [2, 2], [2, 2])


class _Enlarged(nn.Module):
    """`lockable.enlarged`."""

    def forward(self, x: Tensor) -> Tensor:
        x = torch.ops.aten.replication_pad2d(x, [1, 1, 1, 1])
        x = torch.ops.aten.avg_pool2d(torch.ops.aten.avg_pool2d(x, [2, 2], [1, 1]), [2, 2], [1, 1])
        return torch.ops.aten.upsample_bilinear2d(x, [2 * x.size(2), 2 * x.size(3)], False)


def _flat(parts: Sequence[Step]) -> nn.Sequential:
    return nn.Sequential(*(_module(part) for part in parts))


def _module(part: Step) -> nn.Module:
    match part:
        case "simplify":
            return _Simplified()
        case "seeds":
            return _Seeds()
        case "halve":
            return _Halved()
        case "enlarge":
            return _Enlarged()
        case "blur":
            return _Blurred()
        case "logit":
            return _Logit()
        case Branches():
            return _Forked(part)
        case PaletteLookup(table):
            return _Recoloured(table)
        case ChannelSlice():
            return _Chosen(part)
        case _:
            return _Layer(part)


class NukeStyle(nn.Module):
    """What CatFileCreator takes: one tensor (1, 3, H, W) in, one of the same shape out, knobs as attributes.

    Colour is worked out in float32 whatever the input is; only the net runs in the input's own precision, since
    Nuke's "Optimize for Speed and Memory" turns both the model and its input into half floats.

    Attributes:
        strength: 0 = the input, 1 = fully painted.
    """

    def __init__(self, net: StyleNet) -> None:
        super().__init__()
        self.net = _flat(steps_of(net))
        self.strength = 1.0

    def forward(self, x: Tensor) -> Tensor:
        plate = x.to(torch.float32)
        # tsn.colour, for lin_rec709 and `keep`: a max-RGB ratio with a knee, and what it can't hold left beside it.
        brightest = torch.max(plate, 1, True)[0]
        squeezed = 1.0 - 0.4 / (1.0 + (brightest - 0.6) / 0.4)
        gain = torch.where(brightest > 0.6, brightest / torch.clamp(squeezed, min=0.6), torch.ones_like(brightest))
        linear = torch.clamp(plate / gain, 0.0, 1.0)
        curve = 1.055 * torch.pow(torch.clamp(linear, min=0.0031308), 1.0 / 2.4) - 0.055
        style = torch.clamp(torch.where(linear <= 0.0031308, linear * 12.92, curve), 0.0, 1.0)
        unpainted = self.decode(style) * gain

        painted = self.decode(torch.clamp(self.paint(style.to(x.dtype)).to(torch.float32), 0.0, 1.0)) * gain
        before, after = torch.max(unpainted, 1, True)[0], torch.max(painted, 1, True)[0]
        darker = torch.where(after < before, after / torch.clamp(before, min=1e-30), torch.ones_like(after))
        result = plate + (painted - unpainted) + (plate - unpainted) * (darker - 1.0)
        return torch.lerp(plate, result, self.strength).to(x.dtype)

    def paint(self, style: Tensor) -> Tensor:
        """The net on any size: padded to the right and below by reflection, and cropped again."""
        height, width = style.size(2), style.size(3)
        padded = torch.ops.aten.reflection_pad2d(style, [0, -width % 4, 0, -height % 4])
        return torch.sigmoid(self.net(padded - 0.5))[:, :, :height, :width]

    def decode(self, style: Tensor) -> Tensor:
        """The sRGB curve's inverse."""
        return torch.where(style <= 0.04045, style / 12.92, torch.pow((style + 0.055) / 1.055, 2.4))


def write(net: StyleNet, info: StyleInfo, path: Path) -> None:
    with warnings.catch_warnings():  # torch would rather see torch.export, which Nuke doesn't read
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(NukeStyle(net).eval().requires_grad_(False))
        # Through memory, since the archive inside is named after the file, and this one has a temporary name.
        path.write_bytes(scripted.save_to_buffer())
