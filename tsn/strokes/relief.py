"""Light on the relief of the paint (impasto)."""

from __future__ import annotations

import cv2
import numpy as np

from tsn.strokes.guides import LUMA


def light_relief(colour: np.ndarray, relief: np.ndarray, strength: float, degrees: float, scale: float) -> np.ndarray:
    """Colour (H, W, 3) with the light on a relief (H, W): slopes towards the light brighten, others darken.

    The light comes from `degrees` anticlockwise from the right. Paint that gets thicker away from it faces it:

    d = -4 strength grad(relief) . light at 360 lines, compressed to d / sqrt(1 + d^2);
    colour (1 + .45 d) + 1.2 max(d - .35, 0)^2 min(luma, 1).
    """
    smooth = cv2.GaussianBlur(relief, (0, 0), 0.6 * max(scale, 0.7), borderType=cv2.BORDER_REPLICATE)
    gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    angle = np.radians(degrees)
    d = 4 * strength * scale * (gy * np.float32(np.sin(angle)) - gx * np.float32(np.cos(angle)))
    d = d / np.sqrt(1 + d * d)
    luma = np.clip(colour @ LUMA, 0, 1)
    bright = 1.2 * np.maximum(d - 0.35, 0) ** 2 * luma
    return colour * (1 + 0.45 * d)[..., None] + bright[..., None]
