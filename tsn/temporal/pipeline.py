"""The passes in order: what makes one output frame out of a window of painted frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tsn.temporal import detail as grain
from tsn.temporal import disocclusion, illumination, window
from tsn.temporal.filters import enlarge, reduce
from tsn.temporal.texture import texture

# At K = 8 a Gaussian of 6 frames: long-term error .29 of the per-frame paint's against .41 at 4 frames,
# for 5% more error where something was just uncovered (docs/temporal.md).
SIGMA_PER_FRAME = 0.75


@dataclass(frozen=True, kw_only=True)
class Painted:
    """One painted frame with what the passes derive from it, once.

    Attributes:
        paint: per-frame paint, style space (3, H, W) in [0, 1].
        energies: `detail.paint_energies` of it.
        texture: `texture.texture` of it.
        tone: `light.tone` of it.
        guide: `light.guide` of the plate it was painted from.
    """

    paint: Tensor
    energies: Tensor
    texture: Tensor
    tone: Tensor
    guide: Tensor


def painted(plate: Tensor, paint: Tensor) -> Painted:
    """What the passes need of one frame: style-space plate and paint, (3, H, W) each."""
    return Painted(
        paint=paint,
        energies=grain.paint_energies(paint),
        texture=texture(paint),
        tone=illumination.tone(paint),
        guide=illumination.guide(plate),
    )


def stabilise(
    before: Sequence[disocclusion.Step],
    after: Sequence[disocclusion.Step],
    frames: Mapping[int, Painted],
    *,
    radius: int,
    detail: float,
) -> Tensor:
    """Stable and sharp paint for frame t, a pure function of the frames within `radius`.

    Args:
        before: steps (t-1, t), (t-2, t-1), ..., as far as the segment and the window reach.
        after: steps (t, t+1), (t+1, t+2), ...
        frames: the painted frames by offset from t, 0 and all that the steps lead to.
        radius: K of the window, at least 1.
        detail: how much of the lost grain is given back; 1 = in full.

    Returns:
        (3, H, W) in [0, 1].
    """
    here = frames[0]
    sigma = SIGMA_PER_FRAME * radius
    visible = window.taps([s.motion for s in before], [s.motion for s in after], sigma)
    flows = [window.coarse(tap.flow) for tap in visible]
    own, around = disocclusion.weighed(visible, flows, before, after, here.paint, sigma)
    own_small, small = reduce(own, window.REDUCTION), list(map(window.reduced, around, flows))
    mean = window.mean(own, here.paint, around, lambda offset: frames[offset].paint)
    target = window.mean(own_small, here.energies, small, lambda offset: frames[offset].energies, mode="bilinear")
    moved = illumination.shift(
        own_small, small, lambda offset: frames[offset].tone, lambda offset: frames[offset].guide
    )
    edges = disocclusion.silhouettes(before, after, here.paint)
    reach = [0, *(tap.offset for tap in visible)]
    share = torch.tensor([window.gauss(offset, sigma) for offset in reach], dtype=torch.float64, device=mean.device)
    wanted = share / share.sum() @ torch.stack([frames[offset].texture for offset in reach])
    return grain.restore((mean + enlarge(moved, mean)).clamp(0, 1), target, edges, detail, wanted)
