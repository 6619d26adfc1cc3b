"""Along which way strokes run: the direction of forms in the picture, of the render's depth and of an AOV for it.

Directions are kept as a doubled angle (cosine and sine of twice the angle, times the certainty), which averages without
a sign. That of the picture is the smallest-change axis of a structure tensor of the luma, gathered over three scales
(Förstner 1986; Haeberli, "Paint by numbers", SIGGRAPH 1990 for strokes along it).
"""

from __future__ import annotations

import cv2
import numpy as np

from tsn.strokes.blur import blur
from tsn.strokes.borders import DEPTH_TOLERANCE, Borders

SCALES = ((1.0, ((3.0, 1.0), (9.0, 0.6))), (2.0, ((30.0, 0.25),)))
"""Of the tensor: sigmas of the derivative, and for each those of the gathering and gains; pixels at 360 lines."""
SLOPE_SIGMA, SLOPE_GAIN = 5.0, 0.25
"""Of the slope of log depth, and its gain in the same tensor."""
SILHOUETTE_SIGMA, SILHOUETTE_STEP = 2.0, 0.15
"""Of silhouettes, and what a jump in depth counts as, in luma."""
NORMAL_SIGMA = 3.0
"""Of the gathering of normals, pixels at 360 lines."""
LARGEST = 1e9
"""A component beyond it is no direction: its square would not fit into float32."""
CURVED = 0.01
"""Turn of a normal over a pixel at 360 lines, radians, from which on it leads strokes more than the picture does."""


def form_direction(luma: np.ndarray, scale: float, depth: Borders | None = None) -> np.ndarray:
    """(2, H, W): see `Guides.angle`.

    Args:
        luma: (H, W).
        scale: the plate's lines over 360.
        depth: of the same frame; then the picture's gradients across silhouettes do not count, which lead strokes on
            the far side, too.
    """
    total = np.zeros((*luma.shape, 3), np.float32)
    for derivative, gatherings in SCALES:
        gx, gy = gradient(blur(luma, derivative * scale), scale)
        if depth is not None:
            inside = ~_jumps(depth.labels, int(2 * derivative * scale) + 1)
            gx, gy = gx * inside, gy * inside
        tensor = _tensor(gx, gy)
        for gather, gain in gatherings:
            total += gain * blur(tensor, gather * scale)
    if depth is not None:
        tensor = SLOPE_GAIN * blur(_tensor(*(depth.slopes * np.float32(scale))), SLOPE_SIGMA * scale)
        tensor += _silhouettes(depth.labels, scale)
        total += tensor
    length = np.sqrt(total[..., 0] ** 2 + total[..., 1] ** 2)
    certainty = length / (total[..., 2] + 1e-6)
    along = -total[..., :2] / np.maximum(length, 1e-12)[..., None]  # turned by 90 degrees: doubled, by 180
    return np.ascontiguousarray(np.moveaxis(along * certainty[..., None], 2, 0))


def gradient(picture: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Change for a pixel at 360 lines to the right and down, (H, W) each."""
    gx = cv2.Scharr(picture, cv2.CV_32F, 1, 0, scale=1 / 32, borderType=cv2.BORDER_REPLICATE) * scale
    gy = cv2.Scharr(picture, cv2.CV_32F, 0, 1, scale=1 / 32, borderType=cv2.BORDER_REPLICATE) * scale
    return gx, gy


def _tensor(gx: np.ndarray, gy: np.ndarray) -> np.ndarray:
    """(H, W, 3): (gx + i gy)^2, which points across the form at the doubled angle, and its length."""
    square = gx * gx + gy * gy
    # Its square root as weight lets strong edges lead and not drown all else.
    weight = 1 / np.sqrt(np.sqrt(square) + 1e-4)
    return np.dstack([(gx * gx - gy * gy) * weight, 2 * gx * gy * weight, square * weight])


def _jumps(labels: np.ndarray, reach: int) -> np.ndarray:
    """bool (H, W): within `reach` pixels of a jump in log depth between neighbours."""
    jump = np.zeros(labels.shape, np.uint8)
    across = np.abs(np.diff(labels, axis=1)) > DEPTH_TOLERANCE
    down = np.abs(np.diff(labels, axis=0)) > DEPTH_TOLERANCE
    jump[:, :-1] |= across
    jump[:, 1:] |= across
    jump[:-1] |= down
    jump[1:] |= down
    return np.asarray(cv2.dilate(jump, np.ones((2 * reach + 1,) * 2, np.uint8)), bool)


def _silhouettes(labels: np.ndarray, scale: float) -> np.ndarray:
    """Tensor (H, W, 3) of jumps in log depth, on their near side only."""
    near = cv2.erode(labels, np.ones((2 * int(6 * scale) + 1,) * 2, np.uint8), borderType=cv2.BORDER_REPLICATE)
    far_side = labels - near > DEPTH_TOLERANCE
    # One side of a jump against the other, whatever its height: 1 where the near surface is.
    gx, gy = gradient(blur((~far_side).astype(np.float32) * np.float32(SILHOUETTE_STEP), scale), scale)
    jump = _jumps(labels, int(2 * scale) + 1)
    return blur(_tensor(gx * jump, gy * jump), SILHOUETTE_SIGMA * scale) * (~far_side)[..., None]


def lead(angle: np.ndarray, aov: np.ndarray, scale: float) -> np.ndarray:
    """(2, H, W): the direction of the picture where an AOV has no opinion, else that of the AOV.

    Vectors count as lines, whatever their length and sign. Normals lead along the way on which they turn least, so that
    strokes go along a cylinder and around a ball, and flat places keep the picture's direction. Unlike their lines of
    equal facing, that is the same for normals of the camera's space, of the world's and of tangent maps.

    Args:
        angle: see `Guides.angle`.
        aov: (2, H, W) vectors, x right, y down; or (3, H, W) normals. NaN and inf have no opinion.
    """
    there = (np.abs(aov) < LARGEST).all(0)  # NaN is not
    values = [np.where(there, plane, 0).astype(np.float32) for plane in aov]
    if len(values) == 2:
        x, y = values
        square = x * x + y * y
        sure = np.where(square > 1e-12, 1 / np.maximum(square, 1e-12), 0).astype(np.float32)
        own = blur(np.dstack([(x * x - y * y) * sure, 2 * x * y * sure, square * sure]), scale)
        along, certainty = own[..., :2], own[..., 2]
    else:
        tensor = np.zeros((*there.shape, 3), np.float32)
        inside = cv2.erode(there.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
        for plane in values:
            gx, gy = (inside * each for each in gradient(plane, scale))
            tensor += np.dstack([gx * gx - gy * gy, 2 * gx * gy, gx * gx + gy * gy])
        tensor = blur(tensor, NORMAL_SIGMA * scale)
        turn = np.sqrt(tensor[..., 2])
        certainty = turn / (turn + np.float32(CURVED))
        along = -tensor[..., :2] / (tensor[..., 2:] + 1e-9) * certainty[..., None]
        certainty = np.sqrt((along * along).sum(-1))
    led = np.moveaxis(along, 2, 0) + (1 - certainty) * angle
    return np.ascontiguousarray(led, dtype=np.float32)
