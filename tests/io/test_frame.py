import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsn.io import Box, crop, place

boxes = st.builds(Box, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 9), st.integers(1, 9))


@given(boxes, boxes)
def test_a_union_holds_both_and_nothing_smaller_does(a: Box, b: Box) -> None:
    both = a.union(b)
    assert (both.x, both.y) == (min(a.x, b.x), min(a.y, b.y))
    assert (both.right, both.bottom) == (max(a.right, b.right), max(a.bottom, b.bottom))


@given(boxes, boxes)
def test_every_pixel_lands_where_it_belongs(window: Box, canvas: Box) -> None:
    pixels = np.arange(1, 1 + window.width * window.height, dtype=np.float16).reshape(window.height, window.width)
    laid = place(pixels, window, canvas)
    assert laid.shape == (canvas.height, canvas.width) and laid.dtype == pixels.dtype
    for y in range(canvas.y, canvas.bottom):
        for x in range(canvas.x, canvas.right):
            inside = window.x <= x < window.right and window.y <= y < window.bottom
            assert laid[y - canvas.y, x - canvas.x] == (pixels[y - window.y, x - window.x] if inside else 0)


@given(boxes, boxes)
def test_cut_undoes_place(window: Box, other: Box) -> None:
    pixels = np.random.default_rng(0).random((window.height, window.width, 3)).astype(np.float32)
    canvas = window.union(other)
    assert np.array_equal(crop(place(pixels, window, canvas), canvas, window), pixels)


def test_pixels_must_fill_their_window() -> None:
    with pytest.raises(ValueError, match="window"):
        place(np.zeros((2, 3)), Box(0, 0, 2, 2), Box(0, 0, 4, 4))
