from __future__ import annotations

import torch

from tsn.flow.scale import scaled_flow, scaled_image


def test_scale_one_is_the_same_tensor() -> None:
    image = torch.rand(3, 20, 30)
    assert scaled_image(image, 1.0) is image
    flow = torch.rand(2, 20, 30)
    assert scaled_flow(flow, 20, 30) is flow


def test_vectors_grow_with_the_grid_each_axis_by_its_own_ratio() -> None:
    flow = torch.ones(2, 10, 15)
    back = scaled_flow(flow, 21, 30)
    assert back.shape == (2, 21, 30)
    torch.testing.assert_close(back[0], torch.full((21, 30), 2.0))
    torch.testing.assert_close(back[1], torch.full((21, 30), 2.1))


def test_image_size_is_rounded_and_never_zero() -> None:
    assert scaled_image(torch.rand(3, 21, 30), 0.5).shape == (3, 10, 15)
    assert scaled_image(torch.rand(3, 1, 1), 0.25).shape == (3, 1, 1)
