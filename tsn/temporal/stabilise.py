"""The passes in order: what makes one output frame out of a window of painted frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from tsn.flow.base import Motion
from tsn.temporal import detail as grain
from tsn.temporal import window

# At K = 8 a Gaussian of 6 frames: long-term error .29 of the per-frame paint's against .41 at 4 frames,
# for 5% more error where something was just uncovered (docs/temporal.md).
SIGMA_PER_FRAME = 0.75


def stabilise(
    before: Sequence[Motion],
    after: Sequence[Motion],
    paint: Callable[[int], Tensor],
    energies: Callable[[int], Tensor],
    *,
    radius: int,
    detail: float,
) -> Tensor:
    """Stable and sharp paint for frame t, a pure function of the frames within `radius`.

    Args:
        before: motion between (t-1, t), (t-2, t-1), ..., as far as the segment and the window reach.
        after: motion between (t, t+1), (t+1, t+2), ...
        paint: per-frame paint at an offset from t, (3, H, W) in [0, 1].
        energies: `detail.paint_energies` of it.
        radius: K of the window, at least 1.
        detail: how much of the lost grain is given back; 1 = in full.

    Returns:
        (3, H, W) in [0, 1].
    """
    around = window.taps(before, after, SIGMA_PER_FRAME * radius)
    mean = window.mean(paint(0), around, paint)
    target = window.mean(energies(0), [grain.reduced(tap) for tap in around], energies, mode="bilinear")
    return grain.restore(mean, target, detail)
