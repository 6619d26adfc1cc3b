"""What goes into the stroke engine for one plate frame, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """An artist's settings at one frame. 1 leaves the preset as it is.

    Strokes are laid in one frame and seen in its neighbours, too. What decides where they are and how large (`size`,
    `detail`, `length`, `density`) counts at the frame where they were laid, so it changes over the life of a stroke;
    all else counts at the frame that is painted. On a surface, where a stroke is laid in every frame, all counts there.

    Attributes:
        size: factor on the width, length and spacing of strokes.
        detail: how far fine strokes go: 0 = only those that are laid everywhere, 2 = twice as soon.
        length: factor on the length alone.
        density: factor on the number of strokes.
        opacity: factor on the opacity of strokes, 0..1.
        jitter: factor on the spread of the strokes' colours.
        relief: strength of the light on the relief of the paint; None = the preset's.
        light: where that light comes from, degrees anticlockwise from the right: 90 = above.
    """

    size: float = 1.0
    detail: float = 1.0
    length: float = 1.0
    density: float = 1.0
    opacity: float = 1.0
    jitter: float = 1.0
    relief: float | None = None
    light: float = 127.0


@dataclass(frozen=True, kw_only=True)
class StrokeFrame:
    """One plate frame, all arrays on the same canvas. What a shot has not got is None.

    Attributes:
        number: of the frame, from which its strokes get their keys.
        picture: style space, float32 (3, H, W), from 0; beyond 1 where the plate is brighter than white.
        knobs: the artist's settings at this frame.
        cover: float32 (H, W), 0 in void: no stroke is laid there, and no colour is taken from there.
        depth: float32 (H, W), any unit, larger = farther.
        ids: uint32 (H, W), which object a pixel shows; 0 = none.
        surface: float32 (2 or 3, H, W), where on its surface a pixel lies (UV, rest or world position); NaN = nowhere.
        direction: float32 (2 or 3, H, W): vectors along which strokes run (x right, y down), or normals.
        size_map, density_map: float32 (H, W), factors on `size` and `density`.
    """

    number: int
    picture: np.ndarray
    knobs: Knobs = Knobs()
    cover: np.ndarray | None = None
    depth: np.ndarray | None = None
    ids: np.ndarray | None = None
    surface: np.ndarray | None = None
    direction: np.ndarray | None = None
    size_map: np.ndarray | None = None
    density_map: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class StrokePaint:
    """One painted frame.

    Attributes:
        colour: style space, float32 (3, H, W), from 0; beyond 1 in highlights. With nothing as ground it is that of the
            strokes alone, not multiplied by what they cover.
        relief: thickness of the paint, float32 (H, W), about 0..1.
        coverage: share of the ground that strokes hide, float32 (H, W) in [0, 1].
        ids: uint32 (H, W), the stroke that shows most in a pixel, the same over its life; 0 = none.
    """

    colour: np.ndarray
    relief: np.ndarray
    coverage: np.ndarray
    ids: np.ndarray
