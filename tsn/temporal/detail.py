"""Give back the grain that averaging took: Laplacian bands, each lifted to the paint's own energy.

A mean of strokes that do not quite agree is soft. Each band of the mean is scaled, place by place, by
sqrt(E_target / E_mean), where E_target is the window's mean of the per-frame paint's local band energy,
carried along the motion. So the target itself is steady, and the gain does not boil. Energies are taken
in luma: the mean decorrelates colour more than light, and RGB energies would over-restore light.
They vary slowly, so they live at a quarter of the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from tsn.determinism import apply_elementwise
from tsn.temporal import texture
from tsn.temporal.filters import blur, downsample, local_max, local_min, luma, upsample
from tsn.temporal.window import REDUCTION

BAND_SIGMAS_PX = (0.75, 1.5, 3.0, 6.0)
"""Pixels: from the finest grain to a broad stroke."""
ENERGY_SIGMA_PX = 12.0
"""Pixels over which energy is local: several strokes, or the gain follows single strokes and flickers."""
MAX_GAIN = 4.5
"""Past this, what is left of a band in the mean is noise, and lifting it shows."""
GAIN_EXPONENTS = (1.27, 0.38, 0.4, 0.4)
"""Exponents of the gains. Bands overlap: a lifted band leaks into its neighbours, so that full gains give strokes
1.15 of their energy and the finest grain only 0.75 (docs/temporal.md)."""
EDGE_GAIN = 1.6  # of the 1 px blur of a silhouette: full on the pixels of the step, gone two pixels away
EDGE_RANGE_PX = 5
"""Pixels. At a silhouette nothing is lifted past the lightest and darkest of so many of the mean around it."""
EDGE_SOFTNESS = 0.2
TEXTURE_KEPT = torch.tensor([0.92, 0.98])
"""Of the paint's texture as a whole, grain and strokes. All of the finest grain would shimmer between pixels."""
CLIPPING_CORRECTION_LIMITS = 0.8, 1.25
_FLOOR = 1e-7  # of energy: about (1/8 of an 8-bit code)^2, so that flat areas keep a gain of 1


def laplacian_bands(image: Tensor) -> tuple[list[Tensor], Tensor]:
    """Laplacian bands at full size, finest first, and what is left; their sum is the image: (C, H, W) each.

    The coarse two are blurred at a half and a quarter of the size, where a wide Gaussian is cheap.
    """
    fine, grain, stroke, broad = BAND_SIGMAS_PX
    soft = [image, blur(image, fine)]
    soft.append(blur(soft[-1], grain))
    half = blur(downsample(soft[-1], 2), stroke / 2)
    quarter = blur(downsample(half, 2), broad / 4)
    soft += [upsample(half, image), upsample(quarter, image)]
    return [a - b for a, b in pairwise(soft)], soft[-1]


def _energies(split: Sequence[Tensor]) -> Tensor:
    """Local energy of single-channel bands, at a quarter of the size: (bands, H/4, W/4)."""
    squares = torch.cat([band * band for band in split])
    return blur(downsample(squares, REDUCTION), ENERGY_SIGMA_PX / REDUCTION)


def band_energies(paint: Tensor) -> Tensor:
    """Local luma energy of each band of one painted frame, (bands, H/4, W/4): what `restore_detail` aims at."""
    return _energies(laplacian_bands(luma(paint))[0])


def restore_detail(mean: Tensor, target: Tensor, edges: Tensor, amount: float, wanted: Tensor) -> Tensor:
    """The mean with its bands lifted towards the target energy, place by place, and then as a whole to what is wanted.

    Two surfaces that were averaged apart meet in a hard, jagged step, which is no stroke: lifted, it overshoots and
    shows as a dotted line. There nothing leaves the range of the mean around it, and the step is softened a little.

    Args:
        mean: (3, H, W).
        target: (bands, H/4, W/4), a mean of `band_energies`.
        edges: (1, H, W) in [0, 1], 1 where two surfaces meet.
        amount: 0 leaves the mean, 1 restores the paint's energy, more overshoots.
        wanted: a mean of `texture.texture_energy` of the paint.

    Returns:
        (3, H, W), clipped to [0, 1].
    """
    if amount == 0:
        return mean
    split, tone = laplacian_bands(mean)
    ratio = (target + _FLOOR) / (_energies([luma(band) for band in split]) + _FLOOR)
    least = ratio.sqrt().clamp(1, MAX_GAIN)
    raised = [
        apply_elementwise(partial(torch.pow, exponent=amount * share), part)
        for part, share in zip(least, GAIN_EXPONENTS, strict=True)
    ]
    gains = upsample(torch.stack(raised), mean)
    grain, strokes = split[0] * gains[0], split[1] * gains[1]
    for band, gain in zip(split[2:], gains[2:], strict=True):
        strokes.addcmul_(band, gain)
    hard = (blur(edges, 1.0) * EDGE_GAIN).clamp(0, 1)
    limits = local_min(mean, EDGE_RANGE_PX), local_max(mean, EDGE_RANGE_PX)

    def made(fine: float, broad: float) -> Tensor:
        restored = tone.add(grain, alpha=fine).add_(strokes, alpha=broad)
        restored += hard * (restored.clamp(*limits) - restored)
        restored += EDGE_SOFTNESS * hard * (blur(restored, BAND_SIGMAS_PX[0]) - restored)
        return restored.clamp_(0, 1)

    lost = texture.texture_energy(mean)
    full = torch.maximum(
        wanted * TEXTURE_KEPT.to(lost), lost
    )  # nothing is taken from paint that agrees over the window
    aim = lost * (full / lost.clamp(min=1e-12)) ** amount
    parts = texture.gradient_products([tone, grain, strokes])
    first = made(*texture.solve_gains(parts, aim))
    cut_off = (aim / texture.texture_energy(first).clamp(min=1e-12)).clamp(
        *CLIPPING_CORRECTION_LIMITS
    )  # at silhouettes, and at black and white
    return made(*texture.solve_gains(parts, aim * cut_off))
