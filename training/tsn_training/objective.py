"""What a painted picture is measured by, whoever painted it: the sum that trainings and Gatys make small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.errors import InputError
from tsn.style.nets.palette import apply_palette, fit_palette, sample_colours
from tsn_training import losses, perceptual, photos
from tsn_training.config import PaintingConfig, StyleConfig

PALETTE_PHOTOS = 64


@dataclass(frozen=True, kw_only=True)
class Target:
    """A painting, as a training sees it.

    Attributes:
        features: the perceptual net.
        moments: of each style layer, for each scale of the config's `style_layers`.
        colours: from a plate's colours to the painting's, see `palette`.
    """

    config: PaintingConfig
    features: perceptual.Features
    moments: dict[int, dict[str, losses.Moments]]
    colours: Tensor

    def to(self, device: torch.device) -> Target:
        return Target(
            config=self.config,
            features=self.features.to(device, memory_format=torch.channels_last),
            moments={
                scale: {layer: found.to(device) for layer, found in layers.items()}
                for scale, layers in self.moments.items()
            },
            colours=self.colours.to(device),
        )

    def wanted_colours(self, plate: Tensor) -> Tensor:
        """The plate (N, 3, H, W) in the painting's colours: how a place should look from afar."""
        return apply_palette(plate, self.colours)


def painting(config: StyleConfig) -> Tensor:
    """The painting of a config, (1, 3, H, W), at the size that gives its strokes the size they shall have on a plate.

    Raises:
        InputError: it is no picture, or smaller than its `painting_box`.
    """
    picture = photos.load_image(config.painting).float()[None] / 255
    if config.painting_box:
        left, top, right, bottom = config.painting_box
        if right > picture.shape[3] or bottom > picture.shape[2]:
            raise InputError(
                f"{config.painting}: painting_box {config.painting_box} reaches beyond its"
                f" {picture.shape[3]}x{picture.shape[2]} pixels."
            )
        picture = picture[..., top:bottom, left:right]
    width = round(picture.shape[3] * config.painting_height / picture.shape[2])
    return F.interpolate(picture, size=(config.painting_height, width), mode="bicubic", antialias=True).clamp(0, 1)


def target(config: StyleConfig, features: perceptual.Features, paths: list[Path]) -> Target:
    """Look at the painting of a config, and at some of the photos to find its colours' places.

    Raises:
        InputError: see `painting`.
    """
    return target_of(painting(config), config, features, plate_colours(paths, config.seed))


def target_of(painting: Tensor, config: PaintingConfig, features: perceptual.Features, plates: Tensor) -> Target:
    """Look at a painting (1, 3, H, W), its strokes of the size that they shall have on a plate.

    Args:
        plates: see `plate_colours`.
    """
    return Target(
        config=config,
        features=features,
        moments={
            scale: _moments(features(F.avg_pool2d(painting, scale)), layers)
            for scale, layers in config.style_layers.items()
        },
        colours=fit_palette(plates, sample_colours([painting[0].cpu()])).to(painting.device),
    )


def plate_colours(paths: list[Path], seed: int) -> Tensor:
    """Colours (N, 3) of the photos, for `palette`: what plates look like."""
    some = paths[:: max(1, len(paths) // PALETTE_PHOTOS)]
    return sample_colours(
        [photos.crop(photos.load_image(p), 128, photos.generator(seed, i)) for i, p in enumerate(some)]
    )


def _moments(maps: Mapping[str, Tensor], layers: Iterable[str]) -> dict[str, losses.Moments]:
    return {layer: losses.moments(maps[layer]) for layer in layers}


def parts(painted: Tensor, plate: Tensor, target: Target) -> dict[str, Tensor]:
    """The losses between a painted picture and its plate, both (N, 3, H, W) in [0, 1], each a mean over samples."""
    config, content = target.config, target.config.content_layer
    maps = {}
    for scale in {*config.style_layers, config.content_scale}:
        layers = {*config.style_layers.get(scale, ())} | ({content} if scale == config.content_scale else set())
        maps[scale] = target.features(F.avg_pool2d(painted, scale), last=max(layers))
    with torch.no_grad():
        wanted = target.features(F.avg_pool2d(plate, config.content_scale), last=content)[content]
    style = [
        sum(layers.values()) * losses.style_loss(_moments(maps[scale], layers), target.moments[scale], layers)
        for scale, layers in config.style_layers.items()
    ]
    return {
        "content": losses.content_loss(maps[config.content_scale][content], wanted),
        "style": torch.stack(style).sum() / sum(sum(layers.values()) for layers in config.style_layers.values()),
        "colour": losses.colour_loss(painted, target.wanted_colours(plate)),
        "smooth": losses.total_variation(painted),
    }


def total(of: dict[str, Tensor], config: PaintingConfig, weight: float) -> Tensor:
    """The weighted sum of `parts`, at a weight of the style."""
    return (
        of["content"] + weight * of["style"] + config.colour_weight * of["colour"] + config.smooth_weight * of["smooth"]
    )
