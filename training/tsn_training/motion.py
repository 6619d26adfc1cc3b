"""Two moments of a scene with known motion, made from still photos: what the temporal loss learns from.

Ruder et al. 2016 and ReCoNet (Gao et al. 2018) take video with estimated flow. Known motion is cheaper and exact: a
background and an object before it, each moved by its own small affine map, with grain and a flicker of light that
differ between the two moments (the "compound" disturbances of ReReVST, Wang et al. 2020). What the object covers or
uncovers is known too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from tsn.flow.warp import warp_batch

MAX_SHIFT = 0.04
"""Share of the crop's side: 6 px of 144."""
MAX_TURN_RAD = 0.04
MAX_ZOOM = 0.04
MAX_GRAIN = 0.02
"""Standard deviation, in style space."""
MAX_FLICKER = 0.04
"""Change of light between the moments, a share of it."""
MAX_EXPOSURE = 1.4
"""Factor of `relit`; a stop more, since in style space another exposure is about a factor."""
BLACK_SHARE = 0.1
"""Of the other lights, about the share that is pitch-dark."""


class FramePair(NamedTuple):
    """Two moments of one scene; torch's default collate makes a batch of it.

    Attributes:
        now: (3, S, S) in [0, 1].
        then: (3, S, S), the other moment.
        flow: (2, S, S), pixels: what is at p now is at p + flow(p) then.
        visible: (1, S, S), 1 where the surface seen now is seen then too.
        relit: (3, S, S), `now` in another light: a fade, a lamp that goes out, the sun.
    """

    now: Tensor
    then: Tensor
    flow: Tensor
    visible: Tensor
    relit: Tensor


def _affine(size: int, rng: Generator) -> Tensor:
    """Return the flow (2, S, S), pixels, of a small random affine motion."""
    dx, dy, turn, zoom = (torch.rand(4, generator=rng) * 2 - 1).tolist()
    y, x = torch.meshgrid(torch.arange(size) - size / 2, torch.arange(size) - size / 2, indexing="ij")
    scale, angle = 1 + MAX_ZOOM * zoom, MAX_TURN_RAD * turn
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return torch.stack([(c - 1) * x - s * y + MAX_SHIFT * size * dx, s * x + (c - 1) * y + MAX_SHIFT * size * dy])


def _object(size: int, rng: Generator) -> Tensor:
    """Return the mask (1, S, S) of a random blob, a quarter of the crop: smooth noise above its third quartile."""
    field = F.interpolate(torch.randn(1, 1, 4, 4, generator=rng), size=(size, size), mode="bicubic")[0]
    return (field > field.flatten().quantile(0.75)).float()


def _inside(flow: Tensor) -> Tensor:
    """Return 1 where a flow ends inside the picture, (1, S, S)."""
    size = flow.shape[-1]
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    at = flow + torch.stack([x, y])
    return ((at >= 0) & (at <= size - 1)).all(0, keepdim=True).float()


def moving_pair(behind: Tensor, before: Tensor, rng: Generator) -> FramePair:
    """Make two moments of a scene of two pictures (3, S, S); of the one before, a blob is seen."""
    size = behind.shape[-1]
    far, near, blob = _affine(size, rng), _affine(size, rng), _object(size, rng)
    # "then" shows the pictures as they are; "now" is sampled from them along the flows.
    then = torch.where(blob > 0, before, behind)
    covers = warp_batch(blob[None], near[None], mode="nearest")[0]
    moved = [warp_batch(x[None], flow[None], mode="bicubic")[0] for x, flow in ((before, near), (behind, far))]
    now = torch.where(covers > 0, moved[0], moved[1])
    flow = torch.where(covers > 0, near, far)
    covered = warp_batch(blob[None], far[None])[0] > 0  # of the background: the object lies over it then
    rim = warp_batch(blob[None], near[None])[0] < 1  # of the object: then it would be sampled half from the background
    hidden = torch.where(covers > 0, rim, covered)
    visible = _inside(flow) * (~hidden)
    now, then = _disturbed(now, rng), _disturbed(then, rng)
    light = float(MAX_EXPOSURE * (torch.rand((), generator=rng) * (1 + BLACK_SHARE) - BLACK_SHARE).clamp(min=0))
    return FramePair(now=now, then=then, flow=flow, visible=visible, relit=(now * light).clamp(0, 1))


def _disturbed(x: Tensor, rng: Generator) -> Tensor:
    """Return a picture with grain, and with its light a little changed."""
    grain = MAX_GRAIN * torch.rand((), generator=rng) * torch.randn(x.shape, generator=rng)
    light = 1 + MAX_FLICKER * (2 * torch.rand((), generator=rng) - 1)
    return (x * light + grain).clamp(0, 1)
