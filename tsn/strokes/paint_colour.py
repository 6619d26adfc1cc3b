"""The paint that is mixed for a stroke: what a preset makes of the plate's colour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tsn.strokes.easing import ramp
from tsn.strokes.luma import luma_of
from tsn.strokes.preset import Preset
from tsn.strokes.stroke_colour import BRIGHT, vary_colours

SOFT_STEP = 0.3
"""Share of the way from one tone to the next within which paint is mixed of both, so that no stroke jumps."""
DIVIDED = np.array([0.5, 0.05, -0.55], np.float32)
"""From a colour towards the warmer of the two hues that it is divided into, at full strength: orange, against blue."""


def mix_paint(
    colours: np.ndarray,
    chances: np.ndarray,
    preset: Preset,
    *,
    jitter: float,
    palette: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """The paint (n, 3) of strokes: their colours taken from a palette, each a little different, as a painter mixes it.

    What is brighter than white is light, not paint: the colour of a highlight goes back to the plate's own over two
    stops, or yellow paint would tint the sun. A preset's pigment is the same everywhere, whatever the palette.

    Args:
        colours: of the plate, (n, 3), from 0.
        chances: (n, 5) in [0, 1), the same for a stroke over its life.
        jitter: factor on the spread of colours.
        palette: changes colours (n, 3) in [0, 1].
    """
    if preset.pigment is not None:
        colours = np.broadcast_to(np.array(preset.pigment, np.float32), colours.shape)
    brightest = np.maximum(colours.max(1, keepdims=True), 1) if len(colours) else np.ones((0, 1), np.float32)
    paint = colours / brightest
    paint = _of_preset(paint if palette is None or preset.pigment is not None else palette(paint), preset)
    paint = vary_colours(paint, chances, jitter * preset.value, jitter * preset.chroma, jitter * preset.hue)
    if preset.divide:
        paint = divide_hues(paint, chances[:, 4], jitter * preset.divide)
    own = ramp(brightest, 1, BRIGHT)
    return np.asarray(paint * brightest * (1 - own) + colours * own, np.float32)


def _of_preset(colours: np.ndarray, preset: Preset) -> np.ndarray:
    if preset.steps:
        light = luma_of(colours)[:, None]
        colours = colours + (few_tones(light, preset.steps) - light)
    return colours if preset.saturation == 1 else saturate(colours, preset.saturation)


def few_tones(light: np.ndarray, steps: int) -> np.ndarray:
    """Luma rounded to one of `steps` tones, with soft steps; black and white are tones."""
    scaled = np.clip(light, 0, 1) * (steps - 1)
    below = np.floor(scaled)
    return ((below + ramp(scaled - below, 0.5 - SOFT_STEP / 2, 0.5 + SOFT_STEP / 2)) / (steps - 1)).astype(np.float32)


def saturate(colours: np.ndarray, gain: float) -> np.ndarray:
    """Colours (n, 3) of the same luma, more saturated by `gain`, as far as [0, 1] has room."""
    light = np.clip(luma_of(colours)[:, None], 0, 1)
    tint = colours - light
    room = np.where(tint > 0, (1 - light) / np.maximum(tint, 1e-6), light / np.maximum(-tint, 1e-6)).min(
        1, keepdims=True
    )
    # A soft minimum of gain and room: colours near the border keep their order.
    return np.clip(light + tint * np.maximum(gain * room / (gain**4 + room**4) ** 0.25, np.minimum(room, 1)), 0, 1)


def divide_hues(colours: np.ndarray, chances: np.ndarray, strength: float) -> np.ndarray:
    """Colours (n, 3), each moved towards a warm or a cool hue, so that many beside each other mix to what they were.

    Args:
        chances: (n,) in [0, 1): below .5 it goes to the warm side.
        strength: 0..1.
    """
    light = luma_of(colours)[:, None]
    way = (np.where(chances < 0.5, 1, -1) * (0.5 + np.abs(2 * chances - 1)))[:, None]
    middle = 4 * np.clip(light, 0, 1) * (1 - np.clip(light, 0, 1))  # black and white stay clean
    moved = DIVIDED - luma_of(DIVIDED)  # of the same luma
    return np.clip(colours + strength * middle * way * moved, 0, 1).astype(np.float32)
