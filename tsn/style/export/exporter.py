"""A feed-forward style for other programs: TorchScript for Nuke's CatFileCreator, ONNX for everything else.

Both paint one frame, normalised by itself: neither a shot's survey nor its neighbours go along, so a highlight that
enters makes the picture pump. What a shot needs to be stable is `tsn render`; these are for looking and lighting.

- TorchScript: (1, 3, H, W) scene-linear Rec.709 in and out, as Nuke's working space, highlights kept as
  `colour.highlights: keep` does. The attribute `strength` is a knob for Nuke. Only operators that PyTorch 1.6 had,
  since Nuke 13 to 15 carry 1.6 to 2.1.
- ONNX: style space in and out, [0, 1], as tsn's own `style: {model: file.onnx}` expects. Opset 20 where the net
  recolours (older ones look nothing up in three dimensions), else 17.

Height and width are free, from 8 pixels. A file is only kept once what it paints was compared with the engine.
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
    """Write a style as `torchscript` or `onnx`, and return the largest difference from the engine that was found.

    Raises:
        UsageError: no such format or style, or the `onnx` package is missing.
        InputError: the style's file is missing, damaged, or no feed-forward net.
        OutputError: `path` can't be written.
    """
    info = resolve_style(style)
    if info.family == "onnx":
        raise InputError(f"{info.path} is an ONNX net already.", hint="Export a style of training/train_style.py.")
    if info.family not in NETS:
        raise InputError(
            f"{info.name} is of the family {info.family}, which has no net of its own to write.",
            hint=f"Only {' and '.join(NETS)} nets can be exported.",
        )
    net = load_style_net(info)
    with atomic_write(path, "-o") as temporary:
        WRITERS[form](net, info, temporary)
        found = CHECKS[form](temporary, FeedforwardPainter(net, name=info.name, weights=info.sha256))
        if not found < TOLERANCE:
            raise TsnError(
                f"{info.name} as {form} differs from the engine by {found:.2g}, expected less than {TOLERANCE:g}.",
                hint="Report it with the versions of torch and onnx; nothing was written.",
            )
    return found


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
    """A picture (3, 72, 104) in [0, 1]: soft blobs under noise."""
    random = torch.Generator().manual_seed(0)
    blobs = torch.rand(1, 3, 9, 13, generator=random)
    blobs = nn.functional.interpolate(blobs, scale_factor=8, mode="bilinear", align_corners=False)[0]
    return 0.8 * blobs + 0.2 * torch.rand(3, 72, 104, generator=random)


WRITERS: Mapping[str, Callable[[StyleNet, StyleInfo, Path], None]] = {
    "torchscript": torchscript.write,
    "onnx": onnx_graph.write,
}
CHECKS: Mapping[str, Callable[[Path, Painter], float]] = {"torchscript": _check_torchscript, "onnx": _check_onnx}
