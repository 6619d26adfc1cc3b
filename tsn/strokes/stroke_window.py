"""A window of frames in strokes: born in every frame, carried to the others, painted where the window's middle is.

A painted frame is a function of the frames within `radius` of it: strokes are born by a hash of layer, frame and cell,
and only what lies between their birth and the painted frame moves them. There is no recursion, so a chunk with handles
of `radius` frames paints the same bits as the whole shot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from torch import Tensor

from tsn.flow.base import Motion
from tsn.strokes import thinning
from tsn.strokes.brush import LEVELS, make_tips
from tsn.strokes.drawn_tips import ROWS
from tsn.strokes.easing import ramp, smoothstep
from tsn.strokes.frame import Knobs, StrokeFrame, StrokePaint
from tsn.strokes.guides import REFERENCE_LINES, Guides, find_guides, layer_direction
from tsn.strokes.hashing import derive_key, uniforms
from tsn.strokes.paint_colour import mix_paint
from tsn.strokes.placement import POINTS, place_strokes, trace_paths
from tsn.strokes.preset import Layer, Preset, adjust_layer
from tsn.strokes.rasterise import paint_strokes, sort_into_tiles
from tsn.strokes.relief import light_relief, pool_pigment
from tsn.strokes.stroke_colour import REACH_FRAMES, colour_over_life, sample_plate
from tsn.strokes.tracking import track_paths

FADE_FRAMES = 8
"""At each end of its life a stroke takes so many frames to come or go, or all that it has."""
CANDIDATES = 3.0
"""Strokes that are alive at once in a cell, before thinning."""
FULL_WEIGHT = 0.85
"""Thinned weight from which on a stroke has its full opacity."""
HIDDEN_WEIGHT = 0.02
"""Share of its opacity below which a stroke is left out."""


@dataclass(frozen=True, kw_only=True)
class Strokes:
    """The strokes of one layer that were born in one frame; by frame, where they are in it.

    Attributes:
        keys: (n,) uint64.
        chances: (n, 4) in [0, 1): of luma, saturation, hue and width.
        half_widths, spacings: (n,), pixels, as laid.
        paths: frame -> (n, POINTS, 2).
        alive: frame -> (n,) uint8; 0 once a stroke was hidden on the way there.
        colours: frame -> (n, 3), the plate under them.
    """

    keys: np.ndarray
    chances: np.ndarray
    half_widths: np.ndarray
    spacings: np.ndarray
    paths: dict[int, np.ndarray] = field(default_factory=dict)
    alive: dict[int, np.ndarray] = field(default_factory=dict)
    colours: dict[int, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Visible:
    """The strokes of a layer in the frame that is painted, the topmost first; see `paint_strokes`."""

    keys: np.ndarray
    paths: np.ndarray
    half_widths: np.ndarray
    opacities: np.ndarray
    colours: np.ndarray
    plate_colours: np.ndarray
    tip_numbers: np.ndarray
    levels: np.ndarray
    clipped: np.ndarray


class StrokeWindow:
    """Frames are added in order, `radius` of them ahead of the one that is painted.

    Args:
        preset: kind of paint.
        radius: frames that a stroke lives to each side of its birth; 0 paints every frame by itself.
        height, width: of the canvas, pixels.
        lines: height of the display window, by which the strokes are sized; None = `height`.
        origin: (x, y) of the canvas in the display window.
        palette: changes the colours (n, 3) of strokes and ground; None keeps the plate's.
        held: frames that are added after `radius` more than the painted one, at most.
    """

    def __init__(
        self,
        preset: Preset,
        *,
        radius: int,
        height: int,
        width: int,
        lines: int | None = None,
        origin: tuple[int, int] = (0, 0),
        palette: Callable[[np.ndarray], np.ndarray] | None = None,
        held: int = 0,
    ) -> None:
        self._preset, self._radius, self._palette, self._held = preset, radius, palette, held
        self._height, self._width, self._origin = height, width, origin
        self._scale = (lines or height) / REFERENCE_LINES
        self._tips = make_tips(preset.layers, preset.brush)
        self._knobs: dict[int, Knobs] = {}
        self._guides: dict[int, Guides] = {}
        self._steps: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}  # flow and visibility, by (from, to)
        self._born: dict[int, list[Strokes]] = {}  # by frame, for each layer

    def add(self, place: int, frame: StrokeFrame, motion: Motion | None) -> None:
        """Add the next frame.

        Args:
            place: one more than that of the frame before.
            motion: between the frame before and this one; None at a cut and for the first frame.
        """
        self._forget(place)
        layers = [adjust_layer(layer, frame.knobs) for layer in self._preset.layers]
        self._knobs[place], self._guides[place] = frame.knobs, find_guides(frame, layers, self._scale)
        if motion is not None:
            self._steps[place - 1, place] = _arrays(motion.forward, motion.visibility_forward)
            self._steps[place, place - 1] = _arrays(motion.backward, motion.visibility_backward)
        for birth, born in self._born.items():
            if place - birth <= self._radius:
                for index, strokes in enumerate(born):
                    self._track(strokes, index, place - 1, place)
        self._born[place] = [self._give_birth(layer, i, place, frame.number) for i, layer in enumerate(layers)]
        for index, strokes in enumerate(self._born[place]):
            for to in range(place - 1, place - self._radius - 1, -1):
                self._track(strokes, index, to + 1, to)

    def _forget(self, place: int) -> None:
        """Drop what `place` and later ones won't ask for: at UHD a frame's guides and motion are half a gigabyte."""
        painted = place - self._radius - self._held  # the oldest place that may still be painted
        oldest = painted - self._radius
        self._knobs = {at: knobs for at, knobs in self._knobs.items() if at >= painted}
        self._born = {at: strokes for at, strokes in self._born.items() if at >= oldest}
        # Births of one frame go back by `radius` frames; forward, a frame's strokes go on by the newest step alone.
        self._steps = {(a, b): step for (a, b), step in self._steps.items() if b < a and b >= place - self._radius}
        self._guides = {
            at: guides.without_births() if at >= painted else guides.colours_only()
            for at, guides in self._guides.items()
            if at >= min(painted, place - self._radius)
        }

    def paint(self, place: int) -> StrokePaint:
        """A frame in strokes.

        The frames up to `place` + radius must have been added, as far as the shot has them.
        """
        knobs = self._knobs[place]
        layers = [self._visible(index, place, knobs) for index in reversed(range(len(self._preset.layers)))]
        all_of = {
            name: np.concatenate([getattr(one, name) for one in layers]) for name in _Visible.__dataclass_fields__
        }
        starts, entries = sort_into_tiles(all_of["paths"], all_of["half_widths"], self._height, self._width)
        guides = self._guides[place]
        colour, relief, coverage, ids = paint_strokes(
            **all_of,
            tips=self._tips.levels,
            edge=guides.edge,
            ground=self._ground(place),
            starts=starts,
            entries=entries,
        )
        colour = pool_pigment(colour, relief, self._preset.pooling, self._scale)
        strength = self._preset.relief if knobs.relief is None else knobs.relief
        if strength:
            colour = light_relief(colour, relief, strength, knobs.light, self._scale)
        planes = np.ascontiguousarray(np.moveaxis(colour.clip(0), 2, 0), dtype=np.float32)
        return StrokePaint(colour=planes, relief=relief, coverage=coverage, ids=ids)

    def _ground(self, place: int) -> np.ndarray:
        """What shows between strokes, (H, W, 3); nothing is black, so that colour is multiplied by coverage."""
        ground, guides = self._preset.ground, self._guides[place]
        if ground == "plate":
            return guides.plate
        if ground == "paint":
            under = guides.colours[0]
            flat = under.reshape(-1, 3)
            under = mix_paint(
                flat, np.full((len(flat), 5), 0.5, np.float32), self._preset, jitter=0, palette=self._palette
            )
            under = under.reshape(guides.colours[0].shape)
            return cv2.resize(under, (self._width, self._height), interpolation=cv2.INTER_LINEAR)
        return np.full((self._height, self._width, 3), 0 if ground == "none" else ground, np.float32)

    def _give_birth(self, layer: Layer, index: int, place: int, number: int) -> Strokes:
        guides, sizes = self._guides[place], self._guides[place].sizes
        key = np.uint64(derive_key(np.uint64(derive_key(np.uint64(0), index)), number))
        rate = min(1.0, CANDIDATES / (2 * self._radius + 1))
        keys, places = place_strokes(key, self._origin, layer.spacing * self._scale * sizes, rate, guides.need[index])
        size = self._scale * sample_map(sizes, places, self._height, self._width)
        paths = trace_paths(
            keys,
            places,
            layer_direction(layer, guides.angle),
            guides.colours[index],
            guides.steps[index],
            layer.length * size,
        )
        chances = uniforms(keys, 7, 5)
        strokes = Strokes(
            keys=keys,
            chances=chances,
            half_widths=(layer.width * size / 2 * (0.8 + 0.4 * chances[:, 3])).astype(np.float32),
            spacings=layer.spacing * size,
        )
        self._keep(strokes, index, place, paths, np.ones(len(keys), np.uint8))
        return strokes

    def _track(self, strokes: Strokes, index: int, start: int, end: int) -> None:
        if (start, end) in self._steps and start in strokes.paths:
            moved = track_paths(strokes.paths[start], strokes.alive[start], *self._steps[start, end], self._scale)
            self._keep(strokes, index, end, *moved)

    def _keep(self, strokes: Strokes, index: int, place: int, paths: np.ndarray, alive: np.ndarray) -> None:
        guides = self._guides[place]
        strokes.paths[place], strokes.alive[place] = paths, alive
        strokes.colours[place] = sample_plate(
            paths, alive, _tangents(paths), strokes.half_widths, guides.colours[index], guides.steps[index]
        )

    def _visible(self, index: int, place: int, knobs: Knobs) -> _Visible:
        layer, radius, preset = self._preset.layers[index], self._radius, self._preset
        found = []
        for birth in range(place - radius, place + radius + 1):
            strokes = self._born[birth][index] if birth in self._born else None
            if strokes is not None and place in strokes.paths:
                alive = strokes.alive[place].astype(bool)
                parts = [strokes.keys, strokes.chances, strokes.half_widths, strokes.spacings, strokes.paths[place]]
                parts += [self._weights(strokes, birth, place), self._colours(strokes, place)]
                found.append([part[alive] for part in parts])
        keys, chances, half_widths, spacings, paths, base, colours = (
            np.concatenate(part) for part in zip(*found, strict=True)
        )
        order = np.argsort(keys, kind="stable")
        centres = np.ascontiguousarray(paths[:, POINTS // 2])
        weights = thinning.thin_strokes(centres, _tangents(paths), base, order, spacings)
        share = ramp(weights, 0, FULL_WEIGHT)
        kept = order[share[order] > HIDDEN_WEIGHT]
        return _Visible(
            keys=keys[kept],
            paths=paths[kept],
            half_widths=half_widths[kept],
            opacities=(share[kept] * (layer.opacity * knobs.opacity)).astype(np.float32),
            colours=mix_paint(colours[kept], chances[kept], preset, jitter=knobs.jitter, palette=self._palette),
            plate_colours=colours[kept],
            tip_numbers=self._tips.choose(index, keys[kept]),
            levels=_levels(half_widths[kept]),
            clipped=np.full(len(kept), layer.clipped, np.uint8),
        )

    def _weights(self, strokes: Strokes, birth: int, place: int) -> np.ndarray:
        """Weights (n,) before thinning, by the distance in time from the birth."""
        left = self._radius + 1 - abs(place - birth)
        return np.full(len(strokes.keys), smoothstep(left / min(FADE_FRAMES, self._radius + 1)), np.float32)

    def _colours(self, strokes: Strokes, place: int) -> np.ndarray:
        reach = min(REACH_FRAMES, self._radius)
        frames = [at for at in range(place - reach, place + reach + 1) if at in strokes.colours]
        samples = np.stack([strokes.colours[at] for at in frames])
        seen = np.stack([strokes.alive[at] for at in frames])
        return colour_over_life(samples, seen, frames.index(place))


def sample_map(picture: np.ndarray, places: np.ndarray, height: int, width: int) -> np.ndarray:
    """Values (n,) of a map (h, w) over a canvas of (height, width) at places (n, 2), the nearest each."""
    rows, columns = picture.shape
    y = np.clip((places[:, 1] * (rows / height)).astype(np.int64), 0, rows - 1)
    x = np.clip((places[:, 0] * (columns / width)).astype(np.int64), 0, columns - 1)
    return np.asarray(picture[y, x], np.float32)


def _levels(half_widths: np.ndarray) -> np.ndarray:
    """Of the brush tips, for each stroke the level with one to two rows for each pixel of its width.

    More would be left out between pixels, and the light on the relief would flicker as the stroke moves.
    """
    rows = np.maximum(2 * half_widths, 1)
    return np.clip(np.floor(np.log2(np.maximum(ROWS / rows, 1))), 0, LEVELS - 1).astype(np.int64)


def _arrays(flow: Tensor, visibility: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Flow (2, H, W) and visibility (1, H, W) -> arrays (2, H, W) and (H, W), as kernels take them."""
    return np.ascontiguousarray(flow.cpu().numpy()), np.ascontiguousarray(visibility[0].cpu().numpy())


def _tangents(paths: np.ndarray) -> np.ndarray:
    """(n, 2), of length 1, at the middle of each path."""
    middle = POINTS // 2
    along = paths[:, middle + 1] - paths[:, middle - 1]
    length = np.sqrt((along * along).sum(1, keepdims=True))
    return np.asarray(along / np.maximum(length, 1e-6), np.float32)
