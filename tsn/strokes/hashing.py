"""Random numbers that are a function of what they are for: the same on every host, in every chunk, in any order.

SplitMix64's finaliser (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
"""

from __future__ import annotations

import numba
import numpy as np

_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)


@numba.njit(cache=True, inline="always")
def derive_key(key: np.uint64, value: int) -> np.uint64:
    """The key of `value` under `key`; a chain of them names a layer, a frame, a cell."""
    mixed = key + _STEP + np.uint64(value)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))


@numba.njit(cache=True, inline="always")
def uniform(key: np.uint64, which: int) -> float:
    """Number `which` of a key, float64 in [0, 1)."""
    return (derive_key(key, which) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@numba.njit(cache=True)
def uniforms(keys: np.ndarray, first: int, count: int) -> np.ndarray:
    """Numbers `first` to `first` + `count` - 1 of each key (n,), float32 (n, count)."""
    found = np.empty((len(keys), count), np.float32)
    for n in range(len(keys)):
        for i in range(count):
            found[n, i] = uniform(keys[n], first + i)
    return found
