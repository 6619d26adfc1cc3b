"""Patches of guided frames: where they are cut, and the tensors they become.

A net that sees patches cannot learn by heart where in the key things are, only what they look like; so it paints the
other frames too (Texler et al. 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.errors import InputError
from tsn.keys.frame import GuidedFrame, Key
from tsn.keys.net import KeyNet

CELL = 4
"""Pixels: patches lie in cells of this side where `place` is asked to align them, and their sides are multiples."""

CENTRE_PX = 8
"""Side of the cells from which centres of patches are drawn."""


@dataclass(frozen=True, kw_only=True)
class Patches:
    """A batch of patches; the names are those of `GuidedFrame`, each with an axis N in front.

    Attributes:
        target: the key's paint, (N, 3, S, S); the plate where there is no key.
        weight: how much each pixel counts, (N, 1, S, S): weight of the key times cover.
    """

    picture: Tensor
    guides: Tensor
    carried: Tensor
    confidence: Tensor
    target: Tensor
    weight: Tensor


def counted(frame: GuidedFrame, key: Key | None = None) -> Tensor:
    """How much each pixel counts, (1, H, W) in [0, 1]."""
    weight = torch.ones_like(frame.confidence) if key is None else key.weight
    return weight if frame.cover is None else weight * frame.cover


def centres(wanted: Tensor) -> Tensor:
    """Where centres of patches are wanted, for `place`: means of (1, H, W), not negative, over `CENTRE_PX` pixels."""
    step = min(CENTRE_PX, *wanted.shape[-2:])
    return F.avg_pool2d(wanted[None], step, CENTRE_PX, ceil_mode=True)[0, 0].double().cpu()


def place(
    cells: Tensor, size: tuple[int, int], side: int, generator: torch.Generator, *, align: bool = False
) -> tuple[int, int]:
    """Draw where a patch is cut: (top, left).

    Args:
        cells: from `centres`, somewhere above 0.
        size: H and W of the frame.
        side: of the patch, at most H and W.
        generator: on the CPU.
        align: to multiples of `CELL`.
    """
    drawn = int(torch.multinomial(cells.flatten(), 1, generator=generator))
    jitter = torch.randint(CENTRE_PX, (2,), generator=generator)
    corners = []
    for cell, offset, length in zip(divmod(drawn, cells.shape[1]), jitter.tolist(), size, strict=True):
        corner = max(0, min(cell * CENTRE_PX + offset - side // 2, length - side))
        corners.append(corner // CELL * CELL if align else corner)
    return corners[0], corners[1]


def cut(frame: GuidedFrame, key: Key | None, corner: tuple[int, int], side: int) -> Patches:
    """Cut one patch, N = 1."""
    window = (slice(None), slice(corner[0], corner[0] + side), slice(corner[1], corner[1] + side))
    return Patches(
        picture=frame.picture[window][None],
        guides=frame.guides[window][None],
        carried=frame.carried[window][None],
        confidence=frame.confidence[window][None],
        target=(frame.picture if key is None else key.paint)[window][None],
        weight=counted(frame, key)[window][None],
    )


def join(patches: Sequence[Patches]) -> Patches:
    """One batch of several, channels last, as convolutions of bfloat16 are fastest."""
    names = Patches.__annotations__
    joined = {name: torch.cat([getattr(one, name) for one in patches]) for name in names}
    return Patches(**{name: x.contiguous(memory_format=torch.channels_last) for name, x in joined.items()})


def patch_side(frames: Sequence[GuidedFrame], side: int) -> int:
    """The largest side up to `side` that fits into every frame, a multiple of `CELL` and of the net's stride.

    Raises:
        InputError: a frame is smaller than two strides.
    """
    smallest = min(frames, key=lambda frame: min(frame.picture.shape[-2:])).picture
    fitting = min(side, *smallest.shape[-2:]) // CELL * CELL
    if fitting < 2 * KeyNet.stride:
        raise InputError(
            f"Frames of {smallest.shape[2]} x {smallest.shape[1]} pixels are too small to learn from: expected at least"
            f" {2 * KeyNet.stride} on each side."
        )
    return fitting
