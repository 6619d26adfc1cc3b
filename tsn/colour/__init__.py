"""Plate space <-> style space: scene-linear, log or display-referred plates to what a network was trained on, and back.

    plate --to_working--> linear Rec.709 --tone map--> style space      (`PlateReference` makes it reversible)
    plate' = plate + from_working(working + painted - unpainted) - from_working(working)

The way back adds the *change* that the paint made to the plate's own values. So a pixel that was not painted keeps its
bits in every space, and what style space cannot hold (negatives, out of gamut, above a curve's top) is preserved.
OpenColorIO converts the plate to linear Rec.709: linear spaces by one 3x3 matrix in torch, the others by OCIO's own
CPU processor. Display-referred plates (white is 1.0) are style space already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.colour.luminance import LUMA
from tsn.colour.painted_highlights import METHOD, PaintedHighlights
from tsn.colour.tone import DISPLAY_REFERRED, KEEP, OPEN, SOFT, ToneMapping, srgb_decode, srgb_encode
from tsn.colour.transform import WorkingTransform, working_transform
from tsn.errors import UsageError
from tsn.ocio import BUILTIN_CONFIG, CINEON, resolve_space, space_fingerprint, space_names

__all__ = [
    "BUILTIN_CONFIG",
    "CINEON",
    "LUMA",
    "Codec",
    "PlateReference",
    "codec",
    "nonfinite_mask",
    "open_codec",
    "resolve_space",
    "space_names",
    "srgb_decode",
    "srgb_encode",
]

TONE_MAPS: Mapping[str, ToneMapping] = {"paint": PaintedHighlights(), "keep": KEEP, "soft": SOFT}
"""The values of `colour.highlights`, for plates that are not display-referred."""

FILL_RADIUS_PX = 16
"""Distance over which a pixel that is not finite is filled from its neighbours."""

# Far above any plate, far below the largest float32: products with gains and matrices stay finite.
_MAX_WORKING = 1e30


@dataclass(frozen=True, kw_only=True)
class PlateReference:
    """What `Codec.from_style` needs of the unpainted frame; all float32, on the frame's device.

    Attributes:
        plate: the plate's values, (3, H, W), filled from neighbours where a channel was NaN or infinite.
        working: the same in the working space, (3, H, W).
        unpainted: the working values that the frame's style values decode to, (3, H, W).
        gain: what the tone map needs for the way back, (1, H, W).
    """

    plate: Tensor
    working: Tensor
    unpainted: Tensor
    gain: Tensor


def nonfinite_mask(rgb: Tensor) -> Tensor:
    """Bool (1, H, W): True where any channel of (3, H, W) is NaN or infinite."""
    return ~torch.isfinite(rgb).all(0, keepdim=True)


def _fill_nonfinite(rgb: Tensor) -> Tensor:
    """(3, H, W) with each pixel that is not finite replaced by the mean of its neighbours; 0 if none is near.

    A black pixel instead would be an edge for the painter: a single NaN changed a thousand pixels of paint.
    """
    bad = nonfinite_mask(rgb)
    if not bad.any():
        return rgb
    known, filled = (~bad).to(rgb.dtype), torch.where(bad, 0.0, rgb)
    for _ in range(FILL_RADIUS_PX):
        if bool(known.all()):
            break
        # In float64, so that a firefly of 1e37 beside it does not overflow the sum.
        weight = F.avg_pool2d(known.double()[None], 3, 1, 1, count_include_pad=False)[0]
        mean = F.avg_pool2d(filled.double()[None], 3, 1, 1, count_include_pad=False)[0] / weight.clamp(min=1e-6)
        new = (known == 0) & (weight > 0)
        filled, known = torch.where(new, mean.to(rgb.dtype), filled), torch.where(new, 1.0, known)
    return filled


@dataclass(frozen=True, kw_only=True)
class Codec:
    """Converts a plate's frames to style space and back. Made by `codec`; it has no state, so one serves a whole shot.

    Attributes:
        space: name of the plate's colour space.
        fingerprint: changes whenever the space could mean other colours.
    """

    space: str
    fingerprint: str
    _transform: WorkingTransform
    _tone: ToneMapping

    def to_style(self, rgb: Tensor) -> tuple[Tensor, PlateReference]:
        """Plate values, float32 (3, H, W), to style values in [0, 1], and what the way back needs.

        With the open tone map (`open_codec`) style values go beyond 1.

        Pixels with a NaN or an infinity are filled from their neighbours. The caller must put the plate's own values
        back there (`nonfinite_mask`).
        """
        plate = _fill_nonfinite(rgb).contiguous()
        working = self._transform.forward(plate).nan_to_num(0.0).clamp(-_MAX_WORKING, _MAX_WORKING)
        style, gain = self._tone.to_style(working)
        unpainted = self._tone.to_working(style, gain)
        return style, PlateReference(plate=plate, working=working, unpainted=unpainted, gain=gain)

    def paint_to_style(self, rgb: Tensor, reference: PlateReference) -> Tensor:
        """What somebody painted in the plate's own values, (3, H, W), to style values in [0, 1].

        Args:
            reference: of the unpainted frame, whose gain is taken off the paint: `from_style` puts it back.
        """
        plate = _fill_nonfinite(rgb).contiguous()
        working = self._transform.forward(plate).nan_to_num(0.0).clamp(-_MAX_WORKING, _MAX_WORKING)
        return self._tone.with_gain(working, reference.gain)

    def from_style(self, style: Tensor, reference: PlateReference) -> Tensor:
        """Painted style values (3, H, W), clipped to the range of `to_style`, to plate values.

        Pixels that are not painted keep their bits.

        Where the plate has no negatives this is the light that the tone map gives the paint. What style space could not
        hold is scaled down where the paint is darker than the plate: otherwise the negatives of a bright saturated
        light would show through dark paint, and a log curve would make a black firefly of them.
        """
        style = style.clamp(0, self._tone.brightest)
        painted = self._tone.to_working(style, reference.gain)
        untouched = (painted == reference.unpainted).all(0, keepdim=True)
        painted = self._tone.balanced(painted, style, reference.gain, reference.working, reference.unpainted)
        before, after = reference.unpainted.amax(0, keepdim=True), painted.amax(0, keepdim=True)
        remainder = reference.working - reference.unpainted
        darker = torch.where(after < before, after / before.clamp(min=1e-30), 1.0)
        delta = (painted - reference.unpainted) + remainder * (darker - 1)
        if self._transform.linear:
            plate = reference.plate + self._transform.inverse(delta)
        else:
            inverse = self._transform.inverse
            plate = reference.plate + (inverse(reference.working + delta) - inverse(reference.working))
            # The toe of a log curve is steep: paint must not add codes below scene black.
            black = inverse(torch.zeros_like(delta[:, :1, :1]))
            plate = torch.maximum(plate, torch.minimum(reference.plate, black))
        return torch.where(untouched, reference.plate, plate)


def open_codec(codec: Codec) -> Codec:
    """The codec whose style values go beyond 1 where the plate does; for display-referred plates the codec itself."""
    return codec if codec._tone is DISPLAY_REFERRED else replace(codec, _tone=OPEN)


def codec(space: str, *, header: Mapping[str, Any] | None = None, highlights: str = "keep") -> Codec:
    """Make the codec of a plate.

    Args:
        space: see `resolve_space`.
        header: the first frame's header, if `space` is `auto`.
        highlights: `paint` (the painter sees local light, its paint shines with the plate's energy), `keep` (max-RGB
            ratio with a knee, highlights stay where they were) or `soft` (sRGB/log hybrid, paint may move them). It has
            no effect on display-referred plates, whose codes are the painter's input.

    Raises:
        UsageError: no such space or tone map, or no transform to linear Rec.709 and back.
        InputError: $OCIO names a config that cannot be read.
    """
    if highlights not in TONE_MAPS:
        raise UsageError(f"colour.highlights is {highlights!r}, expected {', '.join(TONE_MAPS)}.")
    name = resolve_space(space, header)
    transform = working_transform(name)
    tone = DISPLAY_REFERRED if transform.display else TONE_MAPS[highlights]
    fingerprint = space_fingerprint(name)
    if isinstance(tone, PaintedHighlights):
        fingerprint = f"{fingerprint} {METHOD}"
    return Codec(space=name, fingerprint=fingerprint, _transform=transform, _tone=tone)
