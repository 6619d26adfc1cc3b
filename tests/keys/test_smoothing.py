"""Widths that grow with the picture."""

from __future__ import annotations

import torch

from tsn.keys.smoothing import close_gaps, scaled_side


def test_a_picture_three_times_as_large_has_the_same_gaps_closed() -> None:
    seen = (torch.rand(1, 30, 40, generator=torch.Generator().manual_seed(0)) < 0.15).float()
    seen[:, 5:12, 6:30] = 0
    large = seen.repeat_interleave(3, 1).repeat_interleave(3, 2)
    closed = close_gaps(seen, scaled_side(3, seen, 30))
    assert 0.2 < closed.mean() < 0.9 and closed.mean() > seen.mean()
    assert torch.equal(
        close_gaps(large, scaled_side(3, large, 30)), closed.repeat_interleave(3, 1).repeat_interleave(3, 2)
    )
    assert scaled_side(5, seen, 300) == 5
