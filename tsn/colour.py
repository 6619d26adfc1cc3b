"""Plate space <-> style space: scene-linear, log or display-referred plates to what a network was trained on, and back.

    plate --to_working--> linear Rec.709 --tone--> style space        (a tone map that the residue undoes)
    plate' = plate + from_working(working + painted - unpainted) - from_working(working)

The way back adds the *change* that the paint made to the plate's own values, so a pixel that was not painted keeps
its bits in every space, and what a tone map or a log curve can't hold (negatives, out of gamut, above a curve's top)
is kept beside the paint. The plate becomes linear Rec.709 through OpenColorIO: linear spaces by one 3x3 matrix in
torch, the others by OCIO's own CPU processor. Display-referred plates (white is 1.0) are style space already.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import PyOpenColorIO as ocio
import torch
from torch import Tensor

from tsn.elementwise import steadily
from tsn.errors import InputError, UsageError, near_miss

LUMA = (0.2126, 0.7152, 0.0722)
"""Rec. 709 weights of red, green and blue; on style space, which is display-like, as video takes them."""

BUILTIN_CONFIG = "studio-config-v5.0.0_aces-v2.1_ocio-v2.6"
"""Pinned by name: `ocio://default` moves between OCIO releases, and the same shot must give the same pixels."""

WORKING = "lin_rec709"
CINEON = "cineon"
"""Kodak's Cineon log, which the built-in configs lack: code/1023 of printing density, black at 95, white at 685."""

# Far above any plate, far below float32's end: products with gains and matrices stay finite.
_HUGE = 1e30

# CIE xy of R, G, B, white as EXR's `chromaticities` holds them. Sources: ITU-R BT.709, BT.2020, SMPTE ST 2065-1 (AP0),
# S-2014-004 (AP1), SMPTE EG 432-1 (P3-D65), Adobe RGB (1998).
_GAMUTS = {
    "lin_rec709": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    "ACES2065-1": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
    "ACEScg": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),
    "lin_rec2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    "lin_p3d65": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
    "lin_adobergb": (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.3290),
}
_DPX_TRANSFERS = {"printing density": CINEON, "logarithmic": CINEON, "linear": WORKING}
# What OpenImageIO calls a few spaces; every other name it uses is known to the config.
_OIIO_NAMES = {"linear": WORKING, "srgb": "srgb_tx", "rec709": "camera_rec709", "kodaklog": CINEON}


# --- names ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _load_configs(environment: str | None) -> tuple[Any, ...]:
    builtin = ocio.Config.CreateFromBuiltinConfig(BUILTIN_CONFIG)
    if not environment:
        return (builtin,)
    try:
        return (ocio.Config.CreateFromFile(environment), builtin)
    except (ocio.Exception, ocio.ExceptionMissingFile) as error:
        raise InputError(
            f"{environment}: the OCIO environment variable names a config that can't be read: {error}",
            hint="Correct the variable, or unset OCIO to use the built-in ACES studio config.",
        ) from error


def _configs() -> tuple[Any, ...]:
    """The show's config ($OCIO) where there is one, then the pinned one, so that standard names work in every show."""
    return _load_configs(os.environ.get("OCIO"))


def _find(name: str) -> tuple[Any, str]:
    """The config that knows a space, role or alias (None for our own Cineon), and the space's full name."""
    for config in _configs():
        if space := config.getColorSpace(name):
            if space.isData():
                raise UsageError(
                    f"Colour space {name!r} is for data, not for pictures: nothing says what its values look like.",
                    hint="Name the space the plate was rendered or graded in, such as lin_rec709, ACEScg or acescct.",
                )
            return config, space.getName()
    if name.lower() == CINEON:
        return None, CINEON
    raise UsageError(
        f"Colour space {name!r} is not in the OCIO config ({os.environ.get('OCIO') or BUILTIN_CONFIG}).",
        hint=near_miss(name, [*spaces(), *(known.lower() for known in spaces())])
        or "Common names: lin_rec709, ACEScg, acescct, srgb_tx, cineon, or auto.",
    )


def spaces() -> tuple[str, ...]:
    """The names `codec` accepts besides `auto`, in any case: full names, `cineon`, then aliases."""
    found = [
        space
        for config in _configs()
        for space in config.getColorSpaces(ocio.SEARCH_REFERENCE_SPACE_ALL, ocio.COLORSPACE_ALL)
        if not space.isData()
    ]
    names = [space.getName() for space in found] + [CINEON]
    return tuple(dict.fromkeys(names + [alias for space in found for alias in space.getAliases()]))


def resolve_space(space: str, header: Mapping[str, Any] | None = None) -> str:
    """The full name of a plate's colour space.

    Args:
        space: a name, alias or role of the OCIO config ($OCIO, else the built-in one), `cineon`, or `auto`.
        header: the plate's header, for `auto`. In this order: `colorInteropID`; a DPX's transfer field (printing
            density and logarithmic are Cineon, linear is lin_rec709, everything else Rec.709 video, because its
            codes then look as on a monitor); `oiio:ColorSpace`; EXR's `chromaticities`. A header that says nothing
            means lin_rec709, as EXR's own default is.

    Raises:
        UsageError: the space is unknown or for data, or the header says something that names no known space.
    """
    if space.lower() != "auto":
        return _find(space)[1]
    header = header or {}
    # A DPX that leaves its transfer field undefined may have no key for it; only DPX says its byte order.
    is_dpx = "dpx:Transfer" in header or "oiio:Endian" in header
    for key in ("colorInteropID", "dpx:Transfer", "oiio:ColorSpace"):
        said = str(header.get(key) or "")
        if key == "dpx:Transfer" and is_dpx:
            return _find(_DPX_TRANSFERS.get(said.lower(), "camera_rec709"))[1]
        if said.lower() not in ("", "unknown"):
            try:
                return _find(_OIIO_NAMES.get(said.lower(), said))[1]
            except UsageError as error:
                raise UsageError(f"The header's {key}: {error}", hint=f"Set colour.input. {error.hint}") from error
    chromaticities = header.get("chromaticities")
    return _find(WORKING if chromaticities is None else _gamut(chromaticities))[1]


def _gamut(chromaticities: Any) -> str:
    found = np.asarray(chromaticities, dtype=np.float64).ravel()
    for name, expected in _GAMUTS.items():
        if found.shape == (8,) and np.abs(found - expected).max() < 1e-3:
            return name
    raise UsageError(
        f"The header's chromaticities {np.round(found, 4).tolist()} are of none of {', '.join(_GAMUTS)}.",
        hint="Set colour.input to the plate's space; `tsn check` lists the names.",
    )


# --- plate <-> working space ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Transform:
    """Plate values to the space that the tone map starts from, and back; both take and give float32 (3, H, W)."""

    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    linear: bool
    display: bool
    """Ends in sRGB-encoded Rec.709 instead of linear Rec.709."""


def _matrix(values: np.ndarray) -> Callable[[Tensor], Tensor]:
    rows = values.tolist()

    def apply(rgb: Tensor) -> Tensor:
        # Written out, because a matmul may run in TF32 and needn't give the same bits at every image size.
        return torch.stack([a * rgb[0] + b * rgb[1] + c * rgb[2] for a, b, c in rows])

    return apply


def _cpu(processor: Any) -> Callable[[Tensor], Tensor]:
    # OCIO's default optimisation is lossy (1e-3).
    cpu = processor.getOptimizedCPUProcessor(ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_LOSSLESS)

    def apply(rgb: Tensor) -> Tensor:
        pixels = np.ascontiguousarray(rgb.detach().cpu().permute(1, 2, 0).numpy().astype(np.float32))
        cpu.applyRGB(pixels)
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().to(rgb.device)

    return apply


# Kodak, "Conversion of 10-bit Log Film Data to 8-bit Linear or Video Data": 0.002 density a code, film gamma 0.6.
_CINEON_BLACK = 10 ** ((95 - 685) * 0.002 / 0.6)


def _cineon_to_linear(code: Tensor) -> Tensor:
    return (10 ** ((code * 1023 - 685) * (0.002 / 0.6)) - _CINEON_BLACK) / (1 - _CINEON_BLACK)


def _linear_to_cineon(linear: Tensor) -> Tensor:
    exposure = linear * (1 - _CINEON_BLACK) + _CINEON_BLACK
    return (exposure.clamp(min=10 ** (-685 * 0.002 / 0.6)).log10() * (0.6 / 0.002) + 685) / 1023


def _processors(config: Any, name: str, working: str) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    builtin = _configs()[-1]
    try:
        if config is builtin:
            return _cpu(config.getProcessor(name, working)), _cpu(config.getProcessor(working, name))
        between = ocio.Config.GetProcessorFromConfigs
        return _cpu(between(config, name, builtin, working)), _cpu(between(builtin, working, config, name))
    except ocio.Exception as error:
        raise UsageError(
            f"Colour space {name!r} can't be converted to linear Rec.709 and back: {error}",
            hint="The config must hold both directions of the space and the role aces_interchange.",
        ) from error


def _transform(space: str) -> _Transform:
    """The kind of a space is measured, not read from its `encoding`, which many shows' configs leave empty."""
    config, name = _find(space)
    if config is None:
        return _Transform(
            forward=partial(steadily, _cineon_to_linear),
            inverse=partial(steadily, _linear_to_cineon),
            linear=False,
            display=False,
        )
    forward, inverse = _processors(config, name, WORKING)
    probe = torch.cat([torch.eye(3), 0.25 * torch.eye(3), torch.full((1, 3), -2.0), torch.zeros(1, 3)]).T[:, None]
    found = forward(probe)[:, 0].double()
    matrix = found[:, :3]
    if torch.allclose(matrix @ probe[:, 0].double(), found, rtol=1e-4, atol=1e-5):
        back = np.linalg.inv(matrix.numpy())
        return _Transform(forward=_matrix(matrix.numpy()), inverse=_matrix(back), linear=True, display=False)
    white = forward(torch.ones(3, 1, 1))
    if not torch.allclose(white, torch.ones(3, 1, 1), atol=0.02):
        return _Transform(forward=forward, inverse=inverse, linear=False, display=False)
    if torch.allclose(matrix, torch.eye(3, dtype=torch.float64), atol=1e-3):
        # Rec.709 primaries under some video gamma: its codes are what a picture from the web holds.
        same = _matrix(np.eye(3))
        return _Transform(forward=same, inverse=same, linear=True, display=True)
    forward, inverse = _processors(config, name, "srgb_tx")
    return _Transform(forward=forward, inverse=inverse, linear=False, display=True)


# --- working space <-> style space ---------------------------------------------------------------------------------


def srgb_encode(linear: Tensor) -> Tensor:
    """The sRGB curve (IEC 61966-2-1), for values from 0."""
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def srgb_decode(encoded: Tensor) -> Tensor:
    """The sRGB curve's inverse, for values from 0."""
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


@dataclass(frozen=True, kw_only=True)
class _Tone:
    """A tone map: gain (1, H, W) >= 1 from the working values, then a fixed curve on working/gain in [0, top]."""

    top: float
    gain: Callable[[Tensor], Tensor]
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


_KNEE = 0.6


def _keep_gain(working: Tensor) -> Tensor:
    """Max-RGB ratio with a knee: m = max(R, G, B) above k = 0.6 becomes t = k + (1-k) u/(1+u), u = (m-k)/(1-k).

    Measured best of the invertible tone maps: mid contrast 0.94 of sRGB's, and a stroke scales a highlight instead
    of making a firefly. Highlights stay where they were in the plate, whatever is painted there.
    """
    brightest = working.amax(0, keepdim=True)
    squeezed = 1 - (1 - _KNEE) / (1 + (brightest - _KNEE) / (1 - _KNEE))
    return torch.where(brightest > _KNEE, brightest / squeezed.clamp(min=_KNEE), 1.0)


# The hybrid's log part goes on from sRGB at the knee with sRGB's slope (C1): s + a ln(x/k). Nothing is left to choose:
# it reaches 1 at _SOFT_TOP = 2.2, 3.6 stops above middle grey.
_SOFT_KNEE = 0.18
_SOFT_START = 1.055 * _SOFT_KNEE ** (1 / 2.4) - 0.055
_SOFT_RATE = 1.055 / 2.4 * _SOFT_KNEE ** (1 / 2.4)
_SOFT_TOP = _SOFT_KNEE * math.exp((1 - _SOFT_START) / _SOFT_RATE)


def _soft_gain(working: Tensor) -> Tensor:
    """sRGB/log hybrid: 1 up to the curve's top, then m/top, so brighter values keep hue and come back scaled.

    Below the top the plate leaves no ratio behind: a painted stroke can move a highlight, by 1.6x for 0.1 of style.
    """
    return (working.amax(0, keepdim=True) / _SOFT_TOP).clamp(min=1.0)


def _soft_encode(linear: Tensor) -> Tensor:
    log = _SOFT_START + _SOFT_RATE * (linear.clamp(min=_SOFT_KNEE) / _SOFT_KNEE).log()
    return torch.where(linear <= _SOFT_KNEE, srgb_encode(linear), log)


def _soft_decode(encoded: Tensor) -> Tensor:
    return torch.where(
        encoded <= _SOFT_START, srgb_decode(encoded), _SOFT_KNEE * ((encoded - _SOFT_START) / _SOFT_RATE).exp()
    )


_TONES = {
    "keep": _Tone(top=1.0, gain=_keep_gain, encode=srgb_encode, decode=srgb_decode),
    "soft": _Tone(top=_SOFT_TOP, gain=_soft_gain, encode=_soft_encode, decode=_soft_decode),
}
_DIRECT = _Tone(top=1.0, gain=lambda working: torch.ones_like(working[:1]), encode=torch.clone, decode=torch.clone)


# --- the codec -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Residue:
    """What style space can't hold of one frame; all float32 on the frame's device.

    Attributes:
        plate: the plate's values (3, H, W), 0 where any channel was NaN or infinite.
        working: the same in the working space.
        unpainted: the working values that the frame's own style values stand for.
        gain: the tone map's gain (1, H, W).
    """

    plate: Tensor
    working: Tensor
    unpainted: Tensor
    gain: Tensor


def nonfinite(rgb: Tensor) -> Tensor:
    """Bool (1, H, W), true where any channel of (3, H, W) is NaN or infinite."""
    return ~torch.isfinite(rgb).all(0, keepdim=True)


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A plate's way to style space and back; make one with `codec`. Holds no frame, so one serves a whole shot."""

    space: str
    fingerprint: str
    """Changes whenever the space could mean other colours."""
    _transform: _Transform
    _tone: _Tone

    def to_style(self, rgb: Tensor) -> tuple[Tensor, Residue]:
        """Plate values, float32 (3, H, W), to style values in [0, 1] and what they leave behind.

        Pixels with a NaN or an infinity are taken as 0 and come back as 0: the caller puts the plate's own back
        (`nonfinite` tells where).
        """
        plate = torch.where(nonfinite(rgb), 0.0, rgb).contiguous()
        working = self._transform.forward(plate).nan_to_num(0.0).clamp(-_HUGE, _HUGE)
        gain = self._tone.gain(working)
        style = steadily(self._tone.encode, (working / gain).clamp(0, self._tone.top)).clamp(0, 1)
        unpainted = steadily(self._tone.decode, style) * gain
        return style, Residue(plate=plate, working=working, unpainted=unpainted, gain=gain)

    def from_style(self, style: Tensor, residue: Residue) -> Tensor:
        """Painted style values (3, H, W), clipped to [0, 1], to plate values; unpainted pixels keep their bits.

        Where the plate has no negatives this is decode(style) * gain. What style space could not hold shrinks with
        the paint when it is darker than the plate was: else the negatives of a bright saturated light would show
        through dark paint, and a log curve would make a black firefly of them.
        """
        painted = steadily(self._tone.decode, style.clamp(0, 1)) * residue.gain
        before, after = residue.unpainted.amax(0, keepdim=True), painted.amax(0, keepdim=True)
        left = residue.working - residue.unpainted
        darker = torch.where(after < before, after / before.clamp(min=1e-30), 1.0)
        delta = (painted - residue.unpainted) + left * (darker - 1)
        if self._transform.linear:
            plate = residue.plate + self._transform.inverse(delta)
        else:
            inverse = self._transform.inverse
            plate = residue.plate + (inverse(residue.working + delta) - inverse(residue.working))
            # The toe of a log curve is steep: no code below scene black that was not in the plate.
            black = inverse(torch.zeros_like(delta[:, :1, :1]))
            plate = torch.maximum(plate, torch.minimum(residue.plate, black))
        return torch.where((painted == residue.unpainted).all(0, keepdim=True), residue.plate, plate)


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
    if highlights not in _TONES:
        raise UsageError(f"colour.highlights is {highlights!r}, expected {' or '.join(_TONES)}.")
    name = resolve_space(space, header)
    transform = _transform(name)
    tone = _DIRECT if transform.display else _TONES[highlights]
    return Codec(space=name, fingerprint=_fingerprint(name), _transform=transform, _tone=tone)


def _fingerprint(name: str) -> str:
    """A space by its full name and, where it is out of $OCIO, by what that config says: another one may mean other
    colours by the same name. Tables in files of their own aren't looked into."""
    config, _ = _find(name)
    if config is None or config is _configs()[-1]:
        return name
    return f"{name} {hashlib.sha256(config.serialize().encode()).hexdigest()[:16]}"
