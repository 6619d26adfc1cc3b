"""Brush tips from pictures, as artists scan them: a stroke from left to right, dark on white paper or with alpha."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tsn.errors import InputError
from tsn.io.downscaled import read_downscaled
from tsn.strokes.drawn_tips import COLUMNS, ROWS
from tsn.strokes.luma import luma_of
from tsn.strokes.preset import ScannedBrush

MAX_PIXELS = 1 << 20
"""Larger scans are averaged down to this on reading: 16 for each pixel of a tip."""
FAINTEST = 0.1
"""Mask below which a scan is taken for empty paper: its grain, shadows of the scanner."""
LEAST_CONTRAST = 0.08
"""Between paper and paint, below which there is no stroke in a scan."""


def read_tips(scan: ScannedBrush) -> np.ndarray:
    """The tip of a scan and its mirror image across the stroke, float32 (2, 2, ROWS, COLUMNS): mask, height.

    The mask is the alpha channel if there is one that hides something, else how much darker the scan is than its paper.
    The empty paper around the stroke is cut off. Without a picture of heights, more paint is thicker.

    Raises:
        InputError: a picture is missing, damaged, or has no stroke in it.
    """
    mask = _read_mask(scan.mask)
    thickness = mask if scan.height is None else _read_grey(scan.height)[0]
    if scan.height is not None:
        thickness = cv2.resize(thickness, mask.shape[::-1], interpolation=cv2.INTER_AREA)
    rows = np.flatnonzero((mask > 2 * FAINTEST).any(1))
    columns = np.flatnonzero((mask > 2 * FAINTEST).any(0))
    cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    mask, thickness = _fit(mask[cut]), _fit(thickness[cut])
    # The outermost rows and columns fade out, or a stroke that touches the border of its scan ends like a saw cut.
    u, v = np.arange(COLUMNS, dtype=np.float32)[None], np.arange(ROWS, dtype=np.float32)[:, None]
    mask = mask * np.minimum(1, np.minimum(u, COLUMNS - 1 - u) / 4) * np.minimum(1, np.minimum(v, ROWS - 1 - v) / 2)
    tip = np.stack([mask, (0.25 + 0.75 * thickness) * mask]).astype(np.float32)
    return np.stack([tip, tip[:, ::-1]])


def _read_grey(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Luma (H, W) and alpha (H, W) or None."""
    picture = read_downscaled(path, max_pixels=MAX_PIXELS, admit=lambda height, width: None)
    return luma_of(picture.rgb), None if picture.alpha is None else picture.alpha[..., 0]


def _read_mask(path: Path) -> np.ndarray:
    luma, alpha = _read_grey(path)
    if alpha is not None and alpha.min() < 0.5:
        mask = alpha
        found = f"an alpha channel of {alpha.max():.2f} at most"
    else:
        paper, paint = np.quantile(luma, 0.98), np.quantile(luma, 0.01)
        darker = (paper - luma) / max(paper - paint, 1e-6)
        mask = np.clip((darker - FAINTEST) / (0.9 - FAINTEST), 0, 1) * (paper - paint >= LEAST_CONTRAST)
        found = f"an even grey of {paper:.2f}"
    if mask.max() <= 2 * FAINTEST:
        raise InputError(
            f"{path}: expected a brush stroke, dark on white paper or in an alpha channel, found {found}.",
            hint="Scan one stroke, from left to right, and save it as PNG.",
        )
    return np.asarray(mask, np.float32)


def _fit(picture: np.ndarray) -> np.ndarray:
    """(H, W) at the size of a tip: averaged where it is larger, interpolated where it is smaller."""
    for size, axis in ((COLUMNS, 1), (ROWS, 0)):
        shape = (size, picture.shape[0]) if axis else (picture.shape[1], size)
        smaller = size < picture.shape[axis]
        picture = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return picture
