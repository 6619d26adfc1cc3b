"""Guides: AOVs as channels of about [-1, 1]."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tsn.keys.guides import LIMIT, raw_guides, scale_guides, scaling_of

HEIGHT, WIDTH = 4, 6
RNG = np.random.default_rng(5)


def normals() -> np.ndarray:
    return RNG.standard_normal((3, HEIGHT, WIDTH)).astype(np.float32)


def test_a_plate_without_aovs_has_no_guides() -> None:
    assert raw_guides(height=HEIGHT, width=WIDTH).shape == (0, HEIGHT, WIDTH)


def test_each_aov_brings_its_channels() -> None:
    guides = raw_guides(
        height=HEIGHT,
        width=WIDTH,
        normals=normals(),
        depth=np.full((HEIGHT, WIDTH), 2.0, np.float32),
        surface=normals()[:2],
        ids=np.full((HEIGHT, WIDTH), 0x01020304, np.uint32),
    )
    assert guides.shape == (3 + 1 + 2 + 3, HEIGHT, WIDTH)
    assert guides[3, 0, 0] == pytest.approx(np.log(2))
    assert guides[6:, 0, 0].tolist() == [4, 3, 2]  # bytes of the id


def test_depth_of_nothing_is_nothing() -> None:
    depth = np.array([[0.0, np.inf, -1.0, 1.0, np.nan, 2.0]] * HEIGHT, np.float32)
    known = ~raw_guides(height=HEIGHT, width=WIDTH, depth=depth)[0, 0].isnan()
    assert known.tolist() == [False, False, False, True, False, True]


def test_scaled_guides_have_mean_0_and_one_deviation_at_a_third() -> None:
    raw = raw_guides(height=HEIGHT, width=WIDTH, normals=normals() * 5 + 40)
    scaled = scale_guides(raw, scaling_of([raw]))
    assert scaled.mean((1, 2)).abs().max() < 1e-5
    assert scaled.std((1, 2), correction=0).numpy() == pytest.approx([1 / LIMIT] * 3, abs=0.02)


def test_the_scaling_is_of_all_key_frames_and_leaves_out_where_there_is_nothing() -> None:
    first, second = torch.zeros(1, 2, 2), torch.full((1, 2, 2), 2.0)
    second[0, 0] = torch.nan
    scaling = scaling_of([first, second])
    assert scaling.mean.item() == pytest.approx(2 * 2 / 6)
    assert scale_guides(second, scaling)[0, 0].tolist() == [0, 0]


def test_a_constant_guide_is_0_and_an_outlier_is_clipped() -> None:
    constant = torch.full((1, 3, 3), 7.0)
    scaling = scaling_of([constant])
    assert not scale_guides(constant, scaling).any()
    assert scale_guides(constant + 1, scaling).unique().tolist() == [1]
