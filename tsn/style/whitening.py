"""Move one cloud of feature vectors onto another: the same mean and covariance, with the least change.

Whitening and colouring (Li et al., "Universal style transfer via feature transforms", 2017) turns the cloud by
any rotation on the way. The optimal transport between two Gaussians is the one such map that moves each vector
least (Lu et al., "A closed-form solution to universal style transfer", 2019), so a shape stays the shape it was.

Everything here is float64 on one thread of the CPU: sums and eigenvectors that depend on a thread count would
give the same shot other bits on another host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

Moments = tuple[Tensor, Tensor]
"""Mean (..., C) and second moment (..., C, C): the mean of several surveys is the survey of all their pixels."""

Map = tuple[Tensor, Tensor]
"""Matrix (..., C, C) and offset (..., C) of an affine map of feature vectors."""

AT_ONCE = 2**18
"""Pixels that are widened to float64 at a time."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Within this block a sum has one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@one_thread()
def moments(features: Tensor) -> Moments:
    """Of feature maps (N, C, H, W), one pair a sample."""
    flat = features.flatten(2)
    count = flat.shape[-1]
    mean = torch.zeros(flat.shape[:2], dtype=torch.float64)
    second = torch.zeros((*flat.shape[:2], flat.shape[1]), dtype=torch.float64)
    for start in range(0, count, AT_ONCE):
        part = flat[..., start : start + AT_ONCE].cpu().double()
        mean += part.sum(-1) / count
        second += part @ part.mT / count
    return mean, second


def covariance(of: Moments) -> Tensor:
    mean, second = of
    return second - mean[..., :, None] * mean[..., None, :]


def _root(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Square root of a symmetric positive matrix, and the inverse of that."""
    values, vectors = torch.linalg.eigh(matrix)
    roots = values.clamp(min=1e-12).sqrt()[..., None, :]
    return (vectors * roots) @ vectors.mT, (vectors / roots) @ vectors.mT


@one_thread()
def transport(content: Moments, style: Moments, *, floor: float) -> Map:
    """The map that gives vectors of `content` the mean and covariance of `style`.

    Args:
        floor: added to the variance in every direction of both, as a share of the style's mean variance. What is
            hardly there in the plate would otherwise be blown up to what the painting has: grain into strokes,
            the rim of an edge into a halo. A direction that neither has stays as it is.
    """
    have, want = covariance(content), covariance(style)
    size = want.shape[-1]
    least = floor * want.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] * torch.eye(size, dtype=want.dtype)
    root, inverse = _root(have + least)
    between, _ = _root(root @ (want + least) @ root)
    matrix = inverse @ between @ inverse
    return matrix, style[0] - (matrix @ content[0][..., None])[..., 0]


def mixed(maps: Sequence[Map], weights: Sequence[float]) -> Map:
    """Several maps of the same vectors, by weights that sum to 1: each vector goes to the mean of where they send it.

    As all start from one cloud, that is the way along McCann's displacement, in straight lines: halfway between a
    blue and a yellow painting shapes stay crisp, where two paintings laid over each other are a double exposure.
    """
    matrix = torch.stack([weight * matrix for weight, (matrix, _) in zip(weights, maps, strict=True)]).sum(0)
    offset = torch.stack([weight * offset for weight, (_, offset) in zip(weights, maps, strict=True)]).sum(0)
    return matrix, offset
