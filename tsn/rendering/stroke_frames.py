"""From a plate frame and the shot's `style:` to what the stroke engine needs of them: knobs, and guides from AOVs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tsn import io, matte
from tsn.errors import InputError, UsageError, at_frame, near_miss
from tsn.io.channel_names import canonical_channel, match_names, split_name
from tsn.io.frame import Box, Frame
from tsn.rendering.engine import Engine, PreparedFrame
from tsn.shot.model import Style
from tsn.strokes.frame import Knobs, StrokeFrame
from tsn.strokes.painter import StrokePainter

COMPONENTS = (("x", "y", "z"), ("r", "g", "b"), ("u", "v"), ("x", "y"), ("r", "g"))
"""Names of the components of a layer with two or three, in the order in which they are looked for."""
SOLID = 254 / 255
"""Alpha from which on a pixel shows nothing but its element."""


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

    def on_canvas(pixels: np.ndarray) -> np.ndarray:
        return io.place(pixels.astype(np.float32), frame.data_window, canvas, fill=np.nan)

    def channel(key: str, name: str | None) -> np.ndarray | None:
        return None if name is None else on_canvas(frame.channels[_one_channel(key, name, frame.channels)])

    def layer(key: str, name: str | None) -> np.ndarray | None:
        if name is None:
            return None
        return np.stack([on_canvas(frame.channels[each]) for each in _components(key, name, frame.channels)])

    with at_frame(frame.path, frame.number):
        direction = layer("direction", None if style.direction == "auto" else style.direction)
        if direction is not None:
            direction[1] *= -1  # renderers' y points up
        return StrokeFrame(
            number=frame.number,
            picture=prepared.picture.cpu().numpy(),
            knobs=knobs_at(style, frame.number),
            cover=None if prepared.cover is None else prepared.cover[0].cpu().numpy(),
            depth=channel("depth", style.depth),
            ids=None if style.ids is None else _ids(frame, style.ids, canvas),
            surface=_on_surface(layer("surface", style.surface), frame, canvas),
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


def _on_surface(found: np.ndarray | None, frame: Frame, canvas: Box) -> np.ndarray | None:
    """Coordinates on a surface (C, H, W), NaN where there is none: renderers write 0 into all of them there.

    At the rim of an element they are means of something and nothing, so they count where alpha is 1, within a code.
    """
    if found is None:
        return None
    nowhere = (found == 0).all(0)
    if frame.alpha is not None:
        nowhere |= ~(io.place(frame.alpha.astype(np.float32), frame.data_window, canvas) > SOLID)
    found[:, nowhere] = np.nan
    return found


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


def _one_channel(key: str, name: str, channels: Collection[str]) -> str:
    found = match_names(name, list(channels))
    if len(found) != 1:
        _refuse(f"style.{key}", "channel", name, found, channels)
    return found[0]


def _components(key: str, name: str, channels: Collection[str]) -> list[str]:
    """The channels of a layer with two or three components."""
    layers: dict[str, dict[str, str]] = {}
    for full in channels:
        layer, word = split_name(full)
        layers.setdefault(layer, {})[canonical_channel(word)] = full
    found = [name] if name in layers else [layer for layer in layers if layer.endswith(f".{name}")]
    if len(found) != 1:
        _refuse(f"style.{key}", "layer", name, found, [layer for layer in layers if layer])
    words: Mapping[str, str] = layers[found[0]]
    for wanted in COMPONENTS:
        if set(wanted) <= words.keys():
            return [words[word] for word in wanted]
    raise InputError(
        f"style.{key}: the layer {found[0]!r} needs two or three of X, Y, Z, or of U, V, or of R, G, B;"
        f" found {', '.join(words.values())}."
    )


def _refuse(key: str, kind: str, name: str, found: Collection[str], known: Collection[str]) -> None:
    if found:
        first, *_ = found
        raise InputError(
            f"{key}: the {kind} {name!r} could be any of {', '.join(found)}.",
            hint=f"Give the whole name, such as {first!r}.",
        )
    raise InputError(
        f"{key}: the plate has no {kind} {name!r}; it has {', '.join(known) or 'none at all'}.",
        hint=near_miss(name, known) or "Render it with the plate, or take it out of the shot.",
    )


def _ids(frame: Frame, layer: str, canvas: Box) -> np.ndarray:
    """The object that covers most of each pixel, uint32 (H, W) on the canvas."""
    return io.place(matte.dominant_ids(frame.channels, layer=layer, lossy=frame.lossy), frame.data_window, canvas)
