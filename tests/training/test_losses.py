"""Losses against sums done by hand, and what they must not see."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tsn_training.losses import content_loss, gram, style_loss, tone_loss, total_variation

WEIGHTS = {"1_1": 0.5, "2_1": 2.0}


def maps(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def grams(seed: int) -> dict[str, torch.Tensor]:
    return {"1_1": gram(maps(seed, 1, 3, 4, 4)), "2_1": gram(maps(seed + 1, 1, 5, 2, 2))}


def test_gram_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])  # Two channels of 1x2 pixels.

    torch.testing.assert_close(gram(features), torch.tensor([[[2.5, 0.5], [0.5, 5.0]]]))


def test_gram_keeps_samples_apart() -> None:
    batch = maps(0, 3, 4, 5, 6)

    torch.testing.assert_close(gram(batch)[1:2], gram(batch[1:2]))


def test_gram_is_blind_to_place_and_size() -> None:
    features = maps(0, 1, 4, 6, 6)

    torch.testing.assert_close(gram(features.roll((2, 3), (2, 3)).repeat(1, 1, 2, 2)), gram(features))


def test_style_loss_by_hand() -> None:
    painted = {"1_1": torch.tensor([[[2.0]], [[1.0]]]), "2_1": torch.tensor([[[5.0]], [[3.0]]])}
    target = {"1_1": torch.tensor([[[1.0]]]), "2_1": torch.tensor([[[4.0]]])}

    # Samples: 0.5 * 1 + 2 / 16 and 0.5 * 0 + 2 / 16; their mean, over the sum of the weights.
    assert style_loss(painted, target, WEIGHTS).item() == pytest.approx((0.625 + 0.125) / 2 / 2.5)


def test_style_loss_of_the_painting_itself_is_zero() -> None:
    assert style_loss(grams(0), grams(0), WEIGHTS).item() == 0
    assert style_loss(grams(0), grams(5), WEIGHTS).item() > 0.01


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-2, 1e2))
def test_style_loss_does_not_know_how_strong_a_layer_is(scale: float) -> None:
    def scaled(one: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return one | {"2_1": one["2_1"] * scale}

    torch.testing.assert_close(
        style_loss(scaled(grams(0)), scaled(grams(5)), WEIGHTS), style_loss(grams(0), grams(5), WEIGHTS)
    )


def test_content_loss_is_relative() -> None:
    plate = torch.full((1, 2, 3, 3), 4.0)

    assert content_loss(plate + 1, plate).item() == pytest.approx(1 / 16)


def test_tone_loss_of_an_offset_is_its_square() -> None:
    plate = maps(0, 2, 3, 16, 24)

    assert tone_loss(plate + 0.2, plate).item() == pytest.approx(0.04, rel=1e-4)
    green = torch.tensor((0.0, 0.5, 0.0)).view(1, 3, 1, 1)
    assert tone_loss(plate + green, plate).item() == pytest.approx((0.5 * 0.7152) ** 2, rel=1e-4)


def test_tone_loss_leaves_strokes_free() -> None:
    plate = torch.full((1, 3, 16, 16), 0.5)
    y, x = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    strokes = 0.4 * (1 - 2.0 * ((x + y) % 2))

    assert tone_loss(plate + strokes, plate).item() == pytest.approx(0, abs=1e-12)
    assert tone_loss(plate + strokes, plate, size=1).item() == pytest.approx(0.16, rel=1e-4)


def test_total_variation_by_hand() -> None:
    x = torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]])

    assert total_variation(x).item() == pytest.approx((1 + 9) / 2 + (0 + 4) / 2)
    assert total_variation(torch.full((1, 3, 4, 4), 0.7)).item() == 0
