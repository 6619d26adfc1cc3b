from __future__ import annotations

import numpy as np

from tsn.strokes.luma import luma_of
from tsn.strokes.relief import light_relief
from tsn.strokes.stroke_colour import colour_over_life, vary_colours


def test_tone_follows_the_frame_and_hue_the_life() -> None:
    lit = np.array([[0.6, 0.3, 0.2]], np.float32)
    samples = np.stack([lit, lit, 0.5 * lit, lit, lit])  # a shadow passes in the middle frame
    colour = colour_over_life(samples, np.ones((5, 1), np.float32), 2)
    np.testing.assert_allclose(luma_of(colour), luma_of(0.5 * lit), rtol=1e-6)
    assert np.argmax(colour) == 0 and colour.min() > 0


def test_black_and_white_stay_clean() -> None:
    ends = np.array([[0, 0, 0], [1, 1, 1]], np.float32)
    np.testing.assert_allclose(vary_colours(ends, np.full((2, 3), 0.9, np.float32), 0.2, 0.5, 0.1), ends, atol=1e-6)


def test_flat_paint_has_no_relief() -> None:
    colour = np.full((8, 8, 3), 0.3, np.float32)
    np.testing.assert_allclose(
        light_relief(colour, np.full((8, 8), 0.7, np.float32), 0.5, 127.0, 1.0), colour, rtol=1e-6
    )


def test_slopes_towards_the_light_brighten() -> None:
    colour, ramp = np.full((16, 16, 3), 0.3, np.float32), np.tile(np.linspace(0, 4, 16, dtype=np.float32), (16, 1))
    right, left = (light_relief(colour, ramp, 0.5, degrees, 1.0)[8, 8, 0] for degrees in (0.0, 180.0))
    above = light_relief(colour, ramp, 0.5, 90.0, 1.0)[8, 8, 0]
    assert right < 0.3 < left and abs(above - 0.3) < 1e-6  # thicker to the right: the slope faces the left


def test_tone_is_even_while_the_light_stays() -> None:
    random = np.random.default_rng(0)
    samples = (0.5 + 0.01 * random.normal(size=(11, 200, 1))).astype(np.float32).repeat(3, 2)
    tone = luma_of(colour_over_life(samples, np.ones((11, 200), np.uint8), 5))
    assert tone.std() < 0.6 * luma_of(samples[5]).std()
