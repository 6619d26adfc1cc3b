"""Pyramids, colours, void and enlargement: what is done to pictures around the optimiser."""

from __future__ import annotations

import pytest
import torch

from tsn.keys.optimise import colours, pyramid
from tsn.keys.optimise.filling import fill_void
from tsn.keys.optimise.upscale import enlarge
from tsn.style.resize import resize


@pytest.mark.parametrize("size", [(64, 80), (37, 51), (8, 8), (5, 200)])
def test_a_pyramid_is_its_picture(size: tuple[int, int]) -> None:
    picture = torch.rand(1, 3, *size)
    levels = pyramid.parameters(picture)
    torch.testing.assert_close(pyramid.collapse(levels), picture)
    assert all(level.requires_grad and level.is_leaf for level in levels)


def test_colours_get_the_mean_and_covariance_that_are_wanted() -> None:
    torch.manual_seed(0)
    picture, other = torch.rand(3, 20, 30), torch.rand(3, 9, 9) * 0.3 + 0.2
    wanted = colours.statistics([other], [1.0])
    changed = colours.recolour(picture, colours.statistics([picture], [1.0]), wanted)
    mean, covariance = colours.statistics([changed], [1.0])
    torch.testing.assert_close(mean, wanted[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(covariance, wanted[1], rtol=0.03, atol=1e-4)


def test_pixels_of_no_weight_do_not_count() -> None:
    picture = torch.rand(3, 10, 10)
    weight = torch.ones(1, 10, 10)
    weight[:, :, 5:] = 0
    mean, covariance = colours.statistics([picture], [weight])
    half = colours.statistics([picture[..., :5]], [1.0])
    torch.testing.assert_close(mean, half[0])
    torch.testing.assert_close(covariance, half[1])


def test_a_grey_picture_gets_no_rainbow() -> None:
    torch.manual_seed(0)
    grey = torch.rand(1, 20, 30) * torch.tensor([1.0, 1.0, 1.0])[:, None, None] + 0.004 * torch.randn(3, 20, 30)
    wanted = colours.statistics([torch.rand(3, 40, 40)], [1.0])
    changed = colours.recolour(grey, colours.statistics([grey], [1.0]), wanted)
    assert (changed - changed.mean(0)).std() < 0.1


def test_one_colour_can_be_recoloured() -> None:
    grey = torch.full((3, 8, 8), 0.5)
    changed = colours.recolour(
        grey, colours.statistics([grey], [1.0]), colours.statistics([torch.rand(3, 8, 8)], [1.0])
    )
    assert torch.isfinite(changed).all()


def test_void_takes_the_colours_around_it() -> None:
    picture, cover = torch.zeros(3, 33, 47), torch.zeros(1, 33, 47)
    cover[:, 10:20, 12:30] = 1
    picture[0] = cover[0] * 0.8
    filled = fill_void(picture, cover)
    assert torch.equal(filled[:, 10:20, 12:30], picture[:, 10:20, 12:30])
    torch.testing.assert_close(filled[0], torch.full((33, 47), 0.8))


def test_a_whole_picture_has_nothing_to_fill() -> None:
    picture = torch.rand(3, 5, 7)
    assert torch.equal(fill_void(picture, torch.ones(1, 5, 7)), picture)


def test_enlarged_paint_has_the_plates_contours() -> None:
    plate = torch.full((3, 96, 128), 0.2)
    plate[:, :, 61:] = 0.8
    small = resize(plate, 24, 32)
    paint = 1 - small  # follows the plate, the other way round
    error = (enlarge(paint, small, plate) - (1 - plate)).abs()
    plain = (resize(paint, 96, 128) - (1 - plate)).abs()
    assert error.max() < 0.5 * plain.max() and error.mean() < 0.5 * plain.mean()


def test_enlarged_paint_takes_no_grain_that_it_has_nothing_to_do_with() -> None:
    torch.manual_seed(0)
    grain = 0.02 * torch.randn(1, 96, 128).expand(3, -1, -1)
    plate = 0.5 + grain
    paint = resize(torch.rand(3, 6, 8), 24, 32)
    enlarged = enlarge(paint, resize(plate, 24, 32), plate)
    assert (enlarged - resize(paint, 96, 128)).std() < 0.35 * grain.std()
    assert enlarge(paint, paint, torch.rand(3, 24, 32)) is paint
