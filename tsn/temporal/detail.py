"""Restore the texture that averaging lost: Laplacian bands, each raised to the paint's own energy.

A mean of strokes that do not quite agree is soft. Each band of the mean is scaled, place by place, by
sqrt(E_target / E_mean), where E_target is the window's mean of the local band energy of the per-frame paint, carried
along the motion. So the target itself is steady, and the gain does not boil. Energies are measured in luma: the mean
decorrelates colour more than luma, and RGB energies would restore too much luma. They vary slowly, so they are
computed at a quarter of the size.
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
"""Sigmas of the Gaussians between the bands, from the finest grain to a broad stroke."""
ENERGY_SIGMA_PX = 12.0
"""Sigma over which energy is local: several strokes, since a gain that follows single strokes flickers."""
MAX_GAIN = 4.5
"""Beyond this, what is left of a band in the mean is noise, and raising it shows."""
GAIN_EXPONENTS = (1.27, 0.38, 0.4, 0.4)
"""Exponents of the bands' gains. Bands overlap, so that a raised band adds to its neighbours: with exponents of 1,
strokes get 1.15 of their energy and the finest grain only 0.75 (docs/research/temporal.md)."""
EDGE_GAIN = 1.6
"""Factor on a silhouette blurred by 1 px: full on the pixels of the step, gone two pixels away."""
EDGE_RANGE_PX = 5
"""At a silhouette nothing is raised beyond the lightest and darkest of this many pixels of the mean around it."""
EDGE_SOFTNESS = 0.2
"""Share of a blurred picture that is mixed in at a silhouette."""
TEXTURE_KEPT = torch.tensor([0.92, 0.98])
"""Share of the paint's texture that is restored, grain and strokes. All of the finest grain would shimmer."""
CLIPPING_CORRECTION_LIMITS = 0.8, 1.25
"""Range of the second correction, for texture lost at silhouettes and by clipping at black and white."""
_FLOOR = 1e-7  # of energy: about (1/8 of an 8-bit code)^2, so that flat areas keep a gain of 1


def laplacian_bands(image: Tensor) -> tuple[list[Tensor], Tensor]:
    """Laplacian bands at full size, finest first, and the low frequencies; their sum is the image: (C, H, W) each.

    The two coarse bands are blurred at a half and a quarter of the size, where a wide Gaussian is cheap.
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
    """Local luma energy of each band of one painted frame, (bands, H/4, W/4): the target of `restore_detail`."""
    return _energies(laplacian_bands(luma(paint))[0])


def restore_detail(mean: Tensor, target: Tensor, edges: Tensor, amount: float, target_texture: Tensor) -> Tensor:
    """The mean with its bands raised to the target energy, place by place, and then to the whole frame's texture.

    Two surfaces that were averaged apart meet in a hard, jagged step, which is no stroke: raised, it overshoots and
    shows as a dotted line. There nothing leaves the range of the mean around it, and the step is softened a little.

    Args:
        mean: the window's mean paint, (3, H, W).
        target: a mean of `band_energies`, (bands, H/4, W/4).
        edges: (1, H, W) in [0, 1], 1 where two surfaces meet.
        amount: 0 returns the mean, 1 restores the paint's energy, more overshoots.
        target_texture: a mean of `texture.texture_energy` of the paint, (2,).

    Returns:
        (3, H, W), clipped to [0, 1].
    """
    if amount == 0:
        return mean
    split, tone = laplacian_bands(mean)
    ratio = (target + _FLOOR) / (_energies([luma(band) for band in split]) + _FLOOR)
    local = ratio.sqrt().clamp(1, MAX_GAIN)
    raised = [
        apply_elementwise(partial(torch.pow, exponent=amount * share), part)
        for part, share in zip(local, GAIN_EXPONENTS, strict=True)
    ]
    gains = upsample(torch.stack(raised), mean)
    grain, strokes = split[0] * gains[0], split[1] * gains[1]
    for band, gain in zip(split[2:], gains[2:], strict=True):
        strokes.addcmul_(band, gain)
    hard = (blur(edges, 1.0) * EDGE_GAIN).clamp(0, 1)
    limits = local_min(mean, EDGE_RANGE_PX), local_max(mean, EDGE_RANGE_PX)

    def combine(fine: float, broad: float) -> Tensor:
        restored = tone.add(grain, alpha=fine).add_(strokes, alpha=broad)
        restored += hard * (restored.clamp(*limits) - restored)
        restored += EDGE_SOFTNESS * hard * (blur(restored, BAND_SIGMAS_PX[0]) - restored)
        return restored.clamp_(0, 1)

    present = texture.texture_energy(mean)
    # Paint that agrees over the window loses nothing.
    full = torch.maximum(target_texture * TEXTURE_KEPT.to(present), present)
    aim = present * (full / present.clamp(min=1e-12)) ** amount
    parts = texture.gradient_products([tone, grain, strokes])
    first = combine(*texture.solve_gains(parts, aim))
    correction = (aim / texture.texture_energy(first).clamp(min=1e-12)).clamp(*CLIPPING_CORRECTION_LIMITS)
    return combine(*texture.solve_gains(parts, aim * correction))
