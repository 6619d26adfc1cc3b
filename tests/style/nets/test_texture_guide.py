"""Where strokes begin: as strong on a faint texture as on a strong one, and bound to what the plate shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.style.nets.texture_guide import HALF_CONTRAST, RADIUS, texture_guide

Picture = Callable[[int, int, int], Tensor]


def waves(period: float, contrast: float, *, at: float = 0.0, size: int = 96) -> Tensor:
    """A plate of waves along x, from 0.5 - contrast to 0.5 + contrast."""
    x = torch.arange(size) + at
    return (0.5 + contrast * torch.sin(2 * torch.pi * x / period)).expand(1, 3, size, size)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_nothing_begins_on_what_is_even(level: float) -> None:
    assert texture_guide(torch.full((1, 3, 24, 32), level)).abs().max() < 1e-3


@pytest.mark.parametrize(("period", "band"), [(10, 0), (24, 1)])
def test_faint_texture_counts_like_a_strong_one(period: float, band: int) -> None:
    faint, strong = (texture_guide(waves(period, contrast))[:, band].std() for contrast in (0.02, 0.2))
    assert 0.9 * strong < faint <= strong
    assert 0.4 < strong < 0.6
    assert texture_guide(waves(period, HALF_CONTRAST / 20))[:, band].std() < 0.05 * strong


def test_grain_is_no_texture() -> None:
    """Each of two frames with other grain on the same faint texture begins strokes at the same places."""
    made = torch.Generator().manual_seed(0)
    texture = F.interpolate(torch.randn(1, 1, 16, 16, generator=made), size=(96, 96), mode="bicubic")
    plate = 0.5 + 0.02 * texture.expand(1, 3, 96, 96)
    one, other = (texture_guide(plate + 0.01 * torch.randn(plate.shape, generator=made)) for _ in range(2))
    assert torch.corrcoef(torch.stack([one[:, 1].flatten(), other[:, 1].flatten()]))[0, 1] > 0.9


def test_they_move_with_the_plate() -> None:
    still, moved = texture_guide(waves(24, 0.1)), texture_guide(waves(24, 0.1, at=-6.0))
    torch.testing.assert_close(moved[..., 23:40], still[..., 20:37], atol=0.02, rtol=0)


def test_they_do_not_depend_on_how_bright_the_plate_is(picture: Picture) -> None:
    """Exported nets run it on [-0.5, 0.5]."""
    plate = picture(48, 64, 0)[None]
    torch.testing.assert_close(texture_guide(plate - 0.5), texture_guide(plate), atol=1e-3, rtol=0)


def test_reach_is_how_far_one_sees(picture: Picture) -> None:
    plate = picture(160, 160, 0)[None]
    other = plate.clone()
    other[..., 80, 80] = 1 - other[..., 80, 80]
    rows, columns = torch.nonzero((texture_guide(other) != texture_guide(plate)).any(1)[0], as_tuple=True)
    farthest = max((2 * index + 0.5 - 80).abs().max() for index in (rows, columns))
    assert RADIUS - 4 <= farthest <= RADIUS


def test_a_part_is_as_in_the_whole_to_the_bit(picture: Picture) -> None:
    plate = picture(120, 148, 0)[None]
    border = RADIUS + RADIUS % 2
    whole, part = texture_guide(plate), texture_guide(plate[..., 40 - border : 60 + border, 40 - border : 100 + border])
    assert torch.equal(part[..., border // 2 : -border // 2, border // 2 : -border // 2], whole[..., 20:30, 20:50])


def test_the_same_bits_on_any_number_of_threads(picture: Picture, threads: Callable[[int], None]) -> None:
    plate = picture(302, 114, 0)[None]
    found = []
    for count in (1, 2, 3, 4):
        threads(count)
        found.append(texture_guide(plate))
    assert all(torch.equal(one, found[0]) for one in found)
