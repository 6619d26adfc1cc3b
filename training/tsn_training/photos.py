"""Random crops of a folder of photos, each a pure function of the seed and its number.

Sample number n of a run is the same whichever process draws it, and when: which photo (each epoch is a shuffle of all
of them, by seed and epoch, as `DistributedSampler.set_epoch` does elsewhere), which crop, which motion. So a resumed
run continues as if it had not stopped, and N processes that share the numbers train on what one process would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError
from torch import Generator, Tensor
from torch.utils.data import Dataset, Sampler
from torchvision.transforms.functional import pil_to_tensor

from tsn.errors import InputError
from tsn_training.config import PaintingConfig
from tsn_training.motion import FramePair, moving_pair

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
EXPOSURE_RANGE = 0.6, 1.2
"""Factors on a crop, because plates are darker and brighter than published photos."""


def load_image(path: Path) -> Tensor:
    """Return an image as uint8 (3, H, W).

    Raises:
        InputError: the file is not a picture that Pillow can read.
    """
    try:
        with Image.open(path) as file:
            return pil_to_tensor(file.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable picture ({error}).", hint="Take it out of the folder.") from error


def find_pictures(folder: Path, held_back: int) -> tuple[list[Path], list[Path]]:
    """Return the pictures in a folder, at any depth: those to train on, and those held back, spread evenly.

    Raises:
        InputError: there are too few.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if len(paths) <= held_back:
        raise InputError(
            f"{folder}: {len(paths)} pictures in it (looked for {', '.join(sorted(SUFFIXES))}),"
            f" and {held_back} of them are to be held back.",
            hint="python training/gather_images.py --out data brings some.",
        )
    kept = {round(i * (len(paths) - 1) / max(1, held_back - 1)) for i in range(held_back)}
    return [p for i, p in enumerate(paths) if i not in kept], [paths[i] for i in sorted(kept)]


def seeded_generator(*numbers: int) -> Generator:
    """Return a random generator that is a pure function of some numbers and their order."""
    seed = 0
    for number in numbers:
        seed = (seed * 1_000_003 + number + 0x9E3779B9) % (2**63)
    return Generator().manual_seed(seed)


def uniform(low: float, high: float, rng: Generator) -> float:
    """Draw a number in [low, high)."""
    return low + (high - low) * torch.rand((), generator=rng).item()


def random_crop(image: Tensor, size: int, rng: Generator) -> Tensor:
    """Cut a square at a random place and scale, perhaps mirrored: uint8 (3, H, W) -> (3, size, size) in [0, 1]."""
    side = min(image.shape[1:])
    cut = int(min(side, size * uniform(1.0, max(1.0, side / size), rng)))
    top = int(uniform(0, image.shape[1] - cut + 1, rng))
    left = int(uniform(0, image.shape[2] - cut + 1, rng))
    x = image[:, top : top + cut, left : left + cut].float()[None] / 255
    x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)[0]
    if uniform(0, 1, rng) < 0.5:
        x = x.flip(-1)
    return (x * uniform(*EXPOSURE_RANGE, rng)).clamp(0, 1)


class Samples(Dataset[FramePair]):
    """Sample number n of a run: two moments of a scene of two crops of one photo (`motion.py`).

    Every photo is opened once at the start, so that one that cannot be read ends a training before it begins.
    """

    def __init__(self, paths: list[Path], config: PaintingConfig) -> None:
        self.paths = paths
        self.config = config
        for path in paths:
            load_image(path)
        self._image = lru_cache(maxsize=256)(load_image)
        self._order = lru_cache(maxsize=2)(
            lambda epoch: torch.randperm(len(paths), generator=seeded_generator(config.seed, epoch)).tolist()
        )

    def __getitem__(self, number: int) -> FramePair:
        epoch, position = divmod(number, len(self.paths))
        image = self._image(self.paths[self._order(epoch)[position]])
        rng = seeded_generator(self.config.seed, number, 1)
        size = self.config.crop_at(number // self.config.batch)
        return moving_pair(random_crop(image, size, rng), random_crop(image, size, rng), rng)


class BatchConfig(Protocol):
    """What a sampler reads from the config of any training; see `PaintingConfig`."""

    @property
    def steps(self) -> int:
        """Steps of the training."""

    @property
    def batch(self) -> int:
        """Samples in one step, over all processes and parts."""

    @property
    def accumulate(self) -> int:
        """Parts that the batch of a process is cut into."""


@dataclass(frozen=True, kw_only=True)
class Batches:
    """The batches of a stage that is not the whole training; see `BatchConfig`."""

    steps: int
    batch: int
    accumulate: int


class ShardSampler(Sampler[list[int]]):
    """The sample numbers of one process: a list for each part of each step, from step `first` on."""

    def __init__(self, config: BatchConfig, *, first: int, rank: int, world_size: int) -> None:
        self.first, self.steps, self.batch = first, config.steps, config.batch
        self.rank, self.share = rank, config.batch // world_size
        self.part = self.share // config.accumulate

    def __len__(self) -> int:
        return (self.steps - self.first) * (self.share // self.part)

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first, self.steps):
            start = step * self.batch + self.rank * self.share
            for at in range(start, start + self.share, self.part):
                yield list(range(at, at + self.part))
