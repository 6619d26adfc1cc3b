"""Fusion of flow proposals: at each pixel, the one along which the two pictures differ least.

After Lempitsky, Roth, Rother, "FusionFlow", CVPR 2008. Good proposals propagate from neighbour to neighbour (Barnes et
al., "PatchMatch", SIGGRAPH 2009) in jumps (Rong, Tan, "Jump flooding", I3D 2006), so that whole pictures are compared
at a time.

All flows here are numpy, (H, W, 2) float32, in pixels. The bits are the same on any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from tsn.colour import LUMA

PATCH_PX = 5
"""Side of the patch over which pictures are compared: 3 finds less of large motion, 7 less of thin things."""
MAX_DIFFERENCE = 76
"""Clip of a pixel's difference, of 255 a channel: else one newly occluded pixel would decide for its whole patch."""
GRAIN_BOX_PX = 9
"""Side of the box whose mean is subtracted from luma to get its grain, which a change of light leaves alone."""
UNKNOWN_COST = 1e3
"""A cost above any difference, for pixels without a proposal."""


def pixel_grid(height: int, width: int) -> np.ndarray:
    """Pixel coordinates (H, W, 2), x then y."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, y], -1)


def sample_at(picture: np.ndarray, at: np.ndarray, *, outside: int | None = None) -> np.ndarray:
    """Sample `picture` (H, W, C) at coordinates `at` (H, W, 2), bilinear; beyond its border repeated, or `outside`."""
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    values = [float(outside or 0)] * 4
    # OpenCV's stubs do not allow None as the second map; an empty array gives other values (5.0.0).
    return cv2.remap(picture, at, None, cv2.INTER_LINEAR, borderMode=border, borderValue=values)  # type: ignore[call-overload, no-any-return]


def shift_flow(flow: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """The flow moved by (dx, dy) pixels: each pixel gets its neighbour's at (-dx, -dy). The border is repeated."""
    height, width = flow.shape[:2]
    left, right, top, bottom = max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0)
    wide = cv2.copyMakeBorder(flow, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return wide[bottom : bottom + height, right : right + width]


def median_flow(flow: np.ndarray, size: int) -> np.ndarray:
    """Median of each component over size x size pixels (3 or 5): removes single wrong pixels, keeps motion edges."""
    return np.dstack([cv2.medianBlur(np.ascontiguousarray(flow[..., axis]), size) for axis in (0, 1)])


def resize_flow(flow: np.ndarray, height: int, width: int) -> np.ndarray:
    """The flow on a grid of another size, in pixels of that grid."""
    ratio = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    return cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * ratio


def splat_inverse(reverse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of a flow, by splatting: (H, W, 2), and bool (H, W), False where no vector ends.

    Each vector is negated and placed at the pixel where it ends. Of several the longest stays: what moves more is
    mostly nearer, and occludes the others.
    """
    height, width = reverse.shape[:2]
    x, y = np.rint(pixel_grid(height, width) + reverse).astype(np.intp).reshape(-1, 2).T
    inside = np.flatnonzero((x >= 0) & (x < width) & (y >= 0) & (y < height))
    vectors = -reverse.reshape(-1, 2)
    length = np.square(vectors[inside, 0]) + np.square(vectors[inside, 1])
    inside = inside[np.argsort(length, kind="stable")]
    end = y[inside] * width + x[inside]
    flow, known = np.zeros((height * width, 2), np.float32), np.zeros(height * width, bool)
    flow[end], known[end] = vectors[inside], True  # of repeated indices numpy keeps the last
    return flow.reshape(height, width, 2), known.reshape(height, width)


def features(picture: np.ndarray) -> np.ndarray:
    """Features by which pixels are compared, uint8 (H, W, 4): luma, R - G, B - G, and the grain of luma.

    Args:
        picture: float32 (H, W, 3), display-referred, [0, 1].
    """
    red, green, blue = cv2.split(picture)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    grain = luma - cv2.boxFilter(luma, -1, (GRAIN_BOX_PX, GRAIN_BOX_PX))
    signed = [(red - green) / 2, (blue - green) / 2, grain]
    planes = [luma * 255, *(plane * 255 + 128 for plane in signed)]
    return np.dstack([np.clip(plane + 0.5, 0, 255) for plane in planes]).astype(np.uint8)


class FlowField:
    """A flow that keeps, at each pixel, the best of all proposals.

    Args:
        here: `features` of the picture that the flow starts from.
        there: `features` of the picture that it leads to.
        flow: (H, W, 2), the first proposal.

    Attributes:
        flow: (H, W, 2), the best so far.
    """

    def __init__(self, here: np.ndarray, there: np.ndarray, flow: np.ndarray) -> None:
        self._here, self._there = here, there
        self._grid = pixel_grid(*here.shape[:2])
        self.flow = flow.copy()
        self._cost = self._cost_of(flow)

    def propose(self, flow: np.ndarray, known: np.ndarray | None = None) -> None:
        """Take `flow` wherever the pictures differ less along it, and it is `known` (bool (H, W))."""
        cost = self._cost_of(flow)
        if known is not None:
            cost[~known] = UNKNOWN_COST
        better = cost < self._cost
        np.copyto(self.flow, flow, where=better[..., None])
        np.copyto(self._cost, cost, where=better)

    def propagate(self, jumps: Iterable[int]) -> None:
        """Propose to every pixel the flow of those at each distance to its left, right, top and bottom in turn."""
        for jump in jumps:
            for dx, dy in ((jump, 0), (-jump, 0), (0, jump), (0, -jump)):
                self.propose(shift_flow(self.flow, dx, dy))

    def _cost_of(self, flow: np.ndarray) -> np.ndarray:
        """Mean clipped difference along `flow` over a patch, float32 (H, W)."""
        # Outside of the frame every feature is 255, far from most real ones: motion out of it is the last choice.
        seen = sample_at(self._there, self._grid + flow, outside=255)
        total = cv2.transform(cv2.absdiff(seen, self._here), np.ones((1, 4), np.float32))
        clipped = np.minimum(total, MAX_DIFFERENCE)
        return cv2.boxFilter(clipped, cv2.CV_32F, (PATCH_PX, PATCH_PX), borderType=cv2.BORDER_REFLECT)


def exchange_proposals(forward: FlowField, backward: FlowField) -> None:
    """Propose to each direction the inverse of the other: both become consistent wherever the pictures allow it."""
    inverses = splat_inverse(backward.flow), splat_inverse(forward.flow)
    forward.propose(*inverses[0])
    backward.propose(*inverses[1])
