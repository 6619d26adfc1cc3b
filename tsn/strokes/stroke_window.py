"""A window of frames in strokes: born in every frame, carried to the others, painted where the window's middle is.

A painted frame is a function of the frames within `radius` of it: strokes are born by a hash of layer, frame and cell,
and only what lies between their birth and the painted frame moves them. There is no recursion, so a chunk with handles
of `radius` frames paints the same bits as the whole shot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from tsn.flow.base import Motion
from tsn.strokes import thinning
from tsn.strokes.blur import blur
from tsn.strokes.borders import NO_OUTLINE, outline
from tsn.strokes.brush import LEVELS, make_tips
from tsn.strokes.drawn_tips import ROWS
from tsn.strokes.easing import ramp, smoothstep
from tsn.strokes.frame import Knobs, StrokeFrame, StrokePaint
from tsn.strokes.ground import paint_ground
from tsn.strokes.guided import OVERHANG, corner, label_places, lay_paths, sample_strokes, stroke_planes
from tsn.strokes.guides import REFERENCE_LINES, Guides, find_guides, layer_direction
from tsn.strokes.hashing import derive_key, uniforms
from tsn.strokes.paint_colour import mix_paint
from tsn.strokes.placement import POINTS, place_strokes, sample_map, tangents
from tsn.strokes.preset import MIN_SPACING_PX, Layer, Preset, adjust_layer
from tsn.strokes.rasterise import paint_strokes, sort_into_tiles
from tsn.strokes.relief import light_relief, pool_pigment
from tsn.strokes.stroke_colour import REACH_FRAMES, colour_over_life
from tsn.strokes.surface_strokes import SurfaceLattice
from tsn.strokes.tracking import track_paths
from tsn.strokes.void import uncut

FADE_FRAMES = 8
"""At each end of its life a stroke takes so many frames to come or go, or all that it has."""
CANDIDATES = 3.0
"""Strokes that are alive at once in a cell, before thinning."""
MIN_COVERAGE = 1 / 1024
"""Coverage below which the colour of strokes is not known any more: it shows by less than a quarter of a code."""
FULL_WEIGHT = 0.85
"""Thinned weight from which on a stroke has its full opacity."""
SMALLEST_SCALE = 0.1
"""Plates of fewer than 36 lines have the strokes of one of 36: those of less than a pixel would be countless."""
EDGE_WHITE = 1.35
"""Style value beyond which colours are alike for the contours that end a stroke: one highlight is as white as another,
and between it and its surroundings lies no ring that is like neither of them."""
EDGE_SIGMA = 0.8
"""Of the plate whose colours clip strokes, pixels at 360 lines: its grain must not."""
GROUND_HALO = 12.0
"""Pixels at 360 lines beside an outline in which the ground is the plate itself."""
HIDDEN_WEIGHT = 0.02
"""Share of its opacity below which a stroke is left out."""


@dataclass(frozen=True, kw_only=True)
class Strokes:
    """The strokes of one layer that were born in one frame; by frame, where they are in it.

    Attributes:
        keys: (n,) uint64.
        chances: (n, 5) in [0, 1): of luma, saturation, hue, width and which of two divided hues.
        half_widths, spacings: (n,), pixels, as laid.
        labels: (n,), of the surfaces on which they were laid, see `Borders`.
        paths: frame -> (n, POINTS, 2).
        alive: frame -> (n,) uint8; 0 once a stroke was hidden on the way there.
        colours: frame -> (n, 3), the plate under them.
        seen: frame -> (n,), how much of them is not hidden there, 0..1.
    """

    keys: np.ndarray
    chances: np.ndarray
    half_widths: np.ndarray
    spacings: np.ndarray
    labels: np.ndarray
    paths: dict[int, np.ndarray] = field(default_factory=dict)
    alive: dict[int, np.ndarray] = field(default_factory=dict)
    colours: dict[int, np.ndarray] = field(default_factory=dict)
    seen: dict[int, np.ndarray] = field(default_factory=dict)

    def forget(self, place: int) -> None:
        """Drop what no place from `place` on will ask for."""
        for kept, first in (
            (self.paths, place),
            (self.alive, place),
            (self.colours, place - REACH_FRAMES),
            (self.seen, place - REACH_FRAMES),
        ):
            for at in [at for at in kept if at < first]:
                del kept[at]


@dataclass(frozen=True, kw_only=True)
class _Visible:
    """The strokes of a layer in the frame that is painted, the topmost first; see `paint_strokes`."""

    keys: np.ndarray
    paths: np.ndarray
    half_widths: np.ndarray
    opacities: np.ndarray
    colours: np.ndarray
    plate_colours: np.ndarray
    planes: np.ndarray
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
        held: a frame may be painted when this many more than `radius` frames after it have been added.
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
        self._scale = max((lines or height) / REFERENCE_LINES, SMALLEST_SCALE)
        self._tips = make_tips(preset.layers, preset.brush)
        self._knobs: dict[int, Knobs] = {}
        self._guides: dict[int, Guides] = {}
        self._cover: np.ndarray | None = None  # of the frame that was added last
        self._steps: dict[tuple[int, int], tuple[np.ndarray, np.ndarray, int]] = {}  # by (from, to), see `_arrays`
        self._born: dict[int, list[Strokes]] = {}  # by frame, for each layer
        self._surface = SurfaceLattice(radius=radius, scale=self._scale, origin=origin, held=held)

    def add(self, place: int, frame: StrokeFrame, motion: Motion | None) -> None:
        """Add the next frame.

        Args:
            place: one more than that of the frame before.
            motion: between the frame before and this one; None at a cut and for the first frame.
        """
        self._forget(place)
        layers = [adjust_layer(layer, frame.knobs) for layer in self._preset.layers]
        self._knobs[place] = frame.knobs
        self._guides[place] = find_guides(frame, layers, self._scale, self._origin)
        if motion is not None:
            self._steps[place - 1, place] = _arrays(motion.forward, motion.visibility_forward, self._cover)
            self._steps[place, place - 1] = _arrays(motion.backward, motion.visibility_backward, frame.cover)
        self._surface.add(place, frame, self._guides[place], layers, joined=motion is not None)
        self._cover = frame.cover
        for birth, born in self._born.items():
            if place - birth <= self._radius:
                for index, strokes in enumerate(born):
                    self._track(strokes, index, place - 1, place)
        self._born[place] = [self._give_birth(layer, i, place, frame.number) for i, layer in enumerate(layers)]
        self._guides[place] = self._guides[place].laid()
        for index, strokes in enumerate(self._born[place]):
            for to in range(place - 1, place - self._radius - 1, -1):
                self._track(strokes, index, to + 1, to)

    def _forget(self, place: int) -> None:
        """Drop what `place` and later ones won't ask for: at UHD a frame's guides and motion are half a gigabyte."""
        painted = place - self._radius - self._held  # the oldest place that may still be painted
        oldest = painted - self._radius
        self._knobs = {at: knobs for at, knobs in self._knobs.items() if at >= painted}
        self._born = {at: strokes for at, strokes in self._born.items() if at >= oldest}
        for strokes in (each for layers in self._born.values() for each in layers):
            strokes.forget(painted)
        # Births of one frame go back by `radius` frames; forward, a frame's strokes go on by the newest step alone.
        self._steps = {(a, b): step for (a, b), step in self._steps.items() if b < a and b >= place - self._radius}
        self._guides = {at: guides for at, guides in self._guides.items() if at >= painted}

    def paint(self, place: int) -> StrokePaint:
        """A frame in strokes.

        The frames up to `place` + radius must have been added, as far as the shot has them.
        """
        knobs = self._knobs[place]
        layers = [self._visible(index, place, knobs) for index in reversed(range(len(self._preset.layers)))]
        all_of = {
            name: np.concatenate([getattr(one, name) for one in layers]) for name in _Visible.__dataclass_fields__
        }
        guides = self._guides[place]
        height, width = guides.region.height, guides.region.width
        all_of["paths"] = all_of["paths"] - corner(guides)
        starts, entries = sort_into_tiles(all_of["paths"], all_of["half_widths"], height, width)
        labels, shares, away = NO_OUTLINE
        if guides.borders.labels.size:
            labels, shares, away = outline(guides.borders)
        colour, relief, coverage, ids = paint_strokes(
            **all_of,
            tips=self._tips.levels,
            edge=blur(np.minimum(guides.plate, EDGE_WHITE), EDGE_SIGMA * self._scale),
            ground=self._ground(place, away),
            starts=starts,
            entries=entries,
            tolerance=guides.borders.tolerance,
            labels=labels,
            shares=shares,
            away=away,
            overhang=OVERHANG * self._scale,
        )
        if self._preset.ground == "none":  # over black: the strokes' own colour is what they have by what they cover
            colour = colour / np.maximum(coverage, MIN_COVERAGE)[..., None]
        colour = pool_pigment(colour, relief, self._preset.pooling, self._scale)
        strength = self._preset.relief if knobs.relief is None else knobs.relief
        if strength:
            colour = light_relief(colour, relief, strength, knobs.light, self._scale)
        planes = np.ascontiguousarray(np.moveaxis(colour.clip(0), 2, 0), dtype=np.float32)
        planes, relief, coverage, ids = (
            uncut(part, guides.region, self._height, self._width) for part in (planes, relief, coverage, ids)
        )
        return StrokePaint(colour=planes, relief=relief, coverage=coverage, ids=ids)

    def _ground(self, place: int, away: np.ndarray) -> np.ndarray:
        """What shows between strokes, (H, W, 3); nothing is black, so that colour is multiplied by coverage."""
        ground, guides = self._preset.ground, self._guides[place]
        height, width = guides.region.height, guides.region.width
        if ground == "plate":
            return guides.plate
        if ground == "paint":
            return paint_ground(guides, away / (GROUND_HALO * self._scale), self._flat_paint)
        return np.full((height, width, 3), 0 if ground == "none" else ground, np.float32)

    def _flat_paint(self, colours: np.ndarray) -> np.ndarray:
        """The paint (h, w, 3) of colours, none different from the next."""
        flat = colours.reshape(-1, 3)
        even = np.full((len(flat), 5), 0.5, np.float32)
        return mix_paint(flat, even, self._preset, jitter=0, palette=self._palette).reshape(colours.shape)

    def _give_birth(self, layer: Layer, index: int, place: int, number: int) -> Strokes:
        guides = self._guides[place]
        region = guides.region
        key = np.uint64(derive_key(np.uint64(derive_key(np.uint64(0), index)), number))
        rate = min(1.0, CANDIDATES / (2 * self._radius + 1))
        origin = (self._origin[0] + region.x, self._origin[1] + region.y)
        closest = min(layer.spacing, MIN_SPACING_PX)
        grid = self._scale * np.maximum(layer.spacing * guides.spread, closest).astype(np.float32)
        keys, places = place_strokes(key, origin, grid, rate, guides.need[index], guides.by)
        size = self._scale * sample_map(guides.sizes, places, region.height, region.width)
        spacings = sample_map(grid, places, region.height, region.width)
        places = places + corner(guides)
        angle = layer_direction(layer, guides.angle)
        paths = lay_paths(guides, index, keys, places, layer.length * size, angle=angle, scale=self._scale)
        chances = uniforms(keys, 7, 5)
        strokes = Strokes(
            keys=keys,
            chances=chances,
            half_widths=(layer.width * size / 2 * (0.8 + 0.4 * chances[:, 3])).astype(np.float32),
            spacings=spacings,
            labels=label_places(guides, places),
        )
        self._keep(strokes, index, place, paths, np.ones(len(keys), np.uint8))
        return strokes

    def _track(self, strokes: Strokes, index: int, start: int, end: int) -> None:
        if (start, end) in self._steps and start in strokes.paths:
            flow, visible, ring = self._steps[start, end]
            paths, alive = track_paths(strokes.paths[start] + ring, strokes.alive[start], flow, visible, self._scale)
            self._keep(strokes, index, end, paths - ring, alive)

    def _keep(self, strokes: Strokes, index: int, place: int, paths: np.ndarray, alive: np.ndarray) -> None:
        strokes.paths[place], strokes.alive[place] = paths, alive
        strokes.colours[place], strokes.seen[place] = sample_strokes(
            self._guides[place], index, paths, alive, strokes.half_widths, strokes.labels
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
                planes = stroke_planes(self._guides[place], strokes.paths[place], strokes.labels)
                found.append([*(part[alive] for part in parts), planes[alive] if len(planes) else planes])
        surface = self._surface.gather(index, place)
        if surface is not None:
            for each in found:
                each[5] = each[5] * surface.room(each[4][:, POINTS // 2])
            found.insert(0, surface.parts())
        keys, chances, half_widths, spacings, paths, base, colours, planes = (
            np.concatenate(part) for part in zip(*found, strict=True)
        )
        # Strokes on the surface come first, by their own order; then those that move with the picture.
        first = 0 if surface is None else len(surface.keys)
        order = np.concatenate((np.arange(first), first + np.argsort(keys[first:], kind="stable")))
        centres = np.ascontiguousarray(paths[:, POINTS // 2])
        weights = thinning.thin_strokes(centres, tangents(paths), base, order, spacings)
        share = ramp(weights, 0, FULL_WEIGHT)
        on_top = np.argsort(keys, kind="stable")
        kept = on_top[share[on_top] > HIDDEN_WEIGHT]
        return _Visible(
            keys=keys[kept],
            paths=paths[kept],
            half_widths=half_widths[kept],
            opacities=(share[kept] * (layer.opacity * knobs.opacity)).astype(np.float32),
            colours=mix_paint(colours[kept], chances[kept], preset, jitter=knobs.jitter, palette=self._palette),
            plate_colours=np.minimum(colours[kept], EDGE_WHITE),
            planes=planes[kept] if len(planes) else planes,
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
        seen = np.stack([strokes.seen[at] for at in frames])
        return colour_over_life(samples, seen, frames.index(place))


def _levels(half_widths: np.ndarray) -> np.ndarray:
    """Of the brush tips, for each stroke the level with one to two rows for each pixel of its width.

    More would be left out between pixels, and the light on the relief would flicker as the stroke moves.
    """
    rows = np.maximum(2 * half_widths, 1)
    return np.clip(np.floor(np.log2(np.maximum(ROWS / rows, 1))), 0, LEVELS - 1).astype(np.int64)


def _arrays(flow: Tensor, visibility: Tensor, cover: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Flow (2, H, W) and visibility (1, H, W) -> arrays (2, H, W) and (H, W), as kernels take them.

    Nothing is seen in void, nor outside of the canvas where there is void: then both have a ring of pixels around them,
    and the third number is how wide it is.
    """
    moves, visible = flow.cpu().numpy(), visibility[0].cpu().numpy()
    if cover is None:
        return np.ascontiguousarray(moves), np.ascontiguousarray(visible), 0
    visible = np.pad(np.where(cover > 0, visible, 0), 1).astype(np.float32)
    return np.pad(moves, ((0, 0), (1, 1), (1, 1))), visible, 1
