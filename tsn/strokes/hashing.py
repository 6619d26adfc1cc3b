"""Random numbers that are a function of what they are for: the same on every host, in every chunk, in any order.

SplitMix64's finaliser (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
"""

from __future__ import annotations

import numba as nb
import numpy as np

_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)


@nb.njit(cache=True, inline="always")
def mixed(key: np.uint64) -> np.uint64:
    """64 well-mixed bits of 64."""
    key = (key ^ (key >> np.uint64(30))) * _MIX_1
    key = (key ^ (key >> np.uint64(27))) * _MIX_2
    return key ^ (key >> np.uint64(31))


@nb.njit(cache=True, inline="always")
def joined(key: np.uint64, value: int) -> np.uint64:
    """A key for `value` under `key`: chains give one for (layer, frame, cell ...)."""
    return mixed(key + _STEP + np.uint64(value))


@nb.njit(cache=True, inline="always")
def uniform(key: np.uint64, which: int) -> float:
    """Number `which` of a key, in [0, 1)."""
    return (joined(key, which) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
