"""Working space <-> style space: the tone maps, and the curves they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from tsn.determinism import apply_elementwise


def srgb_encode(linear: Tensor) -> Tensor:
    """The sRGB curve (IEC 61966-2-1), for values from 0."""
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def srgb_decode(encoded: Tensor) -> Tensor:
    """The sRGB curve's inverse, for values from 0."""
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


class ToneMapping(Protocol):
    """Working values to style values and back.

    Attributes:
        brightest: the largest style value.
    """

    @property
    def brightest(self) -> float: ...

    def to_style(self, working: Tensor) -> tuple[Tensor, Tensor]:
        """Working values (3, H, W) to style values from 0 to `brightest`, and what the way back needs, (1, H, W)."""
        ...

    def with_gain(self, working: Tensor, gain: Tensor) -> Tensor:
        """Working values (3, H, W) to style values, with the gain of another picture, such as the plate below paint."""
        ...

    def to_working(self, style: Tensor, gain: Tensor) -> Tensor:
        """The inverse of `to_style`, but for what it clipped."""
        ...

    def balanced(self, light: Tensor, style: Tensor, gain: Tensor, working: Tensor, unpainted: Tensor) -> Tensor:
        """Working values of painted style values, their light brought to the plate's; (3, H, W) as all but the gain.

        Args:
            light: `to_working` of the painted style values.
            style: those.
            gain: of the plate.
            working: the plate's.
            unpainted: `to_working` of the plate's style values; where it is equal to `light` all around, so is the
                result.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ToneMap:
    """A `ToneMapping` by a gain from the working values, then a fixed curve on working/gain.

    Attributes:
        top: working/gain is clipped to [0, top], which the curve maps to [0, 1].
        gain: working values (3, H, W) -> gain (1, H, W) >= 1.
        encode: the curve, element by element.
        decode: its inverse.
        brightest: the style value of `top`.
    """

    top: float
    gain: Callable[[Tensor], Tensor]
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    brightest: float = 1.0

    def to_style(self, working: Tensor) -> tuple[Tensor, Tensor]:
        """See `ToneMapping`."""
        gain = self.gain(working)
        return self.with_gain(working, gain), gain

    def with_gain(self, working: Tensor, gain: Tensor) -> Tensor:
        """See `ToneMapping`."""
        return apply_elementwise(self.encode, (working / gain).clamp(0, self.top)).clamp(0, self.brightest)

    def to_working(self, style: Tensor, gain: Tensor) -> Tensor:
        """See `ToneMapping`."""
        return apply_elementwise(self.decode, style) * gain

    def balanced(self, light: Tensor, style: Tensor, gain: Tensor, working: Tensor, unpainted: Tensor) -> Tensor:
        """See `ToneMapping`; the light of paint stays as it is."""
        return light


_KNEE = 0.6


def _keep_gain(working: Tensor) -> Tensor:
    """Max-RGB ratio with a knee: m = max(R, G, B) above k = 0.6 becomes t = k + (1-k) u/(1+u), u = (m-k)/(1-k).

    The best of the invertible tone maps in our measurements: mid contrast is 0.94 of sRGB's, and a stroke scales a
    highlight instead of making a firefly. Highlights stay where they were in the plate, whatever is painted there.
    """
    brightest = working.amax(0, keepdim=True)
    squeezed = 1 - (1 - _KNEE) / (1 + (brightest - _KNEE) / (1 - _KNEE))
    return torch.where(brightest > _KNEE, brightest / squeezed.clamp(min=_KNEE), 1.0)


# The hybrid's log part continues sRGB from the knee on with sRGB's slope (C1): s + a ln(x/k). No parameter is free: it
# reaches 1 at _SOFT_TOP = 2.2, 3.6 stops above middle grey.
_SOFT_KNEE = 0.18
_SOFT_START = 1.055 * _SOFT_KNEE ** (1 / 2.4) - 0.055
_SOFT_RATE = 1.055 / 2.4 * _SOFT_KNEE ** (1 / 2.4)
_SOFT_TOP = _SOFT_KNEE * math.exp((1 - _SOFT_START) / _SOFT_RATE)


def _soft_gain(working: Tensor) -> Tensor:
    """sRGB/log hybrid: 1 up to the curve's top, then m/top, so that brighter values keep their hue.

    Below the top the gain is 1, so that a painted stroke can move a highlight: by 1.6x for 0.1 in style space.
    """
    return (working.amax(0, keepdim=True) / _SOFT_TOP).clamp(min=1.0)


def _soft_encode(linear: Tensor) -> Tensor:
    log = _SOFT_START + _SOFT_RATE * (linear.clamp(min=_SOFT_KNEE) / _SOFT_KNEE).log()
    return torch.where(linear <= _SOFT_KNEE, srgb_encode(linear), log)


def _soft_decode(encoded: Tensor) -> Tensor:
    return torch.where(
        encoded <= _SOFT_START, srgb_decode(encoded), _SOFT_KNEE * ((encoded - _SOFT_START) / _SOFT_RATE).exp()
    )


# Beyond white the open curve goes on as a logarithm, whose slope is that of a stop of light anywhere: a stroke over a
# highlight has the mean of its stops, and no firefly outshines its neighbours.
_OPEN_TOP = 65504.0


def _open_encode(linear: Tensor) -> Tensor:
    return torch.where(linear <= 1, srgb_encode(linear.clamp(max=1)), 1 + linear.clamp(min=1).log())


def _open_decode(encoded: Tensor) -> Tensor:
    return torch.where(encoded <= 1, srgb_decode(encoded.clamp(max=1)), (encoded.clamp(min=1) - 1).exp())


OPEN = ToneMap(
    top=_OPEN_TOP,
    gain=lambda working: torch.ones_like(working[:1]),
    encode=_open_encode,
    decode=_open_decode,
    brightest=1 + math.log(_OPEN_TOP),
)
"""sRGB without a clip, up to the largest half float: for painters that take values beyond white, as strokes do."""

KEEP = ToneMap(top=1.0, gain=_keep_gain, encode=srgb_encode, decode=srgb_decode)
SOFT = ToneMap(top=_SOFT_TOP, gain=_soft_gain, encode=_soft_encode, decode=_soft_decode)
DISPLAY_REFERRED = ToneMap(
    top=1.0, gain=lambda working: torch.ones_like(working[:1]), encode=torch.clone, decode=torch.clone
)
