"""What a kind of stroke painting is made of: layers of strokes from coarse to fine, and how their paint behaves.

Presets are YAML files, which `preset_file` reads; the bounds of their values stand here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen

from tsn.strokes.frame import Knobs

Share = Annotated[float, Ge(0), Le(1)]
Length = Annotated[float, Gt(0), Le(2000)]
Rgb = tuple[float, float, float]
Ground = Literal["paint", "plate", "none"] | Rgb
"""What shows between strokes: the colours of the coarsest strokes, the plate itself, nothing (transparent), or a colour
in style space."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Strokes of one size. Lengths in pixels of a plate of 360 lines.

    Attributes:
        width, length: of a stroke.
        spacing: between neighbouring strokes.
        always: laid everywhere; otherwise only where the plate has detail of its size.
        low, high: detail (see `guides`) at which strokes begin to come, and from which on all come.
        floor: chance of a stroke where there is no detail.
        detail_sigma: of the Gaussian whose difference from a fine one is the detail.
        clipped: ends at contours of the plate; otherwise it may hang over them.
        opacity: of a stroke, 0..1.
    """

    width: Length
    length: Length
    spacing: Length
    always: bool = False
    low: Annotated[float, Ge(0)] = 0.0
    high: Annotated[float, Gt(0)] = 1.0
    floor: Share = 0.0
    detail_sigma: Length = 1.0
    clipped: bool = True
    opacity: Share = 0.95


@dataclass(frozen=True, kw_only=True)
class DrawnBrush:
    """A brush that `brush` draws.

    Attributes:
        kind: of its tips.
        hairs: how far it leaves its hairs in the paint, 0 (a marker) to 1 (a dry brush).
    """

    kind: Literal["bristle"] = "bristle"
    hairs: Share = 0.7


def adjust_layer(layer: Layer, knobs: Knobs) -> Layer:
    """The layer as an artist's settings at a frame change it; the same layer where all are 1."""
    detail = max(knobs.detail, 1e-3)
    return replace(
        layer,
        width=layer.width * knobs.size,
        length=layer.length * knobs.size * knobs.length,
        spacing=layer.spacing * knobs.size / max(knobs.density, 1e-2) ** 0.5,
        low=layer.low / detail,
        high=layer.high / detail,
        floor=layer.floor * min(1.0, knobs.detail),
        detail_sigma=layer.detail_sigma * knobs.size,
    )


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A kind of paint.

    Attributes:
        title, licence: for people, as lists of styles print them.
        layers: coarse to fine.
        brush: what its strokes are made with.
        value, chroma, hue: spread of the strokes' colours: luma (+-), saturation (+- share), hue (+- turns).
        relief: strength of the light on the paint's relief, 0 = flat.
        ground: see `Ground`.
    """

    title: Annotated[str, MinLen(1)]
    licence: str = "unknown"
    layers: Annotated[tuple[Layer, ...], MinLen(1)]
    brush: DrawnBrush = DrawnBrush()
    value: Share = 0.05
    chroma: Share = 0.25
    hue: Share = 0.02
    relief: Annotated[float, Ge(0), Le(4)] = 0.5
    ground: Ground = "paint"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that can change a pixel: every value but the title and the licence."""
        values = {key: value for key, value in asdict(self).items() if key not in ("title", "licence")}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
