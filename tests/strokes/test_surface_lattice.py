from __future__ import annotations

import numpy as np
import pytest

from tsn.strokes.placement import CELL
from tsn.strokes.surface_field import fit_surface
from tsn.strokes.surface_lattice import Anchors, find_anchors

HEIGHT, WIDTH, SPACING = 90, 120, 6.0
Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) + 0.5


def plane(zoom: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """A tilted plane in space."""
    x, y = (X - shift) / zoom, Y / zoom
    return np.stack([0.02 * x + 3, 0.02 * y - 1, 0.012 * y]).astype(np.float32)


def anchors(surface: np.ndarray, ids: np.ndarray | None = None) -> Anchors:
    field = fit_surface(surface, ids, 1.0)
    return find_anchors(5, field, np.full(field.units.shape, SPACING, np.float32), 1.0)


def inside(found: Anchors) -> np.ndarray:
    return ((found.places > 0) & (found.places < (WIDTH, HEIGHT))).all(1)


def test_anchors_stay_on_their_surface() -> None:
    first, second = anchors(plane()), anchors(plane(shift=3.3))
    _, i, j = np.intersect1d(first.keys, second.keys, return_indices=True)
    assert len(i) > 0.9 * inside(first).sum()
    moved = (second.places[j] - first.places[i])[inside(first)[i] & inside(second)[j]]
    np.testing.assert_allclose(moved, np.broadcast_to([3.3, 0], moved.shape), atol=0.02)


@pytest.mark.parametrize("zoom", [0.5, 0.7, 1.0, 1.3, 1.7, 3.0])
@pytest.mark.parametrize("chart", [False, True])
def test_at_any_scale_there_are_as_many_as_strokes_are_wanted(zoom: float, chart: bool) -> None:
    surface = plane(zoom)[:2] if chart else plane(zoom)
    found = anchors(surface)
    wanted = HEIGHT * WIDTH / (CELL * SPACING) ** 2
    assert 0.85 * wanted < ((found.depths > 0) & inside(found)).sum() < 1.15 * wanted


def test_moving_in_adds_anchors_and_takes_none_away() -> None:
    far, near = anchors(plane(1.0)), anchors(plane(1.5))
    there = far.keys[(far.depths > 0) & ((far.places > 2) & (far.places < (WIDTH / 1.6, HEIGHT / 1.6))).all(1)]
    assert len(there) > 100 and np.isin(there, near.keys[near.depths > 0]).mean() > 0.97
    added = near.depths[(near.depths > 0) & ~np.isin(near.keys, far.keys[far.depths > 0])]
    assert added.min() >= 0 and added.max() < np.log2(1.5) + 0.2


def test_equal_coordinates_on_objects_are_two_places() -> None:
    surface = np.stack([0.02 * (X % 60), 0.02 * Y]).astype(np.float32)
    ids = (X > 60).astype(np.uint32) + 1
    split, twins = anchors(surface, ids), anchors(surface)
    assert len(np.unique(split.keys)) == len(split.keys)
    left = twins.places[inside(twins) & (twins.places[:, 0] < 55)]
    right = twins.places[inside(twins) & (twins.places[:, 0] > 65)]
    assert abs(len(left) - len(right)) < 0.1 * len(left) and (np.diff(twins.keys) == 0).any()


def test_a_mirrored_chart_has_anchors_on_both_sides() -> None:
    found = anchors(np.stack([0.02 * np.abs(X - 60), 0.02 * Y]).astype(np.float32))
    here = inside(found)
    left, right = found.keys[here & (found.places[:, 0] < 58)], found.keys[here & (found.places[:, 0] > 62)]
    assert abs(len(left) - len(right)) < 0.2 * len(left) and not np.isin(left, right).any()


def test_anchors_fade_where_the_surface_grazes() -> None:
    grazing = np.stack([0.02 * X, 0.4 * Y, 0 * X]).astype(np.float32)
    found = anchors(grazing)
    assert inside(found).any() and found.facing[inside(found)].max() < 0.5
    assert not len(anchors(np.stack([0.02 * X, 2 * Y, 0 * X]).astype(np.float32)).keys)


def test_no_anchors_without_a_surface() -> None:
    for surface in (np.full((3, HEIGHT, WIDTH), np.nan, np.float32), np.ones((2, HEIGHT, WIDTH), np.float32)):
        assert not len(anchors(surface).keys)
