from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tsn.strokes.frame import StrokeFrame
from tsn.strokes.guides import find_guides, form_direction, layer_direction, wanted_share
from tsn.strokes.preset import Layer
from tsn.strokes.preset_file import find_preset


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
    frame = StrokeFrame(number=1, picture=np.full((3, 64, 64), 0.4, np.float32))
    guides = find_guides(frame, find_preset("oil").layers, 0.2)
    assert np.abs(guides.angle).max() < 0.01
    assert [need.max() for need in guides.need] == [1, np.float32(0.6), 0, 0]


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
