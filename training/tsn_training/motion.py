"""Two moments of a scene whose motion is known, made from still photos: what a temporal loss learns from.

Ruder et al. 2016 and ReCoNet (Gao et al. 2018) take video with measured flow. Known motion is cheaper and
exact: a background and an object before it, each moved by its own small affine map, with grain and a
flicker of light that are not the same in the two moments (ReReVST, Wang et al. 2020, trains on such "compound"
disturbances). What the object covers or uncovers is known too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from tsn.flow.warp import warp_batch

SHIFT = 0.04  # of the crop's side: 6 px of 144
TURN = 0.04  # radians
ZOOM = 0.04
GRAIN = 0.02
FLICKER = 0.04
LIGHTEST = 1.4
"""In style space, where another exposure is about a factor: a stop more."""
NIGHT = 0.1
"""So often it is pitch-dark."""


class Pair(NamedTuple):
    """Two moments of one scene; batched by torch's collate as it is.

    Attributes:
        now: (3, S, S) in [0, 1].
        then: (3, S, S), the other moment.
        flow: (2, S, S), pixels: what is at p now is at p + flow(p) then.
        visible: (1, S, S), 1 where what is seen now is seen then too.
        lit: (3, S, S), what is seen now in another light: a fade, a lamp that goes out, the sun.
    """

    now: Tensor
    then: Tensor
    flow: Tensor
    visible: Tensor
    lit: Tensor


def _affine(size: int, rng: Generator) -> Tensor:
    """A small random motion, as the flow (2, S, S) that it is, in pixels."""
    dx, dy, turn, zoom = (torch.rand(4, generator=rng) * 2 - 1).tolist()
    y, x = torch.meshgrid(torch.arange(size) - size / 2, torch.arange(size) - size / 2, indexing="ij")
    c, s = (1 + ZOOM * zoom) * math.cos(TURN * turn), (1 + ZOOM * zoom) * math.sin(TURN * turn)
    return torch.stack([(c - 1) * x - s * y + SHIFT * size * dx, s * x + (c - 1) * y + SHIFT * size * dy])


def _object(size: int, rng: Generator) -> Tensor:
    """The mask (1, S, S) of a random blob: a thresholded field of a few waves, about a quarter of the crop."""
    field = F.interpolate(torch.randn(1, 1, 4, 4, generator=rng), size=(size, size), mode="bicubic")[0]
    return (field > field.flatten().quantile(0.75)).float()


def _inside(flow: Tensor) -> Tensor:
    size = flow.shape[-1]
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    at = flow + torch.stack([x, y])
    return ((at >= 0) & (at <= size - 1)).all(0, keepdim=True).float()


def moving_pair(behind: Tensor, before: Tensor, rng: Generator) -> Pair:
    """A scene of two pictures (3, S, S), the second seen through a blob before the first, at two moments."""
    size = behind.shape[-1]
    far, near, blob = _affine(size, rng), _affine(size, rng), _object(size, rng)
    # The moment "then" is as the pictures lie; "now" is drawn by looking each pixel up in it.
    then = torch.where(blob > 0, before, behind)
    covers = warp_batch(blob[None], near[None], mode="nearest")[0]
    moved = [warp_batch(x[None], flow[None], mode="bicubic")[0] for x, flow in ((before, near), (behind, far))]
    now = torch.where(covers > 0, moved[0], moved[1])
    flow = torch.where(covers > 0, near, far)
    covered = warp_batch(blob[None], far[None])[0] > 0  # the object lies over it then
    rim = warp_batch(blob[None], near[None])[0] < 1  # then it would be looked up half in what is behind
    hidden = torch.where(covers > 0, rim, covered)
    visible = _inside(flow) * (~hidden)
    now, then = _disturbed(now, rng), _disturbed(then, rng)
    light = float(LIGHTEST * (torch.rand((), generator=rng) * (1 + NIGHT) - NIGHT).clamp(min=0))
    return Pair(now=now, then=then, flow=flow, visible=visible, lit=(now * light).clamp(0, 1))


def _disturbed(x: Tensor, rng: Generator) -> Tensor:
    """Grain of the stock, and a flicker of the light."""
    grain = GRAIN * torch.rand((), generator=rng) * torch.randn(x.shape, generator=rng)
    light = 1 + FLICKER * (2 * torch.rand((), generator=rng) - 1)
    return (x * light + grain).clamp(0, 1)
