"""Brush tips drawn by the engine, by kind. `u` runs along the stroke, `v` across it.

Each function draws one tip: mask (where it leaves paint, 0..1) and height (how thick), float32 (2, ROWS, COLUMNS).
Grain and ragged ends have their size in pixels of a plate of 360 lines, so that they look alike in strokes of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from tsn.strokes.easing import ramp

ROWS, COLUMNS = 64, 256


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """What a tip is drawn on.

    Attributes:
        random: source of its irregularities.
        hairs: see `DrawnBrush`.
        rows, columns: of the tip, per pixel of a plate of 360 lines.
    """

    random: np.random.Generator
    hairs: float
    rows: float
    columns: float

    @property
    def u(self) -> np.ndarray:
        """(1, COLUMNS), 0 at the start of the stroke, 1 at its end."""
        return (np.arange(COLUMNS, dtype=np.float32) + 0.5)[None] / COLUMNS

    @property
    def v(self) -> np.ndarray:
        """(ROWS, 1), -1 to 1 across the stroke."""
        return ((np.arange(ROWS, dtype=np.float32) + 0.5)[:, None] / ROWS) * 2 - 1

    def noise(self, along: float, across: float) -> np.ndarray:
        """(ROWS, COLUMNS) of mean 0 and deviation 1; its grains have these sizes, pixels at 360 lines."""
        grain: np.ndarray = self.random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
        return _unit(_blur(grain, along * self.columns, across * self.rows))

    def edge(self, size: float) -> np.ndarray:
        """(1, COLUMNS) of mean 0 and deviation 1, changing along the stroke within `size` pixels at 360 lines."""
        line: np.ndarray = self.random.normal(size=(1, 3 * COLUMNS)).astype(np.float32)
        return _unit(_blur(line, size * self.columns, 0)[:, COLUMNS : 2 * COLUMNS])

    def ends(self, size: float) -> np.ndarray:
        """(ROWS, 1) of mean 0 and deviation 1, changing across the stroke within `size` pixels at 360 lines."""
        line: np.ndarray = self.random.normal(size=(3 * ROWS, 1)).astype(np.float32)
        return _unit(_blur(line, 0, size * self.rows)[ROWS : 2 * ROWS])


def _blur(values: np.ndarray, along: float, across: float) -> np.ndarray:
    return cv2.GaussianBlur(values, (0, 0), sigmaX=max(along, 0.01), sigmaY=max(across, 0.01))


def _unit(values: np.ndarray) -> np.ndarray:
    return np.asarray((values - values.mean()) / (values.std() + 1e-6))


def _bristle(canvas: Canvas) -> np.ndarray:
    """A loaded hog-hair brush: hairs that begin and end each at its own place and run dry towards the end."""
    random, hairs, u, v = canvas.random, canvas.hairs, canvas.u, canvas.v
    noise: np.ndarray = random.normal(size=(ROWS, 8)).astype(np.float32)
    noise = cv2.resize(noise, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(noise, (0, 0), sigmaX=12, sigmaY=0.9)
    broad = cv2.GaussianBlur(noise, (0, 0), sigmaX=30, sigmaY=4)
    hair = fine / (fine.std() + 1e-6) * 0.5 + broad / (broad.std() + 1e-6) * 0.5
    ends = cv2.GaussianBlur(random.normal(size=(ROWS, 2)).astype(np.float32), (0, 0), sigmaX=0.01, sigmaY=1.5)
    ends = ends / (ends.std() + 1e-6)
    start = 0.045 + 0.02 * ends[:, :1] + 0.10 * v * v
    stop = 0.93 - 0.05 * hairs * ends[:, 1:] - 0.16 * v * v
    inside = ramp(u, start - 0.02, start + 0.02) * (1 - ramp(u, stop - 0.05, stop + 0.03))
    wobble = cv2.GaussianBlur(random.normal(size=(1, COLUMNS)).astype(np.float32), (0, 0), sigmaX=20, sigmaY=0.01)
    side = 0.86 + 0.05 * wobble / (wobble.std() + 1e-6)
    across = 1 - ramp(np.abs(v), side - 0.1, side + 0.08)
    dry = 0.15 + 0.85 * ramp(u, 0.35, 1.0)
    gaps = 1 - hairs * dry * ramp(-hair, 0.6, 1.6)
    mask = inside * across * gaps
    ridge = 0.5 + 0.22 * hair + 0.25 * ramp(np.abs(v), 0.45, 0.8) * across + 0.2 * ramp(u, 0.75, 0.92)
    return np.stack([np.clip(mask, 0, 1), np.clip(ridge, 0, 1.3) * mask])


def _flat(canvas: Canvas) -> np.ndarray:
    """A soft flat brush with creamy paint: an even patch with straight sides; hairs show at its ends only."""
    u, v = canvas.u, canvas.v
    start = 0.05 + 0.012 * canvas.ends(1.2)
    stop = 0.96 - (0.012 + 0.05 * canvas.hairs) * np.abs(canvas.ends(0.5))
    inside = ramp(u, start - 0.015, start + 0.015) * (1 - ramp(u, stop - 0.02, stop + 0.02))
    across = np.ones((ROWS, COLUMNS), np.float32)
    for sign in (-1, 1):
        side = 0.9 + 0.025 * canvas.edge(8)
        across *= 1 - ramp(sign * v, side - 0.06, side + 0.06)
    mask = inside * across
    height = 0.5 + 0.06 * canvas.noise(20, 0.6) * canvas.hairs + 0.15 * ramp(np.abs(v), 0.6, 0.85)
    return np.stack([mask, height * mask])


def _chalk(canvas: Canvas) -> np.ndarray:
    """The side of a chalk: it catches the tops of the paper's grain, fewer of them where it is pressed less."""
    u, v = canvas.u, canvas.v
    pressure = 0.5 * canvas.noise(30, 2) - 1.3 * ramp(np.abs(v), 0.5, 1.0) - 0.3 * canvas.noise(24, 0.7)
    pressure = pressure - 2 * (1 - ramp(u, 0.0, 0.12)) - 1.6 * ramp(u, 0.72, 1.0)
    grain = canvas.noise(0.7, 0.7) + 0.7 * canvas.noise(1.6, 1.6)
    reach = 2.6 - 3 * canvas.hairs + pressure
    mask = ramp(reach - grain, -0.4, 0.6) * (1 - ramp(np.abs(v), 0.86, 1.0))
    mask = mask * ramp(u, 0.0, 0.04) * (1 - ramp(u, 0.96, 1.0))
    return np.stack([mask, (0.5 - 0.12 * np.clip(grain, -2, 2)) * mask])


def _pen(canvas: Canvas) -> np.ndarray:
    """A pointed nib: a line without gaps that swells with the pressure and tapers off."""
    u, v = canvas.u, canvas.v
    swell = ramp(u, 0.0, 0.3) * (1 - 0.85 * ramp(u, 0.55, 1.0))
    half = (0.2 + 0.45 * swell) * (1 + 0.1 * canvas.edge(4))
    bend = 0.07 * canvas.edge(12)
    mask = 1 - ramp(np.abs(v - bend), half - 0.2, half + 0.2)
    mask = mask * ramp(u, 0.0, 0.04) * (1 - ramp(u, 0.94, 1.0))
    return np.stack([mask, 0.5 * mask])


def _dab(canvas: Canvas) -> np.ndarray:
    """A touch of a round brush: a small disc, a little out of round, thickest in a ring."""
    x, y = 2 * canvas.u - 1, canvas.v
    angle, radius = np.arctan2(y, x), np.sqrt(x * x + y * y)
    phase = 2 * np.pi * canvas.random.random(3)
    wobble = sum(np.cos(n * angle + phase[i]) / n for i, n in enumerate((2, 3, 4)))
    edge = 0.84 + 0.09 * wobble
    mask = 1 - ramp(radius, edge - 0.12, edge + 0.1)
    height = 0.45 + 0.35 * ramp(radius, 0.3, 0.65) + 0.15 * canvas.hairs * canvas.noise(1, 0.4)
    return np.stack([mask, np.clip(height, 0, 1.3) * mask])


def _wash(canvas: Canvas) -> np.ndarray:
    """Thin watercolour from a half-dry brush: pigment settles at the rim and in the grain, hairs break the end.

    Its height is the amount of pigment.
    """
    u, v = canvas.u, canvas.v
    start = 0.05 + 0.015 * canvas.ends(2) + 0.05 * v * v
    stop = 0.94 - 0.03 * canvas.ends(2) - 0.05 * v * v
    into = np.full((ROWS, COLUMNS), 1e3, np.float32)  # distance from the rim, pixels at 360 lines
    for sign in (-1, 1):
        into = np.minimum(into, (0.88 + 0.04 * canvas.edge(6) - sign * v) * (ROWS / 2) / canvas.rows)
    into = np.minimum(into, np.minimum(u - start, stop - u) * COLUMNS / canvas.columns)
    inside = ramp(into, 0.0, 0.9)
    streaks = 0.7 * canvas.noise(14, 0.5) + 0.5 * canvas.noise(1.1, 0.8)
    dry = canvas.hairs * (0.12 + 0.88 * ramp(u, 0.35, 0.95))
    mask = inside * (1 - np.clip(dry * 1.1, 0, 1) * ramp(streaks, 1.0 - 1.6 * dry, 1.9 - 1.6 * dry))
    breadth = min(2.4, 0.09 * ROWS / canvas.rows)
    rim = ramp(into, 0.0, 0.3 * breadth) * (1 - ramp(into, 0.3 * breadth, breadth))
    pigment = 0.42 + 0.5 * rim + 0.11 * canvas.noise(0.8, 0.8) + 0.1 * canvas.noise(8, 4)
    return np.stack([mask, np.clip(pigment, 0, 1.3) * mask])


KINDS: Mapping[str, Callable[[Canvas], np.ndarray]] = {
    "bristle": _bristle,
    "flat": _flat,
    "chalk": _chalk,
    "pen": _pen,
    "dab": _dab,
    "wash": _wash,
}
