from __future__ import annotations

import numpy as np
import pytest

from tsn.strokes.surface_field import SurfaceField, fit_surface

HEIGHT, WIDTH = 48, 64
Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) + 0.5


def tilted(per_pixel: float = 0.02) -> np.ndarray:
    return np.stack([per_pixel * X + 3, 0.7 * per_pixel * Y - 1, 0.3 * per_pixel * (X + Y)])


def inner(field: SurfaceField) -> np.ndarray:
    """Which nodes are in the picture."""
    places = field.places()
    return ((places > 0) & (places < (WIDTH, HEIGHT))).all(2)


def test_a_plane_is_found_through_the_noise_of_samples_and_half_floats() -> None:
    random = np.random.default_rng(1)
    jitter = random.uniform(-0.5, 0.5, (2, HEIGHT, WIDTH)).astype(np.float32)
    noisy = np.stack([0.02 * (X + jitter[0]) + 3, 0.014 * (Y + jitter[1]) - 1, 0 * X]).astype(np.float16)
    field = fit_surface(noisy.astype(np.float32), None, 1.0)
    here = inner(field)
    assert (field.units[here] > 0).mean() > 0.98
    there = here & (field.units > 0)
    x, y = field.places()[there].T
    off = np.hypot((field.values[there, 0] - 0.02 * x - 3) / 0.02, (field.values[there, 1] - 0.014 * y + 1) / 0.014)
    assert np.median(off) < 0.15  # pixels; a single sample is off by .38
    np.testing.assert_allclose(np.median(field.slopes[there], 0), [[0.02, 0], [0, 0.014], [0, 0]], atol=5e-4)


def test_the_margin_continues_the_plane() -> None:
    field = fit_surface(tilted(), None, 1.0)
    x, y = np.moveaxis(field.places(), 2, 0)
    assert x.min() < -40 and x.max() > WIDTH + 40
    np.testing.assert_allclose(field.values[..., 0], 0.02 * x + 3, atol=1e-4)
    np.testing.assert_allclose(field.values[..., 1], 0.014 * y - 1, atol=1e-4)


@pytest.mark.parametrize("with_ids", [False, True])
def test_planes_end_at_outlines(with_ids: bool) -> None:
    surface, right = tilted(), X > 32
    surface[:, right] += 5
    field = fit_surface(surface, right.astype(np.uint32) + 1 if with_ids else None, 1.0)
    there = inner(field) & (field.units > 0)
    assert there.sum() > 0.95 * inner(field).sum()
    x = field.places()[there][:, 0]
    np.testing.assert_allclose(field.values[there, 0], 0.02 * x + 3 + 5 * (x > 32), atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 7.3, np.nan, np.inf, -np.inf, 3e38])
def test_no_surface_where_coordinates_are_constant_or_not_finite(value: float) -> None:
    assert not fit_surface(np.full((3, HEIGHT, WIDTH), value, np.float32), None, 1.0).units.any()
    surface = tilted()
    surface[:, 10:20, 10:30] = value
    field = fit_surface(surface, None, 1.0)
    hole = inner(field) & ((field.places() > (13, 13)) & (field.places() < (27, 17))).all(2)
    assert hole.any() and not field.units[hole].any()
    assert (field.units > 0).sum() > 0.7 * field.units.size
    assert np.isfinite(field.values).all() and np.isfinite(field.slopes).all()


def test_no_surface_where_a_line_is_seen_from_its_end() -> None:
    degenerate = np.stack([0.02 * (X + Y), 0.02 * (X + Y), 0 * X])
    assert not fit_surface(degenerate, None, 1.0).units.any()


def test_mirrored_islands_and_objects_have_labels_of_their_own() -> None:
    mirrored = np.stack([0.02 * np.abs(X - 32), 0.02 * Y])
    field = fit_surface(mirrored, (Y > 24).astype(np.uint32) + 1, 1.0)
    assert len(np.unique(field.labels[inner(field) & (field.units > 0)])) == 4


def test_a_picture_of_few_pixels() -> None:
    assert fit_surface(tilted()[:, :1, :1], None, 0.01).units.shape == (1, 1)
