from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsn.strokes.hashing import derive_key, uniform, uniforms


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """On a machine that never called it, the first call compiles, which takes longer than hypothesis waits."""
    uniform(np.uint64(0), 0)


def test_it_is_splitmix64() -> None:
    assert derive_key(np.uint64(0), 0) == 0xE220A8397B1DCDAF  # the first number of SplitMix64 with seed 0


@given(st.integers(0, 2**64 - 1), st.integers(-1000, 1000))
def test_numbers_are_in_range_and_the_same_again(key: int, which: int) -> None:
    value = uniform(np.uint64(key), which)
    assert 0 <= value < 1 and value == uniform(np.uint64(key), which)


def test_neighbouring_keys_have_nothing_in_common() -> None:
    keys = np.arange(4096, dtype=np.uint64)
    table = uniforms(keys, 7, 2).astype(np.float64)
    assert abs(table.mean() - 0.5) < 0.02 and abs(np.corrcoef(table.T)[0, 1]) < 0.05
    assert abs(np.corrcoef(table[:-1, 0], table[1:, 0])[0, 1]) < 0.05
