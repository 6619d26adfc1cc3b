"""One plate frame in memory, and the pixel rectangles it lives in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `tsn --help` names sequences without ever needing numpy's 0.2 s
    import numpy as np


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, such as a data window: x right, y down, `right` and `bottom` exclusive."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column beyond it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first line below it."""
        return self.y + self.height

    def union(self, other: Box) -> Box:
        """The smallest rectangle that contains both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        return Box(x, y, max(self.right, other.right) - x, max(self.bottom, other.bottom) - y)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The header of a complete, undamaged file.

    Attributes:
        channels: full names, as in `Frame.channels`.
        compression: "zip", "dwaa", ...; "none" for DPX.
        format: "exr", "dpx", or OpenImageIO's name of the format ("png", "tiff", "jpeg").
    """

    data_window: Box
    display_window: Box
    channels: tuple[str, ...]
    compression: str
    format: str


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame as stored, with everything else of its file.

    Attributes:
        path: the file it came from.
        number: frame number.
        rgb: (H, W, 3) on the data window. EXR: float16 or float32 as stored (float32 where R, G and B differ).
            DPX: float32, code / (2^bits - 1).
        alpha: (H, W) as stored, or None. It is written too.
        channels: every flat channel of every part by full name ("ViewLayer.Vector.X"), decoded on first use; (H, W) on
            the data window, NaN (integers: 0) where its own part has no pixels.
        header: attributes of the part that holds the RGB; Cryptomatte manifests of other parts too.
        handle: the format's own data, for its writer only.
        lossy: full names of the float32 channels whose bits a lossy compression has changed.
    """

    path: Path
    number: int
    rgb: np.ndarray
    alpha: np.ndarray | None
    data_window: Box
    display_window: Box
    channels: Mapping[str, np.ndarray]
    header: Mapping[str, object]
    handle: object
    lossy: frozenset[str] = frozenset()


def place(array: np.ndarray, data_window: Box, canvas: Box, *, fill: float = 0) -> np.ndarray:
    """Place the pixels of `data_window` on a canvas: `fill` where there are none, cropped where they exceed it.

    Args:
        array: (H, W) or (H, W, C), H and W those of `data_window`.

    Returns:
        Same dtype, height and width of `canvas`; a new array.
    """
    import numpy as np

    if array.shape[:2] != (data_window.height, data_window.width):
        raise ValueError(f"pixels are {array.shape[:2]}, their window {(data_window.height, data_window.width)}")
    result = np.full((canvas.height, canvas.width, *array.shape[2:]), fill, array.dtype)
    x, y = max(data_window.x, canvas.x), max(data_window.y, canvas.y)
    right, bottom = min(data_window.right, canvas.right), min(data_window.bottom, canvas.bottom)
    if x < right and y < bottom:
        result[y - canvas.y : bottom - canvas.y, x - canvas.x : right - canvas.x] = array[
            y - data_window.y : bottom - data_window.y, x - data_window.x : right - data_window.x
        ]
    return result


def crop(array: np.ndarray, canvas: Box, data_window: Box) -> np.ndarray:
    """The inverse of `place`: the pixels of `data_window` out of those of a canvas."""
    return place(array, canvas, data_window)


def blank_like(frame: Frame, number: int) -> Frame:
    """A black, transparent frame with the windows, header and other channels of `frame`."""
    import numpy as np

    alpha = None if frame.alpha is None else np.zeros_like(frame.alpha)
    return dataclasses.replace(frame, number=number, rgb=np.zeros_like(frame.rgb), alpha=alpha)
