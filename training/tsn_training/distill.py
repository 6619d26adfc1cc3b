"""The stage `see` of `train_adain.py`: the encoder is distilled from VGG.

It learns the principal components of VGG's features (knowledge distillation: Hinton et al. 2015), whose statistics
describe a painting to the style prediction net. So VGG itself need not be shipped.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from tsn.errors import UsageError
from tsn.style.nets.vgg import VGGFeatures
from tsn_training import photos
from tsn_training.config_adain import RIM_PX, AdainConfig

VGG_LAYERS = {1: "1_1", 2: "2_1", 3: "3_1"}
"""VGG's layer for each level of the encoder: at full size, at 1/2 and at 1/4."""


class EncoderCrops(Dataset[Tensor]):
    """Crop number n (3, S, S) of photos and paintings, half and half, which the encoder learns from.

    A pure function of the seed and n.
    """

    def __init__(self, photo_paths: list[Path], painting_paths: list[Path], config: AdainConfig) -> None:
        self.folders, self.config = (photo_paths, painting_paths), config
        self._image = lru_cache(maxsize=256)(photos.load_image)

    def __getitem__(self, number: int) -> Tensor:
        rng = photos.seeded_generator(self.config.seed, number, 1)
        folder = self.folders[photos.uniform(0, 1, rng) < 0.5]
        image = self._image(folder[int(photos.uniform(0, len(folder), rng))])
        return photos.random_crop(image, self.config.see.crop, rng)


class PrincipalComponents(nn.Module):
    """The projection of VGG's features to their principal components, which the encoder learns.

    Kept in the checkpoint: computed again on another machine, an axis may have the other sign.

    Args:
        width: components at level 1, the config's `seen`; twice as many at level 2, four times at level 3.

    Raises:
        UsageError: there are more than the perceptual net has channels.
    """

    def __init__(self, features: VGGFeatures, width: int) -> None:
        super().__init__()
        channels = {level: features.out_channels(layer) for level, layer in VGG_LAYERS.items()}
        most = min(count >> (level - 1) for level, count in channels.items())
        if width > most:
            layers, counts = ", ".join(VGG_LAYERS.values()), ", ".join(map(str, channels.values()))
            raise UsageError(
                f"seen: expected at most {most}, found {width}: in the perceptual net's layers {layers} only {counts}"
                " channels are of use on these pictures.",
                hint=f"Set seen to {most // 3 * 3}, or less.",
            )
        for level, source in channels.items():
            self.register_buffer(f"axes{level}", torch.zeros(width * 2 ** (level - 1), source))
            self.register_buffer(f"mean{level}", torch.zeros(source))

    @torch.no_grad()
    def fit(self, features: VGGFeatures, pictures: Tensor) -> None:
        """Compute them from VGG's features of pictures (N, 3, S, S), scaled to a mean variance of 1 a level."""
        maps = features(pictures, last=VGG_LAYERS[3])
        for level, layer in VGG_LAYERS.items():
            flat = _without_rim(maps[layer], level).transpose(0, 1).flatten(1).double()
            values, vectors = torch.linalg.eigh(torch.cov(flat, correction=0))
            axes, count = self.get_buffer(f"axes{level}"), len(self.get_buffer(f"axes{level}"))
            axes.copy_(vectors[:, -count:].flip(1).T / values[-count:].mean().sqrt())
            self.get_buffer(f"mean{level}").copy_(flat.mean(1))

    def forward(self, maps: dict[str, Tensor]) -> dict[int, Tensor]:
        """Project VGG's feature maps, by layer, to components (N, C, h, w) by level."""
        return {
            level: torch.einsum(
                "cv,nvhw->nchw",
                self.get_buffer(f"axes{level}"),
                maps[layer] - self.get_buffer(f"mean{level}")[:, None, None],
            )
            for level, layer in VGG_LAYERS.items()
        }


def _without_rim(maps: Tensor, level: int) -> Tensor:
    rim = RIM_PX >> (level - 1)
    return maps[:, :, rim:-rim, rim:-rim]


def relative_error(maps: Tensor, wanted: Tensor) -> Tensor:
    """Return |f - f*|^2 / |f*|^2 between maps (N, C, h, w); the mean over samples."""
    return (((maps - wanted) ** 2).mean((1, 2, 3)) / (wanted**2).mean((1, 2, 3)).clamp(min=1e-3)).mean()


def distillation_loss(
    encoder: nn.Module, pictures: Tensor, features: VGGFeatures, components: PrincipalComponents
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the encoder's error against VGG's components, and the error of each level for the log.

    Args:
        encoder: pictures (N, 3, S, S) -> features by level.
    """
    with torch.no_grad():
        wanted = components(features(pictures, last=VGG_LAYERS[3]))
    maps = encoder(pictures)
    # "seen1" to "seen3" are columns of log.csv, and stay.
    parts = {
        f"seen{level}": relative_error(_without_rim(maps[level], level), _without_rim(wanted[level], level))
        for level in wanted
    }
    return torch.stack(list(parts.values())).sum(), parts
