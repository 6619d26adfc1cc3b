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


def test_nothing_pops_as_a_line_gets_hidden() -> None:
    steps = 101
    seen = torch.ones(1, 6, 16).repeat(steps, 1, 1, 1)
    seen[..., 4] = torch.linspace(1, 0, steps)[:, None, None]
    seen[:, 0, :, 3] = torch.linspace(0.8, 0.4, steps)[:, None]  # the neighbours fade as well
    seen[:, 0, :, 8:] = torch.linspace(1, 0, steps)[:, None, None]  # a wide gap, which stays open
    flow = torch.zeros(2, 6, 16)
    flow[0, :, 4], flow[0, :, 8:] = 6, 9
    closed = [close_thin_gaps(CarriedKey(flow=flow, visibility=one, distance=1), torch.zeros(3, 6, 16)) for one in seen]
    visibility = torch.stack([one.visibility for one in closed])
    motion = torch.stack([one.flow[0] for one in closed])
    assert visibility.diff(dim=0).abs().max() < 0.03 and motion.diff(dim=0).abs().max() < 0.5
    assert visibility.diff(dim=0).max() <= 0 and (visibility >= seen).all()
    assert visibility[-1, 0, :, 4].min() > 0.3 and not visibility[-1, 0, :, 10].any()
    assert not motion[-1, :, 4].any() and (motion[0, :, 4] == 6).all() and (motion[:, :, 10] == 9).all()
