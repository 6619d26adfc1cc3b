"""Colours brought from one picture to another by mean and covariance, with the least change of each colour.

The linear Monge-Kantorovich map (Pitié & Kokaram 2007). A product of roots, as often taken, has the same covariance
and turns hues about: a grey plate gets a rainbow.

All statistics are in float64 on one thread: the matrices are small, and their bits must not depend on the machine's
number of cores.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tsn.determinism import one_thread

LEAST_VARIANCE = 1e-3
"""Added to the variances of the picture that is changed (a deviation of 8 in 255): where a plate has hardly any colour,
what it has is a tint of its light, and not to be blown up to a painting's colours."""


def statistics(pictures: Sequence[Tensor], weights: Sequence[Tensor | float]) -> tuple[Tensor, Tensor]:
    """Mean (3,) and covariance (3, 3) of the colours of pictures (3, H, W), float64 on the CPU.

    Args:
        weights: of each picture's pixels, (1, H, W) or one number.
    """
    with one_thread():
        pixels = torch.cat([picture.detach().cpu().double().flatten(1) for picture in pictures], 1)
        weight = torch.cat(
            [
                torch.as_tensor(one).detach().cpu().double().expand(1, *picture.shape[1:]).flatten()
                for picture, one in zip(pictures, weights, strict=True)
            ]
        )
        weight = weight / weight.sum()
        mean = pixels @ weight
        centred = pixels - mean[:, None]
        return mean, (centred * weight) @ centred.T


def recolour(picture: Tensor, own: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor]) -> Tensor:
    """Give a picture (3, H, W) with the statistics `own` the statistics `wanted`; not clamped."""
    with one_thread():
        root = _root(own[1] + LEAST_VARIANCE * torch.eye(3, dtype=torch.float64))
        inverse = torch.linalg.inv(root)
        change = (inverse @ _root(root @ wanted[1] @ root) @ inverse).to(picture)
    pixels = (change @ (picture - own[0].to(picture)[:, None, None]).flatten(1)).view_as(picture)
    return pixels + wanted[0].to(picture)[:, None, None]


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
