from __future__ import annotations

import numpy as np

from tsn.strokes.easing import ramp, smoothstep


def test_smoothstep() -> None:
    assert [smoothstep(x) for x in (-1.0, 0.0, 0.5, 1.0, 2.0)] == [0, 0, 0.5, 1, 1]


def test_ramp_is_the_same_for_arrays() -> None:
    x = np.linspace(-1, 4, 21)
    np.testing.assert_allclose(ramp(x, 1, 3), [smoothstep((value - 1) / 2) for value in x], rtol=1e-12)
