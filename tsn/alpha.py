"""Alpha: where a plate covers what lies below it, and how paint is composited over it."""

from __future__ import annotations

import torch
from torch import Tensor

MIN_ALPHA = 2.0**-24
"""The smallest positive half float. Float plates have less in the tails of blurs, which covers nothing; what shines
there would become infinite if it were divided by it."""
FULL_GLOW = 0.01
"""Plate values from which light where alpha is 0 counts in full as a glow."""
MIN_COVERAGE = 1 / 255
"""Coverage below which nothing can be seen: what a denoiser or a blur leaves in a void, however large the void is."""


def _covered(alpha: Tensor) -> Tensor:
    """Bool (1, H, W): alpha covers something and is finite."""
    return (alpha >= MIN_ALPHA) & torch.isfinite(alpha)


def void_mask(rgb: Tensor, alpha: Tensor) -> Tensor:
    """Bool (1, H, W) of premultiplied (3, H, W): neither an element nor a glow without coverage is there."""
    return (alpha.abs() < MIN_ALPHA) & (rgb.abs() < MIN_ALPHA).all(0, keepdim=True)


def paint_mask(rgb: Tensor, alpha: Tensor) -> Tensor:
    """How much of premultiplied (3, H, W) is painted, (1, H, W) in [0, 1].

    1 where alpha covers. A glow without coverage is painted, too, but not the millionth that a denoiser or blur leaves
    in a void: as paint it would add light to whatever is comped below. So a glow counts by its brightness up to
    `FULL_GLOW`, and a void not at all.
    """
    glow = (rgb.abs().amax(0, keepdim=True) / FULL_GLOW).clamp(max=1)
    return torch.where(_covered(alpha), 1.0, glow.masked_fill(void_mask(rgb, alpha), 0.0))


def statistics_weight(rgb: Tensor, alpha: Tensor) -> Tensor:
    """Weight of each pixel of premultiplied (3, H, W) in a plate's statistics, (1, H, W) in [0, 1].

    The weight is alpha, so that void counts for nothing, however much of it is around an element. What is brighter than
    its alpha (fire, a glow without coverage) counts by the difference. It is exactly 1 where alpha is 1.
    """
    finite = torch.where(torch.isfinite(alpha), alpha, 0.0).clamp(0, 1)
    shining = ((rgb.abs().amax(0, keepdim=True).nan_to_num(0.0) - finite) / FULL_GLOW).clamp(0, 1)
    cover = torch.maximum(finite, shining)
    return cover.masked_fill(cover < MIN_COVERAGE, 0.0)


def unpremultiply(rgb: Tensor, alpha: Tensor) -> Tensor:
    """Divide (3, H, W) by alpha (1, H, W) where it covers; emission without coverage stays as it is."""
    covered = _covered(alpha)
    return torch.where(covered, rgb / torch.where(covered, alpha, 1.0), rgb)


def premultiply(rgb: Tensor, alpha: Tensor) -> Tensor:
    """The inverse of `unpremultiply`: multiply by alpha where it covers."""
    return torch.where(_covered(alpha), rgb * alpha, rgb)


def composite(source: Tensor, painted: Tensor, amount: Tensor | float) -> Tensor:
    """source + amount * (painted - source): (3, H, W) each, amount (1, H, W) or a number, in [0, 1].

    Exactly `source` where amount is 0, even if `painted` is not finite there, and exactly `painted` where it is 1: the
    plain sum would lose dark paint over a highlight to rounding.
    """
    amount = torch.as_tensor(amount, dtype=source.dtype, device=source.device)
    return torch.where(amount == 0, source, torch.lerp(source, painted, amount))
