"""The data of a training for any painting: style pictures, their targets, and the net before its first step."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.errors import InputError, UsageError
from tsn.style import catalogue
from tsn.style.loading import load_style_prediction_net
from tsn.style.nets.style_prediction import Encoder, StylePredictionNet
from tsn.style.nets.vgg import VGGFeatures
from tsn.style.paintings import PAINTING_LINES, resize_painting
from tsn_training import objective, photos
from tsn_training.config_adain import AdainConfig
from tsn_training.discriminator import PAINTING_SCALES
from tsn_training.init_weights import INPUT_KERNEL, load_pretrained, load_weights, widen_kernel
from tsn_training.objective import StyleTarget

STYLE_COUNT = 400
"""Style pictures in a training."""


class StylePictures:
    """Pictures to paint after, three in four of them of paintings, the others of photos; each has a number.

    Each is a pure function of its number. There are `STYLE_COUNT`, so that each need be measured only once. Few
    paintings have few palettes, so half of the pictures have their colour channels exchanged.

    Args:
        photo_paths: photos to train on.
        painting_paths: paintings to train on.

    Raises:
        InputError: a painting cannot be read.
        UsageError: crops for the discriminator would be larger than a picture.
    """

    SIZE_PX = 288

    def __init__(self, photo_paths: list[Path], painting_paths: list[Path], config: AdainConfig) -> None:
        self.photo_paths, self.painting_paths, self.config = photo_paths, painting_paths, config
        most, largest = int(PAINTING_SCALES[0] * self.SIZE_PX), max(stage.crop for stage in config.stages)
        if config.judge and largest > most:
            raise UsageError(f"stages: with a discriminator (judge), crops have at most {most} px, found {largest}.")
        self.picture = lru_cache(maxsize=2)(self._picture)  # `crop` reads the same one for each sample of a step
        for path in painting_paths:
            photos.load_image(path)  # one that cannot be read ends a training before it begins

    def _picture(self, number: int) -> Tensor:
        """Return picture `number`, (1, 3, SIZE_PX, SIZE_PX) in [0, 1], as a shot scales paintings."""
        image = photos.load_image(self._path(number)).float()[None] / 255
        height = max(PAINTING_LINES, self.SIZE_PX)
        width = max(self.SIZE_PX, round(image.shape[3] * height / image.shape[2]))
        image = F.interpolate(image, size=(height, width), mode="bicubic", antialias=True).clamp(0, 1)
        rng = photos.seeded_generator(self.config.seed, number, 2)
        top = int(photos.uniform(0, height - self.SIZE_PX + 1, rng))
        left = int(photos.uniform(0, width - self.SIZE_PX + 1, rng))
        image = image[:, :, top : top + self.SIZE_PX, left : left + self.SIZE_PX]
        return image[:, torch.randperm(3, generator=rng)] if photos.uniform(0, 1, rng) < 0.5 else image

    def number_at(self, step: int) -> int:
        """Return the number of the picture that a step paints after, in every process."""
        rng = photos.seeded_generator(self.config.seed, step, 3)
        if self.config.judge is None:
            return int(photos.uniform(0, STYLE_COUNT, rng))
        cut, kind = divmod(int(photos.uniform(0, 3 * STYLE_COUNT // 4, rng)), 3)
        return 4 * cut + kind + 1  # a painting, because a discriminator would learn no strokes from photos

    def mismatched_at(self, step: int) -> int:
        """Return the number of a picture of another painting than the step's: that of the last such step before it."""
        path, before = self._path(self.number_at(step)), step - 1
        while len(self.painting_paths) > 1 and self._path(self.number_at(before)) == path:
            before -= 1
        return self.number_at(before)

    def _path(self, number: int) -> Path:
        kind, cut = number % 4, number // 4
        paths = self.painting_paths if kind else self.photo_paths
        # Consecutive numbers are of different paintings.
        return paths[(3 * cut + kind if kind else cut) % len(paths)]

    def crop(self, number: int, size: int) -> Tensor:
        """Return a crop (3, size, size) of the painting of sample `number`, for the discriminator."""
        picture = self.picture(self.number_at(number // self.config.batch))
        rng = photos.seeded_generator(self.config.seed, number, 4)
        cut = int(size / photos.uniform(PAINTING_SCALES[0], PAINTING_SCALES[-1], rng))
        top, left = (int(photos.uniform(0, self.SIZE_PX - cut + 1, rng)) for _ in range(2))
        crop = picture[..., top : top + cut, left : left + cut]
        crop = F.interpolate(crop, size=(size, size), mode="bicubic", antialias=True).clamp(0, 1)[0]
        return crop.flip(-1) if photos.uniform(0, 1, rng) < 0.5 else crop


class StyleTargets:
    """The style statistics and targets of style pictures, each measured once.

    Args:
        plates: see `objective.plate_colours`; its device is that of the results.
    """

    def __init__(self, styles: StylePictures, encoder: Encoder, features: VGGFeatures, plates: Tensor) -> None:
        self.styles, self.encoder, self.features, self.plates = styles, encoder, features, plates
        self.of = lru_cache(maxsize=STYLE_COUNT)(self._of)

    @torch.no_grad()
    def _of(self, number: int) -> tuple[Tensor, StyleTarget]:
        """Return the style statistics (size,) and the target of a picture."""
        picture = self.styles.picture(number).to(self.plates.device)
        target = objective.target_from_painting(picture, self.styles.config, self.features, self.plates.cpu())
        return self.encoder.style_statistics(picture), target.to(self.plates.device)


@torch.no_grad()
def statistics_over_pictures(styles: StylePictures, encoder: Encoder, device: torch.device) -> Tensor:
    """Return mean and standard deviation, over a third of the pictures, of their style statistics: (2, size)."""
    numbers = range(0, STYLE_COUNT, 3)
    statistics = torch.stack([encoder.style_statistics(styles.picture(n).to(device)) for n in numbers])
    return torch.stack([statistics.mean(0), statistics.std(0).clamp(min=1e-2)])


def split_pictures(config: AdainConfig) -> tuple[list[Path], list[Path], list[Path]]:
    """Return photos to train on, paintings to train on, and paintings that are never trained on.

    Raises:
        InputError: there are too few, or none for a name in `unseen`.
    """
    photo_paths, _ = photos.find_pictures(config.photos, config.held_back)
    every, _ = photos.find_pictures(config.paintings, 0)
    unseen = [path for path in every if path.name.startswith(config.unseen)]
    absent = [name for name in config.unseen if not any(path.name.startswith(name) for path in unseen)]
    painting_paths = [path for path in every if path not in unseen]
    if absent or not painting_paths:
        raise InputError(
            f"{config.paintings}: expected paintings named {', '.join(config.unseen)} to hold back and others to train"
            f" on, found {', '.join(path.name for path in every)}."
        )
    return photo_paths, painting_paths, unseen


def initial_net(config: AdainConfig, start_from: Path | None) -> StylePredictionNet:
    """Return the net before the first step.

    Args:
        start_from: weights of family adain, all of which are taken over; or of one style, which become those of the
            style transfer net; or None.

    Raises:
        InputError: the weights are those of another net.
    """
    inputs = {"simplifies": config.simplifies, "seeded": config.seeded}
    net = StylePredictionNet(width=config.width, blocks=config.blocks, encoder_width=config.seen, **inputs)
    for module in net.encoder.modules():
        if isinstance(module, nn.Conv2d):  # the encoder has no norms, and with torch's own start signals die out
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    if start_from and _has_encoder(start_from):
        source = load_style_prediction_net(start_from)
        state = source.state_dict()
        state[f"canvas.{INPUT_KERNEL}"] = widen_kernel(state[f"canvas.{INPUT_KERNEL}"], source.canvas, net.canvas)
        expected = f"{type(net).__name__}, width {net.width}, {net.blocks} blocks, seen {net.encoder_width}"
        load_weights(net, state, start_from, f"{expected}, seeded: {config.seeded}")
    elif start_from:
        load_pretrained(net.canvas, start_from)
    return net


def _has_encoder(start_from: Path) -> bool:
    return catalogue.read_metadata(start_from).get("family") == "adain"


def require_trained_encoder(config: AdainConfig, start_from: Path | None) -> None:
    """Raise InputError where a training begins with an untrained encoder, and has no steps to train it."""
    if not config.see.steps and not (start_from and _has_encoder(start_from)):
        raise InputError(
            "see.steps: 0 is for a net whose encoder is trained already, and this one's is not.",
            hint="Start from weights of family adain: --start-from tsn/style/weights/adain.safetensors",
        )


@torch.inference_mode()
def preview_unseen(
    net: StylePredictionNet, photo_paths: list[Path], unseen: list[Path], device: torch.device
) -> Tensor:
    """Paint four photos after each unseen painting: a row of photos, and a row a painting, (3, H, W) in [0, 1]."""
    from torchvision.utils import make_grid

    def square(path: Path) -> Tensor:
        image = photos.load_image(path).float()[None] / 255
        side = min(image.shape[2:])
        return F.interpolate(image[:, :, :side, :side], size=(256, 256), mode="bicubic", antialias=True).clamp(0, 1)

    some = photo_paths[:: max(1, len(photo_paths) // 4)][:4]
    plates = torch.cat([square(path) for path in some]).to(device)
    rows = [torch.zeros_like(plates[:1]), plates]
    for path in unseen:
        canvas = net.transfer_net_for([resize_painting(photos.load_image(path).float() / 255)], [1.0]).to(device)
        rows += [square(path).to(device), canvas(plates).float()]
    return make_grid(torch.cat(rows), nrow=len(plates) + 1).cpu()
