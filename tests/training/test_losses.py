"""Losses against sums done by hand, and what they must not see."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tsn_training.losses import (
    Moments,
    colour_loss,
    content_loss,
    gram,
    moments,
    spike_loss,
    style_loss,
    temporal_loss,
    total_variation,
)
from tsn_training.motion import warp_batch

WEIGHTS = {"1_1": 0.5, "2_1": 2.0}


def maps(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def painting(seed: int) -> dict[str, Moments]:
    return {"1_1": moments(maps(seed, 1, 3, 4, 4)), "2_1": moments(maps(seed + 1, 1, 5, 2, 2))}


def test_gram_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])  # Two channels of 1x2 pixels.

    torch.testing.assert_close(gram(features), torch.tensor([[[2.5, 0.5], [0.5, 5.0]]]))


def test_gram_keeps_samples_apart() -> None:
    batch = maps(0, 3, 4, 5, 6)

    torch.testing.assert_close(gram(batch)[1:2], gram(batch[1:2]))


def test_gram_is_blind_to_place_and_size() -> None:
    features = maps(0, 1, 4, 6, 6)

    torch.testing.assert_close(gram(features.roll((2, 3), (2, 3)).repeat(1, 1, 2, 2)), gram(features))


def test_gram_sums_in_full_precision_under_autocast() -> None:
    """Sums over many pixels pass 65504, the largest number in half precision, and lose digits in bfloat16."""
    features = 30 * maps(0, 1, 4, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = gram(features)

    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, gram(features))


def test_moments_part_the_gram_matrix() -> None:
    features = maps(0, 2, 4, 5, 6)
    mean, centred = moments(features)

    torch.testing.assert_close(centred + mean[:, :, None] * mean[:, None, :], gram(features))
    torch.testing.assert_close(moments(features + 3).gram, centred, rtol=1e-4, atol=1e-5)


def test_style_loss_by_hand() -> None:
    painted = {
        "1_1": Moments(torch.tensor([[2.0], [1.0]]), torch.tensor([[[2.0]], [[1.0]]])),
        "2_1": Moments(torch.tensor([[5.0], [3.0]]), torch.tensor([[[5.0]], [[3.0]]])),
    }
    target = {
        "1_1": Moments(torch.tensor([[1.0]]), torch.tensor([[[1.0]]])),
        "2_1": Moments(torch.tensor([[5.0]]), torch.tensor([[[4.0]]])),
    }

    # Samples: (0.5 * (1 + 1) + 2 * (1 / 16 + 0)) / 2 and (0.5 * 0 + 2 * (1 / 16 + 4 / 25)) / 2; mean, by the weights.
    first, second = (1 + 0.125) / 2, (0.125 + 0.32) / 2
    assert style_loss(painted, target, WEIGHTS).item() == pytest.approx((first + second) / 2 / 2.5)


def test_style_loss_of_the_painting_itself_is_zero() -> None:
    assert style_loss(painting(0), painting(0), WEIGHTS).item() == 0
    assert style_loss(painting(0), painting(5), WEIGHTS).item() > 0.01


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-2, 1e2))
def test_style_loss_does_not_know_how_strong_a_layer_is(scale: float) -> None:
    def scaled(one: dict[str, Moments]) -> dict[str, Moments]:
        return one | {"2_1": Moments(one["2_1"].mean * scale, one["2_1"].gram * scale**2)}

    torch.testing.assert_close(
        style_loss(scaled(painting(0)), scaled(painting(5)), WEIGHTS), style_loss(painting(0), painting(5), WEIGHTS)
    )


def test_content_loss_is_relative() -> None:
    plate = torch.full((1, 2, 3, 3), 4.0)

    assert content_loss(plate + 1, plate).item() == pytest.approx(1 / 16)


def test_colour_loss_by_hand() -> None:
    plate = maps(0, 2, 3, 16, 24)

    assert colour_loss(plate + 0.2, plate).item() == pytest.approx(0.04 + 0.04**2 / 0.01, rel=1e-4)
    green = torch.tensor((0.0, 0.5, 0.0)).view(1, 3, 1, 1)
    error = 0.5**2 / 3
    assert colour_loss(plate + green, plate).item() == pytest.approx(error + error**2 / 0.01, rel=1e-4)


def test_colour_loss_would_rather_have_a_little_everywhere_than_a_blob() -> None:
    plate, blob = torch.full((1, 3, 32, 32), 0.1), torch.full((1, 3, 32, 32), 0.1)
    blob[..., :8, :8] += 0.8  # a sixteenth of the picture: the same sum of squares as 0.2 all over

    assert colour_loss(blob, plate) > 5 * colour_loss(plate + 0.2, plate)


def test_colour_loss_leaves_strokes_free() -> None:
    plate = torch.full((1, 3, 16, 16), 0.5)
    y, x = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    strokes = 0.4 * (1 - 2.0 * ((x + y) % 2))

    assert colour_loss(plate + strokes, plate).item() == pytest.approx(0, abs=1e-12)
    assert colour_loss(plate + strokes, plate, size=1).item() == pytest.approx(0.16 + 0.16**2 / 0.01, rel=1e-4)


def test_total_variation_by_hand() -> None:
    x = torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]])

    assert total_variation(x).item() == pytest.approx((1 + 9) / 2 + (0 + 4) / 2)
    assert total_variation(torch.full((1, 3, 4, 4), 0.7)).item() == 0


def test_spikes_are_what_rises_far_above_the_rest() -> None:
    calm = torch.randn(2, 4, 32, 32, generator=torch.Generator().manual_seed(0)).clamp(-3, 3)
    loud = calm.clone()
    loud[0, 1, 7, 9] = 60.0

    assert spike_loss([calm]).item() == 0
    rms = loud[0, 1].square().mean().sqrt()
    assert spike_loss([loud]).item() == pytest.approx(((60 / rms - 4) ** 2 / loud.numel()).item(), rel=1e-4)
    assert spike_loss([5 * loud, calm]).item() == pytest.approx(spike_loss([loud]).item() / 2, rel=1e-4)


# --- temporal ------------------------------------------------------------------------------------------------------


def motion(seed: int = 0, size: int = 24) -> torch.Tensor:
    return 4 * maps(seed, 2, 2, 1, 1) + maps(seed + 1, 2, 2, size, size) - 2


def test_temporal_loss_of_a_steady_painter_is_zero() -> None:
    then, flow = maps(0, 2, 3, 24, 24), motion()

    assert temporal_loss(warp_batch(then, flow), then, flow, torch.ones(2, 1, 24, 24)).item() == 0


def test_temporal_loss_of_a_boiling_painter_is_not() -> None:
    then, flow, visible = maps(0, 2, 3, 24, 24), motion(), torch.ones(2, 1, 24, 24)
    steady = warp_batch(then, flow)

    assert temporal_loss(steady + 0.1, then, flow, visible).item() == pytest.approx(0.01, rel=1e-3)
    assert temporal_loss(maps(9, 2, 3, 24, 24), then, flow, visible).item() > 0.01
    assert temporal_loss(steady, then, torch.zeros_like(flow), visible).item() > 0.01  # the wrong motion


def test_temporal_loss_ignores_what_is_invisible() -> None:
    then, flow = maps(0, 2, 3, 24, 24), motion()
    visible = (maps(7, 2, 1, 24, 24) > 0.1).float()  # single pixels, and every cell of 2 px has a chance
    other = torch.where(visible > 0, warp_batch(then, flow), maps(8, 2, 3, 24, 24))

    assert temporal_loss(other, then, flow, visible).item() == 0


def test_temporal_loss_is_a_mean_over_what_is_visible() -> None:
    then, flow = maps(0, 2, 3, 24, 24), torch.zeros(2, 2, 24, 24)
    half = torch.zeros(2, 1, 24, 24)
    half[..., :12] = 1

    assert temporal_loss(then + 0.1, then, flow, half).item() == pytest.approx(0.01, rel=1e-3)
    assert temporal_loss(then + 0.1, then, flow, 0 * half).item() == 0


def test_temporal_loss_has_a_gradient_in_both_moments() -> None:
    now, then = (maps(seed, 2, 3, 24, 24).requires_grad_() for seed in (0, 5))
    temporal_loss(now, then, motion(), torch.ones(2, 1, 24, 24)).backward()

    assert all(x.grad is not None and torch.isfinite(x.grad).all() and x.grad.abs().sum() > 0 for x in (now, then))


@pytest.mark.parametrize("loss", ["style", "content", "colour", "smooth", "temporal"])
def test_a_batch_costs_the_mean_of_its_samples(loss: str) -> None:
    """What makes N processes, or parts, train like one."""
    a, b, flow, visible = maps(0, 2, 3, 24, 24), maps(1, 2, 3, 24, 24), motion(), maps(2, 2, 1, 24, 24).round()

    def of(i: slice) -> float:
        found = {
            "style": lambda: style_loss({"1_1": moments(a[i])}, {"1_1": moments(b[:1])}, {"1_1": 1.0}),
            "content": lambda: content_loss(a[i], b[i]),
            "colour": lambda: colour_loss(a[i], b[i]),
            "smooth": lambda: total_variation(a[i]),
            "temporal": lambda: temporal_loss(a[i], b[i], flow[i], visible[i]),
        }
        return found[loss]().item()

    assert of(slice(None)) == pytest.approx((of(slice(0, 1)) + of(slice(1, 2))) / 2, rel=1e-5)
