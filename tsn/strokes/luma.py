"""Luma of colours in style space, without a matrix product, whose bits depend on the BLAS kernel of the processor."""

from __future__ import annotations

import numpy as np

from tsn import colour

WEIGHTS = tuple(np.float32(weight) for weight in colour.LUMA)


def luma_of(colours: np.ndarray) -> np.ndarray:
    """Luma (...) of colours (..., 3), float32."""
    red, green, blue = WEIGHTS
    return np.asarray(red * colours[..., 0] + green * colours[..., 1] + blue * colours[..., 2])
