"""The distance of features from those they were matched to, and its gradient, written out.

By autograd the same takes a dozen passes over maps that are many times the picture's size, which cost more than the net
itself; the gradient is a sum of three vectors with one factor a place each.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LEAST_LENGTH = 1e-6


def gradients(
    found: Sequence[Tensor], wanted: Sequence[Tensor], means: Sequence[Tensor], squared: float
) -> tuple[list[Tensor], float]:
    """The gradient of the mean over places of 1 - cos(found - mean, wanted - mean) + `squared` * mean squared error.

    All layers of a place count as one vector.

    Args:
        found: by layer, (n, C), in any float type.
        wanted: by layer, (n, C), of the same type.
        means: by layer, (C,), of the same type.

    Returns:
        by layer, (n, C), of the type of `found`; and the distance.
    """
    n, width = len(found[0]), sum(one.shape[1] for one in found)
    # Squared length of found - mean, its product with wanted - mean, and the squared length of that.
    own, cross, target = torch.zeros(3, n, device=found[0].device).unbind()
    for a, t, m in zip(found, wanted, means, strict=True):
        du, dv = a - m, t - m
        own = own + (du * du).sum(1, dtype=torch.float32)
        cross = cross + (du * dv).sum(1, dtype=torch.float32)
        target = target + (dv * dv).sum(1, dtype=torch.float32)
    own, target = own.clamp_min(LEAST_LENGTH), target.clamp_min(LEAST_LENGTH)
    both = (own * target).sqrt()
    cosine = cross / both
    error = own - 2 * cross + target
    # d(1 - cos) = cos * (found - mean) / own - (wanted - mean) / both; d(error) = 2 * (found - wanted)
    square = 2 * squared / width
    of_found, of_wanted = (cosine / own + square) / n, -(1 / both + square) / n
    of_mean = -(of_found + of_wanted)
    given = []
    for a, t, m in zip(found, wanted, means, strict=True):
        fa, ft, fm = (factor.to(a.dtype)[:, None] for factor in (of_found, of_wanted, of_mean))
        given.append(torch.addcmul(a * fa, t, ft).addcmul_(m.expand_as(a), fm))
    return given, float((1 - cosine + squared * error / width).mean())
