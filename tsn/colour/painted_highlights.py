"""The tone map of `colour.highlights: paint`: light as a painter would see it, and paint that shines.

The painter sees each region of the plate no brighter than `WHITE`, with the region's own texture: the *local light* b
is divided out, not each pixel's. In working values y, with style values decoded to v, per channel:

    y = v + boost v^2,   boost = (b - seen) / seen^2,   seen = what the local light b is to the painter

so where v is `seen`, y is b. Where nothing is brighter than `KNEE`, boost is 0 and style space is sRGB. As on film, the
boost acts on each channel by itself: on the way back the paint's hue and contrast grow with its light instead of
drowning in white, and dark strokes over a lamp stay dark. For all its squares the map is monotone in each channel, so
hues keep the order of their channels.

What shines in the paint is then brought to the plate's energy: one factor on the boost, smooth in place and light
(`LightGrid`), such that the luminance above 1 near each place sums to the plate's. So paint made over another view of
the plate (a clipped one, say) has the right light, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tsn.colour.light_grid import LightGrid
from tsn.colour.luminance import luminance
from tsn.colour.tone import srgb_decode, srgb_encode
from tsn.determinism import apply_elementwise

METHOD = "highlights-painted-1"
"""Name and version, for fingerprints."""
KNEE, WHITE = 0.4, 0.6
"""Working values: local light up to the first is left as it is, and light without end is seen as the second."""
BRIGHTEST_LOCAL = 1e6
"""Working value; brighter pixels keep what they have beyond it, whatever is painted there."""
ENERGY_ABOVE = 1.0
"""Working value: luminance above it counts as the energy of a highlight."""
MOST_LIFTED = 8.0
"""The largest factor on the light of paint where the plate has energy; elsewhere it is 1: grey paint on a white wall is
grey. Paint that is too dark for this stays darker than the plate."""
STEPS = 3
_RARE = 0.004
"""Share of a neighbourhood's pixels below which what few pixels say about energy counts for less."""


def _stops(working: Tensor) -> Tensor:
    """The light of each pixel in stops above `KNEE`, (1, H, W)."""
    brightest = working.amax(0, keepdim=True).clamp(KNEE, BRIGHTEST_LOCAL)
    return apply_elementwise(torch.log2, brightest / KNEE).clamp(min=0)


@dataclass(frozen=True, kw_only=True)
class PaintedHighlights:
    """A `tsn.colour.tone.ToneMapping` whose gain is the boost."""

    brightest: float = 1.0

    def to_style(self, working: Tensor) -> tuple[Tensor, Tensor]:
        """Working values (3, H, W) to style values in [0, 1] and the boost, (1, H, W)."""
        boost = self._boost(working)
        return self.with_gain(working, boost), boost

    def with_gain(self, working: Tensor, gain: Tensor) -> Tensor:
        """See `tsn.colour.tone.ToneMapping`."""
        light = working.clamp(0, BRIGHTEST_LOCAL)
        seen = 2 * light / (1 + (1 + 4 * gain * light).sqrt())
        return apply_elementwise(srgb_encode, seen.clamp(max=1)).clamp(0, 1)

    def to_working(self, style: Tensor, gain: Tensor) -> Tensor:
        """The inverse of `to_style`, but for what was clipped."""
        seen = apply_elementwise(srgb_decode, style)
        return seen + gain * seen * seen

    def balanced(self, light: Tensor, style: Tensor, gain: Tensor, working: Tensor, unpainted: Tensor) -> Tensor:
        """See `tsn.colour.tone.ToneMapping`: paint with the plate's energy above 1."""
        if not bool((gain > 0).any()):
            return light
        seen = apply_elementwise(srgb_decode, style)
        shine = gain * seen * seen
        grid = LightGrid(_stops(working))
        own, wanted = (luminance(x) for x in (seen, unpainted))
        return seen + shine * _energy_factor(grid, own, luminance(shine), wanted, 1 + gain)

    def _boost(self, working: Tensor) -> Tensor:
        stops = _stops(working)
        if not bool((stops > 0).any()):
            return torch.zeros_like(stops)
        grid = LightGrid(stops)
        sums = grid.gather(torch.cat([stops, torch.ones_like(stops)]))
        local = grid.spread(sums[:, :1] / (sums[:, 1:] + 1e-6))
        # Slope 1 at the knee; `WHITE` is reached at the end of all light.
        limit = math.log2(WHITE / KNEE)
        compressed = limit * (1 - apply_elementwise(torch.exp, -local / limit))
        light, seen = (KNEE * apply_elementwise(torch.exp2, x) for x in (local, compressed))
        return ((light - seen) / (seen * seen)).clamp(min=0)


def _energy_factor(grid: LightGrid, own: Tensor, shine: Tensor, wanted: Tensor, scale: Tensor) -> Tensor:
    """The factor on `shine` with which own + factor * shine has locally the energy of `wanted`; all (1, H, W).

    A few steps of Newton's method, in cells of the grid. The energy is convex in the factor, and the start has the mean
    luminance of `wanted`, so about its energy or more: the steps come from above. Energies count relative to the local
    light (`scale`), so that a sun does not outvote the sky around it.
    """
    energy = (wanted - ENERGY_ABOVE).clamp(min=0)
    sums = grid.gather(torch.cat([(wanted - own).clamp(min=0), shine, energy]) / scale)
    lifted, shining, energy = ((x + _RARE) if i < 2 else x for i, x in enumerate(sums.split(1, 1)))
    light = KNEE * 2.0 ** torch.arange(len(sums), device=sums.device)
    most = torch.where(light > ENERGY_ABOVE, MOST_LIFTED, 1.0)[:, None, None, None]
    factor = torch.minimum(lifted / shining, most)
    for _ in range(STEPS):
        light = own + grid.spread(factor) * shine
        above = light > ENERGY_ABOVE
        has, slope = grid.gather(torch.cat([(light - ENERGY_ABOVE) * above, shine * above]) / scale).split(1, 1)
        factor = torch.minimum((factor + ((energy - has) / (slope + _RARE)).clamp(-1, 1)).clamp(min=0), most)
    return grid.spread(factor)
