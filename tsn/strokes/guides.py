"""What strokes are led by: the direction of forms, and where the picture has detail of which size.

Direction is the smallest-change axis of a structure tensor of the luma, gathered over three scales (Förstner 1986;
Haeberli, "Paint by numbers", SIGGRAPH 1990 for strokes along it). It is kept as a doubled angle, which averages
without a sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tsn import colour
from tsn.strokes.frame import StrokeFrame
from tsn.strokes.preset import Layer

Array = np.ndarray

SCALES = ((1.0, 3.0, 1.0), (1.0, 9.0, 0.6), (2.0, 30.0, 0.25))
"""Of the tensor: sigma of the derivative, sigma of the gathering, gain; pixels at 360 lines."""
LUMA = np.array(colour.LUMA, np.float32)
REFERENCE_LINES = 360
"""All lengths of strokes are given for a plate of this many lines."""


@dataclass(frozen=True, kw_only=True)
class Guides:
    """What leads strokes in one plate frame, all float32.

    Attributes:
        angle: (2, H, W), cosine and sine of twice the angle along which strokes run, times its certainty in 0..1.
        need: (L, H, W) in 0..1: for each layer the chance that a stroke is wanted at a place.
        colours: for each layer (h, w, 3): the plate averaged over the width of a stroke, at `1 / step` of its size.
        steps: of `colours`, pixels.
        plate: (H, W, 3), the picture.
        edge: (H, W, 3), the plate without its grain.
        sizes: (h, w), factor on the size of the strokes that are laid at a place, at any reduced size.
    """

    angle: Array
    need: Array
    colours: tuple[Array, ...]
    steps: tuple[int, ...]
    plate: Array
    edge: Array
    sizes: Array

    def without_births(self) -> Guides:
        """Without what only the births of strokes need."""
        return replace(self, angle=_NOTHING, need=_NOTHING)

    def colours_only(self) -> Guides:
        """What strokes need that come by from other frames."""
        return replace(self, angle=_NOTHING, need=_NOTHING, plate=_NOTHING, edge=_NOTHING)


_NOTHING = np.empty(0, np.float32)


def blur(picture: Array, sigma: float) -> Array:
    """Gaussian of (H, W) or (H, W, C); large sigmas at a reduced size, which differs by less than a code."""
    if sigma <= 0.3:
        return picture
    height, width = picture.shape[:2]
    by = 1
    while sigma / by > 6 and min(height, width) // (2 * by) >= 8:
        by *= 2
    if by == 1:
        return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    small = cv2.resize(picture, (-(-width // by), -(-height // by)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / by, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def form_direction(luma: Array, scale: float) -> Array:
    """(2, H, W): see `Guides.angle`. `scale` is the plate's lines over `REFERENCE_LINES`."""
    total = np.zeros((*luma.shape, 2), np.float32)
    energy = np.zeros(luma.shape, np.float32)
    for derivative, gather, gain in SCALES:
        smooth = blur(luma, derivative * scale)
        gx = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32, borderType=cv2.BORDER_REPLICATE) * scale
        gy = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32, borderType=cv2.BORDER_REPLICATE) * scale
        square = gx * gx + gy * gy
        # (gx + i gy)^2 points across the form; its square root as weight lets strong edges lead and not drown all else.
        weight = 1 / np.sqrt(np.sqrt(square) + 1e-4)
        tensor = np.dstack([(gx * gx - gy * gy) * weight, 2 * gx * gy * weight, square * weight])
        tensor = blur(tensor, gather * scale)
        total += gain * tensor[..., :2]
        energy += gain * tensor[..., 2]
    length = np.sqrt(total[..., 0] ** 2 + total[..., 1] ** 2)
    certainty = length / (energy + 1e-6)
    along = -total / np.maximum(length, 1e-12)[..., None]  # turned by 90 degrees: doubled, by 180
    return np.ascontiguousarray(np.moveaxis(along * certainty[..., None], 2, 0))


def wanted_share(layer: Layer, luma: Array, fine: Array, scale: float) -> Array:
    """(H, W): see `Guides.need`. `fine` is the luma without its grain."""
    share = np.ones(luma.shape, np.float32)
    if not layer.always:
        change = blur(luma, layer.detail_sigma * scale) - fine
        detail = blur(np.abs(change) if layer.side == "both" else np.maximum(change, 0), layer.width * scale / 2)
        share = np.clip((detail - layer.low) / (layer.high - layer.low), layer.floor, 1).astype(np.float32)
    if layer.tones is not None:
        none, full = layer.tones
        share = share * np.clip((blur(luma, layer.width * scale / 2) - none) / (full - none), 0, 1)
    return share


def layer_direction(layer: Layer, angle: Array) -> Array:
    """(2, H, W): see `Guides.angle`, for the strokes of a layer."""
    if layer.angle is None:
        return angle
    doubled = 2 * np.radians(layer.angle)
    own = np.array([np.cos(doubled), -np.sin(doubled)], np.float32)[:, None, None]  # y is down
    return np.ascontiguousarray((1 - layer.follow) * own + layer.follow * angle, np.float32)


def find_guides(frame: StrokeFrame, layers: Sequence[Layer], scale: float) -> Guides:
    """Guides of a frame for the layers of a preset as its knobs change them; `scale` as in `form_direction`."""
    image = np.ascontiguousarray(np.moveaxis(frame.picture, 0, 2), dtype=np.float32)
    luma = image @ LUMA
    fine = blur(luma, 0.7 * scale)
    need, colours, steps = [], [], []
    for layer in layers:
        need.append(wanted_share(layer, luma, fine, scale))
        step = max(1, int(layer.width * scale / 4))
        smooth = blur(image, layer.width * scale / 5)
        small = cv2.resize(
            smooth, (-(-image.shape[1] // step), -(-image.shape[0] // step)), interpolation=cv2.INTER_AREA
        )
        colours.append(np.ascontiguousarray(small))
        steps.append(step)
    return Guides(
        angle=form_direction(luma, scale),
        need=np.stack(need),
        colours=tuple(colours),
        steps=tuple(steps),
        plate=image,
        edge=blur(image, 0.8 * scale),
        sizes=np.ones((1, 1), np.float32),
    )
