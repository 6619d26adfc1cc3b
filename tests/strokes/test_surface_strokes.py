from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tsn.flow.base import Motion
from tsn.strokes.frame import StrokeFrame
from tsn.strokes.guides import find_guides
from tsn.strokes.placement import CELL
from tsn.strokes.preset_file import find_preset
from tsn.strokes.stroke_window import StrokeWindow
from tsn.strokes.surface_gathered import shown_share
from tsn.strokes.surface_strokes import SurfaceLattice, SurfaceStrokes

HEIGHT, WIDTH, DX, DY, SCALE = 72, 96, 2, 1, 0.2
OIL = find_preset("oil")
LAYERS = list(OIL.layers)
Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) + 0.5


def surface(at: int) -> np.ndarray:
    """World places that move with the pictures of `views`."""
    return np.stack([0.03 * (X - DX * at), 0.03 * (Y - DY * at), 0 * X])


def lattice(frames: list[StrokeFrame], radius: int, first: int = 0, cuts: tuple[int, ...] = ()) -> SurfaceLattice:
    found = SurfaceLattice(radius=radius, scale=SCALE, held=len(frames))
    for place in range(first, len(frames)):
        guides = find_guides(frames[place], LAYERS, SCALE)
        found.add(place, frames[place], guides, LAYERS, joined=place > first and place not in cuts)
    return found


def gathered(found: SurfaceLattice, index: int, place: int) -> SurfaceStrokes:
    strokes = found.gather(index, place)
    assert strokes is not None
    return strokes


@pytest.fixture(scope="module")
def frames(views: Callable[[int], list[np.ndarray]]) -> list[StrokeFrame]:
    return [StrokeFrame(number=n, picture=view, surface=surface(n)) for n, view in enumerate(views(12))]


def test_strokes_keep_their_place_and_their_weight(frames: list[StrokeFrame]) -> None:
    found = lattice(frames, 5)
    first, second = gathered(found, 1, 5), gathered(found, 1, 6)
    middle = ((first.paths[:, 3] > 8) & (first.paths[:, 3] < (WIDTH - 12, HEIGHT - 12))).all(1) & (first.weights > 0.3)
    _, i, j = np.intersect1d(first.keys, second.keys, return_indices=True)
    assert middle.sum() > 50 and middle[i].sum() == middle.sum()
    i, j = i[middle[i]], j[middle[i]]
    np.testing.assert_allclose(second.paths[j, 3] - first.paths[i, 3], np.tile([DX, DY], (len(i), 1)), atol=0.02)
    assert np.abs(second.paths[j] - first.paths[i] - (DX, DY)).mean() < 0.2
    assert np.abs(second.weights[j] - first.weights[i]).mean() < 0.02
    np.testing.assert_array_equal(second.chances[j], first.chances[i])


def test_strokes_fade_before_they_are_hidden_and_not_at_a_cut(frames: list[StrokeFrame]) -> None:
    hidden = [
        StrokeFrame(number=n, picture=frame.picture, surface=np.where(X > 48 if n > 7 else X < 0, np.nan, surface(n)))
        for n, frame in enumerate(frames)
    ]

    def right(found: SurfaceLattice, place: int) -> float:
        strokes = gathered(found, 1, place)
        x, y = strokes.paths[:, 3].T  # not those that leave the picture, for which nothing hides them
        return float(strokes.weights[(x > 56) & (x < 80) & (y > 0) & (y < HEIGHT - 12)].sum())

    found, cut = lattice(hidden, 5), lattice(hidden, 5, cuts=(8,))
    falling = [right(found, place) for place in (4, 5, 6, 7, 8)]
    assert all(a > b for a, b in pairwise(falling)) and falling[-1] == 0
    assert falling[3] < 0.1 * right(cut, 7)


def test_a_frame_is_a_function_of_its_window(frames: list[StrokeFrame]) -> None:
    whole, chunk = lattice(frames[:10], 3), lattice(frames[:10], 3, first=3)
    for index in range(len(LAYERS)):
        first, second = gathered(whole, index, 6), gathered(chunk, index, 6)
        for name, values in vars(first).items():
            np.testing.assert_array_equal(values, getattr(second, name))


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.5])
def test_a_useless_surface_leaves_the_strokes_of_motion_as_they_are(
    views: Callable[[int], list[np.ndarray]], value: float
) -> None:
    paints = []
    for broken in (None, np.full((3, HEIGHT, WIDTH), value, np.float32)):
        window = StrokeWindow(OIL, radius=0, height=HEIGHT, width=WIDTH)
        window.add(0, StrokeFrame(number=1, picture=views(1)[0], surface=broken), None)
        paints.append(window.paint(0).colour)
    np.testing.assert_array_equal(*paints)


def test_sizes_change_slowly_and_take_their_room(frames: list[StrokeFrame]) -> None:
    drawn = [  # on the surface: half of it has strokes three times as large
        replace(frame, size_map=np.where(X - DX * n < 48, 1, 3).astype(np.float32)) for n, frame in enumerate(frames)
    ]
    found = lattice(drawn, 5)
    first, second = gathered(found, 1, 5), gathered(found, 1, 6)
    _, i, j = np.intersect1d(first.keys, second.keys, return_indices=True)
    for name in ("half_widths", "spacings"):
        ratios = getattr(second, name)[j] / getattr(first, name)[i]
        assert len(ratios) > 50 and ratios.min() > 0.95 and ratios.max() < 1.05
        assert np.ptp(getattr(second, name)) > 2 * getattr(second, name).min()
    assert first.cell == second.cell == LAYERS[1].spacing * SCALE
    inner = np.stack(np.meshgrid(np.arange(12, WIDTH - 12), np.arange(12, HEIGHT - 12)), 2).reshape(-1, 2)
    assert first.room(inner.astype(np.float32)).mean() < 0.02


@pytest.mark.parametrize("size", [0.25, 1, 4])
def test_the_share_of_a_whole_surface_is_1_at_any_size(size: float) -> None:
    random = np.random.default_rng(1)
    side = CELL * 5 * size
    y, x = np.mgrid[:128:side, :128:side]
    places = np.stack([x.ravel(), y.ravel()], 1) + side * random.random((x.size, 2))
    spacings, ones = np.full(x.size, 5 * size), np.ones(x.size)
    share, first = shown_share(places, spacings, ones, 0.6 * ones, cell=5.0, start=(17, 32), size=(60, 40))
    assert first == (3, 6) and share.shape == (9, 13)
    np.testing.assert_allclose(share, 0.6, atol=1e-3)
    assert shown_share(places + 200, spacings, ones, ones, cell=5.0, start=(17, 32), size=(60, 40))[0].max() == 0


def test_a_surface_may_come_and_go(frames: list[StrokeFrame], motion: Motion) -> None:
    window = StrokeWindow(OIL, radius=3, height=HEIGHT, width=WIDTH, held=10)
    for place, frame in enumerate(frames[:10]):
        shown = frame if 3 < place < 6 else replace(frame, surface=np.full((3, HEIGHT, WIDTH), np.nan))
        window.add(place, shown, motion if place else None)
    for place in range(10):
        assert np.isfinite(window.paint(place).colour).all()


def test_strokes_of_motion_give_way_to_those_on_the_surface(frames: list[StrokeFrame]) -> None:
    half = np.where(X < 48, surface(0), np.nan)
    strokes = gathered(lattice([StrokeFrame(number=0, picture=frames[0].picture, surface=half)], 0), 1, 0)
    room = strokes.room(np.array([[20.0, 36], [80, 36]], np.float32))
    assert room[0] < 0.1 and room[1] == 1
