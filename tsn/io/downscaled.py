"""Reads pictures of any size, such as a museum's scan of a painting, line by line and scales them down on the way.

Memory depends on the pixels that are requested, not on those of the file: a scan of a billion pixels takes as much as a
photo.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsn.errors import InputError
from tsn.io import image

MAX_SOURCE_PIXELS = 2**30
"""Larger files are refused: 32768 x 32768."""
LINES_PER_READ = 64
"""How many lines are decoded at a time."""


@dataclass(frozen=True, kw_only=True)
class DownscaledImage:
    """A display-referred picture.

    Attributes:
        rgb: float32 (H, W, 3) in [0, 1]; where there is alpha, multiplied by it.
        alpha: float32 (H, W, 1) in [0, 1], or None.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None


def read_downscaled(path: Path, *, max_pixels: int, admit: Callable[[int, int], None]) -> DownscaledImage:
    """Read a picture at its own size, or at the largest fraction 1/k of it that has at most `max_pixels` pixels.

    Each pixel is the mean of k x k; up to k - 1 lines and columns at the end are left out.

    Args:
        admit: called with height and width before anything is decoded; it may raise to refuse the picture.

    Raises:
        InputError: missing, damaged, not a picture, an animation, larger than `MAX_SOURCE_PIXELS`, or of scene-linear
            or log values.
    """
    with image.open_image(path) as source:
        spec = source.spec()
        if spec.get_int_attribute("oiio:Movie"):
            raise InputError(
                f"{path} is an animation; expected a single picture.", hint="Save one frame of it as PNG or JPEG."
            )
        admit(*image.upright_size(source))
        if spec.width * spec.height > MAX_SOURCE_PIXELS:
            raise image.too_large(path, spec.height, spec.width, f"{MAX_SOURCE_PIXELS:,} pixels")
        k = max(1, math.ceil(math.sqrt(spec.width * spec.height / max_pixels)))
        names = list(spec.channelnames)
        alpha = names.index("A") if "A" in names[1:] else None
        colours = [0, 1, 2] if len(names) - (alpha is not None) >= 3 else [0, 0, 0]
        kept = [*colours, *([] if alpha is None else [alpha])]
        read = np.empty((spec.height // k, spec.width // k, len(kept)), np.float32)
        done, rest = 0, np.empty((0, spec.width, len(kept)), np.float32)
        for lines in _lines(source, path):
            block = np.concatenate([rest, image.clip_to_unit(lines[..., kept])])
            if alpha is not None and spec.get_int_attribute("oiio:UnassociatedAlpha"):
                block[len(rest) :, :, :3] *= block[len(rest) :, :, 3:]
            count = len(block) // k
            read[done : done + count] = _means(block[: count * k, : read.shape[1] * k], k)
            done, rest = done + count, block[count * k :]
        turned = image.apply_orientation(read, image.orientation(source))
    return DownscaledImage(rgb=turned[..., :3], alpha=None if alpha is None else turned[..., 3:])


def _means(block: np.ndarray, k: int) -> np.ndarray:
    """Means over k x k pixels of (n k, m k, C); the order of the sum is the same on every host."""
    if k == 1:
        return block
    height, width, count = block.shape
    lines = block.reshape(height // k, k, width, count).sum(1, dtype=np.float64)
    return (lines.reshape(height // k, width // k, k, count).sum(2) / k**2).astype(np.float32)


def _lines(source: Any, path: Path) -> Iterator[np.ndarray]:
    """All lines in blocks of float32 (n, W, C)."""
    spec = source.spec()
    width, height, count = spec.width, spec.height, spec.nchannels
    step = spec.tile_height or LINES_PER_READ
    if spec.get_string_attribute("planarconfig") == "separate" and not spec.tile_width:
        # Read line by line, each plane would be decoded from its start for every block.
        if spec.image_bytes() > image.WHOLE_LIMIT_MB << 20:
            raise image.too_large(path, height, width, f"{image.WHOLE_LIMIT_MB} MiB, separated by colour,")
        whole = image.require_decoded(source, source.read_image(spec.format), path).reshape(height, width, count)
        white = 1.0 if whole.dtype.kind == "f" else np.iinfo(whole.dtype).max
        for first in range(0, height, step):
            yield whole[first : first + step].astype(np.float32) * np.float32(1 / white)
        return
    left, top = spec.x, spec.y  # lines are counted from the picture's offset
    for first in range(top, top + height, step):
        end = min(first + step, top + height)
        if spec.tile_width:
            lines = source.read_tiles(left, left + width, first, end, spec.z, spec.z + 1, 0, count, "float")
        else:
            lines = source.read_scanlines(first, end, spec.z, 0, count, "float")
        yield image.require_decoded(source, lines, path).reshape(end - first, width, count)
