from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tsn.strokes.painter import PaletteStrokePainter
from tsn.strokes.palette import (
    BINS,
    QUANTILES,
    Palette,
    colour_statistics,
    from_lab,
    palette_colours,
    to_lab,
)
from tsn.strokes.preset_file import find_preset


def picture(seed: int, low: tuple[float, float, float], high: tuple[float, float, float]) -> np.ndarray:
    random = np.random.default_rng(seed)
    share = random.random((1, 40, 50), dtype=np.float32)
    spread = random.random((3, 40, 50), dtype=np.float32) * 0.1
    a, b = (np.array(each, np.float32)[:, None, None] for each in (low, high))
    return np.clip(a + (b - a) * share + spread, 0, 1)


PLATE = picture(1, (0.1, 0.2, 0.1), (0.8, 0.7, 0.6))
WARM = picture(2, (0.3, 0.05, 0.0), (0.9, 0.6, 0.1))


def warm() -> Palette:
    return Palette(colour_statistics([PLATE]), colour_statistics([WARM]), WARM)


def test_colours_become_those_of_the_painting() -> None:
    painted = warm()(PLATE.reshape(3, -1).T)
    assert painted.dtype == np.float32 and painted.min() >= 0 and painted.max() <= 1
    mean, wanted = to_lab(painted).mean(0), to_lab(WARM.reshape(3, -1).T).mean(0)
    np.testing.assert_allclose(mean, wanted, atol=6)


def test_what_is_brighter_stays_brighter() -> None:
    greys = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[:, None], 3, 1)
    light = to_lab(warm()(greys))[:, 0]
    assert (np.diff(light) > -0.2).all() and light[-1] > light[0] + 30


def test_a_palette_of_the_plate_itself_changes_little() -> None:
    same = Palette(colour_statistics([PLATE]), colour_statistics([PLATE]), PLATE)
    colours = PLATE.reshape(3, -1).T
    assert np.abs(same(colours) - colours).mean() < 0.03


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_any_plate_gives_colours(seed: int, flat: bool) -> None:
    random = np.random.default_rng(seed)
    plate = np.full((3, 9, 7), random.random(), np.float32) if flat else random.random((3, 9, 7), dtype=np.float32)
    mapped = Palette(colour_statistics([plate]), colour_statistics([WARM]), WARM)(plate.reshape(3, -1).T)
    assert np.isfinite(mapped).all() and mapped.min() >= 0 and mapped.max() <= 1


def test_void_does_not_count() -> None:
    void = np.zeros((3, 40, 20), np.float32)
    wide = np.concatenate([np.concatenate([PLATE, void], 2), np.concatenate([np.ones((1, 40, 50)), void[:1]], 2)])
    alone, around = colour_statistics([PLATE]), colour_statistics([wide.astype(np.float32)])
    for name in ("tones", "tints", "spread"):
        np.testing.assert_allclose(getattr(alone, name), getattr(around, name), rtol=1e-5)


def test_an_empty_plate_has_statistics() -> None:
    found = colour_statistics([np.zeros((4, 5, 5), np.float32)])
    assert found.tones.shape == (QUANTILES,) and found.tints.shape == (BINS, 2) and np.isfinite(found.spread).all()


def test_lab_there_and_back() -> None:
    colours = np.random.default_rng(3).random((100, 3), dtype=np.float32)
    np.testing.assert_allclose(from_lab(to_lab(colours)), colours, atol=5e-3)  # OpenCV takes it from a table


def test_palette_colours_are_the_painters() -> None:
    flat = np.zeros((3, 10, 10), np.float32)
    flat[0, :, :5], flat[2, :, 5:] = 1, 1
    found = from_lab(palette_colours(flat))
    assert {tuple(np.round(colour).astype(int)) for colour in found} == {(1, 0, 0), (0, 0, 1)}


def test_another_painting_is_another_painter() -> None:
    preset = find_preset("oil")
    one, other = (
        PaletteStrokePainter(preset, name="oil", painting=WARM, painting_sha256=sha256) for sha256 in ("a", "b")
    )
    assert one.fingerprint != other.fingerprint
    calibration = one.calibrate([torch.from_numpy(PLATE)])
    frozen = one.frozen(calibration)
    assert frozen.fingerprint not in (one.fingerprint, other.fingerprint)
    with pytest.raises(Exception, match="another painter"):
        other.frozen(calibration)
