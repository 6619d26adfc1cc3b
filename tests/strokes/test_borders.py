from __future__ import annotations

import numpy as np
import pytest

from tsn.strokes.borders import find_borders, find_planes, label_ids, outline, split_cells, walk
from tsn.strokes.frame import StrokeFrame, StrokePaint
from tsn.strokes.preset_file import find_preset
from tsn.strokes.stroke_window import StrokeWindow

HEIGHT, WIDTH = 72, 96


def paint(frame: StrokeFrame) -> StrokePaint:
    window = StrokeWindow(find_preset("oil"), radius=0, height=HEIGHT, width=WIDTH, lines=360)
    window.add(0, frame, None)
    return window.paint(0)


def disc() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (x - 47.5) ** 2 + (y - 35.5) ** 2 < 20**2


def test_labels_of_ids_tell_them_apart_and_are_exact_in_float32() -> None:
    ids = np.concatenate([np.arange(300), np.random.default_rng(1).integers(0, 2**32, 300)]).astype(np.uint32)
    labels = label_ids(ids)
    assert len(np.unique(labels)) == len(np.unique(ids)) and labels[0] == 0
    assert np.diff(np.unique(labels)).min() >= 1


def test_a_floor_that_recedes_is_one_surface() -> None:
    depth = np.tile(np.geomspace(40, 4, HEIGHT, dtype=np.float32)[:, None], (1, WIDTH))
    depth[:, 60:] = 1  # a post before it
    borders = find_borders(None, depth)
    assert walk(borders.labels, borders.slopes, borders.jump, 20.5, 60.5, 0.0, -1.0, 50.0) == 50
    assert walk(borders.labels, borders.slopes, borders.jump, 50.5, 30.5, 1.0, 0.0, 50.0) == pytest.approx(9, abs=1)


def test_a_stroke_behind_something_keeps_the_depth_of_its_own_surface() -> None:
    depth = np.full((HEIGHT, WIDTH), 10, np.float32)
    depth[:, 40:60] = 2
    borders = find_borders(None, depth)
    path = np.zeros((1, 7, 2), np.float32)
    path[0, :, 0], path[0, :, 1] = np.linspace(36, 64, 7), 30
    plane = find_planes(path, np.log([10]).astype(np.float32), borders.labels, borders.slopes)
    assert plane[0, 0] == pytest.approx(np.log(10)) and plane[0, 1] == 0


def test_cells_keep_the_colours_of_two_surfaces_apart() -> None:
    labels = label_ids((np.arange(8) > 1).astype(np.uint32)[None].repeat(8, 0))
    image = np.where(labels[..., None] > 0, np.float32(0.9), np.float32(0.1)).repeat(3, 2)
    colours, others, names, shares = split_cells(image, labels, np.zeros((8, 8), bool), 0.25, 8)
    assert colours[0, 0, 0] == np.float32(0.9) and others[0, 0, 0] == np.float32(0.1)
    assert names[0, 0].tolist() == [labels.max(), 0] and shares[0, 0].sum() == pytest.approx(1)


def test_an_outline_is_as_soft_as_anti_aliasing() -> None:
    _, shares, away = outline(find_borders(disc().astype(np.uint32), None))
    inside = np.where(disc(), shares[..., 0], shares[..., 1])
    assert inside[35, 46] == 1 and inside[35, 90] == 0 and away[35, 47] > 10
    steps = np.abs(np.diff(inside, axis=1))
    assert steps.max() < 0.85
    assert inside.sum() == pytest.approx(np.pi * 20**2, rel=0.01)


@pytest.mark.parametrize("guide", ["ids", "depth"])
def test_paint_of_an_object_stays_on_it_though_its_colour_does_not_show_its_outline(guide: str) -> None:
    """A disc that differs little from its ground: without a guide, strokes run over its outline."""
    picture = np.full((3, HEIGHT, WIDTH), 0.5, np.float32)
    picture[0][disc()] = 0.62
    guides = {"ids": disc().astype(np.uint32), "depth": np.where(disc(), np.float32(2), np.float32(5))}
    away = outline(find_borders(guides["ids"], None))[2]
    outside = (away >= 1) & ~disc()  # nearer, anti-aliasing blends both
    blind, led = (
        np.abs(found.colour[0] - found.colour[1])[outside].max()
        for found in (paint(StrokeFrame(number=1, picture=picture, **kind)) for kind in ({}, {guide: guides[guide]}))
    )
    assert led < 1e-3 < 0.02 < blind


def test_one_object_everywhere_is_as_no_object() -> None:
    picture = np.random.default_rng(2).random((3, HEIGHT, WIDTH), dtype=np.float32)
    ids = np.full((HEIGHT, WIDTH), 77, np.uint32)
    one = paint(StrokeFrame(number=1, picture=picture, ids=ids)).colour
    none = paint(StrokeFrame(number=1, picture=picture, ids=np.zeros_like(ids))).colour
    np.testing.assert_array_equal(one, none)
