from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tsn.style.nets.boxes import box_mean


@pytest.mark.parametrize("side", [2, 3, 5, 17])
def test_it_is_the_mean_of_each_whole_box(side: int) -> None:
    x = torch.rand(2, 3, 24, 31, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    torch.testing.assert_close(box_mean(x, side), F.avg_pool2d(x, side, stride=1), atol=1e-6, rtol=0)
    assert torch.equal(x, before)
