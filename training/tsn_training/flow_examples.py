"""What the nets beside `dis` are shown: made-up scenes, with the motion that tsn finds in them and the true one.

Finding takes longer than a training step, so each example is made once and kept in a folder. Example n is a pure
function of the seed and n, whoever makes it: several processes share the work out, and a broken off run goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tsn.errors import InputError
from tsn.flow.fused import estimate_both, estimate_half_size
from tsn.io.atomic import atomic_write
from tsn_training import photos
from tsn_training.scenes import scene

HEIGHT, WIDTH = 256, 448
LOST = 0.5


def textures(folder: Path) -> list[np.ndarray]:
    """Every picture of a folder, uint8 (H, W, 3). Raises InputError where there is none or one can't be read."""
    paths, _ = photos.find(folder, 0)
    return [photos.load_image(path).permute(1, 2, 0).numpy() for path in paths]


def make(number: int, seed: int, surfaces: Sequence[np.ndarray], *, whole: bool) -> dict[str, np.ndarray]:
    """An example: at half the size, before the repair, or `whole`, with motion as it leaves `dis`.

    Returns:
        pictures: uint8 (2, 3, h, w); found, true: float16 (2, 2, h, w), there and back in pixels of that size;
        seen: bool (2, h, w), where both moments show the same surface.
    """
    made = scene(surfaces, HEIGHT, WIDTH, np.random.default_rng([seed, number]))
    # As they come from a plate: 8 bits are enough for a display-like picture.
    pictures = [(x * 255 + 0.5).astype(np.uint8) for x in (made.first, made.second)]
    plates = [x.astype(np.float32) / 255 for x in pictures]
    true, seen = np.stack([made.forward, made.backward]), np.stack(made.seen)
    if whole:
        first, second = (torch.from_numpy(x).permute(2, 0, 1).contiguous() for x in plates)
        flows = torch.stack(estimate_both(first, second)).numpy()
    else:
        flows = np.stack(estimate_half_size(plates)).transpose(0, 3, 1, 2)
        pictures = [cv2.resize(x, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA) for x in pictures]
        true, seen = true[:, ::2, ::2] / 2, seen[:, ::2, ::2]
    return {
        "pictures": np.stack(pictures).transpose(0, 3, 1, 2),
        "found": flows.astype(np.float16),
        "true": true.transpose(0, 3, 1, 2).astype(np.float16),
        "seen": seen,
    }


def file_of(folder: Path, number: int) -> Path:
    return folder / f"{number // 1000:03}" / f"{number:06}.npz"


def keep(folder: Path, numbers: Sequence[int], seed: int, pictures: Path, *, whole: bool) -> Iterator[int]:
    """`make` those that aren't there yet, and yield each number once it is."""
    surfaces: list[np.ndarray] = []
    for number in numbers:
        path = file_of(folder, number)
        if not path.exists():
            surfaces = surfaces or textures(pictures)
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as temporary:
                np.savez(temporary, **make(number, seed, surfaces, whole=whole))  # type: ignore[arg-type]  # numpy's stubs, names
        yield number


class Examples(Dataset[dict[str, Tensor]]):
    """Examples from a folder, perhaps mirrored and with their colours and light changed, by seed, epoch and number.

    Those where most of what is seen is lost are left out: nothing near there leads to the true motion, and their errors
    would outweigh all others.
    """

    def __init__(self, folder: Path, numbers: Sequence[int], seed: int) -> None:
        """Raises InputError where none is left."""
        self.folder, self.seed = folder, seed
        self.numbers = [number for number in numbers if lost(self.plain(number)) < LOST]
        if not self.numbers:
            raise InputError(
                f"{folder}: in none of {len(numbers)} scenes is half of the motion found.", hint="Take more examples."
            )

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        epoch, place = divmod(number, len(self.numbers))
        order = torch.randperm(len(self.numbers), generator=photos.generator(self.seed, epoch))
        return varied(self._stored(self.numbers[order[place]]), photos.generator(self.seed, number, 1))

    def plain(self, number: int) -> dict[str, Tensor]:
        """Example `number` of the folder, untouched."""
        return plain(self._stored(number))

    def _stored(self, number: int) -> dict[str, Tensor]:
        with np.load(file_of(self.folder, number)) as file:
            return {name: torch.from_numpy(file[name]) for name in file.files}


def plain(x: dict[str, Tensor]) -> dict[str, Tensor]:
    """As float32, pictures in [0, 1]."""
    return {
        "pictures": x["pictures"].float() / 255,
        "found": x["found"].float(),
        "true": x["true"].float(),
        "seen": x["seen"].float(),
    }


def lost(x: dict[str, Tensor]) -> float:
    """The share of what both moments show whose motion is off by over a pixel of the plate."""
    off = (x["found"] - x["true"]).square().sum(1).sqrt() > x["true"].shape[-1] / WIDTH
    return float((off * x["seen"]).sum() / x["seen"].sum().clamp(min=1))


def varied(stored: dict[str, Tensor], rng: torch.Generator) -> dict[str, Tensor]:
    """Mirrored, turned to other colours, darker or brighter: the motion found would be about the same."""
    x = plain(stored)
    for axis, component in ((-1, 0), (-2, 1)):
        if photos.uniform(0, 1, rng) < 0.5:
            x = {name: value.flip(axis) for name, value in x.items()}
            for name in ("found", "true"):
                x[name][:, component] *= -1
    if photos.uniform(0, 1, rng) < 0.5:
        x = {name: value.flip(0) for name, value in x.items()}  # there and back change places
    pictures = x["pictures"][:, torch.randperm(3, generator=rng)] ** photos.uniform(0.7, 1.4, rng)
    x["pictures"] = pictures * photos.uniform(0.7, 1.0, rng)
    return x
