"""Build the painter of a shot in brush strokes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tsn.shot.model import Style
from tsn.strokes.painter import PaletteStrokePainter, StrokePainter
from tsn.strokes.preset import Preset
from tsn.strokes.preset_file import find_preset
from tsn.strokes.preset_schema import read_ground, scanned_brushes
from tsn.style.paintings import read_paintings


def stroke_painter(style: Style) -> StrokePainter:
    """The painter that `style.strokes` and the keys beside it describe.

    Raises:
        UsageError: no such preset.
        InputError: a file is missing, damaged, or of the wrong type.
    """
    assert style.strokes is not None
    preset, name = _preset(style), f"strokes:{Path(style.strokes).stem}"
    if style.palette == "plate":
        return StrokePainter(preset, name=name)
    (painting,) = read_paintings({style.palette: 1.0})
    return PaletteStrokePainter(
        preset,
        name=name,
        painting=painting.image.numpy(),
        painting_sha256=painting.sha256,
    )


def _preset(style: Style) -> Preset:
    """The preset with what the shot file replaces in it."""
    assert style.strokes is not None
    preset = find_preset(style.strokes)
    if style.edges != "auto":
        layers = tuple(replace(layer, clipped=style.edges == "clipped") for layer in preset.layers)
        preset = replace(preset, layers=layers)
    if style.brush:
        layers = tuple(replace(layer, brush=None) for layer in preset.layers)
        preset = replace(preset, brush=scanned_brushes(style.brush, style.brush_height), layers=layers)
    return preset if style.ground is None else replace(preset, ground=read_ground(style.ground))
