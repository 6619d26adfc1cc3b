"""Colours go where the painting has their like, and all of its palette is used."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tsn.style.nets import palette as module
from tsn.style.nets.palette import apply_palette, fit_palette, identity_palette, sample_colours


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COLOUR_SAMPLES", 400)


def flat(*colours: tuple[float, float, float]) -> torch.Tensor:
    """A picture (3, 16, 16 * n) of flat fields."""
    return torch.cat([torch.tensor(c).view(3, 1, 1).expand(3, 16, 16) for c in colours], dim=2)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_of_a_picture_with_the_photos_own_colours_nothing_changes() -> None:
    picture = torch.rand(3, 64, 64, generator=rng())
    picture = torch.nn.functional.interpolate(picture[None, :, ::8, ::8], size=(64, 64), mode="nearest")[0]
    table = fit_palette(sample_colours([picture]), sample_colours([picture]))

    assert (apply_palette(picture[None], table) - picture).abs().mean() < 0.06


def test_dark_goes_to_dark_and_hue_to_the_nearest_hue() -> None:
    photo = flat((0.1, 0.1, 0.1), (0.4, 0.5, 0.9), (0.9, 0.9, 0.9), (0.5, 0.5, 0.2))
    painting = flat((0.2, 0.05, 0.0), (0.3, 0.5, 0.7), (1.0, 0.9, 0.7), (0.6, 0.45, 0.1))
    table = fit_palette(sample_colours([photo]), sample_colours([painting]))

    expected = painting[:, :, ::16][..., 0, :]
    found = apply_palette(photo[None], table)[0][:, 0, 8::16]
    assert (found - expected).abs().max() < 0.12


def test_all_of_the_palette_is_used() -> None:
    """What nearest colours alone would not do: a photo that is brighter than the painting's every colour."""
    photo = flat((0.7, 0.7, 0.7), (0.95, 0.95, 0.95))
    painting = flat((0.05, 0.05, 0.2), (0.5, 0.4, 0.3))
    table = fit_palette(sample_colours([photo]), sample_colours([painting]))

    dark, light = apply_palette(photo[None], table)[0][:, 0, 8::16].T
    assert (dark - torch.tensor([0.05, 0.05, 0.2])).abs().max() < 0.15
    assert (light - torch.tensor([0.5, 0.4, 0.3])).abs().max() < 0.15


def test_the_table_is_read_red_first() -> None:
    plate = torch.rand(2, 3, 5, 7, generator=rng())

    torch.testing.assert_close(apply_palette(plate, identity_palette()), plate)


def test_colours_come_evenly_from_all_pictures_of_any_size() -> None:
    found = sample_colours([flat((0.1, 0.2, 0.3)), flat((0.7, 0.8, 0.9)), torch.full((3, 1, 2), 0.5)])

    assert found.shape == (module.COLOUR_SAMPLES, 3)
    shares = [
        (found - torch.tensor(c)).abs().amax(1).lt(1e-6).float().mean() for c in ((0.1, 0.2, 0.3), (0.7, 0.8, 0.9))
    ]
    assert all(0.4 < share < 0.6 for share in shares)
    assert (found == 0.5).all(1).any()


def test_one_thread_and_two_give_the_same_bits(threads: Callable[[int], None]) -> None:
    ours, theirs = torch.rand(400, 3, generator=rng()), torch.rand(300, 3, generator=rng()) ** 2
    found = []
    for count in (1, 2):
        threads(count)
        found.append(fit_palette(ours, theirs))
    assert torch.equal(*found)
