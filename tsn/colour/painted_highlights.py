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
the plate (a clipped one, say) has the right light, too. Only what the paint changes takes part in this, by how much it
is changed, and no paint shines much brighter than the plate's local light, softly: dark paint over a lamp costs energy,
rather than that its few bright strokes have all of it.
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

METHOD = "highlights-painted-2"
"""Name and version, for fingerprints."""
KNEE, WHITE = 0.4, 0.6
"""Working values: local light up to the first is left as it is, and light without end is seen as the second."""
BRIGHTEST_LOCAL = 1e6
"""Working value; brighter pixels keep what they have beyond it, whatever is painted there."""
ENERGY_ABOVE = 1.0
"""Working value: luminance above it counts as the energy of a highlight."""
FACTORS = (0.0, 0.25, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 8.0)
"""Factors on the light of paint for which energy is measured; the one that is used lies between the first and the last.
Where the plate has no energy it is 1 at most: grey paint on a white wall is grey."""
BRIGHTEST_SHINE = 0.65
"""Share of the boost, which white paint has whole, to which all shine is bounded: 1.8 times the local light."""
GLINT = 1.25
"""The bound is this times the plate's own light where that is more, so that its glints remain."""
LARGEST_HALF = 65504.0
"""What the shine of paint is kept below, where the plate is."""
CHANGED = 0.02
"""Difference of light between paint and plate, as a share of white, from which a pixel is painted altogether."""
CORRECTIONS = 2
"""How often the factors are corrected for what their spreading to pixels changes."""
_RARE, _RARE_EXCESS = 0.0005, 0.004
"""Shares of a neighbourhood's pixels below which what few pixels say counts for less: that energy is missing, and that
there is too much of it. The second is larger, as darkening a sky for a few bright strokes makes blots."""
_TINY = 1e-9
"""What is divided by is at least this."""
_BAND_LINES = 16
"""Rows of blocks that are computed at once: what they need stays in the cache."""


def _stops(working: Tensor) -> Tensor:
    """The light of each pixel in stops above `KNEE`, (1, H, W)."""
    brightest = working.amax(0, keepdim=True).clamp(KNEE, BRIGHTEST_LOCAL)
    return apply_elementwise(torch.log2, brightest / KNEE).clamp(min=0)


def _without_boost(light: Tensor, boost: Tensor) -> Tensor:
    """v from y = v + boost v^2, (3, H, W)."""
    root = (4 * boost * light).add_(1).sqrt_()
    return (2 * light).div_(root.add_(1))


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
        seen = _without_boost(working.clamp(0, BRIGHTEST_LOCAL), gain).clamp_(max=1)
        return apply_elementwise(srgb_encode, seen).clamp_(0, 1)

    def to_working(self, style: Tensor, gain: Tensor) -> Tensor:
        """The inverse of `to_style`, but for what was clipped."""
        seen = apply_elementwise(srgb_decode, style)
        return seen + gain * seen * seen

    def balanced(self, light: Tensor, style: Tensor, gain: Tensor, working: Tensor, unpainted: Tensor) -> Tensor:
        """See `tsn.colour.tone.ToneMapping`: paint with the plate's energy above 1."""
        if not bool((gain > 0).any()):
            return light
        grid = LightGrid(_stops(working))
        pictures = light, gain, working, unpainted
        bands = [slice(i, i + _BAND_LINES * grid.block) for i in range(0, light.shape[1], _BAND_LINES * grid.block)]
        paints = [_Paint.of(*(x[:, band] for x in pictures)) for band in bands]
        energies = torch.cat([grid.pool(paint.energies()) for paint in paints], dim=1)
        factor = grid.spread(_energy_factor(grid, energies))
        return torch.cat([paint.lit(factor[:, band]) for paint, band in zip(paints, bands, strict=True)], dim=1)

    def _boost(self, working: Tensor) -> Tensor:
        stops = _stops(working)
        if not bool((stops > 0).any()):
            return torch.zeros_like(stops)
        grid = LightGrid(stops)
        sums = grid.gather(torch.cat([stops, torch.ones_like(stops)]))
        local = sums[:, :1] / (sums[:, 1:] + 1e-6)
        # Slope 1 at the knee; `WHITE` is reached at the end of all light.
        limit = math.log2(WHITE / KNEE)
        compressed = limit * (1 - apply_elementwise(torch.exp, -local / limit))
        light, seen = (KNEE * apply_elementwise(torch.exp2, x) for x in (local, compressed))
        return grid.spread(((light - seen) / (seen * seen)).clamp(min=0))


@dataclass(frozen=True, kw_only=True)
class _Paint:
    """Some rows of paint. Of its light, what the boost adds to it can be multiplied.

    Attributes:
        light: its light, (3, H, W).
        shine: the part of it that the boost adds, (3, H, W).
        of_bound: the shine's brightest channel, as a share of what it is kept below; (1, H, W) as all that follow.
        own: luminance without boost.
        changed: 0 where the paint is the plate, 1 where it is painted altogether.
        wanted: the plate's luminance.
        white: the light of white paint.
    """

    light: Tensor
    shine: Tensor
    of_bound: Tensor
    own: Tensor
    changed: Tensor
    wanted: Tensor
    white: Tensor

    @classmethod
    def of(cls, light: Tensor, gain: Tensor, working: Tensor, unpainted: Tensor) -> _Paint:
        white = 1 + gain
        own = _without_boost(light, gain)
        shine = light - own
        before = unpainted.amax(0, keepdim=True)
        bound = torch.maximum(BRIGHTEST_SHINE * gain, GLINT * before)
        bound = torch.minimum(bound, before + (LARGEST_HALF - working.amax(0, keepdim=True)).clamp(min=0))
        change = ((light - unpainted).abs().amax(0, keepdim=True) / (CHANGED * white)).clamp(max=1)
        return cls(
            light=light,
            shine=shine,
            of_bound=(shine.amax(0, keepdim=True) / bound.clamp(min=_TINY)).clamp(min=_TINY),
            own=luminance(own),
            changed=change * change * (3 - 2 * change),
            wanted=luminance(unpainted),
            white=white,
        )

    def energies(self) -> Tensor:
        """What is painted, relative to the local light, so that a sun does not outvote the sky around it.

        Returns:
            (2 + FACTORS, H, W): luminance that the plate has beyond `own`, luminance of the shine, the plate's energy,
            and the paint's with each of `FACTORS` but 0.
        """
        shine = luminance(self.shine)
        whole, above = shine / self.of_bound, self.own - ENERGY_ABOVE
        lights = [self.wanted - self.own, shine, self.wanted - ENERGY_ABOVE]
        lights += [_bounded(factor * self.of_bound).mul_(whole).add_(above) for factor in FACTORS[1:]]
        return torch.cat(lights).clamp_(min=0).mul_(self.changed / self.white)

    def lit(self, factor: Tensor) -> Tensor:
        """Its light, (3, H, W), with a factor, (1, H, W), on the shine where it is painted."""
        gained = _bounded(factor * self.of_bound).div_(self.of_bound).sub_(1).mul_(self.changed)
        return (self.shine * gained).add_(self.light)


def _bounded(shine: Tensor) -> Tensor:
    """Shine as a share of its bound, softly kept below 1: itself up to 1/2, then 1 - 1 / (4 shine)."""
    beyond = shine.clamp(min=0.5)
    return (shine - beyond).add_(1).sub_(beyond.mul_(4).reciprocal_())


def _energy_factor(grid: LightGrid, energies: Tensor) -> Tensor:
    """The factor with which paint has the plate's energy, for `LightGrid.spread`: (levels, 1, h, w).

    Of all such factors (dark paint may have the same energy with many, or none with any) it is the nearest to the one
    with which the paint has the plate's mean luminance.

    Args:
        energies: `_Paint.energies`, pooled.
    """
    missing, shine, wanted, *in_cells = grid.gather_pooled(energies).split(1, 1)
    in_cells = [torch.zeros_like(wanted), *in_cells]
    in_blocks = [torch.zeros_like(energies[:1]), *energies[3:].split(1)]
    light = KNEE * 2.0 ** torch.arange(len(wanted), device=wanted.device)[:, None, None, None]
    most = torch.where(light > ENERGY_ABOVE, FACTORS[-1], 1.0)
    start = torch.minimum((missing + _RARE_EXCESS) / (shine + _RARE_EXCESS), most)
    factor = torch.minimum(_factor_for(wanted, in_cells, start), most)
    for _ in range(CORRECTIONS):
        # Each pixel has a mean of the factors around it in place and light, so not quite the energy of any.
        has = grid.gather_pooled(_energy_with(grid.spread_pooled(factor), in_blocks))
        target = _energy_with(factor, in_cells) + (wanted - has)
        target = torch.minimum(torch.maximum(target, wanted / 2), 2 * wanted)
        factor = torch.minimum(_factor_for(target, in_cells, start), most)
    return factor


def _factor_for(wanted: Tensor, energies: list[Tensor], start: Tensor) -> Tensor:
    """The factor nearest to `start` that gives an energy, where `FACTORS` give the given energies."""
    least, most = torch.zeros_like(wanted), torch.full_like(wanted, FACTORS[-1])
    for low, high, less, more in zip(FACTORS, FACTORS[1:], energies, energies[1:], strict=False):
        rise, step = more - less, high - low
        least = least + step * ((wanted - less) / (rise + _RARE)).clamp(0, 1)
        most = most - step * ((more - wanted) / (rise + _RARE_EXCESS)).clamp(0, 1)
    return torch.maximum(least, torch.minimum(start, most))


def _energy_with(factor: Tensor, energies: list[Tensor]) -> Tensor:
    """The energy that a factor gives: the inverse of `_factor_for`."""
    energy = energies[0]
    for low, high, less, more in zip(FACTORS, FACTORS[1:], energies, energies[1:], strict=False):
        energy = energy + (more - less) * ((factor - low) / (high - low)).clamp(0, 1)
    return energy
