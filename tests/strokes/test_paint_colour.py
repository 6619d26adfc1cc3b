from __future__ import annotations

from dataclasses import replace

import numpy as np

from tsn.strokes.luma import luma_of
from tsn.strokes.paint_colour import divide_hues, few_tones, mix_paint, saturate
from tsn.strokes.preset import Preset
from tsn.strokes.preset_file import find_preset

PLATE = np.random.default_rng(5).random((200, 3), dtype=np.float32)
CHANCES = np.random.default_rng(6).random((200, 5), dtype=np.float32)
PLAIN: Preset = replace(find_preset("oil"), value=0, chroma=0, hue=0)


def test_plain_paint_has_the_colour_of_the_plate() -> None:
    np.testing.assert_allclose(mix_paint(PLATE, CHANCES, PLAIN, jitter=1), PLATE, atol=1e-6)


def test_few_tones_are_few_and_change_without_a_jump() -> None:
    light = np.linspace(0, 1, 100001)
    tones = few_tones(light, 5)
    assert tones[0] == 0 and tones[-1] == 1 and (np.diff(tones) >= 0).all() and np.diff(tones).max() < 1e-3
    on_a_tone = np.isclose(tones * 4, np.round(tones * 4), atol=1e-6).mean()
    assert 0.65 < on_a_tone < 0.75
    paint = luma_of(mix_paint(PLATE * 0.5 + 0.25, CHANCES, replace(PLAIN, steps=5), jitter=1))
    assert np.isclose(paint * 4, np.round(paint * 4), atol=1e-3).mean() > 0.6


def test_saturation_keeps_luma_and_range() -> None:
    more = saturate(PLATE, 1.6)
    assert more.min() >= 0 and more.max() <= 1
    np.testing.assert_allclose(luma_of(more), luma_of(PLATE), atol=1e-5)
    dull = 0.5 + 0.2 * (PLATE - 0.5)
    np.testing.assert_allclose(np.ptp(saturate(dull, 1.5), 1), 1.5 * np.ptp(dull, 1), rtol=0.06)
    assert (np.ptp(more, 1) >= np.ptp(PLATE, 1) - 1e-5).all()


def test_divided_hues_mix_to_the_colour_they_were() -> None:
    grey = np.full((4000, 3), 0.5, np.float32)
    chances = np.linspace(0, 1, 4000, endpoint=False).astype(np.float32)
    divided = divide_hues(grey, chances, 0.3)
    np.testing.assert_allclose(divided.mean(0), grey[0], atol=2e-3)
    warm = chances < 0.5
    assert (divided[warm, 0] > divided[warm, 2] + 0.1).all() and (divided[~warm, 2] > divided[~warm, 0] + 0.1).all()


def test_one_pigment_hides_the_plate_and_highlights_do_not_shine_through() -> None:
    ink = replace(PLAIN, pigment=(0.1, 0.1, 0.12))
    plate = np.concatenate([PLATE, [[3, 2.5, 2]]]).astype(np.float32)
    paint = mix_paint(plate, np.concatenate([CHANCES, CHANCES[:1]]), ink, jitter=1, palette=lambda colours: 1 - colours)
    np.testing.assert_allclose(paint, [[0.1, 0.1, 0.12]] * 201, atol=1e-6)


def test_no_jitter_leaves_no_differences() -> None:
    same = np.full((50, 3), (0.3, 0.5, 0.6), np.float32)
    for name in ("oil", "gouache", "pointillist"):
        assert np.ptp(mix_paint(same, CHANCES[:50], find_preset(name), jitter=1), 0).max() > 0.005
        assert np.ptp(mix_paint(same, CHANCES[:50], find_preset(name), jitter=0), 0).max() < 1e-5
