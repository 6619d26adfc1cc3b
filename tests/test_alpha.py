import torch
from hypothesis import given
from hypothesis import strategies as st

from tsn.alpha import composite, paint_mask, premultiply, statistics_weight, unpremultiply, void_mask


def test_unpremultiply_leaves_emission_alone() -> None:
    rgb = torch.tensor([0.2, 3.0, 0.5, 0.5]).expand(3, 1, 4)
    alpha = torch.tensor([[[0.5, 0.0, 1.0, torch.nan]]])
    straight = unpremultiply(rgb, alpha)
    assert torch.equal(straight[0, 0], torch.tensor([0.4, 3.0, 0.5, 0.5]))
    assert torch.equal(premultiply(straight, alpha), rgb)


@given(st.integers(0, 2**32 - 1))
def test_alpha_round_trip_is_exact_in_half(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    rgb = (torch.randn(3, 4, 8, generator=random) * 10).half().float()
    alpha = torch.rand(1, 4, 8, generator=random).half().float()
    alpha[:, 0] = 0
    assert torch.equal(premultiply(unpremultiply(rgb, alpha), alpha).half(), rgb.half())


def test_an_alpha_too_small_to_divide_by_covers_nothing() -> None:
    rgb = torch.tensor([3.0, 1e-41, 0.5, 2.0**-24]).expand(3, 1, 4)
    alpha = torch.tensor([[[1e-40, 1e-40, 1e-30, 2.0**-24]]])
    straight = unpremultiply(rgb, alpha)
    assert torch.equal(straight[0, 0], torch.tensor([3.0, 1e-41, 0.5, 1.0]))
    assert torch.equal(premultiply(straight, alpha), rgb)
    assert void_mask(rgb, alpha).flatten().tolist() == [False, True, False, False]
    assert torch.equal(composite(rgb, premultiply(straight * 0.3, alpha), 0.0), rgb)


def test_what_is_left_behind_in_the_void_is_hardly_there_and_a_glow_is() -> None:
    rgb = torch.tensor([0.0, 1e-6, -1e-6, 0.005, 0.01, 4.0, 1e-6, 0.0]).repeat(3, 1, 1)
    rgb[1:, 0, 3] = 0.001  # by the brightest channel
    alpha = torch.tensor([[[0, 0, 0, 0, 0, 0, 1e-3, 1.0]]])
    there = paint_mask(rgb, alpha).flatten()
    torch.testing.assert_close(there, torch.tensor([0.0, 1e-4, 1e-4, 0.5, 1.0, 1.0, 1.0, 1.0]))
    assert there[0] == 0 and paint_mask(rgb * 0 + 1e-9, alpha * 0).max() == 0


def test_a_pixel_counts_by_its_alpha_and_void_for_nothing() -> None:
    nan, inf = torch.nan, torch.inf
    #     void, residue, alpha, half, faint, glow, dim glow, fire, unused alpha, holes
    rgb = torch.tensor([0.0, 1e-6, 0.0, 0.2, 0.001, 4.0, 0.005, 1.0, -0.5, nan, nan, 0.3, inf]).repeat(3, 1, 1)
    rgb[1:, 0, 5] = 0  # by the brightest channel
    alpha = torch.tensor([[[0, 0, 1, 0.5, 0.002, 0, 0, 0.05, 0, 1, 0, nan, 1]]])
    wanted = torch.tensor([[[0, 0, 1, 0.5, 0, 1, 0.5, 1, 1, 1, 0, 1, 1]]])
    torch.testing.assert_close(statistics_weight(rgb, alpha), wanted)


@given(st.integers(0, 2**32 - 1))
def test_where_alpha_is_1_a_pixel_counts_exactly_once(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    assert (statistics_weight(10 * torch.randn(3, 4, 8, generator=random), torch.ones(1, 4, 8)) == 1).all()


def test_composite_ends_are_exact() -> None:
    source = torch.tensor([65504.0, 0.1, 1.0]).expand(3, 1, 3)
    painted = torch.tensor([0.1, torch.nan, 3.0]).expand(3, 1, 3)
    mixed = composite(source, painted, torch.tensor([[[1.0, 0.0, 0.25]]]))
    assert torch.equal(mixed, torch.tensor([0.1, 0.1, 1.5]).expand(3, 1, 3))
    assert torch.equal(composite(source, painted, 0.0), source)
    assert torch.equal(composite(source, source, 0.3), source)
