"""Two moments of made-up scenes with known motion: what a flow net learns from.

Photos and paintings cut into layers, each with a motion of its own, after FlyingChairs (Dosovitskiy et al. 2015) and
AutoFlow (Sun et al. 2021), with what plates have and those lack: shadows and highlights that move over surfaces at
rest, thin bars, plain surfaces, repeating patterns, grain, and a camera that moves all layers, the nearer the more. A
layer's shadow falls on the layers below it and moves with that layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from tsn_training.surfaces import random_shape, random_surface

Rng = np.random.Generator
Picture = np.ndarray
"""float32 (H, W, 3) in [0, 1]."""

MAX_LAYERS = 7
"""Beside the background and those that only cast shadows."""
CAMERA_SHARE = 0.5
"""Share of scenes that a camera moves through; in the others each layer has its own motion only."""
OWN_MOTION_SHARE = 0.25
"""Share of layers that also move by themselves before a camera."""
FIXED_POINT_ITERATIONS = 6
"""They invert a bent motion; the bends are smooth, and three would do."""


class Scene(NamedTuple):
    """Two moments, and the motion between them.

    Attributes:
        first, second: (H, W, 3) in [0, 1].
        forward, backward: (H, W, 2), pixels, from each moment to the other; of surfaces, whatever the light does.
        visible: two bools (H, W): where the surface seen in the first moment is seen in the second too, and the other
            way round.
    """

    first: Picture
    second: Picture
    forward: np.ndarray
    backward: np.ndarray
    visible: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """A surface with a shape, in coordinates of its own, and where these lie at both moments.

    Attributes:
        picture: (h, w, 3).
        shape: (h, w) in [0, 1], 0 where the layer is not.
        poses: of the two moments, 2x3 matrices from the scene's pixels to the layer's.
        bend: (H, W, 2) of the layer's pixels, added at the second moment.
        shadow: offset in the layer's pixels, sigma of its blur, and the share of light that it takes; None for none.
    """

    picture: np.ndarray
    shape: np.ndarray
    poses: tuple[np.ndarray, np.ndarray]
    bend: np.ndarray
    shadow: tuple[np.ndarray, float, float] | None

    def coordinates(self, moment: int) -> np.ndarray:
        """Return where each pixel of the scene lies on the layer, (H, W, 2)."""
        height, width = self.bend.shape[:2]
        at = cv2.transform(_grid(height, width), self.poses[moment])
        return at + self.bend if moment else at


@dataclass(frozen=True, kw_only=True)
class _Camera:
    """The motion of a camera, as the background shows it; nearer layers shift and grow as many times more.

    Attributes:
        shift: (2,), pixels.
        turn: radians.
        growth: of sizes, a share.
    """

    shift: np.ndarray
    turn: float
    growth: float

    def moved(self, at: np.ndarray, middle: np.ndarray, nearness: float) -> np.ndarray:
        """Return where the point `at` is at the second moment; `middle` is the picture's."""
        c, s = np.cos(self.turn), np.sin(self.turn)
        growth = 1 + self.growth * nearness
        return np.asarray(middle + growth * np.array([[c, -s], [s, c]]) @ (at - middle) + self.shift * nearness)


def random_scene(sources: Sequence[np.ndarray], height: int, width: int, rng: Rng) -> Scene:
    """Return a random scene.

    Args:
        sources: pictures uint8 (H, W, 3) that surfaces are cut from.
    """
    camera = None
    if rng.random() < CAMERA_SHARE:
        camera = _Camera(shift=_random_step(rng, 4.5), turn=rng.normal(0, 0.02), growth=rng.normal(0, 0.015))
    background = _random_layer(sources, height, width, rng, whole=True, camera=camera, nearness=1.0)
    nearness = np.sort(2 ** rng.uniform(0, 1.6, rng.integers(1, MAX_LAYERS + 1)))  # later layers are nearer
    layers = [background] + [
        _random_layer(sources, height, width, rng, whole=False, camera=camera, nearness=near) for near in nearness
    ]
    shadow_casters = [  # layers out of sight
        _random_layer(sources, height, width, rng, whole=False, camera=camera, nearness=1.0)
        for _ in range(rng.integers(0, 3))
    ]
    lights = [(rng.uniform(0.9, 1.1), rng.uniform(-0.02, 0.02)) if rng.random() < 0.3 else (1.0, 0.0) for _ in range(2)]
    grain, soft = rng.uniform(0, 0.025) * (rng.random() < 0.6), rng.uniform(0.3, 0.9) * (rng.random() < 0.4)
    pictures, owners = [], []
    for moment in (0, 1):
        picture, owner = _rendered(layers, shadow_casters, moment)
        gain, lift = lights[moment]
        picture = picture * gain + lift
        if soft:
            picture = cv2.GaussianBlur(picture, (0, 0), soft)
        picture += grain * rng.standard_normal(picture.shape, dtype=np.float32)
        pictures.append(np.clip(picture, 0, 1))
        owners.append(owner)
    flows = [_flow(layers, owners[0], 0), _flow(layers, owners[1], 1)]
    visible = tuple(_visible(flow, owners[i], owners[1 - i]) for i, flow in enumerate(flows))
    return Scene(pictures[0], pictures[1], flows[0], flows[1], (visible[0], visible[1]))


def _random_step(rng: Rng, octaves: float) -> np.ndarray:
    """Return a shift (2,) in pixels, of 1/2 to 2^octaves, evenly by octaves; or none at all, 15 times in a hundred."""
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)]) * 2 ** rng.uniform(-1, octaves) * (rng.random() > 0.15)


def _random_layer(
    sources: Sequence[np.ndarray],
    height: int,
    width: int,
    rng: Rng,
    *,
    whole: bool,
    camera: _Camera | None,
    nearness: float,
) -> _Layer:
    """Return a layer; `whole` for one that covers the picture."""
    size = max(height, width) * 5 // 4 if whole else int(max(height, width) * rng.uniform(0.1, 0.7))
    picture = random_surface(sources, size, rng)
    shape = np.ones((size, size), np.float32) if whole else random_shape(size, rng)
    middle = np.array([width / 2, height / 2])
    centre = middle if whole else rng.uniform((0, 0), (width, height))
    start = 0.0 if whole else rng.uniform(-np.pi, np.pi)
    to, turn, zoom = centre, 0.0, 1.0
    if camera:
        to = camera.moved(centre, middle, nearness)
        turn, zoom = camera.turn, 1 + camera.growth * nearness
    if not camera or (not whole and rng.random() < OWN_MOTION_SHARE):
        to = to + _random_step(rng, 4.5 if whole else 6.1)
        turn, zoom = turn + rng.normal(0, 0.04), zoom * (1 + rng.normal(0, 0.03))
    poses = _pose(size, centre, start, 1.0), _pose(size, to, start + turn, zoom)
    bends = rng.normal(0, rng.choice([0.0, 0.5, 2.0]), (4, 5, 2)).astype(np.float32)
    bend = cv2.resize(bends, (width, height), interpolation=cv2.INTER_CUBIC)
    shadow = None
    if not whole and rng.random() < 0.6:
        shadow = rng.uniform(-0.3, 0.3, 2).astype(np.float32) * size, rng.uniform(0.5, 6), rng.uniform(0.2, 0.75)
    return _Layer(picture=picture, shape=shape, poses=poses, bend=bend, shadow=shadow)


def _pose(size: int, centre: np.ndarray, turn: float, zoom: float) -> np.ndarray:
    """Return the matrix (2, 3) from the scene to a layer whose middle lies at `centre`."""
    c, s = np.cos(turn) / zoom, np.sin(turn) / zoom
    turned = np.array([[c, s], [-s, c]])
    return np.hstack([turned, (size / 2 - turned @ centre)[:, None]]).astype(np.float32)


def _rendered(layers: Sequence[_Layer], shadow_casters: Sequence[_Layer], moment: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture (H, W, 3) of a moment, and the number of the layer that is seen at each pixel, (H, W)."""
    height, width = layers[0].bend.shape[:2]
    picture, owner = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.intp)
    for index, layer in enumerate(layers):
        at = layer.coordinates(moment)
        if index == 0:
            picture = _sampled(layer.picture, at)
            for caster in shadow_casters:
                picture *= _light(caster, caster.coordinates(moment))
            continue
        picture *= _light(layer, at)
        shape = _sampled_shape(layer.shape, at)
        picture += (_sampled(layer.picture, at) - picture) * shape[..., None]
        owner[shape > 0.5] = index
    return picture, owner


def _light(layer: _Layer, at: np.ndarray) -> np.ndarray | float:
    """Return the share of light that a layer's shadow leaves on what lies below."""
    if layer.shadow is None:
        return 1.0
    offset, blur, taken = layer.shadow
    return 1 - taken * cv2.GaussianBlur(_sampled_shape(layer.shape, at + offset), (0, 0), blur)[..., None]


def _sampled(picture: np.ndarray, at: np.ndarray) -> np.ndarray:
    return cv2.remap(picture, at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)  # type: ignore[call-overload]


def _sampled_shape(shape: np.ndarray, at: np.ndarray) -> np.ndarray:
    return cv2.remap(shape, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)  # type: ignore[call-overload]


def _flow(layers: Sequence[_Layer], owner: np.ndarray, moment: int) -> np.ndarray:
    """Return the flow from one moment to the other, (H, W, 2), of the layer that is seen at each pixel."""
    height, width = owner.shape
    flow = np.zeros((height, width, 2), np.float32)
    for index, layer in enumerate(layers):
        mask = owner == index
        if mask.any():
            flow[mask] = _layer_flow(layer, moment)[mask]
    return flow


def _layer_flow(layer: _Layer, moment: int) -> np.ndarray:
    """Return a layer's flow from one moment to the other, (H, W, 2)."""
    height, width = layer.bend.shape[:2]
    grid, at = _grid(height, width), layer.coordinates(moment)
    to_scene = [cv2.invertAffineTransform(pose) for pose in layer.poses]
    if moment:  # the first moment has no bend
        return np.asarray(cv2.transform(at, to_scene[0]) - grid)
    end = cv2.transform(at, to_scene[1])
    for _ in range(FIXED_POINT_ITERATIONS):
        bend = cv2.remap(layer.bend, end, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        end = cv2.transform(at - bend, to_scene[1])
    return np.asarray(end - grid)


def _visible(flow: np.ndarray, owner: np.ndarray, other_owner: np.ndarray) -> np.ndarray:
    """Return where the layer that is seen in one moment is seen at the end of its flow too, bool (H, W)."""
    height, width = owner.shape
    end = np.rint(_grid(height, width) + flow).astype(np.intp)
    inside = (end >= 0).all(-1) & (end[..., 0] < width) & (end[..., 1] < height)
    x, y = (np.clip(end[..., axis], 0, length - 1) for axis, length in ((0, width), (1, height)))
    return np.asarray(inside & (other_owner[y, x] == owner))


def _grid(height: int, width: int) -> np.ndarray:
    """Return the coordinates x, y of each pixel, float32 (H, W, 2)."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, y], -1)
