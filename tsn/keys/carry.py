"""A key's paint carried to other frames: where each place of a frame is in the key, and how well the key shows it.

The motion is composed from the key outwards, frame by frame, so that what a frame gets depends on nothing but the
frames between it and the key: any chunk finds the same. Paint is then sampled once, from the key itself, however far
away: one bicubic resampling keeps its detail, a chain of them would not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.determinism import resize_bilinear
from tsn.flow.base import Motion
from tsn.flow.warp import warp
from tsn.keys.reach import REACH
from tsn.keys.smoothing import close_gaps, local_max, local_mean, scaled_radius, scaled_side, smoothstep

FULL_REACH = 12
"""Frames up to which it has its full weight."""
VISIBLE = 0.25, 0.6
"""Visibility in the next frame from which on a place may be, and counts in full as, visible. Where motion is estimated
it is a likelihood; the product of twenty good ones would be none."""
STRETCH_KEPT, STRETCH_LOST = 1.4, 2.8
"""Stretching or squeezing of paint up to which one resampling keeps its detail, and from which on it is not used."""
CHANGE_KEPT, CHANGE_LOST = 0.08, 0.25
"""Difference of the plate's local means between the key's frame and this one, in style space, up to which the paint
still fits, and from which on it is that of something else, or of another light."""
LIGHT_RADIUS_PX = 2
"""Radius of those means, in pixels of half the size at 360 lines: grain must not count."""
HALO_RADIUS_PX = 2
"""Half the width of the rim of what a key does not show, in pixels of half the size at 360 lines: the key's own paint
there holds outlines and halos of what hid the place, which would stay behind as echoes of its contour."""
SPECK_PX = 3
"""Gaps narrower than this have no rim, in pixels of half the size at 360 lines: from there no contour has moved
away."""
RIM_SHARE = 0.6, 1.0
"""Shares of the pixels around a place that the key shows, between which the rim ends."""
THIN_PX = 5
"""Gaps narrower than this, in pixels of half the size at 360 lines, are noise of motion along silhouettes, and are
closed."""
TWO_SURFACES_PX = 1.0
"""A step in the motion from which on it belongs to two surfaces, between which nothing is interpolated. The same in
pictures of any size: in a larger one surfaces bend less from pixel to pixel, and true steps are larger still."""
HALF_LINES = 180
"""Lines, in half the size, of the pictures for which widths of paint are given; they grow with the picture."""
HALF = 2
"""Stretching and changes of the plate are found at half the size."""


@dataclass(frozen=True, kw_only=True)
class CarriedKey:
    """Where the places of a frame are in a key.

    Attributes:
        flow: from this frame to the key's, (2, H, W), pixels.
        visibility: of this frame's places in all frames from here to the key, (1, H, W) in [0, 1].
        distance: frames between the two, in the shot's list of frames; 0 at the key.
    """

    flow: Tensor
    visibility: Tensor
    distance: int


def at_key(like: Tensor) -> CarriedKey:
    """The key in its own frame; `like` is any picture of it, (C, H, W)."""
    return CarriedKey(flow=torch.zeros_like(like[:1]).repeat(2, 1, 1), visibility=torch.ones_like(like[:1]), distance=0)


def carry_on(carried: CarriedKey, motion: Motion, direction: int) -> CarriedKey:
    """The key carried one frame further away.

    Args:
        carried: the key in the nearer of the motion's two frames.
        motion: between that frame and the one that is wanted, whichever comes first.
        direction: 1 where the wanted frame is the later one, so that the key lies before both; -1 where it is the
            earlier one.
    """
    back = direction > 0
    step = motion.backward if back else motion.forward
    visible = motion.visibility_backward if back else motion.visibility_forward
    further = sample_surfaces(torch.cat([carried.flow, carried.visibility]), step)
    return CarriedKey(
        flow=step + further[:2],
        visibility=smoothstep(visible, *VISIBLE) * further[2:],
        distance=carried.distance + 1,
    )


def sample_surfaces(field: Tensor, flow: Tensor) -> Tensor:
    """A field sampled along a flow, without mixing two surfaces: (2 + C, H, W), the first two channels a motion.

    Bilinear on one surface. Where its motion has a step, the nearest pixel's value: the mean of two motions leads to
    places that belong to neither, and those would grow with each frame.
    """
    step = local_max(_bend(field[:2], -1).maximum(_bend(field[:2], -2)).amax(0, keepdim=True), 3)
    nearest = warp(torch.cat([field, step]), flow, mode="nearest")
    return torch.where(nearest[-1:] > TWO_SURFACES_PX, nearest[:-1], warp(field, flow))


def fade(distance: int) -> float:
    """Weight of a key by its distance in frames: 1 near it, exactly 0 from `REACH` frames on."""
    x = min(max((REACH - distance) / (REACH - FULL_REACH), 0.0), 1.0)
    return x * x * (3 - 2 * x)


def paint_quality(carried: CarriedKey, plate: Tensor, key_plate: Tensor) -> Tensor:
    """How well a key's paint serves here, (1, H, W) in [0, 1], without regard to its distance.

    Visibility, times how much of its detail one resampling keeps, times how far the plate carried along with it still
    looks as this frame's plate does.

    Args:
        plate: `half_size` of this frame's plate in style space.
        key_plate: `half_size` of the plate of the key's frame.
    """
    flow = half_flow(carried.flow)
    shown = half_size(carried.visibility)
    shown = close_gaps(shown, scaled_side(SPECK_PX, shown, HALF_LINES))
    rim = smoothstep(local_mean(shown, scaled_radius(HALO_RADIUS_PX, shown, HALF_LINES)), *RIM_SHARE)
    detail = close_gaps(kept_detail(flow), scaled_side(THIN_PX, flow, HALF_LINES))
    smooth = rim * detail * agreement(plate, key_plate, flow)
    height, width = carried.flow.shape[-2:]
    return carried.visibility * resize_bilinear(smooth, (height, width))


def half_size(picture: Tensor) -> Tensor:
    """(C, H, W) at half the size, by area, at least one pixel."""
    height, width = picture.shape[-2:]
    return F.interpolate(picture[None], size=(max(1, height // HALF), max(1, width // HALF)), mode="area")[0]


def half_flow(flow: Tensor) -> Tensor:
    """The flow at half the size, in pixels of that size; of each 2x2 pixels one, since means would mix two surfaces."""
    height, width = flow.shape[-2:]
    small = flow[:, : max(1, height // HALF) * HALF : HALF, : max(1, width // HALF) * HALF : HALF]
    return small / HALF


def kept_detail(flow: Tensor) -> Tensor:
    """How well one resampling along the flow keeps the detail of paint, (1, H, W) in [0, 1].

    1 where the paint is neither stretched nor squeezed by more than `STRETCH_KEPT` in any direction, 0 from
    `STRETCH_LOST` on, or where the flow folds it. By the singular values of the flow's Jacobian, of which at a
    silhouette each surface has its own: of the differences to both sides the smaller one counts.
    """
    along_x, along_y = (_smaller_difference(flow, axis) for axis in (-1, -2))
    a, c, b, d = (local_mean(part, 1) for part in (along_x[:1] + 1, along_x[1:], along_y[:1], along_y[1:] + 1))
    half_sum, determinant = (a * a + b * b + c * c + d * d) / 2, a * d - b * c
    root = (half_sum * half_sum - determinant * determinant).clamp(min=0).sqrt()
    largest, smallest = (half_sum + root).sqrt(), (half_sum - root).clamp(min=1e-6).sqrt()
    stretch = torch.maximum(largest, 1 / smallest)
    return (1 - smoothstep(stretch, STRETCH_KEPT, STRETCH_LOST)) * (determinant > 0)


def agreement(plate: Tensor, key_plate: Tensor, flow: Tensor) -> Tensor:
    """How far this frame's plate looks as the key's does, carried here, (1, H, W) in [0, 1].

    Local means are compared, by the channel that differs most: a shadow that came, a light that went, or a flow that
    leads astray all make the key's paint that of something else.
    """
    radius = scaled_radius(LIGHT_RADIUS_PX, plate, HALF_LINES)
    here, there = local_mean(plate, radius), warp(local_mean(key_plate, radius), flow)
    change = (here - there).abs().amax(0, keepdim=True)
    return 1 - smoothstep(local_mean(change, 1), CHANGE_KEPT, CHANGE_LOST)


def _bend(flow: Tensor, axis: int) -> Tensor:
    """Absolute second difference along an axis: 0 where a surface is stretched evenly, large at steps; (2, H, W)."""
    if flow.shape[axis] < 3:
        return torch.zeros_like(flow)
    bend = flow.diff(n=2, dim=axis).abs()
    return torch.cat([bend.narrow(axis, 0, 1), bend, bend.narrow(axis, -1, 1)], axis)


def _smaller_difference(flow: Tensor, axis: int) -> Tensor:
    """Of the differences to the pixels before and after along an axis the smaller one, (2, H, W)."""
    if flow.shape[axis] < 2:
        return torch.zeros_like(flow)
    steps = flow.diff(dim=axis)
    first, last = steps.narrow(axis, 0, 1), steps.narrow(axis, -1, 1)
    before, after = torch.cat([first, steps], axis), torch.cat([steps, last], axis)
    return torch.where(before.abs() <= after.abs(), before, after)
