"""A window of frames in strokes: born in every frame, carried to the others, painted where the window's middle is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import zlib

from tsn.strokes import brush, weigh
from tsn.strokes.birth import POINTS, born, traced
from tsn.strokes.carry import carried
from tsn.strokes.guides import REFERENCE_LINES, Guides, blur, guides
from tsn.strokes.hashing import joined, uniform
from tsn.strokes.paint import bins, painted, sampled
from tsn.strokes.pigment import of_life, varied
from tsn.strokes.preset import Layer, Preset
from tsn.strokes.relief import lit

FADE_FRAMES = 12
STRETCH = 1.45
CANDIDATES = 3.0
"""Strokes that are alive at once in a cell, before thinning."""


@dataclass(kw_only=True)
class Cohort:
    """The strokes of one layer that were born in one frame; per offset from that frame where they are.

    Attributes:
        keys: (n,).
        paths: offset -> (n, POINTS, 2).
        alive: offset -> (n,) uint8.
        colours: offset -> (n, 3), the plate under them.
    """

    keys: np.ndarray
    chances: np.ndarray
    paths: dict[int, np.ndarray]
    alive: dict[int, np.ndarray]
    colours: dict[int, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Link:
    """Motion between a frame and the next: flows (2, H, W) and visibility (H, W), both ways."""

    forward: np.ndarray
    backward: np.ndarray
    visible_forward: np.ndarray
    visible_backward: np.ndarray


class Canvas:
    """Strokes over a window of frames that slides forward by one frame at a time.

    Args:
        preset: kind of paint.
        radius: frames that a stroke lives to each side.
        size: height, width.
    """

    def __init__(self, preset: Preset, radius: int, size: tuple[int, int], seed: int = 0) -> None:
        self.preset, self.radius, self.size = preset, radius, size
        self.scale = size[0] / REFERENCE_LINES
        self.seed = seed
        self.tips = brush.tips(preset.bristles)
        self.guides: dict[int, Guides] = {}
        self.images: dict[int, np.ndarray] = {}
        self.links: dict[int, Link | None] = {}
        self.cohorts: dict[int, list[Cohort]] = {}

    def add(self, place: int, picture: np.ndarray, link: Link | None, number: int | None = None) -> None:
        """The next frame (3, H, W), and the motion from the one before to it (None at a cut)."""
        self.guides[place] = guides(picture, self.preset.layers, self.scale)
        self.images[place] = np.ascontiguousarray(np.moveaxis(picture, 0, 2))
        self.links[place - 1] = link
        old = place - 2 * self.radius - 1
        for kept in (self.guides, self.images, self.links, self.cohorts):
            for one in [one for one in kept if one < old]:
                del kept[one]
        for birth in [one for one in self.cohorts if place - one <= self.radius]:
            for layer, cohort in zip(self.preset.layers, self.cohorts[birth], strict=True):
                self._step(cohort, layer, birth, place - 1, place)
        self.cohorts[place] = [self._born(i, layer, place, number if number is not None else place) for i, layer in enumerate(self.preset.layers)]
        for layer, cohort in zip(self.preset.layers, self.cohorts[place], strict=True):
            for at in range(place - 1, place - self.radius - 1, -1):
                if at not in self.guides:
                    break
                self._step(cohort, layer, place, at + 1, at)

    def _born(self, index: int, layer: Layer, place: int, number: int) -> Cohort:
        g = self.guides[place]
        key = joined(joined(joined(np.uint64(self.seed), 11), index), number)
        rate = min(1.0, CANDIDATES / (2 * self.radius + 1))
        keys, places = born(key, *self.size, layer.spacing * self.scale, rate, g.need[index])
        paths = traced(keys, places, g.angle, g.colours[index], g.steps[index], layer.length * self.scale, layer.width * self.scale, 0.34, 0.6)
        chances = np.array([[uniform(k, 7), uniform(k, 8), uniform(k, 9), uniform(k, 10)] for k in keys], np.float32).reshape(-1, 4)
        cohort = Cohort(keys=keys, chances=chances, paths={0: paths}, alive={0: np.ones(len(keys), np.uint8)}, colours={})
        self._sample(cohort, layer, index, place, 0)
        return cohort

    def _step(self, cohort: Cohort, layer: Layer, birth: int, start: int, end: int) -> None:
        link = self.links.get(min(start, end))
        o, p = start - birth, end - birth
        if link is None or o not in cohort.paths:
            return
        flow, visible = (link.forward, link.visible_forward) if end > start else (link.backward, link.visible_backward)
        cohort.paths[p], cohort.alive[p] = carried(cohort.paths[o], cohort.alive[o], flow, visible, self.scale)
        self._sample(cohort, layer, self.preset.layers.index(layer), end, p)

    def _sample(self, cohort: Cohort, layer: Layer, index: int, place: int, offset: int) -> None:
        g = self.guides[place]
        paths = cohort.paths[offset]
        cohort.colours[offset] = sampled(paths, cohort.alive[offset], g.colours[index], g.steps[index], layer.width * self.scale / 2, tangents(paths))

    def paint(self, place: int) -> np.ndarray:
        """The frame (3, H, W) in strokes; frames `place` - radius to `place` + radius were added, as far as there are."""
        items = []
        for index in reversed(range(len(self.preset.layers))):
            items.append(self._layer(index, place))
        paths, half, opacity, colours, raw, tip, level, clipped = (np.concatenate(part) for part in zip(*items, strict=True))
        starts, entries = bins(paths, half, *self.size)
        g = self.guides[place]
        h, w = self.size
        import cv2
        ground = cv2.resize(g.colours[0], (w, h), interpolation=cv2.INTER_LINEAR)
        edge = blur(self.images[place], 0.8 * self.scale)
        out, height, cover = painted(paths, half, opacity, colours, raw, tip, level, clipped, *self.tips, edge, starts, entries, ground)
        self.last = height, cover, len(paths), len(entries)
        if self.preset.relief:
            out = lit(out, height, self.preset.relief, self.scale)
        return np.ascontiguousarray(np.moveaxis(np.clip(out, 0, 1), 2, 0), dtype=np.float32)

    def _layer(self, index: int, place: int):
        layer = self.preset.layers[index]
        H = self.radius
        got = []
        for birth in range(place - H, place + H + 1):
            if birth not in self.cohorts:
                continue
            cohort = self.cohorts[birth][index]
            o = place - birth
            if o not in cohort.paths:
                continue
            alive = cohort.alive[o].astype(bool)
            base = np.float32(weigh.smoothstep((H + 1 - abs(o)) / (FADE_FRAMES + 1))) if H else np.float32(1)
            weight = np.full(len(alive), base, np.float32)
            for side in (-1, 1):  # about to be hidden, or just uncovered
                if abs(o + side) <= H and o + side in cohort.alive:
                    weight[cohort.alive[o + side] == 0] *= 0.5
            frames = [f for f in range(place - min(5, H), place + min(5, H) + 1) if f - birth in cohort.colours and abs(f - birth) <= H]
            if not frames: continue
            samples = np.stack([cohort.colours[f - birth] for f in frames])
            seen = np.stack([cohort.alive[f - birth] for f in frames])
            raw = cohort.colours[o]
            colour = of_life(samples, seen, frames.index(place))
            got.append([a[alive] for a in (cohort.keys, cohort.chances, cohort.paths[o], weight, colour, raw)])
        if not got:
            e = np.empty
            return (e((0, POINTS, 2), np.float32), e(0, np.float32), e(0, np.float32), e((0, 3), np.float32), e((0, 3), np.float32), e(0, np.int64), e(0, np.int64), e(0, np.uint8))
        keys, chances, paths, base, colour, raw = (np.concatenate(part) for part in zip(*got, strict=True))
        order = np.argsort(keys, kind="stable")
        weights = weigh.thinned(paths[:, POINTS // 2], tangents(paths), base, order, np.float32(layer.spacing * self.scale), np.float32(STRETCH))
        W = np.clip(weights / 0.85, 0, 1)
        W = W * W * (3 - 2 * W)
        kept = order[W[order] > 0.02]
        half = np.float32(layer.width * self.scale / 2) * (0.8 + 0.4 * chances[kept, 3])
        rows = 2 * layer.width * self.scale
        level = int(np.clip(np.floor(np.log2(max(brush.ROWS / rows, 1))), 0, brush.LEVELS - 1))
        tip = (keys[kept] % np.uint64(brush.TIPS)).astype(np.int64)
        colours = varied(colour[kept], chances[kept], self.preset.value, self.preset.chroma, self.preset.hue)
        n = len(kept)
        return paths[kept], half.astype(np.float32), (W[kept] * layer.opacity).astype(np.float32), colours, raw[kept], tip, np.full(n, level), np.full(n, layer.clipped, np.uint8)


def tangents(paths: np.ndarray) -> np.ndarray:
    """(n, 2), of length 1, at the middle of each path."""
    m = POINTS // 2
    d = paths[:, m + 1] - paths[:, m - 1]
    return (d / np.maximum(np.sqrt((d * d).sum(1, keepdims=True)), 1e-6)).astype(np.float32)
