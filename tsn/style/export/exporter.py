"""Export a style for other programs: TorchScript for Nuke's CatFileCreator, ONNX for everything else.

An exported net paints single frames, each normalised by itself, without calibration or temporal window, so a highlight
that enters makes the picture pump. It is for lookdev; `tsn render` makes a shot stable.

- TorchScript: input and output are (1, 3, H, W) scene-linear Rec.709, as Nuke's working space; highlights are kept, as
  by `colour.highlights: keep`. The attribute `strength` becomes a knob in Nuke. It uses only operators of PyTorch 1.6,
  since Nuke 13 to 15 contain PyTorch 1.6 to 2.1.
- ONNX: input and output are style space in [0, 1], as `style: {model: file.onnx}` expects. Opset 20 for nets that
  recolour (older opsets have no lookup in three dimensions), else 17.

Height and width are free, from 8 pixels on. A file is kept only if its result agrees with the engine's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from tsn import colour
from tsn.errors import InputError, TsnError
from tsn.io.atomic import atomic_write
from tsn.style.catalogue import StyleInfo, resolve_style
from tsn.style.export import onnx_graph, torchscript
from tsn.style.feedforward import FeedforwardPainter
from tsn.style.loading import load_style_net
from tsn.style.nets.families import NETS
from tsn.style.nets.layers import StyleNet
from tsn.style.painter import Painter

TOLERANCE = 1e-3
"""Largest difference from the engine that an exported net may have: in style space, and in scene-linear below 1."""


def export_style(form: str, style: str, path: Path) -> float:
    """Write a style, and compare the result with the engine's on one picture.

    Args:
        form: `torchscript` or `onnx`.
        style: a bundled name, or a .safetensors file.
        path: to write; it is replaced.

    Returns:
        The largest difference from the engine.

    Raises:
        UsageError: there is no such style, or the `onnx` package is missing.
        InputError: the style's file is missing or damaged, or no feed-forward net.
        OutputError: `path` can't be written.
        TsnError: the result differs by `TOLERANCE` or more.
    """
    info = resolve_style(style)
    if info.family == "onnx":
        raise InputError(f"{info.path} is an ONNX net already.", hint="Export a style of training/train_style.py.")
    if info.family not in NETS:
        raise InputError(
            f"{info.name} is of the family {info.family}, which has no net to write without a painting.",
            hint=f"Only {' and '.join(NETS)} nets can be exported.",
        )
    net = load_style_net(info)
    with atomic_write(path, "-o") as temporary:
        WRITERS[form](net, info, temporary)
        difference = CHECKS[form](temporary, FeedforwardPainter(net, name=info.name, weights=info.sha256))
        if not difference < TOLERANCE:
            raise TsnError(
                f"{info.name} as {form} differs from the engine by {difference:.2g}, expected less than {TOLERANCE:g}.",
                hint="Report it with the versions of torch and onnx; nothing was written.",
            )
    return difference


def _check_torchscript(path: Path, painter: Painter) -> float:
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        module = torch.jit.load(str(path))
        plate = _sample() * 1.2 - 0.1
        found = module(plate[None])[0]
    codec = colour.codec("lin_rec709")
    style, reference = codec.to_style(plate)
    return float((found - codec.from_style(painter.paint(style, 0), reference)).abs().max())


def _check_onnx(path: Path, painter: Painter) -> float:
    from tsn.style.onnx import OnnxPainter

    picture = _sample()
    return float((OnnxPainter(path, sha256="").paint(picture, 0) - painter.paint(picture, 0)).abs().max())


def _sample() -> Tensor:
    """A test picture, (3, 72, 104) in [0, 1]: soft blobs and noise."""
    generator = torch.Generator().manual_seed(0)
    blobs = torch.rand(1, 3, 9, 13, generator=generator)
    blobs = nn.functional.interpolate(blobs, scale_factor=8, mode="bilinear", align_corners=False)[0]
    return 0.8 * blobs + 0.2 * torch.rand(3, 72, 104, generator=generator)


WRITERS: Mapping[str, Callable[[StyleNet, StyleInfo, Path], None]] = {
    "torchscript": torchscript.write,
    "onnx": onnx_graph.write,
}
CHECKS: Mapping[str, Callable[[Path, Painter], float]] = {"torchscript": _check_torchscript, "onnx": _check_onnx}
