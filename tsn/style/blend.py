"""Blends of painters: a weighted mean in style space, with weights that may change over the shot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tsn.errors import UsageError
from tsn.style.painter import Calibration, Painter, Uncalibrated, digest, require_calibration_of

Weight = float | Callable[[int], float]
"""A constant, or a curve from frame numbers to weights. The repr of a curve goes into the fingerprint: it must contain
its values, as that of a frozen dataclass does."""


@dataclass(frozen=True, kw_only=True)
class WeightedPainter:
    """One painter of a blend, and its weight: 0 or more, of any sum."""

    painter: Painter
    weight: Weight

    def weight_at(self, number: int) -> float:
        """The weight at a frame."""
        return self.weight(number) if callable(self.weight) else self.weight


def normalised_weights(parts: Sequence[WeightedPainter], number: int) -> list[float]:
    """The weights at a frame, scaled to a sum of 1.

    Raises:
        UsageError: a weight is negative or not finite, or all are 0.
    """
    weights = [part.weight_at(number) for part in parts]
    for part, weight in zip(parts, weights, strict=True):
        if not 0 <= weight < float("inf"):
            raise UsageError(
                f"Frame {number}: the blend weight of {part.painter.name!r} must be 0 or more, got {weight}."
            )
    total = sum(weights)
    if total == 0:
        raise UsageError(
            f"Frame {number}: all blend weights are 0 ({', '.join(part.painter.name for part in parts)}).",
            hint="To fade the style out, move style.strength.",
        )
    return [weight / total for weight in weights]


class BlendPainter:
    """Weighted mean of what its painters paint; those with weight 0 at a frame do not run."""

    def __init__(self, parts: Sequence[WeightedPainter]) -> None:
        self.parts = tuple(parts)
        self.name = "+".join(part.painter.name for part in self.parts)
        # The weights are in the fingerprint of an uncalibrated blend as well. Its calibration does not depend on
        # them, but to take it again is cheap.
        self.fingerprint = digest("blend", *(t for p in self.parts for t in (p.painter.fingerprint, repr(p.weight))))

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`."""
        weighted = [
            (p.painter, share)
            for p, share in zip(self.parts, normalised_weights(self.parts, number), strict=True)
            if share
        ]
        if len(weighted) == 1:
            return weighted[0][0].paint(image, number)
        mixed = torch.zeros_like(image)
        for painter, share in weighted:
            mixed += share * painter.paint(image, number)
        return mixed.clamp_(0, 1)


class UncalibratedBlendPainter(BlendPainter):
    """A blend in which at least one painter is uncalibrated; its calibration holds those of all such painters."""

    def calibrate(self, images: Iterable[Tensor]) -> Calibration:
        """See `Uncalibrated.calibrate`; keeps all frames in memory, since each painter needs all of them at once.

        Calibrations on single frames could not be averaged: `ArbitraryPainter` with the plate's colours measures what
        it paints of each frame with the statistics of all.
        """
        frames = list(images)
        tensors = {
            f"{index}/{name}": tensor
            for index, part in enumerate(self.parts)
            if isinstance(part.painter, Uncalibrated)
            for name, tensor in part.painter.calibrate(frames).tensors.items()
        }
        return Calibration(painter_fingerprint=self.fingerprint, tensors=tensors)

    def frozen(self, calibration: Calibration) -> Painter:
        """See `Uncalibrated.frozen`."""
        require_calibration_of(self, calibration)
        parts = []
        for index, part in enumerate(self.parts):
            painter: Painter = part.painter
            if isinstance(painter, Uncalibrated):
                prefix = f"{index}/"
                own = {k.removeprefix(prefix): v for k, v in calibration.tensors.items() if k.startswith(prefix)}
                painter = painter.frozen(Calibration(painter_fingerprint=painter.fingerprint, tensors=own))
            parts.append(WeightedPainter(painter=painter, weight=part.weight))
        return BlendPainter(parts)


def blend_painters(parts: Sequence[WeightedPainter]) -> Painter:
    """Blend painters; the result is `Uncalibrated` if one of them is. Raises UsageError if there are none."""
    if not parts:
        raise UsageError("A blend needs at least one style, as in {blend: {great-wave: 0.7, tarascon: 0.3}}.")
    uncalibrated = any(isinstance(part.painter, Uncalibrated) for part in parts)
    return UncalibratedBlendPainter(parts) if uncalibrated else BlendPainter(parts)
