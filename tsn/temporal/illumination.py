"""Light that moves over surfaces: shadows and reflections, which no motion vector follows.

The window's mean averages along surfaces, so a shadow that passes is averaged away (and a metric along the true motion
of surfaces counts that as an improvement). Strokes may come from the whole window; tone must not. How the paint's tone
depends on the plate's light is estimated place by place from the window itself, by linear regression of one on the
other over the taps; the mean is corrected for the difference of the plate's light here from its mean. Where light
stands still there is nothing to estimate and nothing to correct.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tsn.flow.warp import warp
from tsn.temporal.filters import blur, downsample, luma
from tsn.temporal.window import REDUCTION, Tap

TONE_SIGMA_PX = 6.0
"""Sigma below which detail is stroke, not tone. Much larger, and a shadow loses its edge; smaller, and strokes of one
frame come back."""
SLOPE_SIGMA_PX = 12.0
"""Sigma over which tone depends on light in the same way."""
LIGHT_NOISE = 0.035
"""Style-space change of the plate that is as likely grain and resampling as light. A soft shadow on a grey floor is
0.12. A smaller value keeps more of the shadows, and more of the boiling (docs/research/temporal.md)."""


def plate_light(plate: Tensor) -> Tensor:
    """The plate's light: style-space luma at a quarter of the size, (1, H/4, W/4)."""
    return downsample(luma(plate), REDUCTION)


def paint_tone(paint: Tensor) -> Tensor:
    """Low frequencies of one painted frame, (3, H/4, W/4)."""
    return blur(downsample(paint, REDUCTION), TONE_SIGMA_PX / REDUCTION)


def tone_shift(
    own: Tensor, around: Sequence[Tap], tones: Callable[[int], Tensor], lights: Callable[[int], Tensor]
) -> Tensor:
    """The correction of the window's mean, (3, H/4, W/4): slope of tone on light, times light less its mean.

    Args:
        own: weight of frame t, (1, H/4, W/4).
        around: taps at a quarter of the size.
        tones: `paint_tone` of the paint at an offset.
        lights: `plate_light` of the plate at an offset.
    """
    total, weight = _moments(lights(0), tones(0)) * own, own.clone()
    for tap in around:
        warped = warp(torch.cat([lights(tap.offset), tones(tap.offset)]), tap.flow)
        total.addcmul_(tap.weight, _moments(warped[:1], warped[1:]))
        weight += tap.weight
    light, light2, mean, product = (total / weight).split([1, 1, 3, 3])
    sigma = SLOPE_SIGMA_PX / REDUCTION
    variance = blur((light2 - light * light).clamp(min=0), sigma)
    slope = blur(product - light * mean, sigma) / (variance + LIGHT_NOISE**2)
    return slope * (lights(0) - light)


def _moments(light: Tensor, tones: Tensor) -> Tensor:
    """What the regression takes the mean of, (8, h, w): light, its square, tone, tone times light."""
    return torch.cat([light, light * light, tones, tones * light])
