"""What a kind of stroke painting is made of: layers of strokes from coarse to fine, and how their paint behaves.

Presets are YAML files, which `preset_file` reads; the bounds of their values stand here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
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
class DrawnBrush:
    """A brush that the engine draws, see `drawn_tips`.

    Attributes:
        kind: of its tips.
        hairs: how far it leaves its hairs in the paint, or the paper's grain, 0 (a marker) to 1 (a dry brush).
    """

    kind: Literal["bristle", "flat", "chalk", "pen", "dab", "wash"] = "bristle"
    hairs: Share = 0.7


@dataclass(frozen=True, kw_only=True)
class ScannedBrush:
    """A stroke that an artist scanned, see `scanned_tips`.

    Attributes:
        mask, height: pictures: where it leaves paint, and how thick; None = more paint is thicker.
        sha256: of their content.
    """

    mask: Path
    height: Path | None = None
    sha256: str


Brush = DrawnBrush | tuple[ScannedBrush, ...]


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
        side: where contours are detail: on both sides of them, or on the darker one, as pens draw lines.
        tones: luma at which strokes begin to come, and from which on all come. Where the first is the higher one, they
            come in the dark.
        angle: direction of strokes, degrees anticlockwise from the right; None = along forms.
        follow: with an angle, how far forms lead all the same, 0..1.
        brush: None = the preset's.
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
    side: Literal["both", "dark"] = "both"
    tones: tuple[float, float] | None = None
    angle: float | None = None
    follow: Share = 0.0
    brush: Brush | None = None


MIN_SPACING_PX = 0.8
"""At 360 lines: strokes that knobs or maps would lay more closely stay at this distance, or memory would run out."""


def adjust_layer(layer: Layer, knobs: Knobs) -> Layer:
    """The layer as an artist's settings at a frame change it; the same layer where all are 1."""
    detail = max(knobs.detail, 1e-3)
    return replace(
        layer,
        width=layer.width * knobs.size,
        length=layer.length * knobs.size * knobs.length,
        spacing=max(layer.spacing * knobs.size / max(knobs.density, 1e-2) ** 0.5, min(layer.spacing, MIN_SPACING_PX)),
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
        saturation: factor on the plate's.
        steps: number of tones that are mixed; 0 = all.
        divide: how far each stroke goes towards one of two hues that mix to its own (complementary colours).
        pigment: colour of all strokes; None = the plate's.
        relief: strength of the light on the paint's relief, 0 = flat.
        pooling: how far thicker paint is darker, as transparent paint is that gathers at the rim of a stroke.
        ground: see `Ground`.
    """

    title: Annotated[str, MinLen(1)]
    licence: str = "unknown"
    layers: Annotated[tuple[Layer, ...], MinLen(1)]
    brush: Brush = DrawnBrush()
    value: Share = 0.05
    chroma: Share = 0.25
    hue: Share = 0.02
    saturation: Annotated[float, Ge(0), Le(4)] = 1.0
    steps: Annotated[int, Ge(0), Le(64)] = 0
    divide: Share = 0.0
    pigment: Rgb | None = None
    relief: Annotated[float, Ge(0), Le(4)] = 0.5
    pooling: Annotated[float, Ge(0), Le(4)] = 0.0
    ground: Ground = "paint"

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The files of its scanned brushes."""
        brushes = [self.brush, *(layer.brush for layer in self.layers)]
        scans = [scan for brush in brushes if isinstance(brush, tuple) for scan in brush]
        return tuple(path for scan in scans for path in (scan.mask, scan.height) if path is not None)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that can change a pixel: every value but the title and the licence.

        Of a scanned brush the content counts, not where it lies.
        """
        values = {key: value for key, value in asdict(self).items() if key not in ("title", "licence")}
        return hashlib.sha256(json.dumps(values, sort_keys=True, default=lambda path: "").encode()).hexdigest()
