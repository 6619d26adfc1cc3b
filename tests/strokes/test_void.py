from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from tsn.flow.base import Motion
from tsn.strokes.frame import StrokeFrame, StrokePaint
from tsn.strokes.preset_file import find_preset
from tsn.strokes.stroke_window import StrokeWindow
from tsn.strokes.void import cut, fill_void, find_region, uncut

LINES = 120
SIDE = 48
"""Of the element, pixels."""
Views = Callable[[int], list[np.ndarray]]


def still(height: int, width: int) -> Motion:
    flow, seen = torch.full((2, height, width), 0.3), torch.ones(1, height, width)
    return Motion(forward=flow, backward=-flow, visibility_forward=seen, visibility_backward=seen)


def paint(
    views: Views,
    before: tuple[int, int],
    after: tuple[int, int],
    radius: int = 1,
    lines: int = LINES,
    surface: bool = False,
) -> StrokePaint:
    """An element of (SIDE, SIDE) that begins at (20, 10) of the display window, in a canvas with void around it.

    Its surface moves, and in void a renderer has written coordinates, too.
    """
    height, width = before[1] + SIDE + after[1], before[0] + SIDE + after[0]
    origin = (20 - before[0], 10 - before[1])
    window = StrokeWindow(find_preset("oil"), radius=radius, height=height, width=width, lines=lines, origin=origin)
    y, x = np.mgrid[:height, :width]
    inside = (np.hypot(x - before[0] - SIDE / 2 + 0.5, y - before[1] - SIDE / 2 + 0.5) < SIDE / 2).astype(np.float32)
    for place, view in enumerate(views(2 * radius + 1)):
        picture = np.zeros((3, height, width), np.float32)
        picture[:, before[1] : before[1] + SIDE, before[0] : before[0] + SIDE] = view[:, :SIDE, :SIDE]
        picture *= inside
        frame = StrokeFrame(number=1001 + place, picture=picture, cover=inside, ids=inside.astype(np.uint32))
        if surface:
            places = np.stack([(x - before[0] - 0.3 * place) / 64, (y - before[1] - 0.3 * place) / 64])
            frame = replace(frame, surface=places.astype(np.float32))
        window.add(place, frame, still(height, width) if place else None)
    return window.paint(radius)


def test_an_element_is_painted_alike_in_any_data_window(views: Views) -> None:
    tight, large = paint(views, (0, 0), (0, 0)), paint(views, (37, 21), (50, 90))
    for name in ("colour", "relief", "coverage", "ids"):
        whole = getattr(large, name)[..., 21 : 21 + SIDE, 37 : 37 + SIDE]
        np.testing.assert_array_equal(getattr(tight, name), whole, err_msg=name)


@pytest.mark.parametrize("lines", [LINES, 360, 720])
def test_strokes_on_its_surface_are_alike_in_any_data_window(views: Views, lines: int) -> None:
    tight = paint(views, (0, 0), (0, 0), 1, lines, surface=True)
    large = paint(views, (37, 21), (50, 90), 1, lines, surface=True)
    for name in ("colour", "relief", "coverage", "ids"):
        whole = getattr(large, name)[..., 21 : 21 + SIDE, 37 : 37 + SIDE]
        np.testing.assert_array_equal(getattr(tight, name), whole, err_msg=name)
    assert (tight.colour != paint(views, (0, 0), (0, 0), 1, lines).colour).any()


def test_no_black_of_void_gets_into_the_paint(views: Views) -> None:
    found = paint(views, (40, 40), (40, 40), radius=0)
    y, x = np.mgrid[: SIDE + 80, : SIDE + 80]
    inside = np.hypot(x - 40 - SIDE / 2 + 0.5, y - 40 - SIDE / 2 + 0.5) < SIDE / 2
    rim = inside & (np.hypot(x - 40 - SIDE / 2 + 0.5, y - 40 - SIDE / 2 + 0.5) > SIDE / 2 - 3)
    plate = views(1)[0][:, :SIDE, :SIDE]
    assert found.colour[:, rim].min() > 0.6 * plate.min() > 0.05
    assert found.coverage[rim].min() > 0.5
    assert found.coverage[:8].max() == 0  # far from the element


def test_nothing_but_void_is_painted_as_nothing() -> None:
    window = StrokeWindow(find_preset("oil"), radius=0, height=40, width=30)
    window.add(0, StrokeFrame(number=1, picture=np.ones((3, 40, 30), np.float32), cover=np.zeros((40, 30))), None)
    found = window.paint(0)
    assert found.coverage.max() == 0 and np.isfinite(found.colour).all()


def test_void_is_filled_from_what_is_near() -> None:
    picture, weight = np.zeros((64, 64, 3), np.float32), np.zeros((64, 64), np.float32)
    picture[:, :8], picture[:, -8:] = 0.2, 0.8
    weight[:, :8] = weight[:, -8:] = 1
    filled = fill_void(picture, weight)
    np.testing.assert_array_equal(filled[:, :8], picture[:, :8])
    assert filled.min() >= np.float32(0.2) and filled.max() <= np.float32(0.8)
    assert filled[30, 9, 0] < 0.3 and filled[30, 54, 0] > 0.7 and abs(filled[30, 31:33].mean() - 0.5) < 0.05


def test_a_region_depends_on_the_element_and_is_aligned() -> None:
    covered = np.zeros((90, 200), bool)
    covered[20:30, 70:75] = True
    region = find_region(covered, (3, 5), 0.3)
    larger = find_region(np.pad(covered, ((4, 0), (9, 50))), (3 - 9, 5 - 4), 0.3)
    assert (region.x + 3) % 64 == 0 and (region.y + 5) % 64 == 0
    assert (larger.x, larger.y) == (region.x + 9, region.y + 4)
    assert (larger.width, larger.height) == (region.width, region.height)
    np.testing.assert_array_equal(uncut(cut(covered, region), region, 90, 200), covered)
