"""What the thickness of the paint does to its colour: light on the relief (impasto), pigment that gathers."""

from __future__ import annotations

import cv2
import numpy as np

from tsn.strokes.blur import blur
from tsn.strokes.easing import ramp
from tsn.strokes.luma import luma_of
from tsn.strokes.stroke_colour import BRIGHT

NORMAL_PX = 2.0
"""Pixels at 360 lines that paint of height 1 is thick, for its normals."""
POOL_PX = 8.0
"""Of a Gaussian, at 360 lines: how far pigment goes to the rim of a stroke."""


def light_relief(colour: np.ndarray, relief: np.ndarray, strength: float, degrees: float, scale: float) -> np.ndarray:
    """Colour (H, W, 3) with the light on a relief (H, W): slopes towards the light brighten, others darken.

    The light comes from `degrees` anticlockwise from the right. Paint that gets thicker away from it faces it:

    d = -4 strength grad(relief) . light at 360 lines, compressed to d / sqrt(1 + d^2);
    colour (1 + .45 d) + 1.2 max(d - .35, 0)^2 min(luma, 1). Light in highlights has no relief.
    """
    smooth = cv2.GaussianBlur(relief, (0, 0), 0.6 * max(scale, 0.7), borderType=cv2.BORDER_REPLICATE)
    gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    angle = np.radians(degrees)
    d = 4 * strength * scale * (gy * np.float32(np.sin(angle)) - gx * np.float32(np.cos(angle)))
    d = d / np.sqrt(1 + d * d) * (1 - ramp(colour.max(2), 1, BRIGHT))
    luma = np.clip(luma_of(colour), 0, 1)
    bright = 1.2 * np.maximum(d - 0.35, 0) ** 2 * luma
    return colour * (1 + 0.45 * d)[..., None] + bright[..., None]


def pool_pigment(colour: np.ndarray, thickness: np.ndarray, strength: float, scale: float) -> np.ndarray:
    """Colour (H, W, 3) of transparent paint: where more pigment gathers than around it, more light is absorbed.

    By Beer and Lambert, colour^(1 + strength (thickness - mean thickness)): broad tones stay, white paper stays white.
    Values above 1 stay as they are.

    Args:
        thickness: (H, W), of the paint; its mean is taken over `POOL_PX`.
        strength: 0 = opaque paint, which looks the same at any thickness.
        scale: the plate's lines over those of which lengths are given.
    """
    if not strength:
        return colour
    power = np.clip(1 + strength * (thickness - blur(thickness, POOL_PX * scale)), 0.3, 4)[..., None]
    return np.where(colour < 1, np.clip(colour, 0, 1) ** power, colour)


def surface_normals(relief: np.ndarray, scale: float) -> np.ndarray:
    """Normals (3, H, W) of length 1 of a relief (H, W): x right, y up, z towards the viewer; flat paint is (0, 0, 1).

    One unit of height counts as `NORMAL_PX` pixels of a plate of 360 lines; `scale` is the plate's lines over those.
    """
    factor = NORMAL_PX * scale / 8
    gx = cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=factor, borderType=cv2.BORDER_REPLICATE)
    gy = cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=factor, borderType=cv2.BORDER_REPLICATE)
    length = np.sqrt(gx * gx + gy * gy + 1)
    return np.stack([-gx / length, gy / length, 1 / length])
