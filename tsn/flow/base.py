"""The contract of every source of motion, and the motion between two frames.

Flow: float32 (2, H, W), pixels, x right, y down. The point at p in frame a is at p + flow(p) in frame b.
Visibility: float32 (1, H, W) in [0, 1]; 0 = not visible in the other frame (occluded, out of frame).
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
    """A renderer's motion vectors of one frame, converted to our flow contract.

    Attributes:
        to_previous: flow to the frame before, or None where the layer has only the other direction.
        to_next: flow to the frame after, or None.
        valid: float32 (1, H, W), 0 where the renderer wrote no motion (world background).
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
        vectors: the renderer's motion, if the plate has it.
    """

    number: int
    image: Tensor
    vectors: RenderedVectors | None = None

    @cached_property
    def key(self) -> str:
        """Hash of the picture, which is an estimator's whole input; for the cache."""
        return hashlib.blake2b(self.image.cpu().numpy().tobytes(), digest_size=20).hexdigest()


class FlowSource(Protocol):
    """A source of the motion between two neighbouring frames: rendered vectors or an estimator."""

    name: str
    """What messages and the header's `tsn:flow` call it. `vectors` means rendered motion: its visibility is computed,
    that of every estimator is predicted by `tsn.flow.nets.occlusion`."""
    fingerprint: str
    """Changes whenever the result could: it contains method and its version, hash of the weights, versions of
    libraries, device and precision, and settings. Cache and plan add the CPU's instruction set."""

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        """Flow a->b on a's grid and b->a on b's grid, each float32 (2, H, W), pixels, on the images' device.

        `b` is the next frame that is rendered, which may be several numbers later (1001-1050x2). The result depends on
        nothing but the two views, is the same at any number of threads, and finite: a render stops at what is not.

        Raises:
            DeviceError: memory is short.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Motion between frame a and its follower b, in both directions.

    Attributes:
        forward: flow a->b, (2, H, W), pixels.
        backward: flow b->a, (2, H, W), pixels.
        visibility_forward: visibility of a's pixels in b, (1, H, W) in [0, 1].
        visibility_backward: visibility of b's pixels in a, (1, H, W) in [0, 1].
    """

    forward: Tensor
    backward: Tensor
    visibility_forward: Tensor
    visibility_backward: Tensor


def has_rendered_motion(a: View, b: View) -> bool:
    """Whether rendered vectors give the motion of this pair, in one direction at least.

    Vectors span one frame, so they do not apply across the gap in a stepped range (1001-1050x2).
    """
    if a.vectors is None or b.vectors is None or b.number - a.number != 1:
        return False
    return a.vectors.to_next is not None or b.vectors.to_previous is not None


def motion_between(source: FlowSource, a: View, b: View, *, forward_only: bool = False) -> Motion:
    """Flow in both directions, with visibility.

    Where a renderer gave the motion, visibility is the forward-backward check; elsewhere a net predicts it.

    Args:
        forward_only: for who needs a's pixels in b only: visibility of b's in a is the check alone, which costs little.
    """
    forward, backward = source.pair(a, b)
    visible = visibility(forward, backward), visibility(backward, forward)
    masks = _estimated(source, a, b)
    if forward_only:
        masks = masks[0], torch.zeros_like(masks[1])
    if any(bool(mask.any()) for mask in masks):
        predicted = occlusion.estimate_visibility((a.image, b.image), (forward, backward), masks)
        visible = torch.where(masks[0], predicted[0], visible[0]), torch.where(masks[1], predicted[1], visible[1])
    return Motion(forward=forward, backward=backward, visibility_forward=visible[0], visibility_backward=visible[1])


def _estimated(source: FlowSource, a: View, b: View) -> tuple[Tensor, Tensor]:
    """Bool (1, H, W) for each frame: where its motion is estimated, not rendered."""
    if source.name == "vectors" and has_rendered_motion(a, b):
        assert a.vectors is not None and b.vectors is not None
        return a.vectors.valid <= 0, b.vectors.valid <= 0
    everywhere = torch.ones_like(a.image[:1], dtype=torch.bool)
    return everywhere, everywhere
