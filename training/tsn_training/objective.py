"""What a painted picture is measured by: the weighted sum of losses that trainings and Gatys' optimisation minimise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.errors import InputError
from tsn.style.nets.palette import apply_palette, fit_palette, sample_colours
from tsn.style.nets.vgg import VGGFeatures
from tsn_training import losses, photos
from tsn_training.config import PaintingConfig, StyleConfig

PALETTE_PHOTOS = 64
"""Photos, at most about twice as many, from which `plate_colours` are taken."""


@dataclass(frozen=True, kw_only=True)
class StyleTarget:
    """A painting as a training needs it.

    Attributes:
        features: the perceptual net.
        moments: by scale and layer of the config's `style_layers`.
        colours: the table from a plate's colours to the painting's, see `palette`.
    """

    config: PaintingConfig
    features: VGGFeatures
    moments: dict[int, dict[str, losses.Moments]]
    colours: Tensor

    def to(self, device: torch.device) -> StyleTarget:
        """Return it on a device."""
        return StyleTarget(
            config=self.config,
            features=self.features.to(device).to(memory_format=torch.channels_last),
            moments={
                scale: {layer: found.to(device) for layer, found in layers.items()}
                for scale, layers in self.moments.items()
            },
            colours=self.colours.to(device),
        )

    def recolour(self, plate: Tensor) -> Tensor:
        """Return plates (N, 3, H, W) in the painting's colours: what each place should look like from afar."""
        return apply_palette(plate, self.colours)


def load_painting(config: StyleConfig) -> Tensor:
    """Return the painting of a config, (1, 3, H, W) in [0, 1], at the size at which its strokes fit a plate.

    Raises:
        InputError: the file is no picture, or smaller than its `painting_box`.
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


def style_target(config: StyleConfig, features: VGGFeatures, paths: list[Path]) -> StyleTarget:
    """Measure the painting of a config.

    Args:
        paths: the training's photos, of which some give the plates' colours.

    Raises:
        InputError: see `load_painting`.
    """
    return target_from_painting(load_painting(config), config, features, plate_colours(paths, config.seed))


def target_from_painting(
    painting: Tensor, config: PaintingConfig, features: VGGFeatures, plates: Tensor
) -> StyleTarget:
    """Measure a painting (1, 3, H, W) in [0, 1], at the size at which its strokes fit a plate.

    Args:
        plates: see `plate_colours`.
    """
    return StyleTarget(
        config=config,
        features=features,
        moments={
            scale: _moments(features(F.avg_pool2d(painting, scale)), layers)
            for scale, layers in config.style_layers.items()
        },
        colours=fit_palette(plates, sample_colours([painting[0].cpu()])).to(painting.device),
    )


def plate_colours(paths: list[Path], seed: int) -> Tensor:
    """Return colours (N, 3) of the photos, for `palette`: those that plates have."""
    some = paths[:: max(1, len(paths) // PALETTE_PHOTOS)]
    return sample_colours(
        [photos.random_crop(photos.load_image(p), 128, photos.seeded_generator(seed, i)) for i, p in enumerate(some)]
    )


def _moments(maps: Mapping[str, Tensor], layers: Iterable[str]) -> dict[str, losses.Moments]:
    return {layer: losses.moments(maps[layer]) for layer in layers}


def loss_parts(painted: Tensor, plate: Tensor, target: StyleTarget) -> dict[str, Tensor]:
    """Return the losses between painted pictures and their plates, both (N, 3, H, W) in [0, 1]; means over samples."""
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
        "colour": losses.colour_loss(painted, target.recolour(plate)),
        "smooth": losses.total_variation(painted),
    }


def weighted_sum(parts: dict[str, Tensor], config: PaintingConfig, style_weight: float) -> Tensor:
    """Return the sum of `loss_parts` by the config's weights and a given one of the style; content weighs 1."""
    return (
        parts["content"]
        + style_weight * parts["style"]
        + config.colour_weight * parts["colour"]
        + config.smooth_weight * parts["smooth"]
    )
