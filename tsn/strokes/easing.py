"""The smooth step 3x^2 - 2x^3, for one number in a kernel and for arrays."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, inline="always")
def smoothstep(x: float) -> float:
    """3x^2 - 2x^3, x clipped to [0, 1]."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)


def ramp(x: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """`smoothstep` of arrays: 0 up to `low`, 1 from `high` on."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
