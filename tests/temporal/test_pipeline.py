from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tsn.temporal.disocclusion import derive_step as derived
from tsn.temporal.pipeline import WindowFrame, derive_window_frame, stabilise_paint

H, W, K = 48, 72, 3


def under_still_light(paint: dict[int, Tensor]) -> dict[int, WindowFrame]:
    """Frames whose plate is plain grey: nothing but the paint changes."""
    return {offset: derive_window_frame(torch.full_like(picture, 0.5), picture) for offset, picture in paint.items()}


@pytest.fixture
def frames(noise) -> dict[int, Tensor]:
    """Paint of frames 0 to 12, each on its own."""
    return {number: noise(H, W, number, 24) for number in range(13)}


@pytest.fixture
def stable(motion):
    """stable(frames, t): frame t of a shot that pans by (1, 0) a frame."""
    step = derived(motion(1, 0, H, W))

    def make(frames: dict[int, Tensor], t: int = 6, *, detail: float = 1.0, radius: int = K) -> Tensor:
        before, after = min(radius, t - min(frames)), min(radius, max(frames) - t)
        return stabilise_paint(
            [step] * before,
            [step] * after,
            under_still_light({number - t: paint for number, paint in frames.items()}),
            radius=radius,
            detail=detail,
        )

    return make


@pytest.mark.parametrize("side", [-1, 1])
def test_the_support_is_exactly_the_radius(stable, frames, noise, side: int) -> None:
    plain = stable(frames)
    beyond = frames | {6 + side * (K + 1): noise(H, W, 99)}
    assert torch.equal(stable(beyond), plain)
    at_the_end = frames | {6 + side * K: noise(H, W, 99)}
    assert not torch.equal(stable(at_the_end), plain)


@pytest.mark.parametrize("t", [0, 1, 11, 12])
def test_ends_of_a_shot_have_half_a_window(stable, frames, t: int) -> None:
    made = stable(frames, t)
    assert made.shape == (3, H, W) and torch.isfinite(made).all() and made.min() >= 0 and made.max() <= 1


def test_a_frame_alone_is_itself(stable, frames) -> None:
    assert torch.allclose(stable({6: frames[6]}), frames[6], atol=2e-3)


def test_paint_that_sticks_is_left_alone(stable, noise) -> None:
    wide = noise(H, W + 32, 5, 24)
    frames = {number: wide[:, :, 16 - number : 16 - number + W] for number in range(13)}
    assert torch.allclose(stable(frames)[:, :, 8:-8], frames[6][:, :, 8:-8], atol=0.02)


def test_boiling_paint_is_calmed(stable, noise) -> None:
    """What changes from frame to frame in the moving picture is a fraction of what it was, at the same energy."""
    wide = noise(H, W + 32, 5, 12)
    frames = {n: 0.6 * wide[:, :, 16 - n : 16 - n + W] + 0.4 * noise(H, W, n, 24) for n in range(13)}
    made = [stable(frames, t, radius=5) for t in (6, 7)]

    def boil(first: Tensor, second: Tensor) -> float:
        return float((first[:, 8:-8, 8:-9] - second[:, 8:-8, 9:-8]).square().mean() ** 0.5)

    assert boil(*made) < 0.5 * boil(frames[6], frames[7])
    assert made[0][:, 8:-8, 8:-8].std() > 0.85 * frames[6][:, 8:-8, 8:-8].std()


def test_detail_gives_grain_back(stable, frames) -> None:
    soft, sharp = (stable(frames, detail=amount)[:, 8:-8, 8:-8].std() for amount in (0.0, 1.0))
    assert soft < 0.8 * sharp


def test_same_bits_at_any_number_of_threads(noise, motion, threads) -> None:
    """Large enough that torch would split the work."""
    height, width = 180, 320
    frames = {number: noise(height, width, number, 60) for number in range(3)}
    step, results = derived(motion(1.3, -0.7, height, width)), []
    for count in (1, 2, 3):
        threads(count)
        around = under_still_light({number - 1: paint for number, paint in frames.items()})
        results.append(stabilise_paint([step], [step], around, radius=1, detail=1.0))
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (33, 2)])
def test_tiny_and_narrow_frames(noise, motion, size: tuple[int, int]) -> None:
    frames, step = [noise(*size, seed) for seed in range(3)], derived(motion(1, 1, *size))
    around = under_still_light({offset: frames[1 + offset] for offset in (-1, 0, 1)})
    made = stabilise_paint([step], [step], around, radius=1, detail=1.0)
    assert made.shape == (3, *size) and torch.isfinite(made).all()
