"""The slim net's own measures; what it shares with the other family is in test_lockable.py."""

from __future__ import annotations

import torch

from tsn.style.nets.johnson import JohnsonNet


def test_the_slim_net_has_the_size_that_it_says() -> None:
    assert round(sum(value.numel() for value in JohnsonNet().parameters()) / 1000) == 425


def test_norms_are_named_in_the_order_they_run() -> None:
    net = JohnsonNet(width=2, blocks=2)

    assert [layer.conv.out_channels for layer in net.norm_layers()] == [2, 4, 8, 8, 8, 8, 8, 4, 4, 2]
    assert len(net.calibrate([torch.rand(1, 3, 16, 16)])) == 10


def test_a_fresh_net_paints_within_range_whatever_comes() -> None:
    painted = JohnsonNet(width=2, blocks=1)(100 * torch.randn(1, 3, 16, 24))

    assert painted.shape == (1, 3, 16, 24)
    assert painted.min() >= 0 and painted.max() <= 1
