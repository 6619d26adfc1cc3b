"""Two moments of a scene: the motion given is the motion made, and what is covered is marked."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from tsn_training import motion
from tsn_training.motion import FramePair, moving_pair, warp_batch

SIZE = 96
SEEDS = range(8)


def smooth(seed: int, low: float = 0.0, high: float = 1.0, size: int = SIZE) -> Tensor:
    """A picture of soft blobs a few pixels wide, (3, size, size) in [low, high]."""
    coarse = torch.rand(1, 3, size // 8, size // 8, generator=Generator().manual_seed(seed))
    return low + (high - low) * F.interpolate(coarse, size=(size, size), mode="bicubic")[0].clamp(0, 1)


def pair_of(seed: int, behind: Tensor | None = None, before: Tensor | None = None) -> FramePair:
    behind = smooth(2 * seed + 100) if behind is None else behind
    before = smooth(2 * seed + 101) if before is None else before
    return moving_pair(behind, before, Generator().manual_seed(seed))


def warped(pair: FramePair) -> Tensor:
    return warp_batch(pair.then[None], pair.flow[None])[0]


@pytest.fixture
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motion, "MAX_GRAIN", 0.0)
    monkeypatch.setattr(motion, "MAX_FLICKER", 0.0)


def test_looking_up_along_a_whole_shift_is_a_shift() -> None:
    x = torch.rand(1, 2, 9, 12)
    flow = torch.stack([torch.full((9, 12), 3.0), torch.full((9, 12), -2.0)])[None]

    found = warp_batch(x, flow)

    torch.testing.assert_close(found[..., 2:, :9], x[..., :7, 3:], rtol=0, atol=1e-5)
    assert torch.allclose(found[..., :2, :9], x[..., :1, 3:].expand(1, 2, 2, 9), atol=1e-5)  # the border is drawn out


@pytest.mark.parametrize("seed", SEEDS)
def test_then_looked_up_along_the_flow_is_now(undisturbed: None, seed: int) -> None:
    pair = pair_of(seed)
    error = (warped(pair) - pair.now).abs().amax(0)[pair.visible[0] > 0]
    still = (pair.then - pair.now).abs().amax(0)[pair.visible[0] > 0]

    # Linear against cubic lookup; the object's rim, a pixel wide, is mixed with what lies behind it.
    assert error.quantile(0.9) < 0.03
    assert error.mean() < 0.02
    assert still.mean() > 3 * error.mean()  # there was motion


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_object_covers_then_is_marked(undisturbed: None, seed: int) -> None:
    """Behind is dark and before is bright: what is dark now and bright where it should be then, is covered."""
    pair = pair_of(seed, smooth(1, 0.0, 0.2), smooth(2, 0.8, 1.0))
    dark_now = pair.now.mean(0) < 0.5
    covered = dark_now & (warped(pair).mean(0) > 0.5)

    assert not (covered & (pair.visible[0] > 0)).any()
    inside = motion._inside(pair.flow)[0] > 0
    needless = inside & (pair.visible[0] == 0) & ~covered
    assert needless.float().mean() < 0.05  # rims
    assert pair.visible.mean() > 0.75


def test_something_is_covered_in_most_scenes(undisturbed: None) -> None:
    covered = [(motion._inside(pair.flow) - pair.visible).sum().item() for pair in map(pair_of, SEEDS)]

    assert min(covered) >= 0
    assert sum(count > SIZE for count in covered) > len(covered) / 2


@pytest.mark.parametrize("seed", SEEDS)
def test_what_leaves_the_picture_is_invisible(seed: int) -> None:
    pair = pair_of(seed)
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    at = pair.flow + torch.stack([x, y])
    gone = ((at < 0) | (at > SIZE - 1)).any(0)

    assert gone.any()
    assert (pair.visible[0][gone] == 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_shapes_and_ranges(seed: int) -> None:
    generator = Generator().manual_seed(seed)
    behind, before = torch.rand(2, 3, 64, 64, generator=generator)  # noise: cubic lookup overshoots
    pair = moving_pair(behind, before, generator)

    assert [tuple(x.shape) for x in pair] == [(3, 64, 64), (3, 64, 64), (2, 64, 64), (1, 64, 64), (3, 64, 64)]
    assert all(x.dtype == torch.float32 and torch.isfinite(x).all() for x in pair)
    assert all(x.min() >= 0 and x.max() <= 1 for x in (pair.now, pair.then, pair.relit))
    assert set(pair.visible.unique().tolist()) == {0.0, 1.0}
    assert pair.flow.abs().max() < 64 * (motion.MAX_SHIFT + motion.MAX_TURN_RAD + motion.MAX_ZOOM)


def test_a_seed_gives_the_same_scene_again() -> None:
    one, again, other = pair_of(3), pair_of(3), pair_of(4)

    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one.flow, other.flow)


def test_the_motion_does_not_depend_on_the_pictures() -> None:
    one, other = pair_of(3), pair_of(3, smooth(1), smooth(2))

    assert torch.equal(one.flow, other.flow) and torch.equal(one.visible, other.visible)


def test_grain_and_light_differ_between_the_moments() -> None:
    grey = torch.full((3, SIZE, SIZE), 0.5)
    pairs = [pair_of(seed, grey, grey) for seed in SEEDS]

    assert all((pair.now - pair.then).std() > 1e-4 for pair in pairs)
    changes = torch.stack([pair.now.mean() / pair.then.mean() for pair in pairs])
    assert changes.std() > 0.003 and (changes - 1).abs().max() < 2.1 * motion.MAX_FLICKER


def test_the_other_light_is_now_in_another_exposure_and_sometimes_night(undisturbed: None) -> None:
    lights = []
    for seed in range(200):
        pair = moving_pair(torch.full((3, 8, 8), 0.5), torch.full((3, 8, 8), 0.5), Generator().manual_seed(seed))
        assert pair.relit.std() < 1e-6
        lights.append(float(pair.relit.mean()) / 0.5)
    assert max(lights) <= motion.MAX_EXPOSURE + 1e-5 and max(lights) > 1.3
    assert 5 < sum(light == 0 for light in lights) < 35
