"""The lesson `see` of `train_adain.py`: an encoder learns to tell VGG's principal components."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from tsn.errors import UsageError
from tsn_training import perceptual, photos
from tsn_training.config_adain import RIM, AdainConfig

LAYERS = {1: "1_1", 2: "2_1", 3: "3_1"}  # of VGG, by our level


class Crops(Dataset[Tensor]):
    """Crop number n (3, S, S) of photos and paintings, half and half: what the encoder learns to see.

    A pure function of the seed and n.
    """

    def __init__(self, taken: list[Path], paintings: list[Path], config: AdainConfig) -> None:
        self.folders, self.config = (taken, paintings), config
        self._image = lru_cache(maxsize=256)(photos.load_image)

    def __getitem__(self, number: int) -> Tensor:
        rng = photos.generator(self.config.seed, number, 1)
        folder = self.folders[photos.uniform(0, 1, rng) < 0.5]
        image = self._image(folder[int(photos.uniform(0, len(folder), rng))])
        return photos.crop(image, self.config.see.crop, rng)


class Components(nn.Module):
    """Principal components of VGG's features: the axes of the space that our encoder speaks in.

    They are kept in the checkpoint. Found again on another machine, an axis may point the other way.

    Args:
        width: how many at level 1, the config's `seen`; twice that at level 2, four times at level 3.

    Raises:
        UsageError: more than the perceptual net has channels.
    """

    def __init__(self, features: perceptual.Features, width: int) -> None:
        super().__init__()
        channels = {level: features.convs[layer].out_channels for level, layer in LAYERS.items()}
        most = min(count >> (level - 1) for level, count in channels.items())
        if width > most:
            layers, counts = ", ".join(LAYERS.values()), ", ".join(map(str, channels.values()))
            raise UsageError(
                f"seen: expected at most {most}, found {width}: in the perceptual net's layers {layers} only {counts}"
                " channels are of use on these pictures.",
                hint=f"Set seen to {most // 3 * 3}, or less.",
            )
        for level, source in channels.items():
            self.register_buffer(f"axes{level}", torch.zeros(width * 2 ** (level - 1), source))
            self.register_buffer(f"mean{level}", torch.zeros(source))

    @torch.no_grad()
    def find(self, features: perceptual.Features, pictures: Tensor) -> None:
        """From VGG's features of pictures (N, 3, S, S). Scaled so that components vary by 1 in the mean."""
        maps = features(pictures, last=LAYERS[3])
        for level, layer in LAYERS.items():
            flat = _inner(maps[layer], level).transpose(0, 1).flatten(1).double()
            values, vectors = torch.linalg.eigh(torch.cov(flat, correction=0))
            axes, count = self.get_buffer(f"axes{level}"), len(self.get_buffer(f"axes{level}"))
            axes.copy_(vectors[:, -count:].flip(1).T / values[-count:].mean().sqrt())
            self.get_buffer(f"mean{level}").copy_(flat.mean(1))

    def forward(self, maps: dict[str, Tensor]) -> dict[int, Tensor]:
        return {
            level: torch.einsum(
                "cv,nvhw->nchw",
                self.get_buffer(f"axes{level}"),
                maps[layer] - self.get_buffer(f"mean{level}")[:, None, None],
            )
            for level, layer in LAYERS.items()
        }


def _inner(maps: Tensor, level: int) -> Tensor:
    rim = RIM >> (level - 1)
    return maps[:, :, rim:-rim, rim:-rim]


def relative_error(found: Tensor, wanted: Tensor) -> Tensor:
    """|f - f*|^2 / |f*|^2, per sample."""
    return (((found - wanted) ** 2).mean((1, 2, 3)) / (wanted**2).mean((1, 2, 3)).clamp(min=1e-3)).mean()


def seeing_loss(
    pupil: nn.Module, pictures: Tensor, features: perceptual.Features, components: Components
) -> tuple[Tensor, dict[str, Tensor]]:
    """How far the encoder is from VGG's components, and by level for the log."""
    with torch.no_grad():
        wanted = components(features(pictures, last=LAYERS[3]))
    found = pupil(pictures)
    parts = {
        f"seen{level}": relative_error(_inner(found[level], level), _inner(wanted[level], level)) for level in wanted
    }
    return torch.stack(list(parts.values())).sum(), parts
