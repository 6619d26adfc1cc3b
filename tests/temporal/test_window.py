from __future__ import annotations

import math

import pytest
import torch

from tsn.flow.warp import warp
from tsn.temporal import window
from tsn.temporal.window import window_taps

H, W = 48, 64
ONE = torch.ones(1, H, W)


def test_offsets_and_weights(motion) -> None:
    still = motion(0, 0, H, W)
    found = window_taps([still] * 2, [still] * 3, 1.5)
    assert [tap.offset for tap in found] == [-1, -2, 1, 2, 3]
    for tap in found:
        assert tap.flow.shape == (2, H, W) and tap.weight.shape == (1, H, W)
        assert torch.allclose(tap.weight, torch.tensor(math.exp(-(tap.offset**2) / (2 * 1.5**2))).expand(1, H, W))


def test_ends_of_a_take(motion) -> None:
    still = motion(0, 0, H, W)
    assert window_taps([], [], 1.0) == []
    assert [tap.offset for tap in window_taps([], [still], 1.0)] == [1]
    assert [tap.offset for tap in window_taps([still], [], 1.0)] == [-1]


def test_flows_are_composed_in_their_direction(motion) -> None:
    found = {tap.offset: tap.flow for tap in window_taps([motion(2, -1, H, W)] * 3, [motion(2, -1, H, W)] * 3, 2.0)}
    for offset, flow in found.items():
        assert torch.allclose(flow[:, 20, 30], torch.tensor([2.0, -1.0]) * offset, atol=1e-5)


def test_a_composed_flow_follows_what_it_carries(motion, noise) -> None:
    """Two unequal steps: first (3, 0), then a shear. The point's own second step counts, not its neighbour's."""
    first, shear = motion(3, 0, H, W), motion(0, 0, H, W)
    shear.forward[0] = torch.arange(W) / 16
    flow = window_taps([], [first, shear], 2.0)[1].flow
    assert torch.allclose(flow[0, 24, 10:50], 3 + (torch.arange(10, 50) + 3) / 16, atol=1e-4)


def test_what_was_hidden_once_stays_hidden(motion) -> None:
    """Visibility multiplies along the way, at the place where the point is by then."""
    hole = torch.ones(1, H, W)
    hole[:, 10:38, 30:50] = 0
    found = window_taps([], [motion(4, 0, H, W), motion(0, 0, H, W, hole), motion(0, 0, H, W)], 2.0)
    assert (found[0].weight[0, 14:34, 30:40] > 0).all()
    for tap in found[1:]:
        assert tap.weight[0, 10:38, 26:46].max() < 1e-5


def test_out_of_frame_has_no_weight(motion) -> None:
    weight = window_taps([], [motion(10, 0, H, W)], 2.0)[0].weight
    assert not weight[:, :, -10:].any() and weight[:, :, :20].min() > 0.5


@pytest.mark.parametrize(("dx", "dy"), [(2, 1), (-3, 2), (0, 0)])
def test_a_panning_texture_is_its_own_mean(motion, noise, dx: int, dy: int) -> None:
    """With the true motion, every tap shows the same paint, so the mean is that paint."""
    radius, pad = 3, 16
    wide = noise(H + 2 * pad, W + 2 * pad)

    def at(offset: int) -> torch.Tensor:
        y, x = pad - dy * offset, pad - dx * offset
        return wide[:, y : y + H, x : x + W]

    step = motion(dx, dy, H, W)
    mean = window.weighted_mean(ONE, at(0), window_taps([step] * radius, [step] * radius, 2.0), at)
    assert torch.allclose(mean, at(0), atol=1e-4)


def test_the_mean_averages_what_disagrees(motion, noise) -> None:
    still = motion(0, 0, H, W)
    pictures = {offset: noise(H, W, seed=offset + 9) for offset in range(-4, 5)}
    mean = window.weighted_mean(ONE, pictures[0], window_taps([still] * 4, [still] * 4, 1e6), pictures.__getitem__)
    assert torch.allclose(mean, torch.stack(list(pictures.values())).mean(0), atol=1e-5)


def test_without_taps_the_paint_is_its_own(noise) -> None:
    own = noise(H, W)
    assert torch.equal(window.weighted_mean(ONE, own, [], {}.__getitem__), own)


def test_the_own_paint_is_not_changed(motion, noise) -> None:
    own, other = noise(H, W), noise(H, W, 1)
    before = own.clone()
    window.weighted_mean(ONE, own, window_taps([], [motion(1, 0, H, W)], 1.0), lambda offset: other)
    assert torch.equal(own, before)


def test_hidden_paint_never_shows(motion, noise) -> None:
    """Whatever lies under an occluder leaves no trace, not even NaN-free garbage of any size."""
    hole = torch.ones(1, H, W)
    hole[:, 10:30, 10:30] = 0
    own, other = noise(H, W), noise(H, W, 1)
    around = window_taps([], [motion(0, 0, H, W, hole)], 1.0)
    other[:, 10:30, 10:30] = 1e6
    mean = window.weighted_mean(ONE, own, around, lambda offset: other)
    assert torch.equal(mean[:, 10:30, 10:30], own[:, 10:30, 10:30])
    assert mean[:, 12:28, :6].max() <= 1.5


def test_one_bicubic_resample_keeps_grain(motion, noise) -> None:
    """Half a pixel off is the worst case; bilinear would lose more."""
    own = noise(H, W, cells=32)
    half = motion(0.5, 0.5, H, W)
    sharp = window.weighted_mean(ONE, own, window_taps([], [half], 1e6), lambda o: own)
    soft = window.weighted_mean(ONE, own, window_taps([], [half], 1e6), lambda o: own, mode="bilinear")
    inner = (slice(None), slice(8, -8), slice(8, -8))
    assert sharp[inner].diff().square().mean() > soft[inner].diff().square().mean()
    assert torch.equal(warp(own, half.forward, mode="bicubic"), warp(own, half.forward.clone(), mode="bicubic"))


def test_a_reduced_tap_moves_in_its_own_pixels() -> None:
    flow = torch.stack([torch.full((H, W), 8.0), torch.full((H, W), -4.0)])
    weight = torch.linspace(0, 1, W).expand(1, H, W)
    small = window.reduce_tap(window.Tap(offset=-3, flow=flow, weight=weight), window.reduce_flow(flow))
    assert small.offset == -3 and small.flow.shape == (2, H // 4, W // 4) and small.weight.shape == (1, H // 4, W // 4)
    assert torch.allclose(small.flow[:, 5, 5], torch.tensor([2.0, -1.0]))
    assert small.weight[0, 0, 0].item() == pytest.approx(weight[0, 0, :4].mean().item())
