"""Strokes by the guides of a frame: their paths, the surfaces they lie on, and the colours they see.

Places and paths are on the canvas; guides begin at the corner of their region.
"""

from __future__ import annotations

import numpy as np

from tsn.strokes.borders import find_planes
from tsn.strokes.guides import Guides
from tsn.strokes.placement import tangents, trace_paths
from tsn.strokes.stroke_colour import sample_plate

OVERHANG = 2.0
"""Pixels at 360 lines by which paths, and strokes that are not clipped, go beyond the outline of their surface."""


def corner(guides: Guides) -> np.ndarray:
    """(2,), the place of a frame's guides on the canvas; subtracting it does not round, see `placement.snap`."""
    return np.array([guides.region.x, guides.region.y], np.float32)


def lay_paths(
    guides: Guides,
    index: int,
    keys: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    *,
    angle: np.ndarray,
    scale: float,
) -> np.ndarray:
    """Paths (n, POINTS, 2) from places (n, 2); see `trace_paths`.

    Args:
        index: of the layer.
        lengths: (n,), pixels.
        angle: as `Guides.angle`.
        scale: pixels that a pixel at 360 lines is.
    """
    borders, sides = guides.borders, guides.sides[index]
    paths = trace_paths(
        keys,
        places - corner(guides),
        angle,
        guides.by,
        guides.colours[index],
        guides.steps[index],
        lengths,
        borders.labels,
        borders.slopes,
        borders.jump,
        OVERHANG * scale,
        sides.others,
        sides.labels,
    )
    return np.asarray(paths + corner(guides))


def label_places(guides: Guides, places: np.ndarray) -> np.ndarray:
    """Labels (n,) under places (n, 2), see `Borders`; 0 without borders."""
    labels = guides.borders.labels
    if not labels.size:
        return np.zeros(len(places), np.float32)
    x, y = (places - corner(guides)).astype(np.int64).T
    return np.asarray(labels[np.clip(y, 0, labels.shape[0] - 1), np.clip(x, 0, labels.shape[1] - 1)], np.float32)


def stroke_planes(guides: Guides, paths: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Planes (n, 3) of strokes in a frame, see `find_planes`; (0, 3) without borders.

    Args:
        labels: (n,), of the places where they were laid.
    """
    if not guides.borders.labels.size:
        return np.zeros((0, 3), np.float32)
    return find_planes(paths - corner(guides), labels, guides.borders.labels, guides.borders.slopes)


def sample_strokes(
    guides: Guides, index: int, paths: np.ndarray, alive: np.ndarray, half_widths: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Colours (n, 3) of the plate under strokes, and how much of them is seen (n,); see `sample_plate`."""
    sides = guides.sides[index]
    return sample_plate(
        paths - corner(guides),
        alive,
        tangents(paths),
        half_widths,
        guides.colours[index],
        guides.steps[index],
        stroke_planes(guides, paths, labels),
        guides.borders.tolerance,
        sides.others,
        sides.labels,
        sides.shares,
    )
