"""Paint at another resolution than the plate's (`style.scale`), to change the size of the strokes.

The strokes of a net have a size in pixels. A shot that was designed on a 1080p proxy and is rendered in 4K keeps its
look with `scale: 0.5`; `scale: 2` gives finer strokes than the net was trained for.
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
    """Resize (C, H, W), bicubic, without aliasing, clamped to [0, 1]; `image` itself if it has that size."""
    if image.shape[-2:] == (height, width):
        return image
    resized = F.interpolate(image[None], size=(height, width), mode="bicubic", antialias=True, align_corners=False)
    return resized[0].clamp(0, 1)


class ScaledPainter:
    """Paints a frame resized to round(H * scale) x round(W * scale), and resizes the result back.

    Args:
        painter: what paints.
        scale: above 0.
    """

    def __init__(self, painter: Painter, scale: float) -> None:
        self.painter = painter
        self.scale = scale
        self.name = painter.name
        self.fingerprint = digest("scaled", repr(scale), painter.fingerprint)

    def _resized(self, image: Tensor) -> Tensor:
        height, width = (max(1, round(size * self.scale)) for size in image.shape[-2:])
        return resize(image, height, width)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`."""
        return resize(self.painter.paint(self._resized(image), number), image.shape[-2], image.shape[-1])


class UncalibratedScaledPainter(ScaledPainter):
    """The same around an uncalibrated painter, which is calibrated at the size at which it paints."""

    painter: Uncalibrated

    def calibrate(self, images: Iterable[Tensor]) -> Calibration:
        """See `Uncalibrated.calibrate`."""
        return replace(
            self.painter.calibrate(map(self._resized_with_coverage, images)), painter_fingerprint=self.fingerprint
        )

    def _resized_with_coverage(self, image: Tensor) -> Tensor:
        """Resize (3, H, W), or (4, H, W) with coverage so that the void does not bleed into the border of an element.

        As with premultiplied pictures, colours are multiplied by coverage before, and divided after.
        """
        if len(image) == 3:
            return self._resized(image)
        coverage = image[3:]
        resized = self._resized(torch.cat([image[:3] * coverage, coverage]))
        covered = resized[3:] >= MIN_COVERAGE
        colours = torch.where(covered, resized[:3] / resized[3:].clamp(min=MIN_COVERAGE), 0.0).clamp(0, 1)
        return torch.cat([colours, resized[3:] * covered])

    def frozen(self, calibration: Calibration) -> Painter:
        """See `Uncalibrated.frozen`."""
        require_calibration_of(self, calibration)
        return ScaledPainter(
            self.painter.frozen(replace(calibration, painter_fingerprint=self.painter.fingerprint)), self.scale
        )


def scale_painter(painter: Painter, scale: float) -> Painter:
    """Let `painter` paint at another scale: `painter` itself at 1. Raises UsageError unless 0 < scale."""
    if not scale > 0:
        raise UsageError(f"style.scale must be above 0, got {scale}.")
    if scale == 1:
        return painter
    return (
        UncalibratedScaledPainter(painter, scale)
        if isinstance(painter, Uncalibrated)
        else ScaledPainter(painter, scale)
    )
