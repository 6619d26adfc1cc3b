"""A weighted mix of painters, in style space, with weights that may move over the shot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tsn.errors import UsageError
from tsn.style.painter import Calibration, Painter, Uncalibrated, digest, require_calibration_of

Weight = float | Callable[[int], float]
"""A constant, or a curve: frame number -> weight. A curve's repr must tell its values, as a frozen
dataclass's does: it goes into the fingerprint."""


@dataclass(frozen=True, kw_only=True)
class WeightedPainter:
    painter: Painter
    weight: Weight

    def weight_at(self, number: int) -> float:
        return self.weight(number) if callable(self.weight) else self.weight


def normalised_weights(parts: Sequence[WeightedPainter], number: int) -> list[float]:
    """The weights at a frame, scaled to a sum of 1.

    Raises:
        UsageError: a weight is negative or no number, or all are 0 at this frame.
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
    """A weighted mean of paintings. Painters without weight at a frame are not asked."""

    def __init__(self, parts: Sequence[WeightedPainter]) -> None:
        self.parts = tuple(parts)
        self.name = "+".join(part.painter.name for part in self.parts)
        # Before the lock and after it alike: a survey does not depend on the weights, but it is cheap.
        self.fingerprint = digest("blend", *(t for p in self.parts for t in (p.painter.fingerprint, repr(p.weight))))

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`."""
        asked = [
            (p.painter, share)
            for p, share in zip(self.parts, normalised_weights(self.parts, number), strict=True)
            if share
        ]
        if len(asked) == 1:
            return asked[0][0].paint(image, number)
        mixed = torch.zeros_like(image)
        for painter, share in asked:
            mixed += share * painter.paint(image, number)
        return mixed.clamp_(0, 1)


class UncalibratedBlendPainter(BlendPainter):
    """A blend where one painter at least wants a survey; the survey holds one for each that does."""

    def calibrate(self, images: Iterable[Tensor]) -> Calibration:
        """See `Uncalibrated.calibrate`; holds all frames, since each painter must see them all.

        The mean of a painter's surveys of single frames need not be its survey of them together: where it keeps the
        plate's colours, `ArbitraryPainter` measures what it paints of each frame by the statistics of all.
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
                head = f"{index}/"
                own = {k.removeprefix(head): v for k, v in calibration.tensors.items() if k.startswith(head)}
                painter = painter.frozen(Calibration(painter_fingerprint=painter.fingerprint, tensors=own))
            parts.append(WeightedPainter(painter=painter, weight=part.weight))
        return BlendPainter(parts)


def blend_painters(parts: Sequence[WeightedPainter]) -> Painter:
    """A blend, unlocked if any of its painters is. Raises UsageError where there are none."""
    if not parts:
        raise UsageError("A blend needs one style at least, as in {blend: {great-wave: 0.7, auvers: 0.3}}.")
    uncalibrated = any(isinstance(part.painter, Uncalibrated) for part in parts)
    return UncalibratedBlendPainter(parts) if uncalibrated else BlendPainter(parts)
