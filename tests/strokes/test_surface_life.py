from __future__ import annotations

import numpy as np

from tsn.strokes.placement import POINTS
from tsn.strokes.surface_life import add_paths, head_cosines, match_anchors, mean_paths

KEYS = np.array([3, 5, 5, 9], np.uint64)
PLACES = np.array([[1, 1], [10, 10], [50, 10], [20, 5]], np.float32)
FLAT = np.array([[[0.1, 0], [0, 0.1], [0, 0]]], np.float32)


def straight(x: float, y: float) -> np.ndarray:
    return (np.linspace(-1, 1, POINTS)[None, :, None] * np.array([x, y])).astype(np.float32)


def mean(*parts: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Mean path of one anchor that lies flat, over frames of slopes and offsets."""
    total, lengths, weights = np.zeros((1, POINTS, 2)), np.zeros(1), np.zeros(1)
    for slopes, offsets in parts:
        add_paths(total, lengths, weights, FLAT, np.zeros(1, np.int32), slopes, offsets, 1.0)
    return mean_paths(np.zeros((1, 2), np.float32), total, lengths, weights)


def test_anchors_are_matched_by_key_and_twins_by_place() -> None:
    other_keys = np.array([5, 5, 7, 9], np.uint64)
    other = np.array([[52, 11], [11, 11], [20, 5], [90, 5]], np.float32)
    assert match_anchors(KEYS, PLACES, other_keys, other, 30).tolist() == [-1, 1, 0, -1]  # the last is too far
    assert match_anchors(KEYS, PLACES, KEYS[:0], PLACES[:0], 30).tolist() == [-1] * 4


def test_paths_are_averaged_on_the_surface() -> None:
    # Seen at half the size, and turned by a quarter: the same stroke on the surface.
    turned = np.array([[[0, 0.2], [-0.2, 0], [0, 0]]], np.float32)
    path = mean((FLAT, straight(8, 0)), (turned, straight(0, 4)))
    np.testing.assert_allclose(path, straight(8, 0), atol=1 / 1024)


def test_a_path_has_no_order_and_keeps_its_length() -> None:
    path = mean((FLAT, straight(8, 2)), (FLAT, straight(-8, 2)))
    ends = path[0, -1] - path[0, 0]
    assert abs(np.hypot(*ends) - 2 * np.hypot(8, 2)) < 2 / 1024 and abs(ends[1]) < 2 / 1024


def test_heads_stay_where_they_are_as_the_picture_turns() -> None:
    quarter = np.array([[[0, 0.1], [-0.1, 0], [0, 0]]], np.float32)
    for key in range(20):
        keys = np.array([key], np.uint64)
        first, second = head_cosines(keys, FLAT, straight(8, 0)), head_cosines(keys, quarter, straight(0, 8))
        np.testing.assert_allclose(first, second, atol=1e-6)
        np.testing.assert_allclose(head_cosines(keys, FLAT, straight(-8, 0)), -first, atol=1e-6)
    assert head_cosines(keys, FLAT, straight(0, 0)).tolist() == [0]
