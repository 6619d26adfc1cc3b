"""Read key frames that somebody painted, from pictures as they are displayed (PNG, TIFF, JPEG)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tsn.errors import InputError
from tsn.io.downscaled import read_downscaled
from tsn.style.resize import resize

MAX_PIXELS = 2**26
"""Larger keys are reduced while they are read: 8K whole."""
MAX_ASPECT_ERROR = 0.02
"""Largest relative difference between the aspect ratios of a key and of the plate's display window."""
MIN_ALPHA = 1 / 1024
"""Less alpha than this shows no colour: a key's colour there is not used."""


def read_painted(path: Path, *, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Read a key at the size of the plate's display window, whatever multiple or proxy of it was painted over.

    Returns:
        Its colours, straight (not multiplied by alpha), style space (3, height, width), and its alpha
        (1, height, width) in [0, 1], 1 where the file has none.

    Raises:
        InputError: missing, damaged, no picture, or of another shape than the plate.
    """
    picture = read_downscaled(path, max_pixels=MAX_PIXELS, admit=_same_shape(path, height, width))
    rgb = resize(_channels_first(picture.rgb), height, width)
    if picture.alpha is None:
        return rgb, torch.ones(1, height, width)
    alpha = resize(_channels_first(picture.alpha), height, width)
    return (rgb / alpha.clamp(min=MIN_ALPHA)).clamp(0, 1), alpha


def read_matte(path: Path, *, height: int, width: int) -> Tensor:
    """Read the matte of a key: its brightness times its alpha, (1, height, width) in [0, 1].

    Raises:
        InputError: as `read_painted`.
    """
    picture = read_downscaled(path, max_pixels=MAX_PIXELS, admit=_same_shape(path, height, width))
    return resize(_channels_first(picture.rgb).mean(0, keepdim=True), height, width)


def _same_shape(path: Path, height: int, width: int) -> Callable[[int, int], None]:
    def admit(lines: int, columns: int) -> None:
        require_shape(path, lines, columns, height=height, width=width)

    return admit


def require_shape(path: Path, lines: int, columns: int, *, height: int, width: int) -> None:
    """Raise InputError where a key of `lines` x `columns` pixels has not the proportions of the plate."""
    if abs(columns * height / (lines * width) - 1) > MAX_ASPECT_ERROR:
        raise InputError(
            f"The key {path} has {columns}x{lines} pixels, other proportions than the plate's display window"
            f" {width}x{height}.",
            hint="Paint over the whole frame, at the plate's size or a multiple of it: `tsn key` exports it.",
        )


def _channels_first(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, 0)))
