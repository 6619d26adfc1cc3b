from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tsn.flow import fused
from tsn.flow.base import View, motion_between
from tsn.flow.dis import DisSource
from tsn.flow.fused import FusedSource, estimate_both

SHIFT = 24
BAR = 16


@pytest.fixture
def bar(texture) -> tuple[View, View, Tensor]:
    """A still picture, a narrow bar that jumps by more than its width; where it is at first, bool (H, W)."""
    behind, front = texture(5, 128, 192), texture(11, 128, 192) * 0.5
    frames = []
    for number, left in enumerate((70, 70 + SHIFT)):
        image = behind.clone()
        image[:, :, left : left + BAR] = front[:, :, :BAR]
        frames.append(View(number=number, image=image))
    where = torch.zeros(128, 192, dtype=torch.bool)
    where[:, 70 : 70 + BAR] = True
    return frames[0], frames[1], where


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_finds_a_known_motion_both_ways(moving, scale: float) -> None:
    a, b = moving(6, -4)
    forward, backward = FusedSource(scale=scale).pair(a, b)
    for flow, sign in ((forward, 1), (backward, -1)):
        assert flow.shape == (2, *a.image.shape[1:]) and flow.dtype == torch.float32 and flow.is_contiguous()
        inner = flow[:, 16:-16, 16:-16]
        assert (inner - torch.tensor([6.0, -4.0]).view(2, 1, 1) * sign).abs().median() < 0.2


def test_a_narrow_fast_thing_keeps_its_motion_and_leaves_its_surroundings_alone(bar) -> None:
    a, b, where = bar

    def wrong(source: FusedSource | DisSource) -> tuple[float, float]:
        forward, _ = source.pair(a, b)
        true = torch.zeros_like(forward)
        true[0, where] = SHIFT
        off = (forward - true).norm(dim=0) > 1
        hidden = torch.zeros_like(where)
        hidden[:, 70 + SHIFT : 70 + SHIFT + BAR] = True  # the bar is before it in b: it has no motion to find
        return off[where].float().mean().item(), off[~where & ~hidden].float().mean().item()

    thing, around = wrong(FusedSource())
    thing_plain, around_plain = wrong(DisSource())
    assert thing < 0.1 and around < 0.05
    assert thing_plain > 2 * thing and around_plain > 2 * around


def test_pictures_do_not_undo_what_the_repair_knows(texture, monkeypatch) -> None:
    """A shadow runs over a floor that stays."""
    floor = 0.3 + 0.5 * texture(5, 128, 192)
    moments = []
    for left in (60, 60 + SHIFT):
        moment = floor.clone()
        moment[:, 40:90, left : left + 50] *= 0.45
        moments.append(moment)
    monkeypatch.setattr(fused, "refine_flows", lambda pictures, flows: [flow * 0 for flow in flows])

    def off() -> float:
        return max((flow.norm(dim=0) > 2).float().mean().item() for flow in estimate_both(*moments))

    kept = off()
    assert kept < 0.005
    monkeypatch.setattr(fused, "MAX_DIS_STEP_PX", 1000.0)
    assert off() > 3 * kept


def test_there_and_back_meet(moving) -> None:
    motion = motion_between(FusedSource(), *moving(3, 2))
    for seen in (motion.visibility_forward, motion.visibility_backward):
        assert seen[:, 12:-12, 12:-12].mean() > 0.99


def test_same_bits_at_any_number_of_threads(require_same_bits) -> None:
    require_same_bits(FusedSource(scale=0.75))


def test_time_turned_round_swaps_the_directions(moving) -> None:
    a, b = (view.image for view in moving(4, 1))
    forward, backward = estimate_both(a, b)
    turned = estimate_both(b, a)
    assert torch.equal(forward, turned[1]) and torch.equal(backward, turned[0])


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (20, 9), (33, 31), (65, 64)])
def test_tiny_frames(size: tuple[int, int]) -> None:
    image = torch.rand(3, *size)
    forward, backward = FusedSource().pair(View(number=1, image=image), View(number=2, image=image))
    assert forward.shape == backward.shape == (2, *size)
    assert torch.isfinite(forward).all() and torch.isfinite(backward).all()


def test_fingerprint_tells_scale_and_is_not_that_of_plain_dis() -> None:
    assert len({FusedSource().fingerprint, FusedSource(scale=0.5).fingerprint, DisSource().fingerprint}) == 3
