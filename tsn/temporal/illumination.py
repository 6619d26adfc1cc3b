"""Light that moves over surfaces: shadows and reflections, which no motion vector follows.

The window mean averages along surfaces, so a shadow that passes is averaged away (and a yardstick of true
surface motion calls that an improvement). Strokes may come from the whole window; tone must not. How the paint's
tone answers to the plate's light is learned place by place from the window itself, by a linear regression of one
on the other over the taps, and the mean is moved by what the plate's light here differs from its mean. Where light
stands still there is nothing to learn from and nothing to move by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tsn.flow.warp import warp
from tsn.temporal.filters import blur, downsample, luma
from tsn.temporal.window import REDUCTION, Tap

TONE_SIGMA_PX = (
    6.0  # pixels; much broader than this and a shadow loses its edge, narrower and strokes of one frame come back
)
SLOPE_SIGMA_PX = 12.0
"""Pixels over which tone answers to light alike."""
LIGHT_NOISE = 0.035
"""Style-space change of the plate that is grain and resampling as likely as light. A soft shadow on a grey floor is
0.12. Smaller keeps more of the shadows, and more of the boiling (docs/temporal.md)."""


def plate_light(plate: Tensor) -> Tensor:
    """The plate's light: style-space luma at a quarter of the size, (1, H/4, W/4)."""
    return downsample(luma(plate), REDUCTION)


def paint_tone(paint: Tensor) -> Tensor:
    """Low frequencies of one painted frame, (3, H/4, W/4)."""
    return blur(downsample(paint, REDUCTION), TONE_SIGMA_PX / REDUCTION)


def tone_shift(
    own: Tensor, around: Sequence[Tap], tones: Callable[[int], Tensor], guides: Callable[[int], Tensor]
) -> Tensor:
    """What to add to the window mean, (3, H/4, W/4): slope of tone on light, times light less its mean.

    Args:
        own: weight of frame t, (1, H/4, W/4).
        around: taps at a quarter of the size.
        tones: `paint_tone` of the paint at an offset.
        guides: `plate_light` of the plate at an offset.
    """
    total, weight = _moments(guides(0), tones(0)) * own, own.clone()
    for tap in around:
        seen = warp(torch.cat([guides(tap.offset), tones(tap.offset)]), tap.flow)
        total.addcmul_(tap.weight, _moments(seen[:1], seen[1:]))
        weight += tap.weight
    light, light2, mean, product = (total / weight).split([1, 1, 3, 3])
    sigma = SLOPE_SIGMA_PX / REDUCTION
    variance = blur((light2 - light * light).clamp(min=0), sigma)
    slope = blur(product - light * mean, sigma) / (variance + LIGHT_NOISE**2)
    return slope * (guides(0) - light)


def _moments(light: Tensor, tones: Tensor) -> Tensor:
    return torch.cat([light, light * light, tones, tones * light])
