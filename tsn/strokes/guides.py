"""What strokes are led by: direction, detail, borders of surfaces, and factors on their size and number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tsn.strokes.blur import blur, reduce
from tsn.strokes.borders import NO_SIDES, Borders, Sides, find_borders, find_mixed, split_cells
from tsn.strokes.direction import form_direction, lead
from tsn.strokes.frame import StrokeFrame
from tsn.strokes.luma import luma_of
from tsn.strokes.preset import Layer
from tsn.strokes.void import Region, fill_frame, find_region

Array = np.ndarray

REFERENCE_LINES = 360
"""All lengths of strokes are given for a plate of this many lines."""
MAP_STEP = 8
"""Pixels of the plate to one of the maps of factors."""
SMALLEST, LARGEST = 0.25, 4.0
"""Factors of maps."""


@dataclass(frozen=True, kw_only=True)
class Guides:
    """What leads strokes in one plate frame, all float32 and on `region`: places are relative to its corner.

    Attributes:
        region: of the canvas; all of it, or what an element in void needs.
        by: pixels to one of `angle` and `need`.
        angle: (2, h, w), cosine and sine of twice the angle along which strokes run, times its certainty in 0..1.
        need: (L, h, w) in 0..1: for each layer the chance that a stroke is wanted at a place.
        colours: for each layer (h, w, 3): the plate averaged over the width of a stroke, at `1 / step` of its size.
        steps: of `colours`, pixels.
        sides: for each layer what `colours` has beside its largest surfaces.
        borders: where surfaces end.
        plate: (H, W, 3), the picture, without void.
        sizes, densities: (h, w), factors on the size and number of the strokes that are laid at a place, one to
            `MAP_STEP` pixels; or (1, 1).
    """

    region: Region
    by: int
    angle: Array
    need: Array
    colours: tuple[Array, ...]
    steps: tuple[int, ...]
    sides: tuple[Sides, ...]
    borders: Borders
    plate: Array
    sizes: Array
    densities: Array

    @property
    def spread(self) -> Array:
        """(h, w), factor on the distance between the strokes that are laid at a place."""
        return np.asarray(self.sizes / np.sqrt(self.densities))

    def laid(self) -> Guides:
        """What is left to keep once the frame's own strokes have been laid: they take `angle` and `need`."""
        nothing = np.zeros((0, 0, 0), np.float32)
        return replace(self, angle=nothing, need=nothing)


def wanted_share(layer: Layer, luma: Array, fine: Array, scale: float) -> Array:
    """(h, w): see `Guides.need`.

    Args:
        luma, fine: (h, w), the latter without the plate's grain.
        scale: pixels of them that a pixel at 360 lines is.
    """
    share = np.ones(luma.shape, np.float32)
    if not layer.always:
        change = blur(luma, layer.detail_sigma * scale) - fine
        detail = blur(np.abs(change) if layer.side == "both" else np.maximum(change, 0), layer.width * scale / 2)
        share = np.clip((detail - layer.low) / (layer.high - layer.low), layer.floor, 1).astype(np.float32)
    if layer.tones is not None:
        none, full = layer.tones
        share = share * np.clip((blur(luma, layer.width * scale / 2) - none) / (full - none), 0, 1)
    return share


def layer_direction(layer: Layer, angle: Array) -> Array:
    """(2, H, W): see `Guides.angle`, for the strokes of a layer."""
    if layer.angle is None:
        return angle
    doubled = 2 * np.radians(layer.angle)
    own = np.array([np.cos(doubled), -np.sin(doubled)], np.float32)[:, None, None]  # y is down
    return np.ascontiguousarray((1 - layer.follow) * own + layer.follow * angle, np.float32)


def find_guides(frame: StrokeFrame, layers: Sequence[Layer], scale: float, origin: tuple[int, int] = (0, 0)) -> Guides:
    """Guides of a frame for the layers of a preset as its knobs change them.

    Args:
        scale: the plate's lines over `REFERENCE_LINES`.
        origin: (x, y) of the canvas in the display window.
    """
    region = Region(x=0, y=0, width=frame.picture.shape[2], height=frame.picture.shape[1])
    void: Array | None = None
    frame = replace(frame, picture=_finite(frame.picture))
    if frame.cover is not None:
        region = find_region(np.nan_to_num(frame.cover, nan=0.0) > 0, origin, scale)
        frame, void = fill_frame(frame, region)
    image = np.ascontiguousarray(np.moveaxis(frame.picture, 0, 2), dtype=np.float32)
    by = _power_of_two(scale)
    luma = reduce(np.ascontiguousarray(luma_of(image)), by)
    borders = find_borders(frame.ids, frame.depth)
    fine = blur(luma, 0.7 * scale / by)
    need = [wanted_share(layer, luma, fine, scale / by) for layer in layers]
    if void is not None:
        near = reduce(void, by)
        need = [np.where(near <= layer.width * scale / 2, each, 0) for layer, each in zip(layers, need, strict=True)]
    colours, steps, sides = _colours(image, borders, layers, scale)
    return Guides(
        region=region,
        by=by,
        angle=_angle(frame, luma, scale / by, by),
        need=np.stack(need).astype(np.float32),
        colours=colours,
        steps=steps,
        sides=sides,
        borders=borders,
        plate=image,
        sizes=_factors(frame.size_map),
        densities=_factors(frame.density_map),
    )


def _finite(picture: Array) -> Array:
    return picture if np.isfinite(picture.sum()) else np.nan_to_num(picture, nan=0.0, posinf=1.0, neginf=0.0)


def _power_of_two(scale: float) -> int:
    """The largest power of two up to a number, or 1."""
    by = 1
    while 2 * by <= scale:
        by *= 2
    return by


def _angle(frame: StrokeFrame, luma: Array, scale: float, by: int) -> Array:
    depth = None
    if frame.depth is not None:
        depth = find_borders(None, np.ascontiguousarray(frame.depth[::by, ::by]))
    angle = form_direction(luma, scale, depth)
    if frame.direction is None:
        return angle
    return lead(angle, np.ascontiguousarray(frame.direction[:, ::by, ::by]), scale)


def _colours(
    image: Array, borders: Borders, layers: Sequence[Layer], scale: float
) -> tuple[tuple[Array, ...], tuple[int, ...], tuple[Sides, ...]]:
    """See `Guides`: colours, steps and sides."""
    mixed = find_mixed(borders, 3) if borders.labels.size else None
    colours, steps, sides = [], [], []
    for layer in layers:
        step = _power_of_two(layer.width * scale / 4)
        if mixed is None:
            colours.append(np.ascontiguousarray(blur(reduce(image, step), layer.width * scale / 5 / step)))
            sides.append(NO_SIDES)
        else:
            own, others, labels, shares = split_cells(image, borders.labels, mixed, borders.tolerance, step)
            colours.append(own)
            sides.append(Sides(others=others, labels=labels, shares=shares))
        steps.append(step)
    return tuple(colours), tuple(steps), tuple(sides)


def _factors(values: Array | None) -> Array:
    """A map of factors (H, W) at a reduced size, within `SMALLEST` and `LARGEST`, 1 for NaN."""
    if values is None:
        return np.ones((1, 1), np.float32)
    bounded = np.clip(np.nan_to_num(values, nan=1.0, posinf=LARGEST, neginf=SMALLEST), SMALLEST, LARGEST)
    return np.ascontiguousarray(reduce(bounded.astype(np.float32), MAP_STEP))
