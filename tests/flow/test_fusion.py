from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsn.flow.fusion import (
    FlowField,
    exchange_proposals,
    features,
    median_flow,
    pixel_grid,
    resize_flow,
    sample_at,
    shift_flow,
    splat_inverse,
)

HEIGHT, WIDTH = 24, 32


def constant(x: float, y: float) -> np.ndarray:
    return np.tile(np.array([x, y], np.float32), (HEIGHT, WIDTH, 1))


@pytest.fixture
def pictures(texture) -> tuple[np.ndarray, np.ndarray]:
    """Features of two pictures; what is at p in the first is at p + (3, -2) in the second."""
    wide = texture(3, HEIGHT + 8, WIDTH + 8).permute(1, 2, 0).numpy()
    first = np.ascontiguousarray(wide[2 : HEIGHT + 2, 4 : WIDTH + 4])
    second = np.ascontiguousarray(wide[4 : HEIGHT + 4, 1 : WIDTH + 1])
    return features(first), features(second)


@given(st.integers(-40, 40), st.integers(-40, 40))
def test_shifted_takes_from_the_neighbour(dx: int, dy: int) -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    moved = shift_flow(np.stack([x, y], -1), dx, dy)
    assert np.array_equal(moved[..., 0], np.clip(x - dx, 0, WIDTH - 1))
    assert np.array_equal(moved[..., 1], np.clip(y - dy, 0, HEIGHT - 1))


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_sampled_is_bilinear_and_knows_its_border(channels: int, kind: type) -> None:
    picture = (np.random.default_rng(0).random((HEIGHT, WIDTH, channels)) * 250).astype(kind)
    at = pixel_grid(HEIGHT, WIDTH) + np.array([2.5, 3.0], np.float32)
    inside = (picture[3:, 2:-1].astype(float) + picture[3:, 3:]) / 2
    for outside in (None, 255):
        seen = sample_at(picture, at, outside=outside)
        assert abs(seen[:-3, :-3] - inside).max() <= 0.51
        assert outside is None or (seen[-3:] == outside).all()
    assert (sample_at(picture, at + 500) == picture[-1, -1]).all()


def test_landed_turns_vectors_round_and_knows_the_holes() -> None:
    flow, known = splat_inverse(constant(5, -2))
    assert known[: HEIGHT - 2, 5:].all() and not known[:, :5].any() and not known[HEIGHT - 2 :].any()
    assert (flow[known] == (-5, 2)).all()


def test_of_vectors_that_land_on_one_pixel_the_longest_stays() -> None:
    reverse = constant(1000, 1000)  # out of the frame
    reverse[10, 10], reverse[10, 14], reverse[10, 9] = (2, 0), (-2, 0), (3, 0)
    flow, known = splat_inverse(reverse)
    assert known.sum() == 1 and tuple(flow[10, 12]) == (-3, 0)


def test_resized_flow_is_in_the_new_pixels() -> None:
    assert np.allclose(resize_flow(constant(1, 3), HEIGHT * 2, WIDTH * 3), (3, 6))


def test_median_drops_a_single_pixel() -> None:
    flow = constant(1, 2)
    flow[5, 5] = 90
    assert np.array_equal(median_flow(flow, 3), constant(1, 2))


def test_grain_and_colour_do_not_see_a_change_of_light_but_luma_does() -> None:
    grey = np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    change = features(grey + np.float32(0.2)).astype(int) - features(grey).astype(int)
    assert (abs(change[..., 0] - 51) <= 1).all() and (abs(change[..., 1:]) <= 1).all()


def test_the_flow_that_the_pictures_bear_out_is_taken(pictures) -> None:
    field = FlowField(*pictures, constant(0, 0))
    field.propose(constant(-6, 4))
    field.propose(constant(3, -2))
    assert (field.flow[6:-6, 6:-6] == (3, -2)).mean() > 0.98
    before = field.flow.copy()
    field.propose(constant(3, -2), known=np.zeros((HEIGHT, WIDTH), bool))
    assert np.array_equal(field.flow, before)


def test_an_unknown_flow_is_not_taken(pictures) -> None:
    field = FlowField(*pictures, constant(0, 0))
    field.propose(constant(3, -2), known=np.zeros((HEIGHT, WIDTH), bool))
    assert np.array_equal(field.flow, constant(0, 0))


def test_one_right_pixel_spreads(pictures) -> None:
    start = constant(0, 0)
    start[8:16, 12:20] = (3, -2)
    field = FlowField(*pictures, start)
    field.propagate((4, 2, 1, 4, 1))
    assert (field.flow[6:-6, 6:-6] == (3, -2)).mean() > 0.95


def test_the_other_direction_lends_what_it_knows(pictures) -> None:
    forward, backward = FlowField(*pictures, constant(0, 0)), FlowField(*pictures[::-1], constant(-3, 2))
    exchange_proposals(forward, backward)
    assert (forward.flow[6:-6, 6:-6] == (3, -2)).mean() > 0.98
    assert (backward.flow[6:-6, 6:-6] == (-3, 2)).mean() > 0.98
