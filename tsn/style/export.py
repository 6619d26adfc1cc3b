"""A feed-forward style for other programs: TorchScript for Nuke's CatFileCreator, ONNX for everything else.

Both paint one frame, normalised by itself: neither a shot's survey nor its neighbours go along, so a highlight that
enters makes the picture pump. What a shot needs to be stable is `tsn render`; these are for looking and lighting.

- TorchScript: (1, 3, H, W) scene-linear Rec.709 in and out, as Nuke's working space, highlights kept as
  `colour.highlights: keep` does. The attribute `strength` is a knob for Nuke. Only operators that PyTorch 1.6 had,
  since Nuke 13 to 15 carry 1.6 to 2.1.
- ONNX: style space in and out, [0, 1], as tsn's own `style: {model: file.onnx}` expects. Opset 17.

Height and width are free, from 8 pixels. A file is only kept once what it paints was compared with the engine.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from tsn import colour
from tsn.errors import InputError, TsnError, UsageError
from tsn.io.sequence import atomic
from tsn.style.base import Painter
from tsn.style.families import NETS
from tsn.style.lockable import EPS, ConvNorm, LockableNet
from tsn.style.locked import FeedforwardPainter
from tsn.style.weights import StyleInfo, load, resolve

TOLERANCE = 1e-3
"""Largest difference from the engine that an exported net may have: in style space, and in scene-linear below 1."""
OPSET = 17


def export(form: str, style: str, path: Path) -> float:
    """Write a style as `torchscript` or `onnx`, and return the largest difference from the engine that was found.

    Raises:
        UsageError: no such format or style, or the `onnx` package is missing.
        InputError: the style's file is missing, damaged, or no feed-forward net.
        OutputError: `path` can't be written.
    """
    info = resolve(style)
    if info.family == "onnx":
        raise InputError(f"{info.path} is an ONNX net already.", hint="Export a style of training/train_style.py.")
    if info.family not in NETS:
        raise InputError(
            f"{info.name} is of the family {info.family}, which has no net of its own to write.",
            hint=f"Only {' and '.join(NETS)} nets can be exported.",
        )
    net = load(info)
    with atomic(path) as temporary:
        WRITERS[form](net, info, temporary)
        found = CHECKS[form](temporary, FeedforwardPainter(net, name=info.name, weights=info.sha256))
        if not found < TOLERANCE:
            raise TsnError(
                f"{info.name} as {form} differs from the engine by {found:.2g}, expected less than {TOLERANCE:g}.",
                hint="Report it with the versions of torch and onnx; nothing was written.",
            )
    return found


@dataclass(frozen=True)
class _Fork:
    """What its parts make of the input, and what one layer beside them does (None: the input itself), added."""

    parts: Sequence[_Part]
    beside: ConvNorm | None


_Part: TypeAlias = Literal["halve", "enlarge"] | ConvNorm | _Fork


def _row(net: Any) -> list[_Part]:
    """A net as one row of parts, as `LockableNet.paint` runs them."""
    to_half, to_quarter = net.down
    from_quarter, from_half = net.up
    body = [_Fork(list(block.children()), None) for block in net.body]
    below = _Fork(["halve", to_quarter, *body, *net.narrow, "enlarge", from_quarter], net.across)
    return [net.enter, "halve", to_half, below, "enlarge", from_half, net.leave]


# --- TorchScript ---------------------------------------------------------------------------------------------------


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


class _Forked(nn.Module):
    def __init__(self, fork: _Fork) -> None:
        super().__init__()
        self.inner = _flat(fork.parts)
        self.beside = nn.Identity() if fork.beside is None else _Layer(fork.beside)

    def forward(self, x: Tensor) -> Tensor:
        return self.beside(x) + self.inner(x)


class _Halved(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.aten.avg_pool2d(x, [2, 2], [2, 2])


class _Enlarged(nn.Module):
    """`lockable.enlarged`."""

    def forward(self, x: Tensor) -> Tensor:
        x = torch.ops.aten.replication_pad2d(x, [1, 1, 1, 1])
        x = torch.ops.aten.avg_pool2d(torch.ops.aten.avg_pool2d(x, [2, 2], [1, 1]), [2, 2], [1, 1])
        return torch.ops.aten.upsample_bilinear2d(x, [2 * x.size(2), 2 * x.size(3)], False)


def _flat(parts: Sequence[_Part]) -> nn.Sequential:
    made: list[nn.Module] = []
    for part in parts:
        if isinstance(part, str):
            made.append(_Halved() if part == "halve" else _Enlarged())
        else:
            made.append(_Forked(part) if isinstance(part, _Fork) else _Layer(part))
    return nn.Sequential(*made)


class NukeStyle(nn.Module):
    """What CatFileCreator takes: one tensor (1, 3, H, W) in, one of the same shape out, knobs as attributes.

    Colour is worked out in float32 whatever the input is; only the net runs in the input's own precision, since
    Nuke's "Optimize for Speed and Memory" turns both the model and its input into half floats.

    Attributes:
        strength: 0 = the input, 1 = fully painted.
    """

    def __init__(self, net: LockableNet) -> None:
        super().__init__()
        self.net = _flat(_row(net))
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


def _write_torchscript(net: LockableNet, info: StyleInfo, path: Path) -> None:
    with warnings.catch_warnings():  # torch would rather see torch.export, which Nuke doesn't read
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(NukeStyle(net).eval().requires_grad_(False))
        # Through memory, since the archive inside is named after the file, and this one has a temporary name.
        path.write_bytes(scripted.save_to_buffer())


def _check_torchscript(path: Path, painter: Painter) -> float:
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        module = torch.jit.load(str(path))
        plate = _sample() * 1.2 - 0.1
        found = module(plate[None])[0]
    codec = colour.codec("lin_rec709")
    style, residue = codec.to_style(plate)
    return float((found - codec.from_style(painter.paint(style, 0), residue)).abs().max())


# --- ONNX ----------------------------------------------------------------------------------------------------------


class _Graph:
    """Nodes and constants of an ONNX graph; every method adds one and returns the name of its output."""

    def __init__(self, helper: Any, numpy_helper: Any) -> None:
        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: np.ndarray | list[int]) -> str:
        name = f"c{len(self.constants)}"
        array = np.asarray(value, dtype=np.int64) if isinstance(value, list) else value
        self.constants.append(self.numpy_helper.from_array(array, name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def layer(self, x: str, layer: Any) -> str:
        half = layer.conv.kernel_size[0] // 2
        x = self.add("Pad", x, self.constant([0, 0, half, half] * 2), mode="reflect")
        given = [layer.conv.weight, *([] if layer.conv.bias is None else [layer.conv.bias])]
        x = self.add("Conv", x, *(self.constant(tensor.detach().numpy()) for tensor in given), group=layer.conv.groups)
        if layer.scale is not None:
            affine = (self.constant(tensor.detach().numpy()) for tensor in (layer.scale, layer.shift))
            x = self.add("InstanceNormalization", x, *affine, epsilon=EPS)
        return self.add("Relu", x) if layer.relu else x

    def row(self, x: str, parts: Sequence[_Part]) -> str:
        for part in parts:
            if isinstance(part, _Fork):
                beside = x if part.beside is None else self.layer(x, part.beside)
                x = self.add("Add", beside, self.row(x, part.parts))
            elif part == "halve":
                x = self.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
            else:
                x = self.enlarged(x) if part == "enlarge" else self.layer(x, part)
        return x

    def enlarged(self, x: str) -> str:
        x = self.add("Pad", x, self.constant([0, 0, 1, 1] * 2), mode="edge")
        for _ in range(2):
            x = self.add("AveragePool", x, kernel_shape=[2, 2])
        twice = self.constant(np.array([1, 1, 2, 2], dtype=np.float32))
        return self.add("Resize", x, "", twice, mode="linear", coordinate_transformation_mode="half_pixel")


def _write_onnx(net: LockableNet, info: StyleInfo, path: Path) -> None:
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise UsageError(
            "Writing ONNX needs the package onnx, which is not installed.", hint="pip install 'temporalstylenet[onnx]'"
        ) from error
    graph = _Graph(helper, numpy_helper)
    size = graph.add("Slice", graph.add("Shape", "picture"), graph.constant([2]), graph.constant([4]))
    missing = graph.add("Mod", graph.add("Neg", size), graph.constant([net.stride]))
    x = graph.add("Pad", "picture", graph.add("Concat", graph.constant([0] * 6), missing, axis=0), mode="reflect")
    x = graph.add("Sub", x, graph.constant(np.array(0.5, dtype=np.float32)))
    x = graph.add("Sigmoid", graph.row(x, _row(net)))
    x = graph.add("Slice", x, graph.constant([0, 0]), size, graph.constant([2, 3]))
    graph.nodes[-1].output[0] = "painted"

    shape = (1, 3, "height", "width")
    picture, painted = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("picture", "painted"))
    made = helper.make_graph(graph.nodes, info.name, [picture], [painted], graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="tsn")
    facts = {"range": "0-1", "name": info.name, "title": info.title, "licence": info.licence, "sha256": info.sha256}
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _check_onnx(path: Path, painter: Painter) -> float:
    from tsn.style.onnx import OnnxPainter

    picture = _sample()
    return float((OnnxPainter(path, sha256="").paint(picture, 0) - painter.paint(picture, 0)).abs().max())


def _sample() -> Tensor:
    """A picture (3, 72, 104) in [0, 1]: soft blobs under noise."""
    random = torch.Generator().manual_seed(0)
    blobs = torch.rand(1, 3, 9, 13, generator=random)
    blobs = nn.functional.interpolate(blobs, scale_factor=8, mode="bilinear", align_corners=False)[0]
    return 0.8 * blobs + 0.2 * torch.rand(3, 72, 104, generator=random)


WRITERS: Mapping[str, Callable[[LockableNet, StyleInfo, Path], None]] = {
    "torchscript": _write_torchscript,
    "onnx": _write_onnx,
}
CHECKS: Mapping[str, Callable[[Path, Painter], float]] = {"torchscript": _check_torchscript, "onnx": _check_onnx}
