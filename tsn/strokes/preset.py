"""What a kind of stroke painting is made of: layers of strokes from coarse to fine, and how their paint behaves."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tsn.strokes.frame import Knobs


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

    width: float
    length: float
    spacing: float
    always: bool = False
    low: float = 0.0
    high: float = 1.0
    floor: float = 0.0
    detail_sigma: float = 1.0
    clipped: bool = True
    opacity: float = 0.95


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
        layers: coarse to fine.
        value, chroma, hue: spread of the strokes' colours: luma (+-), saturation (+- share), hue (+- turns).
        relief: strength of the light on the paint's relief, 0 = flat.
        bristles: how far a brush leaves its hairs in the paint, 0 (a marker) to 1 (a dry brush).
    """

    layers: tuple[Layer, ...]
    value: float = 0.05
    chroma: float = 0.25
    hue: float = 0.02
    relief: float = 0.5
    bristles: float = 0.7


OIL = Preset(
    layers=(
        Layer(width=30, length=105, spacing=21.4, always=True),
        Layer(width=13.5, length=60, spacing=12.4, low=0.006, high=0.03, floor=0.6, detail_sigma=10.5),
        Layer(width=6.9, length=33, spacing=7.0, low=0.012, high=0.038, floor=0.0, detail_sigma=6.0),
        Layer(width=3.0, length=11, spacing=3.0, low=0.035, high=0.09, floor=0.0, detail_sigma=2.5, clipped=False),
    )
)
PRESETS = {"oil": OIL}
