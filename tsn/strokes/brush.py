"""Brush tips of a preset's layers, at several sizes: where a stroke leaves paint, and how thick."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tsn.strokes.drawn_tips import COLUMNS, KINDS, ROWS, Canvas
from tsn.strokes.preset import Brush, DrawnBrush, Layer
from tsn.strokes.scanned_tips import read_tips

TIPS = 12
"""Of a drawn brush."""
SEED = 7
LEVELS = 5
"""Each at half the rows of the one before: a stroke of few pixels takes the one with about as many rows."""


@dataclass(frozen=True, kw_only=True)
class Tips:
    """The tips of all layers.

    Attributes:
        levels: for each level float32 (n, 2, rows, columns): mask in [0, 1], and height.
        first, counts: for each layer its first tip among the n, and how many it has.
    """

    levels: tuple[np.ndarray, ...]
    first: tuple[int, ...]
    counts: tuple[int, ...]

    def choose(self, layer: int, keys: np.ndarray) -> np.ndarray:
        """Numbers (n,) of the tips of a layer's strokes, by their keys (n,) uint64."""
        return (keys % np.uint64(self.counts[layer])).astype(np.int64) + self.first[layer]


@lru_cache(maxsize=4)  # a shot's windows share them
def make_tips(layers: tuple[Layer, ...], brush: Brush) -> Tips:
    """The tips of a preset's layers; `brush` is for those that have none of their own.

    Raises:
        InputError: a scanned brush can't be read, or is empty.
    """
    drawn = [_tips_of(layer.brush or brush, layer) for layer in layers]
    counts = tuple(len(tips) for tips in drawn)
    levels = [np.concatenate(drawn)]
    for _ in range(LEVELS - 1):
        before = levels[-1]
        levels.append(before.reshape(*before.shape[:2], before.shape[2] // 2, 2, before.shape[3] // 2, 2).mean((3, 5)))
    return Tips(
        levels=tuple(np.ascontiguousarray(level, dtype=np.float32) for level in levels),
        first=tuple(sum(counts[:index]) for index in range(len(counts))),
        counts=counts,
    )


def _tips_of(brush: Brush, layer: Layer) -> np.ndarray:
    if not isinstance(brush, DrawnBrush):
        return np.concatenate([read_tips(scan) for scan in brush])
    canvas = Canvas(
        random=np.random.default_rng(SEED),
        hairs=brush.hairs,
        rows=ROWS / layer.width,
        columns=COLUMNS / layer.length,
    )
    return np.stack([KINDS[brush.kind](canvas) for _ in range(TIPS)])
