"""Light that moves over surfaces: shadows and reflections, which no motion vector follows.

The window mean averages along surfaces, so a shadow that passes is averaged away (and a yardstick of true
surface motion calls that an improvement). Strokes may come from the whole window; tone must not. So the
mean's low frequencies are moved to those of the frames whose plate shows the same light here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from tsn.flow.visibility import warp
from tsn.temporal.filters import blur, reduce
from tsn.temporal.window import REDUCTION, Tap, mean

# Style-space difference of two plates, averaged over a reduced pixel: up to AGREE it is grain and resampling, from
# DISAGREE on another light. A soft shadow on a grey floor is 0.12: tighter keeps more of it, and more of the boiling.
AGREE, DISAGREE = 0.07, 0.15
TONE_SIGMA = (
    6.0  # pixels; much broader than this and a shadow loses its edge, narrower and strokes of one frame come back
)


def guide(plate: Tensor) -> Tensor:
    """What agreement is judged by: the style-space plate at a quarter of the size, (3, H/4, W/4)."""
    return reduce(plate, REDUCTION)


def tone(paint: Tensor) -> Tensor:
    """Low frequencies of one painted frame, (3, H/4, W/4)."""
    return blur(reduce(paint, REDUCTION), TONE_SIGMA / REDUCTION)


def shift(around: Sequence[Tap], tones: Callable[[int], Tensor], guides: Callable[[int], Tensor]) -> Tensor:
    """What to add to the window mean, (3, H/4, W/4); zero where the light stands still.

    Args:
        around: taps at a quarter of the size.
        tones: `tone` of the paint at an offset.
        guides: `guide` of the plate at an offset.
    """

    def agreeing(tap: Tap) -> Tap:
        difference = (warp(guides(tap.offset), tap.flow) - guides(0)).abs().mean(0, keepdim=True)
        return replace(tap, weight=tap.weight * ((DISAGREE - difference) / (DISAGREE - AGREE)).clamp(0, 1))

    same_light = mean(tones(0), [agreeing(tap) for tap in around], tones, mode="bilinear")
    return same_light - mean(tones(0), around, tones, mode="bilinear")
