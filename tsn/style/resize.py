"""Paint at another resolution, so that strokes keep their size when the plate grows.

A net's strokes have a size in pixels. A shot designed on a 1080p proxy and rendered in 4K keeps its look
with `scale: 0.5`; `scale: 2` gives finer strokes than the net was trained for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.alpha import MIN_COVERAGE
from tsn.errors import UsageError
from tsn.style.painter import Calibration, Painter, Uncalibrated, digest, require_calibration_of


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Bicubic, with the kernel widened on the way down (no aliasing), clamped to [0, 1]; (3, H, W)."""
    if image.shape[-2:] == (height, width):
        return image
    sized = F.interpolate(image[None], size=(height, width), mode="bicubic", antialias=True, align_corners=False)
    return sized[0].clamp(0, 1)


class ScaledPainter:
    """A painter at round(H * scale) x round(W * scale), and back."""

    def __init__(self, painter: Painter, scale: float) -> None:
        self.painter = painter
        self.scale = scale
        self.name = painter.name
        self.fingerprint = digest("scaled", repr(scale), painter.fingerprint)

    def _sized(self, image: Tensor) -> Tensor:
        height, width = (max(1, round(size * self.scale)) for size in image.shape[-2:])
        return resize(image, height, width)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`."""
        return resize(self.painter.paint(self._sized(image), number), image.shape[-2], image.shape[-1])


class UncalibratedScaledPainter(ScaledPainter):
    """The same around an unlocked painter: it surveys at the size it paints."""

    painter: Uncalibrated

    def calibrate(self, images: Iterable[Tensor]) -> Calibration:
        """See `Uncalibrated.calibrate`."""
        return replace(self.painter.calibrate(map(self._seen, images)), painter_fingerprint=self.fingerprint)

    def _seen(self, image: Tensor) -> Tensor:
        """A frame as it is surveyed: the colours of what counts, without the void beside it mixed into its border."""
        if len(image) == 3:
            return self._sized(image)
        cover = image[3:]
        mixed = self._sized(torch.cat([image[:3] * cover, cover]))
        there = mixed[3:] >= MIN_COVERAGE
        colours = torch.where(there, mixed[:3] / mixed[3:].clamp(min=MIN_COVERAGE), 0.0).clamp(0, 1)
        return torch.cat([colours, mixed[3:] * there])

    def frozen(self, calibration: Calibration) -> Painter:
        """See `Uncalibrated.frozen`."""
        require_calibration_of(self, calibration)
        return ScaledPainter(
            self.painter.frozen(replace(calibration, painter_fingerprint=self.painter.fingerprint)), self.scale
        )


def scale_painter(painter: Painter, scale: float) -> Painter:
    """`painter` itself at scale 1; unlocked if it is. Raises UsageError unless 0 < scale."""
    if not scale > 0:
        raise UsageError(f"style.scale must be above 0, got {scale}.")
    if scale == 1:
        return painter
    return (
        UncalibratedScaledPainter(painter, scale)
        if isinstance(painter, Uncalibrated)
        else ScaledPainter(painter, scale)
    )
