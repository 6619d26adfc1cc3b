"""Paintings to paint like, as files and their weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tsn.errors import InputError, UsageError


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
        InputError: a file is missing or not such a picture.
    """
    import hashlib

    from tsn.io import read_image

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
        image = torch.from_numpy(read_image(path)).permute(2, 0, 1).contiguous()
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(Painting(name=path.stem, image=image, sha256=sha256, weight=weight))
    return tuple(found)
