"""The contract of every source of motion, and the motion between two frames.

Flow: float32 (2, H, W), pixels, x right, y down. The point seen at p in frame a is at p + flow(p) in
frame b. Visibility: float32 (1, H, W) in [0, 1]; 0 = not seen in the other frame.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from tsn.flow.nets import occlusion
from tsn.flow.warp import visibility


@dataclass(frozen=True, kw_only=True)
class RenderedVectors:
    """Motion as the renderer knew it, already in our convention, on this frame's grid.

    Attributes:
        to_previous: flow to the frame before, or None where the layer has only the other direction.
        to_next: flow to the frame after, or None.
        valid: float32 (1, H, W), 0 where the renderer gave no motion (world background).
    """

    to_previous: Tensor | None
    to_next: Tensor | None
    valid: Tensor


@dataclass(frozen=True, kw_only=True)
class View:
    """One plate frame as a flow source sees it.

    Attributes:
        number: frame number.
        image: style space, float32 (3, H, W) in [0, 1].
        vectors: the renderer's motion, where the plate carries it.
    """

    number: int
    image: Tensor
    vectors: RenderedVectors | None = None

    @cached_property
    def key(self) -> str:
        """Hash of the picture, all that an estimator sees; for the cache."""
        return hashlib.blake2b(self.image.cpu().numpy().tobytes(), digest_size=20).hexdigest()


class FlowSource(Protocol):
    """Anything that tells the motion between two neighbouring frames."""

    name: str
    fingerprint: str
    """Changes whenever the result could: method, version, weights' hash, settings."""

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        """Flow a->b on a's grid and b->a on b's grid, each (2, H, W), pixels. `b` follows `a`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Motion between frame a and its follower b, both ways, with what each sees of the other."""

    forward: Tensor
    backward: Tensor
    visibility_forward: Tensor
    visibility_backward: Tensor


def has_rendered_motion(a: View, b: View) -> bool:
    """Whether a renderer told the motion of this pair, one way at least.

    Its vectors span one frame, so they say nothing of the gap in a stepped range (1001-1050x2).
    """
    if a.vectors is None or b.vectors is None or b.number - a.number != 1:
        return False
    return a.vectors.to_next is not None or b.vectors.to_previous is not None


def motion_between(source: FlowSource, a: View, b: View) -> Motion:
    """Two-sided motion with occlusion masks: by going there and back where a renderer knows, else by a net."""
    forward, backward = source.pair(a, b)
    seen = visibility(forward, backward), visibility(backward, forward)
    asked = _estimated(source, a, b)
    if any(bool(places.any()) for places in asked):
        learnt = occlusion.estimate_visibility((a.image, b.image), (forward, backward), asked)
        seen = torch.where(asked[0], learnt[0], seen[0]), torch.where(asked[1], learnt[1], seen[1])
    return Motion(forward=forward, backward=backward, visibility_forward=seen[0], visibility_backward=seen[1])


def _estimated(source: FlowSource, a: View, b: View) -> tuple[Tensor, Tensor]:
    """Bool (1, H, W) for each: where no renderer told the motion."""
    if source.name == "vectors" and has_rendered_motion(a, b):
        assert a.vectors is not None and b.vectors is not None
        return a.vectors.valid <= 0, b.vectors.valid <= 0
    everywhere = torch.ones_like(a.image[:1], dtype=torch.bool)
    return everywhere, everywhere
