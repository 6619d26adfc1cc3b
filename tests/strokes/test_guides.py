from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tsn.strokes.frame import StrokeFrame, StrokePaint
from tsn.strokes.guides import find_guides, layer_direction, wanted_share
from tsn.strokes.placement import place_strokes
from tsn.strokes.preset import Layer
from tsn.strokes.preset_file import find_preset
from tsn.strokes.stroke_window import StrokeWindow

OIL = find_preset("oil")
AOVS = {
    "depth": np.float32(3),
    "ids": np.uint32(9),
    "direction": np.ones((3, 1, 1), np.float32),
    "size_map": np.float32(1),
    "density_map": np.float32(1),
    "cover": np.float32(1),
}


def paint(picture: np.ndarray, **aovs: np.ndarray) -> StrokePaint:
    window = StrokeWindow(OIL, radius=0, height=picture.shape[1], width=picture.shape[2])
    window.add(0, StrokeFrame(number=1001, picture=picture, **aovs), None)
    found = window.paint(0)
    assert found.colour.shape == picture.shape and found.colour.dtype == np.float32
    assert np.isfinite(found.colour).all() and found.colour.min() >= 0 and found.colour.max() < 1.1
    assert found.coverage.min() > -1e-6 and found.coverage.max() <= 1
    return found


def clouds(height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(6).random((4, 6, 3), dtype=np.float32)
    return np.ascontiguousarray(np.moveaxis(cv2.resize(coarse, (width, height)), 2, 0))


def test_an_even_picture_has_no_direction_and_needs_no_fine_strokes() -> None:
    frame = StrokeFrame(number=1, picture=np.full((3, 64, 64), 0.4, np.float32))
    guides = find_guides(frame, find_preset("oil").layers, 0.2)
    assert np.abs(guides.angle).max() < 0.01
    assert [need.max() for need in guides.need] == [1, np.float32(0.6), 0, 0]


def test_guides_at_a_reduced_size_are_those_of_the_whole() -> None:
    """A plate of twice the lines has the same guides, at the same places."""
    small = np.random.default_rng(7).random((3, 45, 60), dtype=np.float32).repeat(4, 1).repeat(4, 2)
    large = small.repeat(2, 1).repeat(2, 2)
    one, two = (find_guides(StrokeFrame(number=1, picture=p), OIL.layers, s) for p, s in ((small, 1.0), (large, 2.0)))
    assert (one.by, two.by) == (1, 2) and one.angle.shape == two.angle.shape
    assert np.abs(one.angle - two.angle).mean() < 0.02 and np.abs(one.need - two.need).mean() < 0.01


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (17, 400)])
@pytest.mark.parametrize("kinds", [(), ("ids", "depth"), tuple(AOVS)])
def test_a_canvas_smaller_than_a_stroke(size: tuple[int, int], kinds: tuple[str, ...]) -> None:
    picture = np.full((3, *size), 0.6, np.float32)
    aovs = {kind: np.broadcast_to(AOVS[kind], (*AOVS[kind].shape[:1], *size)).copy() for kind in kinds}
    found = paint(picture, **aovs)
    assert abs(found.colour.mean() - 0.6) < 0.15


@pytest.mark.parametrize("kind", [*AOVS, "none"])
def test_a_black_frame_stays_black(kind: str) -> None:
    picture = np.zeros((3, 40, 60), np.float32)
    aovs = {} if kind == "none" else {kind: np.broadcast_to(AOVS[kind], (*AOVS[kind].shape[:1], 40, 60)).copy()}
    assert paint(picture, **aovs).colour.max() < 1e-6


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0, 0.0])
def test_bad_numbers_in_the_render_are_survived(bad: float) -> None:
    clean = clouds(40, 60)
    picture, depth, direction = clean.copy(), np.full((40, 60), 2, np.float32), np.ones((2, 40, 60), np.float32)
    picture[:, 10:12, 10:12], depth[20:30, 20:30], direction[:, 5:9] = bad, bad, bad
    found = paint(np.clip(picture, 0, None) if np.isfinite(bad) else picture, depth=depth, direction=direction)
    far = np.ones((40, 60), bool)
    far[4:36, 4:36] = False
    assert found.coverage.mean() > 0.9 and np.abs(found.colour - clean)[:, far].mean() < 0.1
    every = {kind: np.full_like(value, bad) for kind, value in (("depth", depth), ("direction", direction))}
    paint(np.full_like(clean, bad), **every)
    paint(clean, size_map=np.full((40, 60), bad, np.float32), density_map=np.full((40, 60), bad, np.float32))


def test_factors_of_maps_are_bounded() -> None:
    size = np.ones((64, 64), np.float32)
    size[:, :16], size[:, 16:32], size[:, 32:48], size[:, 48:] = np.nan, np.inf, 0, 2
    guides = find_guides(
        StrokeFrame(number=1, picture=clouds(64, 64), size_map=size, density_map=-size), OIL.layers, 0.2
    )
    assert guides.sizes[0].tolist() == [1, 1, 4, 4, 0.25, 0.25, 2, 2]
    assert guides.densities[0].tolist() == [1, 1, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]


def test_twice_as_large_strokes_are_a_quarter_as_many() -> None:
    spacings = np.full((1, 2), 4, np.float32)
    spacings[:, 1] = 8
    _, places = place_strokes(np.uint64(5), (0, 0), spacings, 0.8, np.ones((400, 800), np.float32), 1)
    inside = places[(places.min(1) >= 0) & (places[:, 1] < 400) & (places[:, 0] < 800)]
    small, large = (inside[:, 0] < 400).sum(), (inside[:, 0] >= 400).sum()
    assert small == pytest.approx(0.8 * (400 / 3.2) ** 2, rel=0.03) and large == pytest.approx(small / 4, rel=0.08)


def test_strokes_in_a_range_of_tones() -> None:
    luma = np.tile(np.linspace(0, 1, 101, dtype=np.float32), (40, 1))
    shadows = Layer(width=1, length=9, spacing=3, always=True, tones=(0.6, 0.2))
    share = wanted_share(shadows, luma, luma, 1.0)
    np.testing.assert_allclose(share[20, [5, 20, 40, 60, 95]], [1, 1, 0.5, 0, 0], atol=0.02)


def test_lines_on_the_darker_side_of_a_contour() -> None:
    luma = np.full((40, 64), 0.8, np.float32)
    luma[:, :32] = 0.2
    contour = Layer(width=1.5, length=9, spacing=3, low=0.02, high=0.1, detail_sigma=3, side="dark")
    share = wanted_share(contour, luma, luma, 1.0)[20]
    assert share[29] == 1 and share[35] == 0 and share[5] == 0 and share[60] == 0


def test_the_direction_of_a_layer() -> None:
    forms = np.zeros((2, 4, 4), np.float32)
    forms[0] = 1  # along x
    across = Layer(width=2, length=9, spacing=3, angle=45)
    np.testing.assert_allclose(layer_direction(across, forms)[:, 0, 0], [0, -1], atol=1e-6)  # up to the right, y down
    half = layer_direction(replace(across, follow=0.5), forms)[:, 0, 0]
    np.testing.assert_allclose(0.5 * np.degrees(np.arctan2(-half[1], half[0])), 22.5, atol=1e-4)
    assert layer_direction(Layer(width=2, length=9, spacing=3), forms) is forms


def test_strokes_that_end_at_a_highlight_leave_no_ring() -> None:
    picture = np.full((3, 80, 96), 1.2, np.float32)
    picture[:, :, 48:] = 20
    window = StrokeWindow(OIL, radius=0, height=80, width=96, lines=360)
    window.add(0, StrokeFrame(number=1, picture=picture), None)
    assert window.paint(0).coverage[10:-10].mean(0)[48:60].min() > 0.985
