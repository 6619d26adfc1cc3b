"""Alpha: where a plate covers what lies below it, and how paint goes over it."""

from __future__ import annotations

import torch
from torch import Tensor

MIN_ALPHA = 2.0**-24
"""The least that a half float holds. Float plates have less in the tails of blurs, which covers nothing; what shines
there would be divided by it to infinity."""
FULL_GLOW = 0.01
"""Plate values: what is brighter where alpha is 0 is a glow in full."""
MIN_COVERAGE = 1 / 255
"""Coverage below which nobody sees anything: what a denoiser or a blur leaves behind, over a void however large."""


def _covered(alpha: Tensor) -> Tensor:
    return (alpha >= MIN_ALPHA) & torch.isfinite(alpha)


def void_mask(rgb: Tensor, alpha: Tensor) -> Tensor:
    """Where there is neither an element nor a glow without coverage: (1, H, W) of premultiplied (3, H, W)."""
    return (alpha.abs() < MIN_ALPHA) & (rgb.abs() < MIN_ALPHA).all(0, keepdim=True)


def paint_mask(rgb: Tensor, alpha: Tensor) -> Tensor:
    """How much of premultiplied (3, H, W) is there to be painted, (1, H, W) in [0, 1].

    All where alpha covers. A glow without coverage is painted too, but what a denoiser or a blur leaves behind in the
    void, a millionth, is none: as paint it would add light to whatever is comped below. So it counts by its
    brightness up to `FULL_GLOW`, and not at all where there is nothing.
    """
    glow = (rgb.abs().amax(0, keepdim=True) / FULL_GLOW).clamp(max=1)
    return torch.where(_covered(alpha), 1.0, glow.masked_fill(void_mask(rgb, alpha), 0.0))


def statistics_weight(rgb: Tensor, alpha: Tensor) -> Tensor:
    """How much each pixel of premultiplied (3, H, W) counts in a plate's statistics, (1, H, W) in [0, 1].

    By its alpha, so that void counts for nothing, however much of it is around an element. What shines more than its
    alpha could (fire, a glow without coverage) counts by that. 1 exactly where alpha is 1.
    """
    held = torch.where(torch.isfinite(alpha), alpha, 0.0).clamp(0, 1)
    shining = ((rgb.abs().amax(0, keepdim=True).nan_to_num(0.0) - held) / FULL_GLOW).clamp(0, 1)
    cover = torch.maximum(held, shining)
    return cover.masked_fill(cover < MIN_COVERAGE, 0.0)


def unpremultiply(rgb: Tensor, alpha: Tensor) -> Tensor:
    """Divide (3, H, W) by alpha (1, H, W) where it covers; elsewhere emission without coverage stays as it is."""
    covered = _covered(alpha)
    return torch.where(covered, rgb / torch.where(covered, alpha, 1.0), rgb)


def premultiply(rgb: Tensor, alpha: Tensor) -> Tensor:
    """The way back from `unpremultiply`: multiply where alpha covers, leave the rest."""
    return torch.where(_covered(alpha), rgb * alpha, rgb)


def composite(source: Tensor, painted: Tensor, amount: Tensor | float) -> Tensor:
    """source + amount * (painted - source): (3, H, W) each, amount (1, H, W) or a number, in [0, 1].

    Exactly `source` where amount is 0, whatever was painted there, and exactly `painted` where it is 1: the plain sum
    would lose dark paint over a highlight to rounding.
    """
    amount = torch.as_tensor(amount, dtype=source.dtype, device=source.device)
    return torch.where(amount == 0, source, torch.lerp(source, painted, amount))
