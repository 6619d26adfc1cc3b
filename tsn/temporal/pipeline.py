"""The passes in order: from a window of painted frames to one output frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tsn.temporal import detail as grain
from tsn.temporal import disocclusion, illumination, window
from tsn.temporal.filters import downsample, upsample
from tsn.temporal.texture import texture_energy

SIGMA_PER_FRAME = 0.75
"""Sigma of the window by its radius K. At K = 8 a Gaussian of 6 frames: the long-term error is .29 of the per-frame
paint's against .41 at 4 frames, for 5% more error where something was just disoccluded (docs/research/temporal.md)."""


@dataclass(frozen=True, kw_only=True)
class WindowFrame:
    """One painted frame with what the passes derive from it once.

    Attributes:
        paint: per-frame paint, style space (3, H, W) in [0, 1].
        band_energies: `detail.band_energies` of it.
        texture_energy: `texture.texture_energy` of it.
        tone: `illumination.paint_tone` of it.
        light: `illumination.plate_light` of the plate it was painted from.
    """

    paint: Tensor
    band_energies: Tensor
    texture_energy: Tensor
    tone: Tensor
    light: Tensor


def derive_window_frame(plate: Tensor, paint: Tensor) -> WindowFrame:
    """Derive from one frame what the passes need of it.

    Args:
        plate: style space, (3, H, W).
        paint: its per-frame paint, style space, (3, H, W).
    """
    return WindowFrame(
        paint=paint,
        band_energies=grain.band_energies(paint),
        texture_energy=texture_energy(paint),
        tone=illumination.paint_tone(paint),
        light=illumination.plate_light(plate),
    )


def stabilise_paint(
    before: Sequence[disocclusion.MotionStep],
    after: Sequence[disocclusion.MotionStep],
    frames: Mapping[int, WindowFrame],
    *,
    radius: int,
    detail: float,
) -> Tensor:
    """Stable and sharp paint for frame t, a pure function of the frames within `radius`.

    Args:
        before: steps (t-1, t), (t-2, t-1), ..., as far as the take and the window reach.
        after: steps (t, t+1), (t+1, t+2), ...
        frames: the painted frames by offset from t, 0 and all that the steps lead to.
        radius: K of the window, at least 1.
        detail: how much of the lost texture is restored; 1 = all of it.

    Returns:
        (3, H, W) in [0, 1].
    """
    here = frames[0]
    sigma = SIGMA_PER_FRAME * radius
    visible = window.window_taps([s.motion for s in before], [s.motion for s in after], sigma)
    flows = [window.reduce_flow(tap.flow) for tap in visible]
    own, around = disocclusion.weight_taps(visible, flows, before, after, here.paint, sigma)
    own_small, small = downsample(own, window.REDUCTION), list(map(window.reduce_tap, around, flows))
    mean = window.weighted_mean(own, here.paint, around, lambda offset: frames[offset].paint)
    target = window.weighted_mean(
        own_small, here.band_energies, small, lambda offset: frames[offset].band_energies, mode="bilinear"
    )
    correction = illumination.tone_shift(
        own_small, small, lambda offset: frames[offset].tone, lambda offset: frames[offset].light
    )
    edges = disocclusion.frame_silhouettes(before, after, here.paint)
    reach = [0, *(tap.offset for tap in visible)]
    share = torch.tensor(
        [window.gaussian_weight(offset, sigma) for offset in reach], dtype=torch.float64, device=mean.device
    )
    target_texture = share / share.sum() @ torch.stack([frames[offset].texture_energy for offset in reach])
    return grain.restore_detail((mean + upsample(correction, mean)).clamp(0, 1), target, edges, detail, target_texture)
