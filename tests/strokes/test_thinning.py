from __future__ import annotations

import numpy as np

from tsn.strokes.thinning import thin_strokes


def thin(x: list[float], base: list[float], order: list[int], spacing: float = 10.0) -> np.ndarray:
    centres = np.array([[value, 0.0] for value in x], np.float32)
    tangents = np.tile(np.array([[0.0, 1.0]], np.float32), (len(x), 1))  # strokes run down: distances are across them
    return thin_strokes(
        centres, tangents, np.array(base, np.float32), np.array(order), np.full(len(base), spacing, np.float32)
    )


def test_the_first_in_order_wins() -> None:
    assert thin([0, 1], [1, 1], [0, 1]).tolist() == [1, 0]
    assert thin([0, 1], [1, 1], [1, 0]).tolist() == [0, 1]


def test_who_keeps_its_distance_keeps_its_weight() -> None:
    assert thin([0, 7], [1, 0.5], [0, 1]).tolist() == [1, 0.5]  # 7 px across count as 10.15


def test_a_fading_stroke_gives_way_by_as_much() -> None:
    assert np.allclose(thin([0, 1], [0.25, 1], [0, 1]), [0.25, 0.75])
