"""One picture of several carried keys: each place shows the paint of one of them, never a mean of two paintings.

Between two keys the nearer one wins, patch by patch: every patch of a key's paint has a rank that travels with it, and
changes over at its own moment. So no frame is a cross-fade, no change is sudden everywhere, and no front sweeps across
the picture. Where a key's paint is no longer to be trusted, its patches go in the same way, and the net paints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tsn.keys.carry import fade
from tsn.keys.smoothing import local_mean, scaled_radius, smoothstep

SPREAD = 4.0
"""The patch of the highest rank still shows a key where another one is so many times as close. Quality counts by its
fourth power: where a key ends, another one that shows the place well takes over before the rim fades to nothing."""
FEATHER = 0.1
"""Patches blend where their scores differ by less than this share: a frame in time, a pixel or two in space."""
OWN_FRAME = 0.02
"""Distance, in frames, that a key counts as having in its own frame, so that it shows all that it has of it."""
LEAST_QUALITY = 0.05, 0.45
"""Quality under which a patch goes: of the highest rank, and of the lowest."""
LEAST_FADE = 0.02, 0.92
"""Fade under which it goes."""
GATE_FEATHER = 0.06
"""Quality or fade over which it goes."""
SMOOTH_PX, LINES = 3, 360
"""Radius over which quality is smoothed for the choice, pixels, and the lines of pictures for which that is meant."""


@dataclass(frozen=True, kw_only=True)
class ShownKey:
    """A key as one frame shows it.

    Attributes:
        paint: its paint, carried here, (3, H, W) in [0, 1].
        ranks: `patch_ranks` of its paint, carried here, (1, H, W) in [0, 1].
        quality: `paint_quality` times its weight, carried here, (1, H, W) in [0, 1].
        distance: frames between this frame and the key's.
    """

    paint: Tensor
    ranks: Tensor
    quality: Tensor
    distance: int


def choose_paint(shown: Sequence[ShownKey], like: Tensor) -> tuple[Tensor, Tensor]:
    """The keys' paint and how far it is to be trusted: (3, H, W) in [0, 1] and (1, H, W) in [0, 1].

    A pure function of the frame's keys; continuous in all that it is given, so that what changes slowly never jumps.

    Args:
        shown: the keys, in any order that is the same for all frames.
        like: any picture of the frame, (C, H, W).
    """
    smooth = [_smooth(key.quality) for key in shown]
    gates = [_gate(key, quality) for key, quality in zip(shown, smooth, strict=True)]
    scores = [
        quality.square().square() * gate * (closeness(key.distance) * (1 + (SPREAD - 1) * key.ranks))
        for key, quality, gate in zip(shown, smooth, gates, strict=True)
    ]
    paint, confidence = torch.zeros_like(like[:1]).repeat(3, 1, 1), torch.zeros_like(like[:1])
    if not shown:
        return paint, confidence
    best = torch.stack(scores).amax(0).clamp(min=1e-9)
    weights = [(1 - (1 - score / best) / FEATHER).clamp(min=0).square() * (score > 0) for score in scores]
    total = sum(weights[1:], weights[0]).clamp(min=1e-9)
    for key, gate, weight in zip(shown, gates, weights, strict=True):
        share = weight / total
        paint = paint + share * key.paint
        confidence = confidence + share * gate * key.quality
    return paint, confidence


def closeness(distance: int) -> float:
    """How near a key is, by its distance in frames: half of it at twice the distance, 0 beyond the reach."""
    return fade(distance) / max(distance, OWN_FRAME)


def _gate(key: ShownKey, quality: Tensor) -> Tensor:
    """Whether a patch still shows its key, by its smoothed quality and its distance: (1, H, W) in [0, 1]."""
    over = [
        value - (lowest + (highest - lowest) * key.ranks)
        for value, (highest, lowest) in ((quality, LEAST_QUALITY), (fade(key.distance), LEAST_FADE))
    ]
    return smoothstep(torch.minimum(*over), 0.0, GATE_FEATHER)


def _smooth(quality: Tensor) -> Tensor:
    """The quality, lower beside what is bad, never higher: (1, H, W) in [0, 1]."""
    return torch.minimum(quality, local_mean(quality, scaled_radius(SMOOTH_PX, quality, LINES)))
