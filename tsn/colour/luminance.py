"""Luminance, and luma, its like on encoded values."""

from __future__ import annotations

from torch import Tensor

LUMA = (0.2126, 0.7152, 0.0722)
"""Rec. 709 weights of red, green and blue; on style space, which is display-like, as video takes them."""


def luminance(rgb: Tensor) -> Tensor:
    """The weighted sum of (3, H, W), (1, H, W). Not a matmul, whose sums may depend on the threads."""
    return (LUMA[0] * rgb[0] + LUMA[1] * rgb[1] + LUMA[2] * rgb[2])[None]
