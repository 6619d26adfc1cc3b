"""Paintings to paint like, as files and their weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tsn.determinism import one_thread
from tsn.errors import InputError, UsageError
from tsn.io.hashing import sha256_of
from tsn.style.resize import resize

PAINTING_LINES = 440
"""A painting is looked at with this many lines: its strokes then have the size they shall have on a plate of 360
to 540 lines (`style.scale` makes them larger or finer)."""
MAX_READ_PIXELS = 2**24
"""Of a painting that is read as it is; a larger one is made smaller while it is read."""
MIN_SIDE_PX, MAX_ASPECT = 8, 10
"""Pixels of the shorter side, and how often it may go into the longer one: memory grows with the painting's width at
`LINES` lines, and in a strip of colours there are no strokes to see."""
MOVIE_SUFFIXES = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mxf", ".webm", ".wmv", ".y4m"}


@dataclass(frozen=True, kw_only=True)
class Painting:
    """What to paint like.

    Attributes:
        image: (3, H, W) in [0, 1], display-referred.
        sha256: of its file.
        weight: in a blend; weights are scaled to a sum of 1.
    """

    name: str
    image: Tensor
    sha256: str
    weight: float = 1.0


def read_paintings(weights: Mapping[str, float], *, base: Path = Path()) -> tuple[Painting, ...]:
    """Paintings, as files relative to `base` with their weights: PNG, JPEG, TIFF or WebP.

    Raises:
        UsageError: none, or a weight that is not above 0.
        InputError: a file is missing or not such a picture, or one of a size that is none for a painting.
    """
    if not weights:
        raise UsageError("style.adain: expected a painting, as in {adain: painting.png}.")
    found = []
    for name, weight in weights.items():
        path = base / os.path.expanduser(name)
        if not 0 < weight < float("inf"):
            raise UsageError(f"style.adain: the weight of {name} must be above 0, got {weight}.")
        if not path.is_file():
            raise InputError(
                f"The painting does not exist: {path}", hint="A relative path is relative to the shot file."
            )
        found.append(Painting(name=path.stem, image=_read(path), sha256=sha256_of(path), weight=weight))
    return tuple(found)


def resize_painting(image: Tensor) -> Tensor:
    """A painting (3, H, W) at `LINES` lines."""
    return resize(image, PAINTING_LINES, max(1, round(image.shape[-1] * PAINTING_LINES / image.shape[-2])))


def _read(path: Path) -> Tensor:
    """(3, H, W), and no larger than `as_seen`."""
    from tsn.io.downscaled import read_downscaled

    def admit(height: int, width: int) -> None:
        short, long = sorted((height, width))
        if short < MIN_SIDE_PX or long > MAX_ASPECT * short:
            raise InputError(
                f"The painting {path} is {width} x {height} pixels; expected {MIN_SIDE_PX} at least to each side, and"
                f" one side at most {MAX_ASPECT} times the other.",
                hint="Crop it to a part that shows how it is painted.",
            )

    if path.suffix.lower() in MOVIE_SUFFIXES:
        raise InputError(f"{path} is a movie; a painting is a picture.", hint="Save one frame of it as PNG or JPEG.")
    scan = read_downscaled(path, max_pixels=MAX_READ_PIXELS, admit=admit)
    rgb, alpha = (None if part is None else _channels_first(part) for part in (scan.rgb, scan.alpha))
    del scan
    assert rgb is not None
    if alpha is not None:
        rgb = _covered(rgb, alpha, path)
        admit(*rgb.shape[-2:])
    return resize_painting(rgb) if rgb.shape[-2] > PAINTING_LINES else rgb


def _channels_first(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, 0)))


def _covered(rgb: Tensor, alpha: Tensor, path: Path) -> Tensor:
    """A cut-out without its empty border; what is seen through is filled with the mean of what is seen.

    Any other colour, black or white say, would be one of the painting's, and its edge a stroke.

    Args:
        rgb: (3, H, W), multiplied by alpha (1, H, W).
    """
    seen = alpha[0] > 0
    if not seen.any():
        raise InputError(f"The painting {path} is transparent all over.", hint="Save it without alpha.")
    rows, columns = (torch.nonzero(seen.any(side))[:, 0] for side in (1, 0))
    box = (slice(None), slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    rgb, alpha = rgb[box].contiguous(), alpha[box]
    with one_thread():  # one order of the sum
        mean = (rgb.double().sum((1, 2)) / alpha.double().sum()).float()
    return (rgb + mean[:, None, None] * (1 - alpha)).clamp_(0, 1)
