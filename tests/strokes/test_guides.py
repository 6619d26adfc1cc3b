from __future__ import annotations

import numpy as np
import pytest

from tsn.strokes.frame import StrokeFrame
from tsn.strokes.guides import find_guides, form_direction
from tsn.strokes.preset import OIL


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, 135])
def test_strokes_run_along_stripes(degrees: int) -> None:
    y, x = np.mgrid[:128, :128].astype(np.float32)
    along = np.radians(degrees)
    luma = 0.5 + 0.4 * np.sin((x * -np.sin(along) + y * np.cos(along)) * 0.5).astype(np.float32)
    cos, sin = form_direction(luma, 1.0)[:, 40:88, 40:88].mean((1, 2))
    assert np.hypot(cos, sin) > 0.9  # certain
    turned = (0.5 * np.arctan2(sin, cos) - along + np.pi / 2) % np.pi - np.pi / 2
    assert abs(turned) < np.radians(2)


def test_an_even_picture_has_no_direction_and_needs_no_fine_strokes() -> None:
    guides = find_guides(StrokeFrame(number=1, picture=np.full((3, 64, 64), 0.4, np.float32)), OIL.layers, 0.2)
    assert np.abs(guides.angle).max() < 0.01
    assert [need.max() for need in guides.need] == [1, np.float32(0.6), 0, 0]
