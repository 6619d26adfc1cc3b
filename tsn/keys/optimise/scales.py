"""The scales of a key: the plate and the paintings from coarse to fine, in the colours that are wanted."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tsn.keys.optimise import colours
from tsn.keys.optimise.base import KeySettings, Method, Scale
from tsn.style.paintings import Painting
from tsn.style.resize import resize

LEAST_PX = 16
"""Shorter side of a picture of which the net's last block sees one place."""
LEAST_LINES = 32
"""Shorter side of the coarsest scale of a larger picture: the net's block 4 needs places to look at."""


def scales_of(
    plate: Tensor, cover: Tensor | None, paintings: Sequence[Painting], settings: KeySettings, method: Method
) -> list[Scale]:
    """The scales of a key, the coarsest first.

    Args:
        plate: (3, H, W) in style space, void filled.
        cover: how much each pixel counts, (1, H, W); None where all count fully.
    """
    height, width = plate.shape[-2:]
    lines = min(height, settings.height)
    total = sum(painting.weight for painting in paintings)
    shares = tuple(painting.weight / total for painting in paintings)
    images = [painting.image.to(plate) for painting in paintings]
    own = colours.statistics([plate], [_weight(cover, plate.shape)])
    if settings.colours == "plate":
        theirs = colours.of_paintings(images, shares)
        images = [colours.recolour(image, theirs, own).clamp(0, 1) for image in images]
        recoloured = plate
    else:
        recoloured = colours.recolour(plate, own, colours.of_paintings(images, shares)).clamp(0, 1)
    shorter = min(lines, round(width * lines / height))
    divisors = [d for d in method.divisors(lines) if shorter // d >= LEAST_LINES] or [1]
    scales = []
    for i, divisor in enumerate(divisors):
        size = lines // divisor, max(LEAST_PX, round(width * lines / height / divisor))
        tall = max(LEAST_LINES, round(lines * settings.stroke_size / divisor))
        scales.append(
            Scale(
                plate=resize(plate, *size),
                recoloured=resize(recoloured, *size),
                paintings=tuple(
                    resize(image, tall, max(LEAST_LINES, round(image.shape[2] * tall / image.shape[1])))
                    for image in images
                ),
                shares=shares,
                index=i,
                count=len(divisors),
            )
        )
    return scales


def in_colours_wanted(picture: Tensor, scale: Scale, cover: Tensor | None) -> Tensor:
    """A scale's picture in the colours of its paintings.

    After each scale, since what it changes of the contrast changes the content that the next one aims at.
    """
    own = colours.statistics([picture], [_weight(cover, picture.shape)])
    return colours.recolour(picture, own, colours.of_paintings(scale.paintings, scale.shares)).clamp(0, 1)


def _weight(cover: Tensor | None, shape: torch.Size) -> Tensor | float:
    return 1.0 if cover is None else resize(cover, *shape[-2:])
