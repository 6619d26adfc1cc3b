"""Candidates for the motion at a pixel, and the one that the two pictures bear out best.

Fusion of flow proposals after Lempitsky, Roth, Rother, "FusionFlow", CVPR 2008, with the spreading of good guesses
from neighbour to neighbour of Barnes et al., "PatchMatch", SIGGRAPH 2009, in jumps (Rong, Tan, "Jump flooding",
I3D 2006), so that a whole picture is compared at a time.

Everything here is numpy, (H, W, 2) float32 flows in pixels, and gives the same bits at any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from tsn.colour import LUMA

PATCH_PX = 5
"""Pixels over which pictures are compared: 3 finds less of large motion, 7 less of thin things."""
MAX_DIFFERENCE = 76
"""Of 255: a pixel differs at most so much, or one that was just covered would decide for its whole patch."""
GRAIN_BOX_PX = 9
"""Pixels of the box that luma's own mean is taken over, for the part of it that a change of light leaves alone."""
UNKNOWN_COST = 1e3
"""More than any difference can be."""


def pixel_grid(height: int, width: int) -> np.ndarray:
    """Pixel coordinates (H, W, 2), x then y."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, y], -1)


def sample_at(picture: np.ndarray, at: np.ndarray, *, outside: int | None = None) -> np.ndarray:
    """`picture` (H, W, C), bilinear, at the coordinates `at` (H, W, 2); beyond its border repeated, or `outside`."""
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    values = [float(outside or 0)] * 4
    # OpenCV's stubs know no call without a second map; an empty array for it gives other values (5.0.0).
    return cv2.remap(picture, at, None, cv2.INTER_LINEAR, borderMode=border, borderValue=values)  # type: ignore[call-overload, no-any-return]


def shift_flow(flow: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """What a pixel's neighbour at (-dx, -dy) has; the border is repeated."""
    height, width = flow.shape[:2]
    left, right, top, bottom = max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0)
    wide = cv2.copyMakeBorder(flow, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return wide[bottom : bottom + height, right : right + width]


def median_flow(flow: np.ndarray, size: int) -> np.ndarray:
    """Median of each component over size x size pixels (3 or 5): single wrong pixels go, edges of motion stay."""
    return np.dstack([cv2.medianBlur(np.ascontiguousarray(flow[..., axis]), size) for axis in (0, 1)])


def resize_flow(flow: np.ndarray, height: int, width: int) -> np.ndarray:
    """The flow on a grid of another size, its vectors in that grid's pixels."""
    ratio = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    return cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * ratio


def splat_inverse(reverse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The flow there that the flow back implies: (H, W, 2), and bool (H, W), False where nothing came from.

    Each vector is turned round and laid at the pixel where it ends. Of several the longest stays: what moves more
    is mostly nearer, and covers the others.
    """
    height, width = reverse.shape[:2]
    x, y = np.rint(pixel_grid(height, width) + reverse).astype(np.intp).reshape(-1, 2).T
    inside = np.flatnonzero((x >= 0) & (x < width) & (y >= 0) & (y < height))
    vectors = -reverse.reshape(-1, 2)
    length = np.square(vectors[inside, 0]) + np.square(vectors[inside, 1])
    inside = inside[np.argsort(length, kind="stable")]
    place = y[inside] * width + x[inside]
    flow, known = np.zeros((height * width, 2), np.float32), np.zeros(height * width, bool)
    flow[place], known[place] = vectors[inside], True  # of repeated indices numpy keeps the last
    return flow.reshape(height, width, 2), known.reshape(height, width)


def features(picture: np.ndarray) -> np.ndarray:
    """What pixels are compared by: luma, its grain, and two differences of colour; uint8 (H, W, 4).

    Args:
        picture: float32 (H, W, 3), display-like, [0, 1].
    """
    red, green, blue = cv2.split(picture)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    grain = luma - cv2.boxFilter(luma, -1, (GRAIN_BOX_PX, GRAIN_BOX_PX))
    signed = [(red - green) / 2, (blue - green) / 2, grain]
    planes = [luma * 255, *(plane * 255 + 128 for plane in signed)]
    return np.dstack([np.clip(plane + 0.5, 0, 255) for plane in planes]).astype(np.uint8)


class FlowField:
    """A flow under construction: at each pixel the best of all that was offered for it.

    Args:
        here: `features` of the picture that the flow starts from.
        there: `features` of the picture that it leads to.
        flow: (H, W, 2), the first offer.
    """

    def __init__(self, here: np.ndarray, there: np.ndarray, flow: np.ndarray) -> None:
        self._here, self._there = here, there
        self._grid = pixel_grid(*here.shape[:2])
        self.flow = flow.copy()
        self._difference = self._unlike(flow)

    def propose(self, flow: np.ndarray, known: np.ndarray | None = None) -> None:
        """Take over `flow` wherever the pictures differ less along it, and it is `known` (bool (H, W))."""
        difference = self._unlike(flow)
        if known is not None:
            difference[~known] = UNKNOWN_COST
        better = difference < self._difference
        np.copyto(self.flow, flow, where=better[..., None])
        np.copyto(self._difference, difference, where=better)

    def propagate(self, jumps: Iterable[int]) -> None:
        """Offer every pixel what those so many pixels to its left, right, top and bottom have, jump by jump."""
        for jump in jumps:
            for dx, dy in ((jump, 0), (-jump, 0), (0, jump), (0, -jump)):
                self.propose(shift_flow(self.flow, dx, dy))

    def _unlike(self, flow: np.ndarray) -> np.ndarray:
        """Mean clipped difference along `flow` over a patch, float32 (H, W)."""
        # Out of the frame every feature is at its end, far from most that there are: motion out of it is a last resort.
        seen = sample_at(self._there, self._grid + flow, outside=255)
        total = cv2.transform(cv2.absdiff(seen, self._here), np.ones((1, 4), np.float32))
        clipped = np.minimum(total, MAX_DIFFERENCE)
        return cv2.boxFilter(clipped, cv2.CV_32F, (PATCH_PX, PATCH_PX), borderType=cv2.BORDER_REFLECT)


def exchange_proposals(forward: FlowField, backward: FlowField) -> None:
    """Offer each direction what the other implies, so that there and back meet wherever the pictures allow it."""
    turned = splat_inverse(backward.flow), splat_inverse(forward.flow)
    forward.propose(*turned[0])
    backward.propose(*turned[1])
