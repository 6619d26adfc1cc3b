"""Packed floats come back bit for bit, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from tsn.io.float_compression import compress, decompress


def smooth(*shape: int) -> np.ndarray:
    """Something like motion: smooth over the picture, noisy in its last bits."""
    y, x = np.mgrid[: shape[-2], : shape[-1]].astype(np.float32)
    plane = 3 * np.sin(x / 40) + y / 50 + np.random.default_rng(1).normal(0, 1e-4, y.shape)
    return np.ascontiguousarray(np.broadcast_to(plane.astype(np.float32), shape))


def random_bits(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 2**32, shape, np.uint32).view(np.float32)


@pytest.mark.parametrize("make", [smooth, random_bits, lambda *shape: np.zeros(shape, np.float32)])
@pytest.mark.parametrize("shape", [(2, 2, 48, 160), (2, 2, 1, 1), (2, 2, 400, 700)])
def test_bits_come_back(make, shape) -> None:
    """NaN with its payload, infinity and -0.0 too: random bits hold them all."""
    values = make(*shape)
    assert np.array_equal(decompress(compress(values), shape).view(np.uint32), values.view(np.uint32))


def test_it_is_smaller_where_bits_allow() -> None:
    values = smooth(2, 2, 360, 640)
    halves = values.astype(np.float16).astype(np.float32)
    assert len(compress(values)) < 0.75 * values.nbytes
    assert len(compress(halves)) < 0.5 * values.nbytes, "less than the halves"
    noise = random_bits(2, 2, 360, 640)
    assert len(compress(noise)) < 1.001 * noise.nbytes


def test_damage_is_noticed_wherever_it_is() -> None:
    values = smooth(1, 1, 40, 60)
    whole = compress(values)
    for place in range(0, len(whole), 37):
        broken = bytearray(whole)
        broken[place] ^= 4
        try:
            found = decompress(bytes(broken), values.shape)
        except ValueError:
            continue
        assert np.array_equal(found, values), f"byte {place} of {len(whole)}"
    for size in (0, 7, 8, 100, len(whole) - 1):
        with pytest.raises(ValueError, match="damaged"):
            decompress(whole[:size], values.shape)
    with pytest.raises(ValueError, match="damaged"):
        decompress(whole, (1, 1, 60, 40))
