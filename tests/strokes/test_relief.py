from __future__ import annotations

import numpy as np

from tsn.strokes.relief import pool_pigment


def test_pigment_gathers_at_the_rim_and_leaves_white_paper_white() -> None:
    thickness = np.zeros((64, 64), np.float32)
    thickness[16:48, 16:48] = 0.4
    thickness[16:48, 16:19] = 0.9  # the rim of a wash
    colour = np.ones((64, 64, 3), np.float32)
    colour[16:48, 16:48] = (0.4, 0.6, 0.8)
    pooled = pool_pigment(colour, thickness, 1.0, 1.0)
    assert (pooled[30, 17] < colour[30, 17] - 0.05).all()
    assert pooled[30, 17, 0] / colour[30, 17, 0] < pooled[30, 17, 2] / colour[30, 17, 2]  # it gets richer, not greyer
    np.testing.assert_array_equal(pooled[:14], 1)
    np.testing.assert_array_equal(pool_pigment(colour, thickness, 0.0, 1.0), colour)


def test_light_has_no_pigment() -> None:
    colour = np.full((16, 16, 3), 2, np.float32)
    thickness = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (16, 1))
    np.testing.assert_array_equal(pool_pigment(colour, thickness, 1.0, 1.0), colour)
