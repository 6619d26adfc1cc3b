from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tsn.temporal import illumination
from tsn.temporal.disocclusion import derive_step as derived
from tsn.temporal.pipeline import derive_window_frame, stabilise_paint
from tsn.temporal.window import Tap

H, W, K = 64, 128, 4


def shadowed(left: int, depth: float = 0.4) -> Tensor:
    """A grey floor with a shadow 32 px wide from `left` on, (3, H, W)."""
    floor = torch.full((3, H, W), 0.7)
    floor[:, :, left : left + 32] -= depth
    return floor


@pytest.fixture
def floor(motion):
    """stable(plates): the middle frame of a floor that stands still, painted as it is."""
    still = derived(motion(0, 0, H, W))

    def stable(plates: list[Tensor]) -> Tensor:
        frames = {offset - K: derive_window_frame(plate, plate) for offset, plate in enumerate(plates)}
        return stabilise_paint([still] * K, [still] * K, frames, radius=K, detail=0.0)

    return stable


def test_a_shadow_that_passes_keeps_its_tone(floor) -> None:
    """Vectors say that nothing moves; a plain mean would leave a third of the shadow."""
    made = floor([shadowed(48 + 12 * step) for step in range(-K, K + 1)])
    middle, outside = made[:, 24:40, 58:70].mean(), made[:, 24:40, :8].mean()
    assert middle < 0.42 and outside == pytest.approx(0.7, abs=0.02)


def test_the_paint_of_a_shadow_may_be_lighter(floor, motion) -> None:
    """What the style makes of darkness is its own affair: here it paints shadows white."""
    plates = [shadowed(48 + 12 * place) for place in range(-K, K + 1)]
    frames = {offset - K: derive_window_frame(plate, 1.1 - plate) for offset, plate in enumerate(plates)}
    still = derived(motion(0, 0, H, W))
    made = stabilise_paint([still] * K, [still] * K, frames, radius=K, detail=0.0)
    assert made[:, 24:40, 58:70].mean() > 0.7 and made[:, 24:40, :8].mean() == pytest.approx(0.4, abs=0.02)


@pytest.fixture
def two_taps() -> tuple[Tensor, list[Tap]]:
    flow, weight = torch.zeros(2, H // 4, W // 4), torch.ones(1, H // 4, W // 4)
    return weight, [Tap(offset=offset, flow=flow, weight=weight * 0.5) for offset in (-1, 1)]


def test_still_light_shifts_nothing(noise, two_taps) -> None:
    plate, (own, around) = noise(H, W, 3, 12), two_taps
    tones = {offset: illumination.paint_tone(noise(H, W, offset + 9)) for offset in (-1, 0, 1)}
    moved = illumination.tone_shift(own, around, tones.__getitem__, lambda offset: illumination.plate_light(plate))
    assert moved.abs().max() < 1e-6


def test_grain_of_the_plate_is_hardly_a_change_of_light(noise, two_taps) -> None:
    own, around = two_taps
    guides = {offset: illumination.plate_light(0.5 + 0.1 * (noise(H, W, offset + 5) - 0.5)) for offset in (-1, 0, 1)}
    tones = {offset: illumination.paint_tone(noise(H, W, offset)) for offset in (-1, 0, 1)}
    assert illumination.tone_shift(own, around, tones.__getitem__, guides.__getitem__).abs().max() < 0.01
