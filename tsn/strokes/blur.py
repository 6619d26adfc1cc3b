"""Gaussians, the large ones at a reduced size. Grids begin at the top left corner, whatever the size of the picture."""

from __future__ import annotations

import cv2
import numpy as np


def reduce(picture: np.ndarray, by: int) -> np.ndarray:
    """Means of `by` x `by` pixels of (H, W) or (H, W, C), beginning at the top left; the last ones are filled up."""
    if by == 1:
        return picture
    height, width = picture.shape[:2]
    more = (-height % by, -width % by)
    if any(more):
        picture = cv2.copyMakeBorder(picture, 0, more[0], 0, more[1], cv2.BORDER_REPLICATE)
    size = (picture.shape[1] // by, picture.shape[0] // by)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def enlarge(picture: np.ndarray, by: int, height: int, width: int) -> np.ndarray:
    """The inverse of `reduce`, linear between the middles of its pixels."""
    if by == 1:
        return picture
    size = (picture.shape[1] * by, picture.shape[0] * by)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)[:height, :width])


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian of (H, W) or (H, W, C) float32; large sigmas at a reduced size, which differs by less than a code."""
    if sigma <= 0.3:
        return picture
    height, width = picture.shape[:2]
    by = 1
    while sigma / by > 4 and min(height, width) // (2 * by) >= 8:
        by *= 2
    small = reduce(picture, by)
    small = cv2.GaussianBlur(small, (0, 0), sigma / by, borderType=cv2.BORDER_REPLICATE)
    return enlarge(small, by, height, width)
