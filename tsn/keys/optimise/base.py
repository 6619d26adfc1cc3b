"""What a method of painting keys gets and gives: scales from coarse to fine, each starting from the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from tsn.style.nets.vgg import VGGFeatures

Step = Callable[[int, int], None]
"""Called after every step of the optimiser with the number done and their total at this scale. May raise, to stop."""


@dataclass(frozen=True, kw_only=True)
class KeySettings:
    """How a key is painted.

    Attributes:
        method: a name in `tsn.keys.optimise.painting.METHODS`.
        content: how strongly the plate's forms hold; 1 = as measured to be readable and still painted, 0 = free.
        stroke_size: size of the painting relative to the plate, both by their lines: 2 = strokes twice as large.
        colours: of the painting, or kept from the plate.
        height: lines that are painted at most; a plate with more is painted smaller and brought up.
        effort: factor on the number of steps.
    """

    method: str = "nearest-neighbours"
    content: float = 1.0
    stroke_size: float = 1.0
    colours: Literal["painting", "plate"] = "painting"
    height: int = 720
    effort: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One scale of the work; all pictures in style space, in [0, 1], on the device of the net.

    Attributes:
        plate: (3, h, w), void filled with the colours around it.
        recoloured: the plate in the colours that are wanted.
        paintings: each (3, ?, ?), at the size at which its strokes are taken.
        shares: of each painting, above 0; their sum is 1.
        index: 0 for the coarsest.
        count: of the scales.
    """

    plate: Tensor
    recoloured: Tensor
    paintings: tuple[Tensor, ...]
    shares: tuple[float, ...]
    index: int
    count: int


class Method(Protocol):
    """A way of painting a picture by optimisation."""

    version: str
    """Changed when its pixels change: a key that was begun by another version is begun anew."""

    def precision(self, device: torch.device) -> torch.dtype:
        """The type of the net's numbers."""
        ...

    def divisors(self, lines: int) -> tuple[int, ...]:
        """The scales of a picture of this many lines: its height over each of these."""
        ...

    def steps(self, index: int, effort: float) -> int:
        """The steps of the scale with this index."""
        ...

    def paint(self, scale: Scale, before: Tensor | None, net: VGGFeatures, settings: KeySettings, step: Step) -> Tensor:
        """Paint one scale.

        Args:
            before: the picture of the scale before, brought to this one's size; None at the first.

        Returns:
            (3, h, w) in [0, 1].
        """
        ...


def fast_type(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it faster than float32, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    native = device.type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16", False)
    return torch.bfloat16 if native else torch.float32
