from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tsn.temporal import detail
from tsn.temporal.detail import bands, paint_energies, restore
from tsn.temporal.filters import luma

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


@pytest.mark.parametrize("size", [(H, W), (47, 61), (5, 3), (1, 1)])
def test_bands_sum_to_the_image(noise, size) -> None:
    image = noise(*size)
    split, rest = bands(image)
    assert len(split) == len(detail.BAND_SIGMAS) and all(band.shape == image.shape for band in split)
    assert torch.allclose(sum(split) + rest, image, atol=1e-6)


def test_bands_part_the_scales(noise) -> None:
    """Finest first: single pixels live in the first band, a broad stroke in the last, tone in none."""
    grain = [float(b[INNER].square().mean()) for b in bands(noise(H, W))[0]]
    assert grain[0] == max(grain)
    broad = [float(b[INNER].square().mean()) for b in bands(noise(H, W, cells=10))[0]]
    assert broad[-1] == max(broad)
    assert max(float(b.abs().max()) for b in bands(torch.full((3, H, W), 0.7))[0]) < 1e-6


def test_energies_are_local_squares_in_luma(noise) -> None:
    image = torch.full((3, H, W), 0.5)
    image[:, :, W // 2 :] += 0.2 * (noise(H, W)[:1, :, W // 2 :] - 0.5)
    found = paint_energies(image)
    assert found.shape == (len(detail.BAND_SIGMAS), H // 4, W // 4) and (found >= 0).all()
    assert found[0, :, :2].max() < 1e-3 * found[0, :, -8:].min(), "flat far from the grain"
    expected = float(bands(luma(image))[0][0][:, 16:-16, -32:].square().mean())
    assert float(found[0, 4:-4, -8:].mean()) == pytest.approx(expected, rel=0.1)
    assert torch.allclose(paint_energies(image + 0.1), found, atol=1e-6), "tone is no grain"


def test_energy_of_a_paint_with_twice_the_contrast(paint) -> None:
    one, other = paint_energies(paint()), paint_energies(0.5 + 2 * (paint() - 0.5))
    assert torch.allclose(other, 4 * one, rtol=1e-3)


def test_amount_0_is_the_mean(paint) -> None:
    assert torch.equal(restore(paint(), paint_energies(paint()) * 9, NO_EDGES, 0), paint())


def test_nothing_lost_nothing_lifted(paint) -> None:
    """Paint that agrees over the window keeps its bits but for rounding."""
    assert torch.allclose(restore(paint(), paint_energies(paint()), NO_EDGES, 1.0), paint(), atol=2e-3)


def test_less_energy_wanted_takes_nothing_away(paint) -> None:
    assert torch.allclose(restore(paint(), paint_energies(paint()) * 0.25, NO_EDGES, 1.0), paint(), atol=1e-6)


@pytest.mark.parametrize("count", [3, 9])
def test_the_energy_of_an_average_comes_back(paint, count: int) -> None:
    """Grain of `count` frames that disagree: the mean has 1/count of it, and gets it back.

    The gains are fitted to painted strokes; grain as white as this comes back by up to a third too strong.
    """
    frames = [paint(seed) for seed in range(count)]
    mean = torch.stack(frames).mean(0)
    target = torch.stack([paint_energies(frame) for frame in frames]).mean(0)
    wanted = sum(energy(frame) for frame in frames) / count
    assert energy(mean) < 0.5 * wanted
    assert 0.75 * wanted < energy(restore(mean, target, NO_EDGES, 1.0)) < 1.35 * wanted


def test_more_detail_more_energy(paint) -> None:
    frames = [paint(seed) for seed in range(5)]
    mean = torch.stack(frames).mean(0)
    target = torch.stack([paint_energies(frame) for frame in frames]).mean(0)
    found = [energy(restore(mean, target, NO_EDGES, amount)) for amount in (0, 0.5, 1, 1.5)]
    assert found == sorted(found) and found[0] < 0.6 * found[-1]


def test_gains_end(noise) -> None:
    """A band that is nearly gone is noise: it is lifted by MAX_GAIN to the power of its share, no further."""
    faint = 0.5 + 1e-3 * (noise(H, W) - 0.5)
    lifted = restore(faint, torch.full((len(detail.BAND_SIGMAS), H // 4, W // 4), 0.1), NO_EDGES, 1.0)
    most = detail.MAX_GAIN ** max(detail.BAND_SHARES)
    assert 2 < float((lifted - 0.5)[INNER].std() / (faint - 0.5)[INNER].std()) < most * 1.01


def test_a_flat_area_stays_flat() -> None:
    flat = torch.full((3, H, W), 0.3)
    assert torch.allclose(
        restore(flat, torch.zeros(len(detail.BAND_SIGMAS), H // 4, W // 4), NO_EDGES, 1.0), flat, atol=1e-6
    )


def test_clipped_to_style_space(noise) -> None:
    image = noise(H, W)
    lifted = restore(image, paint_energies(image) * 8, NO_EDGES, 2.0)
    assert lifted.min() == 0 and lifted.max() == 1


def test_the_mean_is_not_changed(paint) -> None:
    mean = paint()
    restore(mean, paint_energies(mean) * 4, NO_EDGES, 1.0)
    assert torch.equal(mean, paint())


def test_a_hard_step_between_two_surfaces_is_not_lifted(noise) -> None:
    """It overshoots where it counts as paint; where it is known for a silhouette, it stays within what is around it."""
    step = torch.full((3, H, W), 0.2)
    step[:, :, W // 2 :] = 0.7
    target = 4 * paint_energies(step)
    edges = torch.zeros(1, H, W)
    edges[:, :, W // 2 - 1 : W // 2 + 1] = 1
    assert restore(step, target, NO_EDGES, 1.0).max() > 0.8
    known = restore(step, target, edges, 1.0)[:, :, W // 2 - 1 : W // 2 + 1]
    assert known.min() >= 0.2 and known.max() <= 0.7


def test_a_jagged_step_is_softened(noise) -> None:
    step = torch.full((3, H, W), 0.2)
    step[:, :, W // 2 :] = 0.7
    step[:, ::2, W // 2] = 0.2  # every other line of one column: a dotted line
    edges = torch.zeros(1, H, W)
    edges[:, :, W // 2 - 1 : W // 2 + 2] = 1
    made = restore(step, paint_energies(step), edges, 1.0)
    column = slice(W // 2, W // 2 + 1)
    assert made[:, 16:-16, column].diff(dim=1).abs().mean() < 0.95 * step[:, 16:-16, column].diff(dim=1).abs().mean()
