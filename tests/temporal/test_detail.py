from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tsn.temporal import detail
from tsn.temporal.detail import band_energies, laplacian_bands, restore_detail
from tsn.temporal.filters import luma
from tsn.temporal.texture import GAIN_LIMITS, texture_energy

H, W = 96, 128
INNER = (slice(None), slice(16, -16), slice(16, -16))
NO_EDGES = torch.zeros(1, H, W)


def energy(image: Tensor) -> float:
    """Of the gradients in luma, away from the borders."""
    light = luma(image)[INNER]
    return float(light.diff(dim=1).square().mean() + light.diff(dim=2).square().mean())


@pytest.fixture
def paint(noise):
    """paint(seed): strokes, grain and soft tone, around mid grey so that nothing clips."""

    def make(seed: int = 0) -> Tensor:
        layers = [noise(H, W, 10 * seed + i, cells) for i, cells in enumerate((0, 64, 24, 4))]
        return 0.5 + 0.5 * (sum(0.25 * layer for layer in layers) - 0.5)  # type: ignore[return-value]

    return make


def lifted(
    mean: Tensor, target: Tensor, edges: Tensor = NO_EDGES, amount: float = 1.0, *, times: float = 1.0
) -> Tensor:
    """Restored, so much of its own texture being wanted of the whole."""
    return restore_detail(mean, target, edges, amount, times * texture_energy(mean))


@pytest.mark.parametrize("size", [(H, W), (47, 61), (5, 3), (1, 1)])
def test_bands_sum_to_the_image(noise, size) -> None:
    image = noise(*size)
    split, rest = laplacian_bands(image)
    assert len(split) == len(detail.BAND_SIGMAS_PX) and all(band.shape == image.shape for band in split)
    assert torch.allclose(sum(split) + rest, image, atol=1e-6)


def test_bands_part_the_scales(noise) -> None:
    """Finest first: single pixels live in the first band, a broad stroke in the last, tone in none."""
    grain = [float(b[INNER].square().mean()) for b in laplacian_bands(noise(H, W))[0]]
    assert grain[0] == max(grain)
    broad = [float(b[INNER].square().mean()) for b in laplacian_bands(noise(H, W, cells=10))[0]]
    assert broad[-1] == max(broad)
    assert max(float(b.abs().max()) for b in laplacian_bands(torch.full((3, H, W), 0.7))[0]) < 1e-6


def test_energies_are_local_squares_in_luma(noise) -> None:
    image = torch.full((3, H, W), 0.5)
    image[:, :, W // 2 :] += 0.2 * (noise(H, W)[:1, :, W // 2 :] - 0.5)
    found = band_energies(image)
    assert found.shape == (len(detail.BAND_SIGMAS_PX), H // 4, W // 4) and (found >= 0).all()
    assert found[0, :, :2].max() < 1e-3 * found[0, :, -8:].min(), "flat far from the grain"
    expected = float(laplacian_bands(luma(image))[0][0][:, 16:-16, -32:].square().mean())
    assert float(found[0, 4:-4, -8:].mean()) == pytest.approx(expected, rel=0.1)
    assert torch.allclose(band_energies(image + 0.1), found, atol=1e-6), "tone is no grain"


def test_energy_of_a_paint_with_twice_the_contrast(paint) -> None:
    one, other = band_energies(paint()), band_energies(0.5 + 2 * (paint() - 0.5))
    assert torch.allclose(other, 4 * one, rtol=1e-3)


def test_amount_0_is_the_mean(paint) -> None:
    assert torch.equal(lifted(paint(), band_energies(paint()) * 9, amount=0, times=9), paint())


def test_nothing_lost_nothing_lifted(paint) -> None:
    """Paint that agrees over the window keeps its bits but for rounding."""
    assert torch.allclose(lifted(paint(), band_energies(paint())), paint(), atol=2e-3)


def test_less_energy_wanted_takes_nothing_away(paint) -> None:
    assert torch.allclose(lifted(paint(), band_energies(paint()) * 0.25, times=0.25), paint(), atol=1e-6)


def averaged(paint, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """A mean of frames that disagree, and what it should have: local energies, and texture as a whole."""
    frames = [paint(seed) for seed in range(count)]
    means = (torch.stack(list(map(of, frames))).mean(0) for of in (lambda frame: frame, band_energies, texture_energy))
    return tuple(means)  # type: ignore[return-value]


@pytest.mark.parametrize("count", [3, 9])
def test_the_energy_of_an_average_comes_back(paint, count: int) -> None:
    """The mean of `count` frames that disagree has 1/count of their grain: it gets it back, neither less nor more."""
    mean, target, wanted = averaged(paint, count)
    assert (texture_energy(mean) < 0.5 * wanted).all()
    found = texture_energy(restore_detail(mean, target, NO_EDGES, 1.0, wanted)) / wanted
    assert found.tolist() == pytest.approx(detail.TEXTURE_KEPT.tolist(), rel=0.03)


def test_texture_that_silhouettes_cut_off_is_made_up_for(paint) -> None:
    mean, target, wanted = averaged(paint, 3)
    edges = torch.zeros(1, H, W)
    edges[:, ::24] = 1
    found = texture_energy(restore_detail(mean, target, edges, 1.0, wanted)) / wanted
    assert found.tolist() == pytest.approx(detail.TEXTURE_KEPT.tolist(), rel=0.05)


def test_more_detail_more_energy(paint) -> None:
    mean, target, wanted = averaged(paint, 5)
    found = [energy(restore_detail(mean, target, NO_EDGES, amount, wanted)) for amount in (0, 0.5, 1, 1.5)]
    assert found == sorted(found) and found[0] < 0.6 * found[-1]


def test_gains_end(noise) -> None:
    """A band that is nearly gone is noise: it is lifted by MAX_GAIN to the power of its share, no further."""
    faint = 0.5 + 1e-3 * (noise(H, W) - 0.5)
    made = lifted(faint, torch.full((len(detail.BAND_SIGMAS_PX), H // 4, W // 4), 0.1), times=1e4)
    most = detail.MAX_GAIN ** max(detail.GAIN_EXPONENTS) * GAIN_LIMITS[1]
    assert 2 < float((made - 0.5)[INNER].std() / (faint - 0.5)[INNER].std()) < most * 1.01


def test_a_flat_area_stays_flat() -> None:
    flat = torch.full((3, H, W), 0.3)
    assert torch.allclose(lifted(flat, torch.zeros(len(detail.BAND_SIGMAS_PX), H // 4, W // 4)), flat, atol=1e-6)


def test_clipped_to_style_space(noise) -> None:
    image = noise(H, W)
    made = lifted(image, band_energies(image) * 8, amount=2.0, times=8)
    assert made.min() == 0 and made.max() == 1


def test_the_mean_is_not_changed(paint) -> None:
    mean = paint()
    lifted(mean, band_energies(mean) * 4, times=4)
    assert torch.equal(mean, paint())


def test_a_hard_step_between_two_surfaces_is_not_lifted(noise) -> None:
    """It overshoots where it counts as paint; where it is known for a silhouette, it stays within what is around it."""
    step = torch.full((3, H, W), 0.2)
    step[:, :, W // 2 :] = 0.7
    target = 4 * band_energies(step)
    edges = torch.zeros(1, H, W)
    edges[:, :, W // 2 - 1 : W // 2 + 1] = 1
    assert lifted(step, target, times=4).max() > 0.8
    known = lifted(step, target, edges, times=4)[:, :, W // 2 - 1 : W // 2 + 1]
    assert known.min() >= 0.2 and known.max() <= 0.7


def test_a_jagged_step_is_softened(noise) -> None:
    step = torch.full((3, H, W), 0.2)
    step[:, :, W // 2 :] = 0.7
    step[:, ::2, W // 2] = 0.2  # every other line of one column: a dotted line
    edges = torch.zeros(1, H, W)
    edges[:, :, W // 2 - 1 : W // 2 + 2] = 1
    made = lifted(step, band_energies(step), edges)
    column = slice(W // 2, W // 2 + 1)
    assert made[:, 16:-16, column].diff(dim=1).abs().mean() < 0.95 * step[:, 16:-16, column].diff(dim=1).abs().mean()
