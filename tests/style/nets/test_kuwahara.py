"""A plate without texture: what is even stays, texture goes, edges and what stands out remain where they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tsn.style.nets.kuwahara import RADIUS, TEXTURE_AMPLITUDE, simplify

Picture = Callable[[int, int, int], Tensor]


@pytest.fixture
def plate(picture: Picture) -> Tensor:
    return picture(48, 64, 0)[None]


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_what_is_even_stays(level: float) -> None:
    plate = torch.full((1, 3, 20, 30), level)
    torch.testing.assert_close(simplify(plate), plate)


def test_texture_goes() -> None:
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert simplify(0.5 + 0.1 * (noise - 0.5)).std() < 0.15 * 0.1 * noise.std()


def test_an_edge_stays_where_it_is_and_within_four_pixels() -> None:
    plate = torch.full((1, 3, 32, 64), 0.3)
    plate[..., 32:] = 0.5
    noise = torch.rand(plate.shape, generator=torch.Generator().manual_seed(1))
    found = simplify(plate + 0.06 * (noise - 0.5))
    assert (found[..., 33] - found[..., 30]).mean() > 0.19
    assert (found[..., 31] + found[..., 32]).mean() / 2 == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("contrast", [0.4, -0.4])
def test_a_thin_spire_stays(contrast: float) -> None:
    plate = torch.full((1, 3, 32, 32), 0.5)
    plate[..., 16:18] += contrast
    found = (simplify(plate)[..., 16:18] - 0.5) / contrast
    assert found.min() > 0.5


def test_nothing_leaves_the_colours_that_were_there(plate: Tensor) -> None:
    found = simplify(plate)
    assert plate.min() <= found.min()
    assert found.max() <= plate.max()


def test_it_does_not_depend_on_how_bright_the_plate_is(plate: Tensor) -> None:
    """Exported nets run it on [-0.5, 0.5]."""
    torch.testing.assert_close(simplify(plate - 0.5) + 0.5, simplify(plate), atol=1e-4, rtol=0)


def test_reach_is_how_far_a_pixel_sees(plate: Tensor) -> None:
    other = plate.clone()
    other[..., 24, 32] = 1 - other[..., 24, 32]
    rows, columns = torch.nonzero((simplify(other) != simplify(plate)).any(1)[0], as_tuple=True)
    assert (rows - 24).abs().max() <= RADIUS
    assert (columns - 32).abs().max() <= RADIUS
    assert max((rows - 24).abs().max(), (columns - 32).abs().max()) > RADIUS // 2


def test_a_part_is_as_in_the_whole_to_the_bit(plate: Tensor) -> None:
    whole = simplify(plate)[..., 20:28, 20:40]
    part = simplify(plate[..., 20 - RADIUS : 28 + RADIUS, 20 - RADIUS : 40 + RADIUS])
    assert torch.equal(part[..., RADIUS:-RADIUS, RADIUS:-RADIUS], whole)


def test_the_same_bits_on_any_number_of_threads(threads: Callable[[int], None]) -> None:
    plate = torch.rand(1, 3, 203, 331, generator=torch.Generator().manual_seed(1))
    threads(1)
    alone = simplify(plate)
    threads(2)
    assert torch.equal(simplify(plate), alone)


def test_white_beside_black_is_no_division_by_nothing() -> None:
    board = (torch.arange(40) % 2).float()
    found = simplify(((board[:, None] + board) % 2).expand(1, 3, 40, 40))
    assert torch.isfinite(found).all()
    assert found.std() > 0.5 - TEXTURE_AMPLITUDE  # most of the board comes back: it stands out
