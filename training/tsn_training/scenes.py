"""Two moments of made-up scenes whose motion is known: what a flow net learns from.

Photos and paintings cut into layers, each with a motion of its own, after FlyingChairs (Dosovitskiy et al. 2015) and
AutoFlow (Sun et al. 2021), with what plates have and those lack: shadows and gleams that wander over surfaces which
stay, thin bars, plain surfaces, patterns that repeat, grain, and a camera that moves all layers, the nearer the more. A
shadow falls from a layer on what lies below it and moves with that layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from tsn_training.patterns import pattern

Rng = np.random.Generator
Picture = np.ndarray
"""float32 (H, W, 3) in [0, 1]."""

LAYERS = 7
PLAIN, PATTERNED = 0.2, 0.2
"""Shares of all surfaces; patterns lie on what is plain or not."""
CAMERA = 0.5
"""Share of scenes that a camera moves through; in the others each layer goes its own way."""
OWN_WAY = 0.25
"""Share of layers that move by themselves before a camera, too."""
ROUNDS = 6
"""Of the fixed point that turns a bent motion round; the bends are slow, and three would do."""


class Scene(NamedTuple):
    """Two moments, and the motion between them.

    Attributes:
        first, second: (H, W, 3) in [0, 1].
        forward, backward: (H, W, 2), pixels, from each moment to the other; of surfaces, whatever light does on them.
        seen: two bools (H, W): what is seen in the first moment and in the second too, and the other way round.
    """

    first: Picture
    second: Picture
    forward: np.ndarray
    backward: np.ndarray
    seen: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """A surface: its picture and its shape in coordinates of its own, and where these lie at both moments.

    Attributes:
        picture: (h, w, 3); shape: (h, w) in [0, 1].
        poses: of the two moments, 2x3 from the scene's pixels to the layer's.
        bend: (H, W, 2) of the layer's pixels, added at the second moment.
        shadow: offset in the layer's pixels, blur, and the share of light that it takes; None for none.
    """

    picture: np.ndarray
    shape: np.ndarray
    poses: tuple[np.ndarray, np.ndarray]
    bend: np.ndarray
    shadow: tuple[np.ndarray, float, float] | None

    def place(self, moment: int) -> np.ndarray:
        """Where each pixel of the scene lies on the layer, (H, W, 2)."""
        height, width = self.bend.shape[:2]
        at = cv2.transform(_grid(height, width), self.poses[moment])
        return at + self.bend if moment else at


@dataclass(frozen=True, kw_only=True)
class _Camera:
    """How it moves what is as far away as the ground: `shift` in pixels, `turn`, and growth. Nearer things shift and
    grow by as many times more as they are near."""

    shift: np.ndarray
    turn: float
    growth: float

    def moved(self, at: np.ndarray, middle: np.ndarray, nearness: float) -> np.ndarray:
        c, s = np.cos(self.turn), np.sin(self.turn)
        growth = 1 + self.growth * nearness
        return np.asarray(middle + growth * np.array([[c, -s], [s, c]]) @ (at - middle) + self.shift * nearness)


def scene(textures: Sequence[np.ndarray], height: int, width: int, rng: Rng) -> Scene:
    """A random scene.

    Args:
        textures: pictures uint8 (H, W, 3) to cut surfaces from.
    """
    camera = None
    if rng.random() < CAMERA:
        camera = _Camera(shift=_step(rng, 4.5), turn=rng.normal(0, 0.02), growth=rng.normal(0, 0.015))
    ground = _layer(textures, height, width, rng, whole=True, camera=camera, nearness=1.0)
    nearness = np.sort(2 ** rng.uniform(0, 1.6, rng.integers(1, LAYERS + 1)))  # what is drawn later is nearer
    layers = [ground] + [
        _layer(textures, height, width, rng, whole=False, camera=camera, nearness=near) for near in nearness
    ]
    free = [  # shadows only
        _layer(textures, height, width, rng, whole=False, camera=camera, nearness=1.0)
        for _ in range(rng.integers(0, 3))
    ]
    lights = [(rng.uniform(0.9, 1.1), rng.uniform(-0.02, 0.02)) if rng.random() < 0.3 else (1.0, 0.0) for _ in range(2)]
    grain, soft = rng.uniform(0, 0.025) * (rng.random() < 0.6), rng.uniform(0.3, 0.9) * (rng.random() < 0.4)
    pictures, owners = [], []
    for moment in (0, 1):
        picture, owner = _drawn(layers, free, moment)
        gain, lift = lights[moment]
        picture = picture * gain + lift
        if soft:
            picture = cv2.GaussianBlur(picture, (0, 0), soft)
        picture += grain * rng.standard_normal(picture.shape, dtype=np.float32)
        pictures.append(np.clip(picture, 0, 1))
        owners.append(owner)
    flows = [_motion(layers, owners[0], 0), _motion(layers, owners[1], 1)]
    seen = tuple(_seen(flow, owners[i], owners[1 - i]) for i, flow in enumerate(flows))
    return Scene(pictures[0], pictures[1], flows[0], flows[1], (seen[0], seen[1]))


def _step(rng: Rng, octaves: float) -> np.ndarray:
    """Most things move by little, some by a lot: half a pixel to 2^octaves, evenly by octaves; some not at all."""
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)]) * 2 ** rng.uniform(-1, octaves) * (rng.random() > 0.15)


def _layer(
    textures: Sequence[np.ndarray],
    height: int,
    width: int,
    rng: Rng,
    *,
    whole: bool,
    camera: _Camera | None,
    nearness: float,
) -> _Layer:
    size = max(height, width) * 5 // 4 if whole else int(max(height, width) * rng.uniform(0.1, 0.7))
    picture = _picture(textures, size, rng)
    shape = np.ones((size, size), np.float32) if whole else SHAPES[rng.integers(len(SHAPES))](size, rng)
    middle = np.array([width / 2, height / 2])
    centre = middle if whole else rng.uniform((0, 0), (width, height))
    start = 0.0 if whole else rng.uniform(-np.pi, np.pi)
    to, turn, zoom = centre, 0.0, 1.0
    if camera:
        to = camera.moved(centre, middle, nearness)
        turn, zoom = camera.turn, 1 + camera.growth * nearness
    if not camera or (not whole and rng.random() < OWN_WAY):
        to = to + _step(rng, 4.5 if whole else 6.1)
        turn, zoom = turn + rng.normal(0, 0.04), zoom * (1 + rng.normal(0, 0.03))
    poses = _pose(size, centre, start, 1.0), _pose(size, to, start + turn, zoom)
    bends = rng.normal(0, rng.choice([0.0, 0.5, 2.0]), (4, 5, 2)).astype(np.float32)
    bend = cv2.resize(bends, (width, height), interpolation=cv2.INTER_CUBIC)
    shadow = None
    if not whole and rng.random() < 0.6:
        shadow = rng.uniform(-0.3, 0.3, 2).astype(np.float32) * size, rng.uniform(0.5, 6), rng.uniform(0.2, 0.75)
    return _Layer(picture=picture, shape=shape, poses=poses, bend=bend, shadow=shadow)


def _pose(size: int, centre: np.ndarray, turn: float, zoom: float) -> np.ndarray:
    """From the scene to the layer, whose middle lies at `centre`."""
    c, s = np.cos(turn) / zoom, np.sin(turn) / zoom
    turned = np.array([[c, s], [-s, c]])
    return np.hstack([turned, (size / 2 - turned @ centre)[:, None]]).astype(np.float32)


def _picture(textures: Sequence[np.ndarray], size: int, rng: Rng) -> np.ndarray:
    """A piece of a picture, a plain surface, or a pattern on either, float32 (size, size, 3)."""
    if rng.random() < PATTERNED:
        return pattern(size, _surface(textures, size, rng), rng)
    return _surface(textures, size, rng)


def _surface(textures: Sequence[np.ndarray], size: int, rng: Rng) -> np.ndarray:
    if rng.random() < PLAIN:
        tones = rng.uniform(0, 1, (2, 2, 1)) + rng.uniform(-0.15, 0.15, 3) * np.ones((2, 2, 1))
        plain = cv2.resize(
            (tones.mean((0, 1)) * 0.8 + tones * 0.2).astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR
        )
        return np.clip(plain + rng.uniform(0, 0.03) * rng.standard_normal((size, size, 1), np.float32), 0, 1)
    source = textures[rng.integers(len(textures))]
    side = min(source.shape[:2])
    cut = int(side * rng.uniform(0.25, 1))
    top, left = (int(rng.integers(0, length - cut + 1)) for length in source.shape[:2])
    piece = source[top : top + cut, left : left + cut]
    way = cv2.INTER_AREA if cut > size else cv2.INTER_CUBIC
    return cv2.resize(piece, (size, size), interpolation=way).astype(np.float32) / 255 * rng.uniform(0.5, 1.1)


# --- shapes: (size, size) in [0, 1] --------------------------------------------------------------------------------


def _blob(size: int, rng: Rng) -> np.ndarray:
    field = cv2.resize(rng.standard_normal((5, 5)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    return _soft(field + 1.2 - 2.2 * np.hypot(x, y).astype(np.float32) > 0)


def _polygon(size: int, rng: Rng) -> np.ndarray:
    count = int(rng.integers(3, 8))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    radii = rng.uniform(0.25, 0.5, count) * size
    points = size / 2 + np.stack([np.cos(angles), np.sin(angles)], -1) * radii[:, None]
    return _soft(cv2.fillPoly(np.zeros((size, size), np.uint8), [points.astype(np.int32)], 1))


def _ellipse(size: int, rng: Rng) -> np.ndarray:
    axes = tuple(int(a) for a in rng.uniform(0.15, 0.48, 2) * size)
    return _soft(cv2.ellipse(np.zeros((size, size), np.uint8), (size // 2, size // 2), axes, 0, 0, 360, 1, -1))


def _bars(size: int, rng: Rng) -> np.ndarray:
    """Twigs, fences, bars: lines of 1 to 8 pixels."""
    shape = np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(1, 6)):
        points = rng.uniform(0, size, (int(rng.integers(2, 4)), 2)).astype(np.int32)
        cv2.polylines(shape, [points], False, 1, int(rng.integers(1, 9)))
    return _soft(shape)


def _soft(shape: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 0.5)


SHAPES: Sequence[Callable[[int, Rng], np.ndarray]] = (_blob, _polygon, _ellipse, _bars)


# --- drawing -------------------------------------------------------------------------------------------------------


def _drawn(layers: Sequence[_Layer], free: Sequence[_Layer], moment: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture, and which layer is seen at each pixel."""
    height, width = layers[0].bend.shape[:2]
    picture, owner = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.intp)
    for index, layer in enumerate(layers):
        at = layer.place(moment)
        if index == 0:
            picture = cv2.remap(layer.picture, at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)  # type: ignore[call-overload]
            for other in free:
                picture *= _shade(other, other.place(moment))
            continue
        picture *= _shade(layer, at)
        shape = _on(layer.shape, at)
        surface = cv2.remap(layer.picture, at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)  # type: ignore[call-overload]
        picture += (surface - picture) * shape[..., None]
        owner[shape > 0.5] = index
    return picture, owner


def _shade(layer: _Layer, at: np.ndarray) -> np.ndarray | float:
    """What share of light reaches a place on what lies below; over 1 for a gleam."""
    if layer.shadow is None:
        return 1.0
    offset, blur, taken = layer.shadow
    return 1 - taken * cv2.GaussianBlur(_on(layer.shape, at + offset), (0, 0), blur)[..., None]


def _on(shape: np.ndarray, at: np.ndarray) -> np.ndarray:
    return cv2.remap(shape, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)  # type: ignore[call-overload, no-any-return]


def _motion(layers: Sequence[_Layer], owner: np.ndarray, moment: int) -> np.ndarray:
    """From one moment to the other, (H, W, 2), of the layer that is seen."""
    height, width = owner.shape
    flow = np.zeros((height, width, 2), np.float32)
    for index, layer in enumerate(layers):
        here = owner == index
        if here.any():
            flow[here] = _layer_motion(layer, moment)[here]
    return flow


def _layer_motion(layer: _Layer, moment: int) -> np.ndarray:
    height, width = layer.bend.shape[:2]
    grid, at = _grid(height, width), layer.place(moment)
    back = [cv2.invertAffineTransform(pose) for pose in layer.poses]
    if moment:  # the first moment has no bend
        return np.asarray(cv2.transform(at, back[0]) - grid)
    there = cv2.transform(at, back[1])
    for _ in range(ROUNDS):
        bend = cv2.remap(layer.bend, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        there = cv2.transform(at - bend, back[1])
    return np.asarray(there - grid)


def _seen(flow: np.ndarray, here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Where the layer that is seen here is seen at the other end of its motion too."""
    height, width = here.shape
    end = np.rint(_grid(height, width) + flow).astype(np.intp)
    inside = (end >= 0).all(-1) & (end[..., 0] < width) & (end[..., 1] < height)
    x, y = (np.clip(end[..., axis], 0, length - 1) for axis, length in ((0, width), (1, height)))
    return np.asarray(inside & (there[y, x] == here))


def _grid(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, y], -1)
