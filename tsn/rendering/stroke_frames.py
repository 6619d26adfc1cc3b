"""From a plate frame and the shot's `style:` to what the stroke engine needs of them: knobs, and guides from AOVs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tsn.errors import InputError, UsageError, at_frame
from tsn.io.frame import Frame
from tsn.rendering.aovs import read_channel, read_ids, read_layer, read_surface
from tsn.rendering.engine import Engine, PreparedFrame
from tsn.shot.model import Style
from tsn.strokes.frame import Knobs, StrokeFrame
from tsn.strokes.painter import StrokePainter


def knobs_at(style: Style, number: int) -> Knobs:
    """The artist's settings at a frame."""
    return Knobs(
        size=style.size.at(number),
        detail=style.detail.at(number),
        length=style.length.at(number),
        density=style.density.at(number),
        opacity=style.opacity.at(number),
        jitter=style.jitter.at(number),
        relief=None if style.relief is None else style.relief.at(number),
        light=style.light.at(number),
    )


def stroke_frame(engine: Engine, frame: Frame, prepared: PreparedFrame) -> StrokeFrame:
    """A plate frame as the stroke engine takes it.

    Raises:
        InputError: a layer or channel that the shot names is not there, or could be several.
    """
    style, canvas = engine.shot.style, engine.canvas

    def channel(key: str, name: str | None) -> np.ndarray | None:
        return None if name is None else read_channel(frame, key, name, canvas)

    with at_frame(frame.path, frame.number):
        direction = None
        if style.direction != "auto":
            direction = read_layer(frame, "direction", style.direction, canvas)
            direction[1] *= -1  # renderers' y points up
        return StrokeFrame(
            number=frame.number,
            picture=prepared.picture.cpu().numpy(),
            knobs=knobs_at(style, frame.number),
            cover=None if prepared.cover is None else prepared.cover[0].cpu().numpy(),
            depth=channel("depth", style.depth),
            ids=None if style.ids is None else read_ids(frame, style.ids, canvas),
            surface=None if style.surface is None else read_surface(frame, "surface", style.surface, canvas),
            direction=direction,
            size_map=_factors(channel("size_by", style.size_by), style.size_range),
            density_map=_factors(channel("density_by", style.density_by), style.density_range),
        )


def _factors(values: np.ndarray | None, ramp: Sequence[tuple[float, float]]) -> np.ndarray | None:
    """A channel's values (H, W) as factors: by a ramp, linear between its values and held outside; NaN stays."""
    if values is None or not ramp:
        return values
    at, factors = zip(*ramp, strict=True)
    return np.interp(values, at, factors).astype(np.float32)


def check_first_frame(engine: Engine, frame: Frame, prepared: PreparedFrame) -> None:
    """Refuse a shot before its first frame is painted.

    Raises:
        InputError: the plate lacks a layer that the shot names, or alpha where nothing lies under the strokes.
        UsageError: layers of the paint are asked for, and the plate is DPX, which has none.
    """
    stroke_frame(engine, frame, prepared)
    painter = engine.painter
    assert isinstance(painter, StrokePainter)
    if painter.preset.ground == "none" and frame.alpha is None:
        raise InputError(
            "style.ground: strokes over nothing need a plate with alpha, and this one has none.",
            hint="Take ground: paint, plate or a colour; aovs: [coverage] writes what the strokes cover.",
        )
    if engine.shot.style.aovs and frame.path.suffix.lower() == ".dpx":
        raise UsageError("style.aovs: DPX has no layers to write into.", hint="Take a plate in EXR, or remove aovs.")
