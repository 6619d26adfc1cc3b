"""Strokes as a painter: what the rest of the engine knows of them (name, fingerprint, calibration)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from tsn.strokes.brush import make_tips
from tsn.strokes.frame import StrokeFrame
from tsn.strokes.palette import ColourStatistics, Palette, colour_statistics
from tsn.strokes.preset import Preset
from tsn.strokes.stroke_window import StrokeWindow
from tsn.style.painter import Calibration, Painter, digest, require_calibration_of

METHOD = "strokes-2"
"""Version of the pixels that strokes make; part of the fingerprint, so frames of an older tsn are stale."""


class StrokePainter:
    """Brush strokes of a preset.

    Args:
        preset: kind of paint.
        name: of the preset, for messages.
        palette: changes the colours (n, 3) of strokes; None keeps the plate's.

    Raises:
        InputError: a scanned brush can't be read, or is empty.
    """

    def __init__(
        self,
        preset: Preset,
        *,
        name: str,
        palette: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        make_tips(preset.layers, preset.brush)  # a brush that can't be read stops the shot here
        self.preset, self.palette = preset, palette
        self.name, self.fingerprint = name, digest(METHOD, preset.fingerprint)

    def window(
        self, *, radius: int, height: int, width: int, lines: int, origin: tuple[int, int], held: int
    ) -> StrokeWindow:
        """A window that paints a shot; the arguments are those of `StrokeWindow`."""
        return StrokeWindow(
            self.preset,
            radius=radius,
            height=height,
            width=width,
            lines=lines,
            origin=origin,
            palette=self.palette,
            held=held,
        )

    def paint(self, image: Tensor, number: int) -> Tensor:
        """A frame by itself, without the strokes of its neighbours; see `Painter.paint`."""
        height, width = image.shape[-2:]
        window = self.window(radius=0, height=height, width=width, lines=height, origin=(0, 0), held=0)
        window.add(0, StrokeFrame(number=number, picture=image.cpu().numpy()), None)
        return torch.from_numpy(window.paint(0).colour).to(image.device)


class PaletteStrokePainter(StrokePainter):
    """Strokes in the colours of a painting; calibrated on the colours of the shot (see `Uncalibrated`).

    Args:
        painting: (3, H, W) in [0, 1].
        painting_sha256: of its file.
    """

    def __init__(self, preset: Preset, *, name: str, painting: np.ndarray, painting_sha256: str) -> None:
        super().__init__(preset, name=name)
        self._painting = painting
        self.fingerprint = digest(self.fingerprint, "palette-2", painting_sha256)

    def calibrate(self, images: Iterable[Tensor]) -> Calibration:
        """The statistics of the shot's colours."""
        found = colour_statistics(image.cpu().numpy() for image in images)
        tensors = {key: torch.from_numpy(getattr(found, key)) for key in ColourStatistics.__dataclass_fields__}
        return Calibration(painter_fingerprint=self.fingerprint, tensors=tensors)

    def frozen(self, calibration: Calibration) -> Painter:
        """The painter with its palette fixed for the shot."""
        require_calibration_of(self, calibration)
        arrays = {key: calibration.tensors[key].numpy() for key in ColourStatistics.__dataclass_fields__}
        palette = Palette(ColourStatistics(**arrays), colour_statistics([self._painting]), self._painting)
        painter = StrokePainter(self.preset, name=self.name, palette=palette)
        painter.fingerprint = digest(self.fingerprint, calibration.fingerprint)
        return painter
