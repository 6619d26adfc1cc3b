"""A CG plate made without a renderer: textured layers that move, their true vectors and their depth."""

from __future__ import annotations

from math import cos, sin
from pathlib import Path

import cv2
import numpy as np
import OpenEXR


class LayeredPlate:
    """Ground and two discs of texture under a panning camera, and a world behind them that has no vectors.

    So the renderer must fill a third of the frame by estimated flow, as in most CG shots.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        rng = np.random.default_rng(1)
        self.textures = [_texture(rng, 1024) for _ in range(4)]

    def write_frames(self, folder: Path, count: int) -> None:
        """Write `plate.0001.exr` and so on, `count` frames."""
        for number in range(1, count + 1):
            self.write(folder / f"plate.{number:04}.exr", number)

    def _places(self, number: float) -> list[tuple[float, float]]:
        """How far world, ground and the discs have moved by a frame, in pixels (x, y)."""
        unit = self.width / 640
        pan = 2.7 * number * unit
        disc = 60 * unit
        return [
            (-0.4 * pan, 0.0),
            (-pan, 0.3 * number * unit),
            (disc * cos(number / 13), disc * sin(number / 13)),
            (-1.6 * disc * sin(number / 19), 0.5 * disc * cos(number / 11)),
        ]

    def write(self, path: Path, number: int) -> None:
        """Write one multilayer EXR: Combined RGBA, Depth and Vector by Blender's convention, half, ZIP."""
        height, width = self.height, self.width
        y, x = np.mgrid[:height, :width].astype(np.float32)
        before, now, after = (self._places(number + step) for step in (-1, 0, 1))
        colour = np.zeros((height, width, 3), np.float32)
        depth, vector = np.full((height, width), 65504, np.float32), np.zeros((4, height, width), np.float32)
        for layer, (left, top) in enumerate(now):
            if layer == 0:
                inside = np.ones((height, width), bool)
            elif layer == 1:
                inside = y > height / 3 + 0.03 * height * np.sin((x - left) * 12 / width)
            else:
                centre = width * (0.3 if layer == 2 else 0.65), height * 0.5
                inside = np.hypot(x - left - centre[0], y - top - centre[1]) < height / 6
            side = self.textures[layer].shape[0]
            at = (x - left) % side, (y - top) % side
            texture = cv2.remap(self.textures[layer], *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
            colour[inside] = texture[inside]
            if layer:
                depth[inside] = 20 / layer
                (px, py), (nx, ny) = before[layer], after[layer]
                vector[:, inside] = np.array([px - left, top - py, left - nx, ny - top], np.float32)[:, None]
        channels = {f"ViewLayer.Combined.{c}": colour[..., i] for i, c in enumerate("RGB")}
        channels["ViewLayer.Combined.A"] = np.ones_like(depth)
        channels["ViewLayer.Depth.Z"] = depth
        channels |= {f"ViewLayer.Vector.{c}": vector[i] for i, c in enumerate("XYZW")}
        header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
        halves = {name: np.ascontiguousarray(values.astype(np.float16)) for name, values in channels.items()}
        OpenEXR.File(header, halves).write(str(path))


def _texture(rng: np.random.Generator, side_px: int) -> np.ndarray:
    """Tileable noise with more energy in its broad shapes, scene-linear (side, side, 3), with values to about 10."""
    frequency = np.hypot(np.fft.fftfreq(side_px)[:, None], np.fft.rfftfreq(side_px)[None]) * side_px
    spectrum = np.fft.rfft2(rng.normal(size=(3, side_px, side_px))) / np.maximum(frequency, 4)
    field = np.fft.irfft2(spectrum, (side_px, side_px))
    return np.exp(field / field.std() - 1.5).transpose(1, 2, 0).astype(np.float32)
