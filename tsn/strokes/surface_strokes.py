"""Strokes that live on the surface, as long as it is seen: what the frames of a window say about each of them.

Each frame's anchors are a function of that frame alone (`surface_lattice`). What is painted is a mean over the frames
around it: place and light are the frame's own; direction, hue and all weights change slowly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from tsn.strokes.easing import ramp, smoothstep
from tsn.strokes.frame import StrokeFrame
from tsn.strokes.guided import corner, label_places, lay_paths, sample_strokes, stroke_planes
from tsn.strokes.guides import Guides, layer_direction
from tsn.strokes.hashing import derive_key, uniforms
from tsn.strokes.placement import POINTS, sample_map
from tsn.strokes.preset import Layer
from tsn.strokes.stroke_colour import REACH_FRAMES, colour_over_life
from tsn.strokes.surface_field import MARGIN_PX, fit_surface
from tsn.strokes.surface_gathered import SurfaceStrokes, shown_share
from tsn.strokes.surface_lattice import COARSER, Anchors, find_anchors
from tsn.strokes.surface_life import add_paths, head_cosines, match_anchors, mean_paths
from tsn.strokes.void import cut

FADE_FRAMES = 6
"""In which a stroke fades in when its place comes to be seen, and out before it is hidden."""
FARTHEST_PX = 64
"""At 360 lines: that an anchor moves in a frame."""
SOFT_LEVEL, SOFT_NEED = 0.4, 0.2
"""Octaves, and share of the need, over which strokes come and go as scale and detail of the picture change."""
NEED_PX = 6
"""At 360 lines: around places where strokes are wanted in which their anchors are known, too."""
SIDEWAYS = 0.06
"""Cosine between a stroke and the direction on the surface that tells its head from its tail, below which it fades:
it may turn through that angle, and then its ends change places unseen."""
FAINTEST = 0.01
"""Weight below which a stroke is left out."""
SURFACE = 0x53555246
"""Parent of all keys here, so that no stroke on a surface has the random numbers of one that moves with the picture."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A layer's anchors in one frame, and how strokes would lie on them by this frame alone.

    Attributes:
        wants: (n,), how far the need for a stroke is above the anchor's own threshold.
        outside: (n,), pixels that it is outside of the picture; in void it never is.
        offsets: (n, POINTS, 2), of a path's points from the anchor, pixels; all 0 where no stroke is near to be wanted.
        half_widths, spacings: (n,), pixels.
        colours: (n, 3), of the plate.
        cell: pixels between the layer's strokes, without any map.
    """

    anchors: Anchors
    wants: np.ndarray
    outside: np.ndarray
    offsets: np.ndarray
    half_widths: np.ndarray
    spacings: np.ndarray
    colours: np.ndarray
    cell: float


class SurfaceLattice:
    """Lattices for all layers over a window of frames.

    Args:
        radius: frames to each side that a painted frame may depend on.
        scale: pixels that a pixel at 360 lines is.
        origin: (x, y) of the canvas in the display window.
        held: see `StrokeWindow`.
    """

    def __init__(self, *, radius: int, scale: float, origin: tuple[int, int] = (0, 0), held: int = 0) -> None:
        self._radius, self._scale, self._origin, self._held = radius, scale, origin, held
        self._guides: dict[int, Guides] = {}
        self._seen: dict[int, list[_Seen]] = {}  # by frame, for each layer
        self._links: dict[tuple[int, int], list[np.ndarray]] = {}  # index in the other frame, by (from, to)

    def add(self, place: int, frame: StrokeFrame, guides: Guides, layers: list[Layer], *, joined: bool) -> None:
        """Add the next frame, if it has surface coordinates.

        Args:
            layers: as the knobs change them.
            joined: it continues the take of the frame before.
        """
        oldest = place - 2 * self._radius - 1 - self._held
        self._seen = {at: seen for at, seen in self._seen.items() if at >= oldest}
        self._links = {pair: links for pair, links in self._links.items() if min(pair) >= oldest}
        self._guides = {at: kept for at, kept in self._guides.items() if at >= place - self._radius - self._held}
        if frame.surface is None:
            return
        self._guides[place] = guides.laid()
        surface, ids = _on_region(frame.surface, frame, guides)
        field = fit_surface(surface, ids, self._scale, origin=self._start(guides), continued=frame.cover is None)
        nodes = field.places() + corner(guides)
        sizes = _look_up(self._scale * guides.spread, nodes.reshape(-1, 2), guides).reshape(nodes.shape[:2])
        seen = []
        for index, layer in enumerate(layers):
            key = int(derive_key(np.uint64(derive_key(np.uint64(0), SURFACE)), index))
            # Where no stroke is wanted far and wide, there is no need to look for anchors.
            need = cv2.dilate(
                guides.need[index], np.ones((3, 3)), iterations=max(1, round(NEED_PX * self._scale / guides.by))
            )
            needed = _look_up(need, nodes.reshape(-1, 2), guides).reshape(sizes.shape) > 0
            anchors = find_anchors(key, field, layer.spacing * sizes * needed, self._scale)
            anchors = replace(anchors, places=anchors.places + corner(guides))
            seen.append(self._lay(anchors, layer, guides, index))
        self._seen[place] = seen
        if joined and place - 1 in self._seen:
            limit = FARTHEST_PX * self._scale
            before = [each.anchors for each in self._seen[place - 1]]
            now = [each.anchors for each in seen]
            for start, end, ours, others in ((place - 1, place, before, now), (place, place - 1, now, before)):
                self._links[start, end] = [
                    match_anchors(a.keys, a.places, b.keys, b.places, limit) for a, b in zip(ours, others, strict=True)
                ]

    def gather(self, index: int, place: int) -> SurfaceStrokes | None:
        """Strokes of a layer in a frame; None if it has no surface coordinates."""
        if place not in self._seen:
            return None
        chain = self._chain(index, place)
        now = self._seen[place][index]
        depths, facing, wants, half_widths, spacings = self._mean(index, place, chain)
        there = ramp(depths / SOFT_LEVEL + 0.5, 0, 1) * (1 - ramp(depths, COARSER + 0.5, COARSER + 1))
        shown = self._visibility(index, place, chain) * facing * self._border(now.outside)
        weights = there * shown * ramp(wants / SOFT_NEED + 0.5, 0, 1)
        kept = np.flatnonzero(weights > FAINTEST)
        kept = kept[np.lexsort((now.anchors.keys[kept], now.anchors.levels[kept]))]
        paths, drawn = self._paths(index, place, chain, kept)
        guides = self._guides[place]
        plate, planes = _sample(paths, half_widths[kept], guides, index)
        keys = now.anchors.keys[kept]
        share, first = shown_share(
            now.anchors.places + np.array(self._origin, np.float32),
            spacings,
            there,
            shown,
            cell=now.cell,
            start=self._start(guides),
            size=(guides.region.width, guides.region.height),
        )
        return SurfaceStrokes(
            keys=keys,
            chances=uniforms(keys, 7, 5),
            half_widths=half_widths[kept],
            spacings=spacings[kept],
            paths=paths,
            weights=(weights[kept] * drawn).astype(np.float32),
            colours=self._colours(index, place, chain, kept, plate),
            planes=planes,
            share=share,
            cell=now.cell,
            first=first,
            origin=self._origin,
        )

    def _start(self, guides: Guides) -> tuple[int, int]:
        """(x, y) of a frame's region in the display window, pixels."""
        return self._origin[0] + guides.region.x, self._origin[1] + guides.region.y

    def _lay(self, anchors: Anchors, layer: Layer, guides: Guides, index: int) -> _Seen:
        """What one frame alone says about the strokes on its anchors."""
        size = self._scale * _look_up(guides.sizes, anchors.places, guides)
        spread = self._scale * _look_up(guides.spread, anchors.places, guides)
        need = _look_up(guides.need[index], anchors.places, guides)
        wants = need * (1 + SOFT_NEED) - uniforms(anchors.keys, 15, 1)[:, 0] - SOFT_NEED / 2
        half_widths = (layer.width * size / 2 * (0.8 + 0.4 * uniforms(anchors.keys, 10, 1)[:, 0])).astype(np.float32)
        near = np.flatnonzero(wants > -SOFT_NEED)
        angle = layer_direction(layer, guides.angle)
        keys, places = anchors.keys[near], anchors.places[near]
        paths = lay_paths(guides, index, keys, places, layer.length * size[near], angle=angle, scale=self._scale)
        offsets, colours = np.zeros((len(size), POINTS, 2), np.float32), np.zeros((len(size), 3), np.float32)
        offsets[near] = paths - anchors.places[near][:, None]
        colours[near] = _sample(paths, half_widths[near], guides, index)[0]
        return _Seen(
            anchors=anchors,
            wants=wants.astype(np.float32),
            outside=_outside(anchors.places, guides),
            offsets=offsets,
            half_widths=half_widths,
            spacings=(layer.spacing * spread).astype(np.float32),
            colours=colours,
            cell=layer.spacing * self._scale,
        )

    def _chain(self, index: int, place: int) -> dict[int, np.ndarray]:
        """For each frame around, the index in it of this frame's anchors (n,); -1 once one was hidden on the way."""
        chain = {place: np.arange(len(self._seen[place][index].wants), dtype=np.int32)}
        for way in (-1, 1):
            for at in range(place + way, place + way * (min(self._radius, FADE_FRAMES) + 1), way):
                if (at - way, at) not in self._links:
                    break
                # Of what is hidden (-1) the link is the last one, added here: a frame may have no anchors at all.
                chain[at] = np.append(self._links[at - way, at][index], np.int32(-1))[chain[at - way]]
        return chain

    def _visibility(self, index: int, place: int, chain: dict[int, np.ndarray]) -> np.ndarray:
        """(n,) in 0..1: how long each anchor has been seen and will be, the shorter of both over `FADE_FRAMES`.

        A take's first and last frame say nothing about what was hidden before and after; nor does leaving the picture.
        """
        reach = min(self._radius, FADE_FRAMES)
        shortest = np.full(len(chain[place]), reach, np.float32)
        for way in (-1, 1):
            run = np.zeros(len(shortest), np.float32)
            for at in range(place + way, place + way * (reach + 1), way):
                if at not in chain:
                    run[chain[at - way] >= 0] = reach
                    break
                run += chain[at] >= 0
                gone = (chain[at] < 0) & (chain[at - way] >= 0)
                outside = self._seen[at - way][index].outside[chain[at - way][gone]]
                run[np.flatnonzero(gone)[outside > 0]] = reach
            shortest = np.minimum(shortest, np.minimum(run, reach))
        return ramp((shortest + 1) / (reach + 1), 0, 1)

    def _mean(self, index: int, place: int, chain: dict[int, np.ndarray]) -> tuple[np.ndarray, ...]:
        """Depths, facing, wants, half widths and spacings (n,) over the frames around, as far as an anchor is seen."""
        total = np.zeros((5, len(chain[place])), np.float32)
        weight = np.zeros(len(chain[place]), np.float32)
        for at, near in self._near(place, chain):
            there, seen = chain[at] >= 0, self._seen[at][index]
            parts = (seen.anchors.depths, seen.anchors.facing, seen.wants, seen.half_widths, seen.spacings)
            for row, values in enumerate(parts):
                total[row, there] += near * values[chain[at][there]]
            weight[there] += near
        return tuple(total / weight)

    def _near(self, place: int, chain: dict[int, np.ndarray]) -> list[tuple[int, float]]:
        """Frames of a mean over the window, and their weights, which go down to 0 beyond its ends."""
        reach = min(self._radius, REACH_FRAMES)
        return [
            (at, smoothstep(1 - abs(at - place) / (reach + 1)))
            for at in sorted(chain, key=lambda at: (abs(at - place), at))
            if abs(at - place) <= reach
        ]

    def _border(self, outside: np.ndarray) -> np.ndarray:
        """Weight (n,): strokes beyond the picture's border fade out before its margin ends."""
        return 1 - ramp(outside / (MARGIN_PX * self._scale), 0.4, 0.9)

    def _paths(
        self, index: int, place: int, chain: dict[int, np.ndarray], kept: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean paths of the kept anchors, from head to tail, and weights (n,): 0 where there is no path."""
        anchors = self._seen[place][index].anchors
        slopes, places = anchors.slopes[kept], anchors.places[kept]
        total = np.zeros((len(kept), POINTS, 2))
        lengths, weights = np.zeros(len(kept)), np.zeros(len(kept))
        for at, near in self._near(place, chain):
            seen = self._seen[at][index]
            add_paths(total, lengths, weights, slopes, chain[at][kept], seen.anchors.slopes, seen.offsets, near)
        paths = mean_paths(places, total, lengths, weights)
        cosines = head_cosines(anchors.keys[kept], slopes, total)
        paths[cosines < 0] = paths[cosines < 0, ::-1]
        return paths, ramp(np.abs(cosines), 0, SIDEWAYS) * (weights > 0)

    def _colours(
        self, index: int, place: int, chain: dict[int, np.ndarray], kept: np.ndarray, plate: np.ndarray
    ) -> np.ndarray:
        frames = sorted(at for at, _ in self._near(place, chain))
        samples, seen = [], []
        for at in frames:
            found = chain[at][kept]
            # The last row is that of what is hidden (-1).
            there = np.concatenate((self._seen[at][index].colours, np.zeros((1, 3), np.float32)))
            colours = plate if at == place else there[found]
            samples.append(colours)
            seen.append((found >= 0) & (colours.sum(1) > 0))
        return colour_over_life(np.stack(samples), np.stack(seen), frames.index(place))


def _on_region(surface: np.ndarray, frame: StrokeFrame, guides: Guides) -> tuple[np.ndarray, np.ndarray | None]:
    """A frame's surface and objects on the region of its guides; in void there is none, whatever was written."""
    if frame.cover is None:
        return surface, frame.ids
    covered = cut(np.nan_to_num(frame.cover, nan=0.0), guides.region) > 0
    shown = np.where(covered, cut(surface, guides.region), np.float32(np.nan))
    return shown, None if frame.ids is None else cut(frame.ids, guides.region)


def _outside(places: np.ndarray, guides: Guides) -> np.ndarray:
    """Pixels (n,) that places (n, 2) on the canvas are outside of the region: of the picture, if there is no void."""
    inner = places - corner(guides)
    size = np.array([guides.region.width, guides.region.height], np.float32)
    return np.asarray(np.maximum(np.maximum(-inner, inner - size), 0).max(1), np.float32)


def _sample(paths: np.ndarray, half_widths: np.ndarray, guides: Guides, index: int) -> tuple[np.ndarray, np.ndarray]:
    """The plate's colours (n, 3) under paths, and their planes, see `stroke_planes`."""
    labels = label_places(guides, paths[:, POINTS // 2])
    colours, _ = sample_strokes(guides, index, paths, np.ones(len(paths), np.uint8), half_widths, labels)
    return colours, stroke_planes(guides, paths, labels)


def _look_up(picture: np.ndarray, places: np.ndarray, guides: Guides) -> np.ndarray:
    """Values (n,) of one of a frame's guides at places (n, 2) on the canvas."""
    return sample_map(picture, places - corner(guides), guides.region.height, guides.region.width)
