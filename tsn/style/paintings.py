"""Read the paintings whose style is transferred (`style.adain`), from files with weights."""

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
"""Height in pixels to which paintings are resized: their strokes then have the right size for a plate of 360 to 540
lines (`style.scale` makes them larger or finer)."""
MAX_READ_PIXELS = 2**24
"""Largest painting that is read at its full size; larger ones are reduced while they are read."""
MIN_SIDE_PX, MAX_ASPECT = 8, 10
"""Least shorter side, and largest ratio of the longer to the shorter side: memory grows with the width at
`PAINTING_LINES`, and a strip of colours shows no strokes."""
MOVIE_SUFFIXES = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mxf", ".webm", ".wmv", ".y4m"}


@dataclass(frozen=True, kw_only=True)
class Painting:
    """A painting whose style is transferred.

    Attributes:
        name: of its file, without the suffix.
        image: (3, H, W) in [0, 1], display-referred.
        sha256: of its file.
        weight: in a mix of paintings, above 0; weights are scaled to a sum of 1.
    """

    name: str
    image: Tensor
    sha256: str
    weight: float = 1.0


def read_paintings(
    weights: Mapping[str, float], *, base: Path = Path(), lines: int = PAINTING_LINES
) -> tuple[Painting, ...]:
    """Read paintings.

    Args:
        weights: files (PNG, JPEG, TIFF or WebP), and the weight of each.
        base: folder that relative paths start from.
        lines: larger paintings are resized to this many.

    Raises:
        UsageError: there are none, or a weight is not above 0.
        InputError: a file is missing or damaged or no such picture, or it is too small or too narrow.
    """
    if not weights:
        raise UsageError("style.adain: expected a painting, as in {adain: painting.png}.")
    paintings = []
    for name, weight in weights.items():
        path = base / os.path.expanduser(name)
        if not 0 < weight < float("inf"):
            raise UsageError(f"style.adain: the weight of {name} must be above 0, got {weight}.")
        if not path.is_file():
            raise InputError(
                f"The painting does not exist: {path}", hint="A relative path is relative to the shot file."
            )
        paintings.append(Painting(name=path.stem, image=_read(path, lines), sha256=sha256_of(path), weight=weight))
    return tuple(paintings)


def resize_painting(image: Tensor, lines: int = PAINTING_LINES) -> Tensor:
    """Resize a painting (3, H, W) to this many lines."""
    return resize(image, lines, max(1, round(image.shape[-1] * lines / image.shape[-2])))


def _read(path: Path, lines: int) -> Tensor:
    """Read a painting, (3, H, W) of at most this many lines."""
    from tsn.io.downscaled import read_downscaled

    def admit(height: int, width: int) -> None:
        short, long = sorted((height, width))
        if short < MIN_SIDE_PX or long > MAX_ASPECT * short:
            raise InputError(
                f"The painting {path} is {width} x {height} pixels; expected at least {MIN_SIDE_PX} on each side, and"
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
        rgb = _flatten_cutout(rgb, alpha, path)
        admit(*rgb.shape[-2:])
    return resize_painting(rgb, lines) if rgb.shape[-2] > lines else rgb


def _channels_first(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, 0)))


def _flatten_cutout(rgb: Tensor, alpha: Tensor, path: Path) -> Tensor:
    """Crop a cut-out to its visible part, and put it over its own mean colour.

    Any other colour, such as black or white, would become one of the painting's colours, and the edge a stroke.

    Args:
        rgb: (3, H, W), premultiplied.
        alpha: (1, H, W).
        path: of the painting, for messages.
    """
    visible = alpha[0] > 0
    if not visible.any():
        raise InputError(f"The painting {path} is fully transparent.", hint="Save it without alpha.")
    rows, columns = (torch.nonzero(visible.any(side))[:, 0] for side in (1, 0))
    box = (slice(None), slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    rgb, alpha = rgb[box].contiguous(), alpha[box]
    with one_thread():
        mean = (rgb.double().sum((1, 2)) / alpha.double().sum()).float()
    return (rgb + mean[:, None, None] * (1 - alpha)).clamp_(0, 1)
