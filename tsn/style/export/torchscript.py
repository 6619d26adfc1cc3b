"""Write a style as TorchScript, for Nuke's CatFileCreator; see `exporter.py`.

The layers are written again here, in the subset of Python and the operators of PyTorch 1.6 that Nuke reads.
"""

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
    """`layers.ConvNorm`."""

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


class _Simplify(nn.Module):
    """`kuwahara.simplify`; always in float32, since half floats cannot hold the variance of an even window."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window_sum", window_kernel())
        self.rounds: int = ROUNDS
        self.margin: int = RADIUS // ROUNDS
        self.half_weight: float = HALF_WEIGHT_DEVIATION**2
        self.texture: float = TEXTURE_AMPLITUDE

    def forward(self, x: Tensor) -> Tensor:
        plate = x.to(torch.float32)
        shapes = plate
        for _ in range(self.rounds):
            y = torch.ops.aten.replication_pad2d(shapes, [self.margin, self.margin, self.margin, self.margin])
            y = torch.cat([y, torch.sum(y * y, 1, True)], 1)
            y = torch.ops.aten.avg_pool2d(torch.ops.aten.avg_pool2d(y, [3, 3], [1, 1]), [3, 3], [1, 1])
            mean = y[:, :3]
            variance = torch.clamp(y[:, 3:] - torch.sum(mean * mean, 1, True), min=0.0) / self.half_weight
            weight = 1.0 / (1.0 + variance * variance)
            kernel, weighted = self.window_sum.to(torch.float32), torch.cat([mean * weight, weight], 1)
            total = torch.ops.aten.conv2d(weighted, kernel, None, [1, 1], [0, 0], [1, 1], 4)
            shapes = total[:, :3] / total[:, 3:]
        rest = plate - shapes
        size = torch.max(torch.abs(rest), 1, True)[0]
        kept = torch.clamp(size - self.texture, min=0.0) / torch.clamp(size, min=self.texture)
        return (shapes + rest * kept).to(x.dtype)


class _TextureGuide(nn.Module):
    """`texture_guide.texture_guide`; always in float32, since half floats round by as much as it amplifies."""

    def __init__(self) -> None:
        super().__init__()
        self.bands: list[list[int]] = [list(sides) for sides in BANDS]
        self.margin: int = MARGIN
        self.contrast_box: int = CONTRAST_BOX
        self.floor: float = HALF_CONTRAST**2

    def forward(self, x: Tensor) -> Tensor:
        luma = torch.ops.aten.avg_pool2d(torch.sum(x.to(torch.float32), 1, True) / 3.0, [2, 2], [2, 2])
        scale = torch.ops.aten.replication_pad2d(luma, [self.margin, self.margin, self.margin, self.margin])
        scale = torch.ops.aten.avg_pool2d(scale, [3, 3], [1, 1])
        bands: list[Tensor] = []
        for sides in self.bands:
            coarser = scale
            for side in sides:
                coarser = torch.ops.aten.avg_pool2d(coarser, [side, side], [1, 1])
            band = self.crop_centre(scale, coarser) - coarser
            energy = torch.ops.aten.avg_pool2d(band * band, [self.contrast_box, self.contrast_box], [1, 1])
            contrast = torch.sqrt(self.crop_centre(energy, luma) + self.floor)
            bands.append(self.crop_centre(band, luma) / contrast / 2.0)
            scale = coarser
        return torch.cat(bands, 1).to(x.dtype)

    def crop_centre(self, x: Tensor, like: Tensor) -> Tensor:
        """The centre of `x`, at the size of `like`."""
        height, width = like.size(2), like.size(3)
        top, left = (x.size(2) - height) // 2, (x.size(3) - width) // 2
        return x[:, :, top : top + height, left : left + width]


class _Branches(nn.Module):
    """`graph.Branches`."""

    def __init__(self, branches: Branches) -> None:
        super().__init__()
        self.first, self.second = _sequential(branches.first), _sequential(branches.second)
        self.add = branches.add

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.first(x), self.second(x)
        return first + second if self.add else torch.cat([first, second], dim=1)


class _ChannelSlice(nn.Module):
    """`graph.ChannelSlice`."""

    def __init__(self, channels: ChannelSlice) -> None:
        super().__init__()
        self.start, self.end = channels.start, channels.end

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.start : self.end]


class _PaletteLookup(nn.Module):
    """`palette.apply_palette`, from and to [-0.5, 0.5]; always in float32, as half floats are too coarse."""

    def __init__(self, palette: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", palette.float().view(1, 3, GRID_SIZE, GRID_SIZE, GRID_SIZE))

    def forward(self, x: Tensor) -> Tensor:
        grid = 2.0 * x.to(torch.float32).permute(0, 2, 3, 1).unsqueeze(1)
        colours = torch.ops.aten.grid_sampler_3d(self.table.to(torch.float32), grid, 0, 1, True)
        return (colours.squeeze(2) - 0.5).to(x.dtype)


class _Upsample2xSmooth(nn.Module):
    """`layers.upsample2x_smooth`."""

    def forward(self, x: Tensor) -> Tensor:
        x = torch.ops.aten.avg_pool2d(x, [2, 2], [2, 2])
        x = torch.ops.aten.upsample_nearest2d(x, [4 * x.size(2), 4 * x.size(3)])
        x = torch.ops.aten.replication_pad2d(x, [3, 3, 3, 3])
        return torch.ops.aten.avg_pool2d(torch.ops.aten.avg_pool2d(x, [4, 4], [1, 1]), [4, 4], [1, 1])


class _Logit(nn.Module):
    """The logit of a base colour in [-0.5, 0.5]."""

    def __init__(self) -> None:
        super().__init__()
        self.margin: float = BASE_COLOUR_MARGIN

    def forward(self, x: Tensor) -> Tensor:
        x = torch.clamp(x + 0.5, self.margin, 1.0 - self.margin)
        return torch.log(x / (1.0 - x))


class _Downsample2x(nn.Module):
    """A 2x2 mean."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.aten.avg_pool2d(x, [2, 2], [2, 2])


class _Upsample2x(nn.Module):
    """`layers.upsample2x`."""

    def forward(self, x: Tensor) -> Tensor:
        x = torch.ops.aten.replication_pad2d(x, [1, 1, 1, 1])
        x = torch.ops.aten.avg_pool2d(torch.ops.aten.avg_pool2d(x, [2, 2], [1, 1]), [2, 2], [1, 1])
        return torch.ops.aten.upsample_bilinear2d(x, [2 * x.size(2), 2 * x.size(3)], False)


def _sequential(steps: Sequence[Step]) -> nn.Sequential:
    """Steps in a row."""
    return nn.Sequential(*(_module(step) for step in steps))


def _module(step: Step) -> nn.Module:
    """The module of one step."""
    match step:
        case "simplify":
            return _Simplify()
        case "texture_guide":
            return _TextureGuide()
        case "downsample2x":
            return _Downsample2x()
        case "upsample2x":
            return _Upsample2x()
        case "upsample2x_smooth":
            return _Upsample2xSmooth()
        case "logit":
            return _Logit()
        case Branches():
            return _Branches(step)
        case PaletteLookup(palette):
            return _PaletteLookup(palette)
        case ChannelSlice():
            return _ChannelSlice(step)
        case _:
            return _Layer(step)


class NukeStyle(nn.Module):
    """A style as CatFileCreator expects it: one tensor (1, 3, H, W) in and out, and knobs as attributes.

    Colour is always computed in float32. The net runs in the precision of the input, since Nuke's "Optimize for Speed
    and Memory" turns both model and input into half floats.

    Args:
        net: not frozen.

    Attributes:
        strength: 0 = the input, 1 = fully painted.
    """

    def __init__(self, net: StyleNet) -> None:
        super().__init__()
        self.net = _sequential(steps_of(net))
        self.strength = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Paint a scene-linear plate (1, 3, H, W)."""
        plate = x.to(torch.float32)
        # As tsn.colour for lin_rec709 with `highlights: keep`: compress max(R, G, B) above a knee, and keep the ratio
        # and the values outside style space, to restore them in the result.
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
        """Run the net on any size: padded by reflection at the right and below, and cropped again."""
        height, width = style.size(2), style.size(3)
        padded = torch.ops.aten.reflection_pad2d(style, [0, -width % 4, 0, -height % 4])
        return torch.sigmoid(self.net(padded - 0.5))[:, :, :height, :width]

    def decode(self, style: Tensor) -> Tensor:
        """From sRGB-encoded to linear."""
        return torch.where(style <= 0.04045, style / 12.92, torch.pow((style + 0.055) / 1.055, 2.4))


def write(net: StyleNet, info: StyleInfo, path: Path) -> None:
    """Write a net as a TorchScript file; the arguments are those of `onnx_graph.write`."""
    with warnings.catch_warnings():  # torch recommends torch.export, which Nuke can't read
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(NukeStyle(net).eval().requires_grad_(False))
        # To a buffer, since an archive in a file is named after it, and this file has a temporary name.
        path.write_bytes(scripted.save_to_buffer())
