"""Nearest candidates in blocks, and the distance's gradient against autograd's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tsn.keys.optimise import distance, matching


def test_blocks_find_what_one_matrix_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    queries, candidates = F.normalize(torch.randn(301, 9)), F.normalize(torch.randn(77, 9))
    expected = (queries @ candidates.T).argmax(1)

    monkeypatch.setattr(matching, "BLOCK_SIMILARITIES", 77 * 10)

    assert torch.equal(matching.nearest(queries, candidates), expected)


def test_rows_are_places_of_maps() -> None:
    maps = torch.rand(1, 5, 3, 4).contiguous(memory_format=torch.channels_last)
    rows = matching.rows(maps)
    assert rows.shape == (12, 5) and torch.equal(rows[4 * 2 + 1], maps[0, :, 2, 1])
    assert rows.data_ptr() == maps.data_ptr()


@pytest.mark.parametrize("size", [(3, 4), (1, 2), (6, 9)])
def test_resized_keeps_a_constant(size: tuple[int, int]) -> None:
    assert torch.allclose(matching.resized(torch.full((1, 2, 3, 4), 0.7), size), torch.full((1, 2, *size), 0.7))


def test_the_gradient_is_autograds() -> None:
    torch.manual_seed(0)
    widths, n, squared = (3, 5), 7, 0.1
    found = [torch.randn(n, width, dtype=torch.float64, requires_grad=True) for width in widths]
    wanted = [torch.randn(n, width, dtype=torch.float64) for width in widths]
    means = [torch.randn(width, dtype=torch.float64) for width in widths]
    a, t, m = torch.cat(found, 1), torch.cat(wanted, 1), torch.cat(means)
    expected = (1 - F.cosine_similarity(a - m, t - m)).mean() + squared * (a - t).square().mean()
    expected.backward()

    given, value = distance.gradients([one.detach() for one in found], wanted, means, squared)

    assert value == pytest.approx(float(expected.detach()), rel=1e-5)
    for one, tensor in zip(given, found, strict=True):
        torch.testing.assert_close(one, tensor.grad, rtol=1e-4, atol=1e-6)


def test_a_place_at_the_mean_has_a_finite_gradient() -> None:
    zeros = [torch.zeros(2, 3)]
    given, value = distance.gradients(zeros, zeros, [torch.zeros(3)], 0.1)
    assert torch.isfinite(given[0]).all() and value == pytest.approx(1)
