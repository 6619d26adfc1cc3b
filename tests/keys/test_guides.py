"""Guides: AOVs as channels of about [-1, 1]."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tsn.keys.guides import LIMIT, RawGuides, raw_guides, scale_guides, scaling_of

HEIGHT, WIDTH = 4, 6
RNG = np.random.default_rng(5)


def normals() -> np.ndarray:
    return RNG.standard_normal((3, HEIGHT, WIDTH)).astype(np.float32)


def test_a_plate_without_aovs_has_no_guides() -> None:
    guides = raw_guides(height=HEIGHT, width=WIDTH)
    assert guides.values.shape == (0, HEIGHT, WIDTH) and scale_guides(guides, scaling_of([guides])).shape[0] == 0


def test_each_aov_brings_its_channels() -> None:
    guides = raw_guides(
        height=HEIGHT,
        width=WIDTH,
        normals=normals(),
        depth=np.full((HEIGHT, WIDTH), 2.0, np.float32),
        surface=normals()[:2],
        ids=np.full((HEIGHT, WIDTH), 0x01020304, np.uint32),
    )
    assert guides.values.shape == (3 + 1 + 2 + 3, HEIGHT, WIDTH)
    assert guides.kinds == ("normal",) * 3 + ("depth",) + ("surface",) * 2 + ("id",) * 3
    assert guides.values[3, 0, 0] == pytest.approx(np.log(2))
    assert guides.values[6:, 0, 0].tolist() == [4, 3, 2]  # bytes of the id


def test_depth_of_nothing_is_nothing() -> None:
    depth = np.array([[0.0, np.inf, -1.0, 1.0, np.nan, 2.0]] * HEIGHT, np.float32)
    known = ~raw_guides(height=HEIGHT, width=WIDTH, depth=depth).values[0, 0].isnan()
    assert known.tolist() == [False, False, False, True, False, True]


def test_scaled_guides_have_mean_0_and_one_deviation_at_a_third() -> None:
    raw = raw_guides(height=HEIGHT, width=WIDTH, normals=normals() * 5 + 40)
    scaled = scale_guides(raw, scaling_of([raw]))
    assert scaled.mean((1, 2)).abs().max() < 1e-5
    assert scaled.std((1, 2), correction=0).numpy() == pytest.approx([1 / LIMIT] * 3, abs=0.02)


def test_the_scaling_is_of_all_key_frames_and_leaves_out_where_there_is_nothing() -> None:
    first, second = (RawGuides(values=torch.full((1, 2, 2), value), kinds=("depth",)) for value in (0.0, 2.0))
    second.values[0, 0] = torch.nan
    scaling = scaling_of([first, second])
    assert scaling.mean.item() == pytest.approx(2 * 2 / 6)
    assert scale_guides(second, scaling)[0, 0].tolist() == [0, 0]


FLAT = np.zeros((HEIGHT, WIDTH), np.float32)


@pytest.mark.parametrize(
    ("aov", "constant", "noise", "change"),
    [
        ("normals", np.stack([FLAT, FLAT, FLAT + 1]), 1e-3, 0.3),
        ("depth", FLAT + 5, 1e-3, 2.0),
        ("surface", np.stack([FLAT + 1000, FLAT - 3]), 0.1, 100.0),
        ("surface", np.stack([FLAT, FLAT]), 1e-4, 0.5),
    ],
)
def test_noise_on_what_is_constant_in_the_keys_stays_noise(
    aov: str, constant: np.ndarray, noise: float, change: float
) -> None:
    def guides(values: np.ndarray) -> RawGuides:
        return raw_guides(height=HEIGHT, width=WIDTH, **{aov: values.astype(np.float32)})  # type: ignore[arg-type]

    scaling = scaling_of([guides(constant + noise * np.cos(np.arange(WIDTH)))])
    assert scale_guides(guides(constant + noise), scaling).abs().max() < 0.05
    assert scale_guides(guides(constant + change), scaling).abs().min() > 0.2


def test_ids_of_one_object_do_not_make_others_louder_than_a_byte() -> None:
    one, other = (raw_guides(height=1, width=1, ids=np.array([[value]], np.uint32)) for value in (0x808080, 0x818080))
    assert scale_guides(other, scaling_of([one])).abs().max() < 0.05


def test_a_coordinate_that_is_constant_is_measured_by_those_that_are_not() -> None:
    x = np.broadcast_to(np.linspace(0, 12, WIDTH), (HEIGHT, WIDTH))
    card, tilted = (
        raw_guides(height=HEIGHT, width=WIDTH, surface=np.stack([x, x, FLAT + 70 + bend])) for bend in (0, 0.01)
    )
    scaled = scale_guides(tilted, scaling_of([card]))
    assert scaled[2].abs().max() < 0.05 and scaled[0].max() > 0.4


def test_outliers_are_clipped() -> None:
    raw = raw_guides(height=HEIGHT, width=WIDTH, normals=normals())
    assert scale_guides(RawGuides(values=raw.values * 9, kinds=raw.kinds), scaling_of([raw])).abs().max() == 1
