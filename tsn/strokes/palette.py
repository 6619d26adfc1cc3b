"""The colours of a painting for the strokes of a shot.

Tones are mapped by quantiles (histogram specification). Hue and saturation are moved, tone by tone, from the plate's
mean to the painting's, and their spread is made the painting's by the linear Monge-Kantorovich map (Pitié and Kokaram,
"The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer", CVMP 2007). Last, colours are
pulled towards those that the painter used most, as if mixed from one palette.

The map is a smooth function of colour, fitted once per shot: what gets brighter in the plate does so in the paint.
Colours are CIELAB, lightness in 0..100.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from tsn.determinism import one_thread

QUANTILES = 33
BINS = 8
"""Tones for which the mean of hue and saturation is taken; between them it is linear."""
MAX_SLOPE, MIN_SLOPE = 2.0, 0.4
"""Of the tone curve: steeper, grain and the joints of gradients would show; flatter, forms would go."""
MIX = 0.85
"""How far tones go towards the painting's: the light of the shot stays readable."""
MAX_GAIN = 2.5
"""Largest factor on a spread of hue: a grey plate has none to start from."""
COLOURS, PULL, REACH = 24, 0.35, 14.0
"""Number of colours on the palette, how far colours go towards them, and from how far (CIELAB units)."""
SAMPLES = 1 << 16
"""Pixels of a picture that its statistics are taken from, at most."""


@dataclass(frozen=True, kw_only=True)
class ColourStatistics:
    """Statistics of the colours of one picture or of several, float32.

    Attributes:
        tones: (QUANTILES,), lightness by quantile, rising.
        tints: (BINS, 2), mean a and b by lightness.
        spread: (2, 2), covariance of a and b around those means.
    """

    tones: np.ndarray
    tints: np.ndarray
    spread: np.ndarray


def to_lab(colours: np.ndarray) -> np.ndarray:
    """CIELAB (n, 3) of display-referred colours (n, 3) in [0, 1]."""
    return cv2.cvtColor(np.ascontiguousarray(colours, np.float32)[None], cv2.COLOR_RGB2Lab)[0]


def from_lab(lab: np.ndarray) -> np.ndarray:
    """The inverse of `to_lab`, clipped to [0, 1]."""
    return np.clip(cv2.cvtColor(np.ascontiguousarray(lab, np.float32)[None], cv2.COLOR_Lab2RGB)[0], 0, 1)


def colour_statistics(pictures: Iterable[np.ndarray]) -> ColourStatistics:
    """Statistics of pictures (3, H, W), or (4, H, W) with coverage, below half of which nothing counts.

    What is brighter than white counts as white.
    """
    found = []
    for picture in pictures:
        pixels = picture.reshape(len(picture), -1)
        pixels = pixels[:, :: max(1, pixels.shape[1] // SAMPLES)]
        if len(pixels) > 3:
            pixels = pixels[:3, pixels[3] > 0.5]
        if pixels.size:
            found.append(to_lab(np.clip(np.nan_to_num(pixels.T), 0, 1)))
    lab = np.concatenate(found) if found else np.array([[50, 0, 0]], np.float32)
    tones = np.quantile(lab[:, 0].astype(np.float64), np.linspace(0, 1, QUANTILES))
    tints = _tints(lab)
    rest = lab[:, 1:].astype(np.float64) - _tint_at(tints, lab[:, 0])
    with one_thread():
        spread = np.einsum("ni,nj->ij", rest, rest) / len(rest)
    return ColourStatistics(
        tones=tones.astype(np.float32), tints=tints.astype(np.float32), spread=spread.astype(np.float32)
    )


def _tints(lab: np.ndarray) -> np.ndarray:
    """Mean a and b for each tone, (BINS, 2): a bin with few pixels has the mean of its surroundings."""
    centres = (np.arange(BINS) + 0.5) * (100 / BINS)
    everywhere = lab[:, 1:].mean(0, dtype=np.float64)
    tints = np.empty((BINS, 2))
    for i, centre in enumerate(centres):
        weight = np.exp(-0.5 * ((lab[:, 0].astype(np.float64) - centre) / (100 / BINS)) ** 2)
        prior = 0.002 * len(lab)
        tints[i] = ((weight[:, None] * lab[:, 1:]).sum(0) + prior * everywhere) / (weight.sum() + prior)
    return tints


def _tint_at(tints: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    centres = (np.arange(BINS) + 0.5) * (100 / BINS)
    return np.stack([np.interp(lightness, centres, tints[:, axis]) for axis in range(2)], axis=1)


def _root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric square root of a 2 x 2 covariance: (M + sqrt(det) I) / sqrt(trace + 2 sqrt(det))."""
    determinant = np.sqrt(max(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0], 0.0))
    return np.asarray((matrix + determinant * np.eye(2)) / np.sqrt(matrix[0, 0] + matrix[1, 1] + 2 * determinant))


class Palette:
    """Maps the colours of a plate to those of a painting.

    Args:
        plate, painting: their statistics.
        picture: the painting, (3, H, W) in [0, 1], from which the colours of its palette are taken.
    """

    def __init__(self, plate: ColourStatistics, painting: ColourStatistics, picture: np.ndarray) -> None:
        self._plate, self._painting = plate, painting
        self._from, self._to = _tone_curve(plate.tones, painting.tones)
        floor = np.eye(2)  # one unit of CIELAB: a difference that nobody sees
        here, there = _root(plate.spread.astype(np.float64) + floor), painting.spread.astype(np.float64) + floor
        middle = _root(here @ there @ here)
        inverse = np.linalg.inv(here)
        self._gain = inverse @ middle @ inverse
        largest = np.linalg.norm(self._gain, 2)
        self._gain *= min(1.0, MAX_GAIN / float(largest))
        self._colours = palette_colours(picture)

    def __call__(self, colours: np.ndarray) -> np.ndarray:
        """Colours (n, 3) in [0, 1], float32, for the plate's colours (n, 3)."""
        if not len(colours):
            return colours
        lab = to_lab(np.clip(colours, 0, 1)).astype(np.float64)
        light = np.interp(lab[:, 0], self._from, self._to)
        a, b = (lab[:, 1:] - _tint_at(self._plate.tints, lab[:, 0])).T
        rest = np.stack([row[0] * a + row[1] * b for row in self._gain], axis=1)
        mapped = np.concatenate([light[:, None], _tint_at(self._painting.tints, light) + rest], axis=1)
        # Lightness counts by a quarter: the palette is of hues, tones are mixed freely.
        scaled, known = mapped * (0.25, 1, 1), self._colours * (0.25, 1, 1)
        square = ((scaled[:, None] - known[None]) ** 2).sum(2)
        weight = np.exp(-0.5 * square / REACH**2) + 1e-9
        pulled = (weight[:, :, None] * self._colours[None, :, 1:]).sum(1) / weight.sum(1, keepdims=True)
        near = 1 - np.exp(-weight.sum(1, keepdims=True))
        mapped[:, 1:] += PULL * near * (pulled - mapped[:, 1:])
        return np.asarray(from_lab(mapped), np.float32)


def _tone_curve(plate: np.ndarray, painting: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Knots of the curve from the plate's lightness to the painting's, its slope kept within bounds."""
    here = np.maximum.accumulate(plate.astype(np.float64) + np.arange(QUANTILES) * 1e-3)
    there = MIX * painting.astype(np.float64) + (1 - MIX) * here
    grid = np.linspace(0, 100, 101)
    curve = np.interp(grid, here, there)
    steps = np.clip(np.diff(curve), MIN_SLOPE, MAX_SLOPE)
    middle = int(np.clip(round(float(here[QUANTILES // 2])), 0, 100))
    bounded = np.concatenate([[0.0], np.cumsum(steps)])
    bounded += curve[middle] - bounded[middle]
    return grid, np.clip(bounded, 0, 100)


def palette_colours(picture: np.ndarray) -> np.ndarray:
    """The colours most used in a painting (3, H, W): centres of clusters in CIELAB, (COLOURS, 3) at most.

    k-means, started from evenly spaced pixels in the order of lightness, so that it is the same everywhere.
    """
    pixels = picture.reshape(3, -1)
    lab = to_lab(pixels[:, :: max(1, pixels.shape[1] // 8192)].T).astype(np.float64)
    lab = lab[np.argsort(lab[:, 0], kind="stable")]
    centres = lab[np.linspace(0, len(lab) - 1, COLOURS).astype(int)].copy()
    for _ in range(12):
        nearest = ((lab[:, None] - centres[None]) ** 2).sum(2).argmin(1)
        for k in range(len(centres)):
            own = lab[nearest == k]
            if len(own):
                centres[k] = own.mean(0)
    return np.unique(centres, axis=0)
