"""Thin gaps along silhouettes take the motion of the surface they belong to."""

from __future__ import annotations

import torch

from tsn.keys.carry import CarriedKey
from tsn.keys.silhouettes import close_thin_gaps


def test_a_line_takes_the_motion_of_its_own_surface() -> None:
    plate, flow, seen = torch.zeros(3, 12, 20), torch.zeros(2, 12, 20), torch.ones(1, 12, 20)
    plate[:, :, 10:] = 1  # two surfaces
    flow[0, :, 10:] = 8
    flow[:, :, 9:11], seen[:, :, 9:11] = 99, 0
    closed = close_thin_gaps(CarriedKey(flow=flow, visibility=seen, distance=3), plate)
    assert torch.equal(closed.visibility, torch.ones(1, 12, 20))
    assert (closed.flow[0, :, :10] == 0).all() and (closed.flow[0, :, 10:] == 8).all()
    assert closed.distance == 3


def test_a_line_along_the_border_is_closed_and_a_wide_gap_is_not() -> None:
    flow, seen = torch.zeros(2, 12, 20), torch.ones(1, 12, 20)
    seen[:, -1:], seen[:, 2:9, 5:9] = 0, 0
    closed = close_thin_gaps(CarriedKey(flow=flow, visibility=seen, distance=1), torch.zeros(3, 12, 20)).visibility
    assert closed[:, -1].all()
    assert torch.equal(closed[:, :-1], seen[:, :-1])


def test_the_carried_key_is_left_as_it_was() -> None:
    seen = torch.ones(1, 6, 6)
    seen[:, 3] = 0
    carried = CarriedKey(flow=torch.zeros(2, 6, 6), visibility=seen, distance=1)
    close_thin_gaps(carried, torch.zeros(3, 6, 6))
    assert not carried.visibility[:, 3].any()
