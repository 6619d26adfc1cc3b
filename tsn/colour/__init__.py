"""Plate space <-> style space: scene-linear, log or display-referred plates to what a network was trained on, and back.

    plate --to_working--> linear Rec.709 --tone--> style space        (a tone map that the reference undoes)
    plate' = plate + from_working(working + painted - unpainted) - from_working(working)

The way back adds the *change* that the paint made to the plate's own values, so a pixel that was not painted keeps
its bits in every space, and what a tone map or a log curve can't hold (negatives, out of gamut, above a curve's top)
is kept beside the paint. The plate becomes linear Rec.709 through OpenColorIO: linear spaces by one 3x3 matrix in
torch, the others by OCIO's own CPU processor. Display-referred plates (white is 1.0) are style space already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.colour.tone import DISPLAY_REFERRED, TONE_MAPS, ToneMap, srgb_decode, srgb_encode
from tsn.colour.transform import WorkingTransform, working_transform
from tsn.determinism import apply_elementwise
from tsn.errors import UsageError
from tsn.ocio import BUILTIN_CONFIG, CINEON, resolve_space, space_fingerprint, space_names

__all__ = [
    "BUILTIN_CONFIG",
    "CINEON",
    "LUMA",
    "Codec",
    "Residue",
    "codec",
    "nonfinite",
    "resolve_space",
    "space_names",
    "srgb_decode",
    "srgb_encode",
]

LUMA = (0.2126, 0.7152, 0.0722)
"""Rec. 709 weights of red, green and blue; on style space, which is display-like, as video takes them."""

FILL_RADIUS_PX = 16
"""Pixels from which a hole in the plate takes what it is painted as."""

# Far above any plate, far below float32's end: products with gains and matrices stay finite.
_MAX_WORKING = 1e30


@dataclass(frozen=True, kw_only=True)
class PlateReference:
    """What style space can't hold of one frame; all float32 on the frame's device.

    Attributes:
        plate: the plate's values (3, H, W), what surrounds it where any channel was NaN or infinite.
        working: the same in the working space.
        unpainted: the working values that the frame's own style values stand for.
        gain: the tone map's gain (1, H, W).
    """

    plate: Tensor
    working: Tensor
    unpainted: Tensor
    gain: Tensor


def nonfinite_mask(rgb: Tensor) -> Tensor:
    """Bool (1, H, W), true where any channel of (3, H, W) is NaN or infinite."""
    return ~torch.isfinite(rgb).all(0, keepdim=True)


def _fill_nonfinite(rgb: Tensor) -> Tensor:
    """(3, H, W) with the mean of its finite neighbours for each pixel that is not; 0 where none is near.

    A black pixel instead would be an edge to the painter: one lone NaN changed a thousand pixels of paint.
    """
    bad = nonfinite_mask(rgb)
    if not bad.any():
        return rgb
    known, filled = (~bad).to(rgb.dtype), torch.where(bad, 0.0, rgb)
    for _ in range(FILL_RADIUS_PX):
        if bool(known.all()):
            break
        # In float64: a firefly of 1e37 beside it shall not overflow the sum.
        weight = F.avg_pool2d(known.double()[None], 3, 1, 1, count_include_pad=False)[0]
        mean = F.avg_pool2d(filled.double()[None], 3, 1, 1, count_include_pad=False)[0] / weight.clamp(min=1e-6)
        new = (known == 0) & (weight > 0)
        filled, known = torch.where(new, mean.to(rgb.dtype), filled), torch.where(new, 1.0, known)
    return filled


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A plate's way to style space and back; make one with `codec`. Holds no frame, so one serves a whole shot."""

    space: str
    fingerprint: str
    """Changes whenever the space could mean other colours."""
    _transform: WorkingTransform
    _tone: ToneMap

    def to_style(self, rgb: Tensor) -> tuple[Tensor, PlateReference]:
        """Plate values, float32 (3, H, W), to style values in [0, 1] and what they leave behind.

        Pixels with a NaN or an infinity are taken as what surrounds them: the caller puts the plate's own back
        (`nonfinite_mask` tells where).
        """
        plate = _fill_nonfinite(rgb).contiguous()
        working = self._transform.forward(plate).nan_to_num(0.0).clamp(-_MAX_WORKING, _MAX_WORKING)
        gain = self._tone.gain(working)
        style = apply_elementwise(self._tone.encode, (working / gain).clamp(0, self._tone.top)).clamp(0, 1)
        unpainted = apply_elementwise(self._tone.decode, style) * gain
        return style, PlateReference(plate=plate, working=working, unpainted=unpainted, gain=gain)

    def from_style(self, style: Tensor, reference: PlateReference) -> Tensor:
        """Painted style values (3, H, W), clipped to [0, 1], to plate values; unpainted pixels keep their bits.

        Where the plate has no negatives this is decode(style) * gain. What style space could not hold shrinks with
        the paint when it is darker than the plate was: else the negatives of a bright saturated light would show
        through dark paint, and a log curve would make a black firefly of them.
        """
        painted = apply_elementwise(self._tone.decode, style.clamp(0, 1)) * reference.gain
        before, after = reference.unpainted.amax(0, keepdim=True), painted.amax(0, keepdim=True)
        left = reference.working - reference.unpainted
        darker = torch.where(after < before, after / before.clamp(min=1e-30), 1.0)
        delta = (painted - reference.unpainted) + left * (darker - 1)
        if self._transform.linear:
            plate = reference.plate + self._transform.inverse(delta)
        else:
            inverse = self._transform.inverse
            plate = reference.plate + (inverse(reference.working + delta) - inverse(reference.working))
            # The toe of a log curve is steep: no code below scene black that was not in the plate.
            black = inverse(torch.zeros_like(delta[:, :1, :1]))
            plate = torch.maximum(plate, torch.minimum(reference.plate, black))
        return torch.where((painted == reference.unpainted).all(0, keepdim=True), reference.plate, plate)


def codec(space: str, *, header: Mapping[str, Any] | None = None, highlights: str = "keep") -> Codec:
    """The codec of a plate.

    Args:
        space: see `resolve_space`.
        header: the first frame's header, where `space` is `auto`.
        highlights: `keep` (max-RGB ratio with a knee, highlights stay where they were) or `soft` (sRGB/log hybrid,
            paint may move them). Of no effect on display-referred plates, whose codes go to the painter as they are.

    Raises:
        UsageError: no such space or tone map, or no way to linear Rec.709 and back.
        InputError: $OCIO names a config that can't be read.
    """
    if highlights not in TONE_MAPS:
        raise UsageError(f"colour.highlights is {highlights!r}, expected {' or '.join(TONE_MAPS)}.")
    name = resolve_space(space, header)
    transform = working_transform(name)
    tone = DISPLAY_REFERRED if transform.display else TONE_MAPS[highlights]
    return Codec(space=name, fingerprint=space_fingerprint(name), _transform=transform, _tone=tone)
