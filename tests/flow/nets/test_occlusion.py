"""The net that tells what is hidden: what holds whatever its weights are, and what the shipped ones know."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tsn.flow.base import RenderedVectors, View, motion_between
from tsn.flow.nets import occlusion
from tsn.flow.nets.occlusion import CONTEXT_PX, CUE_CHANNELS, SIDE_MULTIPLE, OcclusionNet, arrival_counts, cues
from tsn.flow.warp import visibility

H, W = 96, 128
EVERYWHERE = [torch.ones(1, H, W, dtype=torch.bool)] * 2
WALL = slice(4, -4)
"""Away from the border, where little is known."""


class Square:
    """A square of 32 pixels that moves by (6, 0) before a wall that stands still: the true flow, both ways."""

    name = fingerprint = "square"
    LEFT, TOP, SIDE, STEP = 40, 32, 32, 6
    ROWS = slice(TOP + 2, TOP + SIDE - 2)
    UNCOVERED = (0, ROWS, slice(LEFT + 1, LEFT + STEP - 1))

    def area(self, left: int) -> tuple[slice, slice]:
        return slice(self.TOP, self.TOP + self.SIDE), slice(left, left + self.SIDE)

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        forward, backward = torch.zeros(2, H, W), torch.zeros(2, H, W)
        forward[0][self.area(self.LEFT)] = self.STEP
        backward[0][self.area(self.LEFT + self.STEP)] = -self.STEP
        return forward, backward


class Bleeding(Square):
    """An estimate of that motion which goes two pixels too far to the left, there and back alike."""

    name = fingerprint = "dis"
    BLEED = 2

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        forward, backward = super().pair(a, b)
        rows = slice(self.TOP, self.TOP + self.SIDE)
        forward[0, rows, self.LEFT - self.BLEED : self.LEFT] = self.STEP
        left = self.LEFT + self.STEP
        backward[0, rows, left - self.BLEED : left] = -self.STEP
        return forward, backward


@pytest.fixture
def pictures(texture):
    """Two moments of a textured square before a textured wall that brightens."""

    def make(square: Square, *, grain: float = 0.0, light: float = 1.0) -> list[View]:
        random = torch.Generator().manual_seed(3)
        wall, surface = 0.2 + 0.6 * texture(1, H, W), texture(2, square.SIDE, square.SIDE)
        views = []
        for number, left in ((1, square.LEFT), (2, square.LEFT + square.STEP)):
            image = wall.clone()
            image[(slice(None), *square.area(left))] = surface
            image = image * (light if number == 2 else 1) + grain * torch.randn(3, H, W, generator=random)
            views.append(View(number=number, image=image.clamp(0, 1)))
        return views

    return make


@pytest.fixture
def net() -> OcclusionNet:
    torch.manual_seed(1)
    return OcclusionNet(8).eval()


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(2)
    return torch.rand(2, 2, 3, H, W, generator=rng), 3 * torch.randn(2, 2, 2, H, W, generator=rng)


# --- whatever the weights --------------------------------------------------------------------------------


def test_where_nothing_comes_from() -> None:
    back = torch.zeros(1, 2, 8, 12)
    back[:, 0] = 3  # all of the other frame comes from three pixels further right
    counted = arrival_counts(back)
    assert (counted[..., 3:] == 1).all() and (counted[..., :3] == 0).all()
    back[:, :, :, 6:] = 0
    assert arrival_counts(back)[0, 0, 0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 1, 1, 1]


def test_cues_are_those_of_each_frame_in_turn(pair) -> None:
    pictures, flows = pair
    found = cues(pictures, flows)
    assert found.shape == (4, CUE_CHANNELS, H, W)
    assert torch.equal(found[1], cues(pictures[:1].flip(1), flows[:1].flip(1))[0])
    assert torch.equal(found[2:], cues(pictures[1:], flows[1:]))


def test_nothing_tells_how_fast_all_moves_together(texture) -> None:
    wide = texture(5, H, W + 32)
    middle = (..., slice(8, -8), slice(40, -40))
    found = []
    for speed in (0, 16):
        views = torch.stack([wide[..., :W], wide[..., speed : speed + W]])[None]
        there = torch.zeros(1, 2, 2, H, W)
        there[:, 0, 0], there[:, 1, 0] = -speed, speed
        found.append(cues(views, there)[0][middle])
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-3)


@torch.inference_mode()
def test_both_directions_are_treated_alike(net, pair) -> None:
    pictures, flows = pair
    result = net(pictures, flows)
    assert result.shape == (2, 2, 1, H, W)
    torch.testing.assert_close(net(pictures.flip(1), flows.flip(1)).flip(1), result, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (30, 45), (SIDE_MULTIPLE * 4, SIDE_MULTIPLE * 5)])
def test_pictures_of_any_size(size: tuple[int, int]) -> None:
    pictures = [torch.rand(3, *size) for _ in range(2)]
    flows = [2 * torch.randn(2, *size) for _ in range(2)]
    for result in occlusion.estimate_visibility(pictures, flows, [torch.rand(1, *size) < 0.5] * 2):
        assert result.shape == (1, *size) and ((result >= 0) & (result <= 1)).all()


def test_what_lies_beside_the_frame_has_no_part_in_it(texture) -> None:
    """360 lines are no multiple: were the frame padded first, what comes from below it would be told of."""
    size = (3 * SIDE_MULTIPLE + 8, 64)
    wide = texture(5, size[0] + 12, 64)
    pictures = [wide[:, :-12], wide[:, 12:]]
    flows = [torch.zeros(2, *size), torch.zeros(2, *size)]
    flows[0][1], flows[1][1] = -12, 12
    whole = cues(torch.stack(pictures)[None], torch.stack(flows)[None])
    known = []
    original = OcclusionNet.visibility_logits

    def noted(self: OcclusionNet, x: Tensor) -> Tensor:
        known.append(x[0])
        return original(self, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OcclusionNet, "visibility_logits", noted)
        occlusion.estimate_visibility(pictures, flows, [torch.ones(1, *size, dtype=torch.bool)] * 2)
    for cue, found in zip(whole, known, strict=True):
        assert torch.equal(found[:, : size[0]], cue)


def test_out_of_frame_is_not_seen() -> None:
    pictures = [torch.rand(3, H, W)] * 2
    there, back = torch.zeros(2, H, W), torch.zeros(2, H, W)
    there[0], back[0] = 7, -7
    first, second = occlusion.estimate_visibility(pictures, [there, back], EVERYWHERE)
    assert not first[..., W - 7 :].any() and not second[..., :7].any()


@pytest.mark.parametrize(
    "area", [(slice(None), slice(None)), (slice(0, 130), slice(None)), (slice(200, 211), slice(300, 333))]
)
def test_same_bits_at_any_number_of_threads(texture, threads, area: tuple[slice, slice]) -> None:
    asked = [torch.zeros(1, 360, 640, dtype=torch.bool) for _ in range(2)]
    for places in asked:
        places[:, *area] = True
    wide = texture(5, 360, 660)
    pictures = [wide[..., :640], wide[..., 20:]]
    flows = [4 * texture(seed, 360, 640)[:2] - 20 * sign for seed, sign in ((6, 1), (7, -1))]
    results = []
    for count in (1, 2, 4):
        threads(count)
        results.append(occlusion.estimate_visibility(pictures, flows, asked))
    for first, second in results[1:]:
        assert torch.equal(first, results[0][0]) and torch.equal(second, results[0][1])


@pytest.mark.parametrize("size", [(30, 45), (80, 32), (16, 160), (144, 112), (208, 208), (330, 250)])
def test_same_bits_of_small_pictures_whatever_the_weights(monkeypatch, threads, size: tuple[int, int]) -> None:
    """Weights that are nought would hide it."""
    torch.manual_seed(4)
    random = OcclusionNet(occlusion.WIDTH).eval().to(memory_format=torch.channels_last)
    monkeypatch.setattr(occlusion, "shipped_net", lambda device: random)
    pictures = [torch.rand(3, *size) for _ in range(2)]
    flows = [2 * torch.randn(2, *size) for _ in range(2)]
    results = []
    for count in (1, 2, 24, 64):
        threads(count)
        results.append(
            torch.cat(occlusion.estimate_visibility(pictures, flows, [torch.ones(1, *size, dtype=torch.bool)] * 2))
        )
    assert all(torch.equal(result, results[0]) for result in results[1:])


@pytest.mark.parametrize(
    "top,left,height,width", [(0, 0, 130, 640), (150, 301, 1, 1), (200, 77, 90, 200), (359, 0, 1, 640)]
)
def test_asked_of_a_part_it_says_what_it_says_of_the_whole(
    texture, top: int, left: int, height: int, width: int
) -> None:
    wide = texture(5, 360, 660)
    pictures = [wide[..., :640], wide[..., 20:]]
    flows = [4 * texture(seed, 360, 640)[:2] - 20 * sign for seed, sign in ((6, 1), (7, -1))]
    everywhere, part = torch.ones(1, 360, 640, dtype=torch.bool), torch.zeros(1, 360, 640, dtype=torch.bool)
    part[:, top : top + height, left : left + width] = True
    whole = occlusion.estimate_visibility(pictures, flows, [everywhere, everywhere])
    first, second = occlusion.estimate_visibility(pictures, flows, [part, torch.zeros_like(part)])
    torch.testing.assert_close(first[part], whole[0][part], rtol=0, atol=1e-5)
    assert ((second >= 0) & (second <= 1)).all()
    _, second = occlusion.estimate_visibility(pictures, flows, [torch.zeros_like(part), part])
    torch.testing.assert_close(second[part], whole[1][part], rtol=0, atol=1e-5)


def test_it_looks_no_farther_than_its_reach(net) -> None:
    side, at = 4 * CONTEXT_PX, 2 * CONTEXT_PX
    known = torch.randn(1, CUE_CHANNELS, side, side, requires_grad=True)
    net.visibility_logits(known)[..., at : at + SIDE_MULTIPLE, at : at + SIDE_MULTIPLE].sum().backward()
    for axis in (3, 2):
        seen = known.grad.abs().sum((0, 1, axis)).nonzero()
        # More than without the deepest level, too.
        assert 48 < at - int(seen[0]) <= CONTEXT_PX and 48 < int(seen[-1]) + 1 - (at + SIDE_MULTIPLE) <= CONTEXT_PX


def test_what_nobody_asks_is_not_worked_out(pictures, monkeypatch) -> None:
    square, looked = Square(), []
    original = OcclusionNet.visibility_logits
    monkeypatch.setattr(occlusion, "CONTEXT_PX", 32)
    monkeypatch.setattr(
        OcclusionNet, "visibility_logits", lambda self, known: looked.append(known.shape[2:]) or original(self, known)
    )
    valid = torch.ones(1, H, W)
    valid[:, :8] = 0  # a strip of sky
    still = RenderedVectors(to_previous=torch.zeros(2, H, W), to_next=torch.zeros(2, H, W), valid=valid)
    square.name = "vectors"
    first, second = (replace(view, vectors=still) for view in pictures(square))
    motion_between(square, first, second)
    assert looked == [(SIDE_MULTIPLE + 32, W)] * 2
    motion_between(square, replace(first, vectors=replace(still, valid=torch.ones(1, H, W))), second)
    assert len(looked) == 3
    both = motion_between(square, first, second)
    looked.clear()
    one_way = motion_between(square, first, second, forward_only=True)
    assert len(looked) == 1
    assert torch.equal(one_way.visibility_forward, both.visibility_forward)
    assert torch.equal(one_way.forward, both.forward)


# --- what the shipped weights know -----------------------------------------------------------------------


def test_what_the_square_uncovers(pictures) -> None:
    square = Square()
    seen = motion_between(square, *pictures(square)).visibility_backward
    assert seen[square.UNCOVERED].mean() < 0.2
    assert seen[0, WALL, WALL].mean() > 0.9


def test_what_an_estimate_bleeds_over_is_not_seen(pictures) -> None:
    square = Bleeding()
    views = pictures(square)
    forward, backward = square.pair(*views)
    strip = (0, square.ROWS, slice(square.LEFT + square.STEP - square.BLEED, square.LEFT + square.STEP))
    assert visibility(backward, forward)[strip].all(), "going back and forth tells nothing"
    seen = motion_between(square, *views).visibility_backward
    assert seen[strip].mean() < 0.5
    inner = slice(square.LEFT + square.STEP + 3, square.LEFT + square.STEP + square.SIDE - 3)
    assert seen[0, square.ROWS, inner].mean() > 0.9, "nor is the square doubted"


@pytest.mark.parametrize("change", [{"light": 1.2}, {"light": 0.7}, {"grain": 0.02}])
def test_changed_light_and_grain_hide_nothing(pictures, change: dict[str, float]) -> None:
    square = Square()
    seen = motion_between(square, *pictures(square, **change)).visibility_backward
    assert seen[0, WALL, 80:-4].mean() > 0.9
    assert seen[square.UNCOVERED].mean() < 0.4


def test_a_renderers_vectors_are_not_doubted(pictures) -> None:
    square = Bleeding()
    square.name = "vectors"
    still = RenderedVectors(to_previous=torch.zeros(2, H, W), to_next=torch.zeros(2, H, W), valid=torch.ones(1, H, W))
    views = [replace(view, vectors=still) for view in pictures(square)]
    forward, backward = square.pair(*views)
    assert torch.equal(motion_between(square, *views).visibility_backward, visibility(backward, forward))
    unknown = [replace(view, vectors=replace(still, valid=torch.zeros(1, H, W))) for view in views]
    assert (motion_between(square, *unknown).visibility_backward < visibility(backward, forward)).any()
