"""Texture of whole pictures: known by its parts, and given exactly."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tsn.temporal.detail import laplacian_bands
from tsn.temporal.texture import GAIN_LIMITS, gradient_products, solve_gains, texture_energy

H, W = 40, 56


@pytest.fixture
def parts(noise) -> list[Tensor]:
    """Tone, grain and strokes of a picture."""
    split, tone = laplacian_bands(0.3 + 0.4 * noise(H, W, 1, 12) * noise(H, W, 2))
    return [tone, split[0], split[1] + split[2] + split[3]]


def test_texture_by_hand() -> None:
    ramp = (torch.arange(W) / W).expand(3, H, W)
    plain, soft = texture_energy(ramp).tolist()
    assert plain == pytest.approx((W - 1) / W / W**2, rel=1e-5)
    assert soft == pytest.approx(plain, rel=0.1), "a Gaussian leaves a ramp, but for its ends"
    assert texture_energy(torch.full((3, H, W), 0.4)).tolist() == pytest.approx([0, 0], abs=1e-12)


def test_single_pixels_are_grain_and_broad_blobs_are_strokes(noise) -> None:
    grain, blobs = texture_energy(noise(H, W)), texture_energy(noise(H, W, 1, 8))
    assert grain[1] < 0.2 * grain[0] and blobs[1] > 0.6 * blobs[0]


def test_texture_of_a_sum_is_in_the_products_of_its_parts(parts) -> None:
    factors = torch.tensor([1.0, 0.7, 1.4], dtype=torch.float64)
    whole = sum(part * factor for part, factor in zip(parts, factors.tolist(), strict=True))
    torch.testing.assert_close(factors @ gradient_products(parts) @ factors, texture_energy(whole), rtol=1e-4, atol=0)


@pytest.mark.parametrize("wanted", [(1.0, 1.0), (0.9, 1.1), (1.2, 0.95)])
def test_shares_give_what_is_wanted(parts, wanted: tuple[float, float]) -> None:
    aim = texture_energy(sum(parts)) * torch.tensor(wanted, dtype=torch.float64)
    fine, broad = solve_gains(gradient_products(parts), aim)
    made = texture_energy(parts[0] + fine * parts[1] + broad * parts[2])
    torch.testing.assert_close(made, aim, rtol=0.01, atol=0)


def test_shares_end(parts) -> None:
    lowest, highest = (
        solve_gains(gradient_products(parts), texture_energy(sum(parts)) * times) for times in (0.01, 100)
    )
    assert lowest == (GAIN_LIMITS[0],) * 2 and highest == (GAIN_LIMITS[1],) * 2


def test_nothing_to_share_out() -> None:
    flat = torch.full((3, H, W), 0.4)
    assert solve_gains(gradient_products([flat, 0 * flat, 0 * flat]), texture_energy(flat)) == (1, 1)


def test_the_same_bits_at_any_number_of_threads(parts, threads) -> None:
    found = []
    for count in (1, 2, 4):
        threads(count)
        found.append(
            gradient_products([torch.nn.functional.interpolate(part[None], size=(360, 640))[0] for part in parts])
        )
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
