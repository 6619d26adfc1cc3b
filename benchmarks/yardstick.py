"""Temporal error along true motion, and texture kept: how stabilised paint compares with the per-frame paint.

Written with NumPy and OpenCV only, so that a fault of the engine's own warp or masks can't hide in its figures.
Pictures are display-referred, float (H, W, 3) in [0, 1]. docs/research/temporal.md says why errors are taken at the
stroke scale.

- Stroke scale: every frame under a Gaussian of 1 px. At raw pixels, resampling alone costs a tenth of the error.
- Warping error after k frames (Lai et al., "Learning blind video temporal consistency", ECCV 2018): the mean over t of
  sum M |O(t) - W(O(t + k))|^2 / (3 sum M). W carries a frame back along the composed motion by one bicubic resample; M
  is 1 where the point is seen in every frame on the way.
- Seen: inside the picture, and consistent forward and backward, |w + w'|^2 <= 0.01 (|w|^2 + |w'|^2) + 0.5 (Sundaram et
  al., ECCV 2010). Motion boundaries, which Ruder et al. (GCPR 2016) leave out, are judged: most of the error is there.
- Gradient energy: the mean of the squared differences to the right and lower neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np

STROKE_SIGMA_PX = 1.0
LONG_STEPS = 10
"""Frames between those that the long-term error compares."""


@dataclass(frozen=True, kw_only=True)
class TrueMotion:
    """What moves where in a shot of T frames, as its renderer knows it.

    Attributes:
        forward: from each frame to the next, T - 1 fields, float32 (H, W, 2), pixels, x right, y down.
        backward: from each frame but the first to the one before it; `backward[t]` belongs to frame t + 1.
        known: where each frame's motion is known and is to be judged, bool (H, W), T of them.
    """

    forward: Sequence[np.ndarray]
    backward: Sequence[np.ndarray]
    known: Sequence[np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured of a sequence.

    Attributes:
        short: warping error after 1 frame, at the stroke scale.
        long: after 10 frames; None where the shot is too short.
        strokes: gradient energy at the stroke scale.
        raw: gradient energy at raw pixels.
        uncovered: mean absolute distance to the per-frame paint where something has just come into sight, at
            the picture's border too.
        distance: the same over the whole picture.
    """

    short: float
    long: float | None
    strokes: float
    raw: float
    uncovered: float
    distance: float

    def relative_to(self, per_frame: Figures) -> Figures:
        """Errors and energies as shares of the per-frame paint's; distances as they are."""
        long = None if self.long is None or per_frame.long is None else self.long / per_frame.long
        return replace(
            self,
            short=self.short / per_frame.short,
            long=long,
            strokes=self.strokes / per_frame.strokes,
            raw=self.raw / per_frame.raw,
        )

    def columns(self, *, places: int = 4) -> str:
        """The figures as a row below `HEADINGS`."""
        values = (getattr(self, name) for name in COLUMNS)
        return "".join(("-" if value is None else f"{value:.{places}f}").rjust(WIDTH) for value in values)


WIDTH = 12
COLUMNS = tuple(field.name for field in fields(Figures))
HEADINGS = "".join(name.rjust(WIDTH) for name in COLUMNS)


class Yardstick:
    """Measures sequences of one shot.

    Args:
        motion: of the shot.
        per_frame: the paint of every frame by itself, which distances are taken to.
    """

    def __init__(self, motion: TrueMotion, per_frame: Sequence[np.ndarray]) -> None:
        self._per_frame = list(per_frame)
        seen = [visible(ab, ba) for ab, ba in zip(motion.forward, motion.backward, strict=True)]
        self._steps = {1: _paths(motion, seen, 1), LONG_STEPS: _paths(motion, seen, LONG_STEPS)}
        back = [visible(ba, ab) for ab, ba in zip(motion.forward, motion.backward, strict=True)]
        self._uncovered = [known & ~mask for known, mask in zip(motion.known[1:], back, strict=True)]

    def measure(self, frames: Sequence[np.ndarray]) -> Figures:
        """The figures of a sequence as long as the shot; errors and energies absolute."""
        smooth = [blur(frame) for frame in frames]
        distances = [np.abs(a - b).mean(-1) for a, b in zip(frames, self._per_frame, strict=True)]
        uncovered = np.concatenate([d[mask] for d, mask in zip(distances[1:], self._uncovered, strict=True)])
        short = _warping_error(smooth, self._steps[1], 1)
        assert short is not None, "a shot has two frames at least"
        return Figures(
            short=short,
            long=_warping_error(smooth, self._steps[LONG_STEPS], LONG_STEPS),
            strokes=float(np.mean([gradient_energy(frame) for frame in smooth])),
            raw=float(np.mean([gradient_energy(frame) for frame in frames])),
            uncovered=float(uncovered.mean()) if uncovered.size else 0.0,
            distance=float(np.mean(distances)),
        )


def blur(frame: np.ndarray) -> np.ndarray:
    """A frame at the stroke scale."""
    return cv2.GaussianBlur(frame, (0, 0), STROKE_SIGMA_PX)


def gradient_energy(frame: np.ndarray) -> float:
    """Mean of the squared differences to the right and lower neighbour, over all channels."""
    return float(np.square(np.diff(frame, axis=0)).mean() + np.square(np.diff(frame, axis=1)).mean())


def warp(picture: np.ndarray, flow: np.ndarray, interpolation: int = cv2.INTER_CUBIC) -> np.ndarray:
    """The picture seen at p + flow(p), for every p; beyond the border, its last pixels again."""
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(picture, x + flow[..., 0], y + flow[..., 1], interpolation, borderMode=cv2.BORDER_REPLICATE)


def visible(flow: np.ndarray, reverse: np.ndarray) -> np.ndarray:
    """Where a point of this frame is seen in the other one, bool (H, W).

    Args:
        flow: from this frame to the other, (H, W, 2), pixels.
        reverse: from the other frame to this one.
    """
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width] + np.moveaxis(flow[..., ::-1], -1, 0)
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    back = warp(reverse, flow, cv2.INTER_LINEAR)
    return inside & (_square(flow + back) <= 0.01 * (_square(flow) + _square(back)) + 0.5)


def _square(field: np.ndarray) -> np.ndarray:
    return np.square(field).sum(-1)


def _paths(motion: TrueMotion, seen: Sequence[np.ndarray], steps: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For every frame t that has a frame t + steps: the composed flow to it, and the mask M."""
    paths = []
    for start in range(len(seen) + 1 - steps):
        flow = np.zeros_like(motion.forward[0])
        mask = motion.known[start].copy()
        for t in range(start, start + steps):
            mask &= _everywhere(seen[t], flow)
            flow = flow + warp(motion.forward[t], flow, cv2.INTER_LINEAR)
            mask &= _everywhere(motion.known[t + 1], flow)
        paths.append((flow, mask))
    return paths


def _everywhere(mask: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """A mask carried along a flow: set where all four pixels around the place are."""
    return warp(mask.astype(np.float32), flow, cv2.INTER_LINEAR) > 0.999


def _warping_error(
    frames: Sequence[np.ndarray], paths: Sequence[tuple[np.ndarray, np.ndarray]], steps: int
) -> float | None:
    errors = [
        float(np.square(frames[t] - warp(frames[t + steps], flow))[mask].mean())
        for t, (flow, mask) in enumerate(paths)
        if mask.any()
    ]
    return float(np.mean(errors)) if errors else None
