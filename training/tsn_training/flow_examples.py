"""Examples for the nets beside `dis`: made-up scenes, with the motion that tsn estimates in them and the true one.

Estimating takes longer than a training step, so each example is made once and kept in a folder. Example n is a pure
function of the seed and n, whoever makes it: several processes share the work, and an interrupted run goes on.

An example is a dict of arrays, kept as .npz files whose keys stay as they are:

pictures: uint8 (2, 3, h, w), the two frames.
found: float16 (2, 2, h, w), the estimated flow, forward and backward, in pixels of that size.
true: float16 (2, 2, h, w), the true flow.
seen: bool (2, h, w), where both frames show the same surface.
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
from tsn_training.scenes import random_scene

HEIGHT, WIDTH = 256, 448
"""Size of the scenes, pixels; examples for the repair have half of it."""
MAX_LOST_SHARE = 0.5
"""See `lost_share`; examples with more are not trained on."""


def load_pictures(folder: Path) -> list[np.ndarray]:
    """Return every picture of a folder, uint8 (H, W, 3). Raises InputError where none is there or one is damaged."""
    paths, _ = photos.find_pictures(folder, 0)
    return [photos.load_image(path).permute(1, 2, 0).numpy() for path in paths]


def make_example(number: int, seed: int, sources: Sequence[np.ndarray], *, whole: bool) -> dict[str, np.ndarray]:
    """Return an example, see the module's docstring.

    Args:
        sources: pictures uint8 (H, W, 3) that surfaces are cut from.
        whole: at full size, with flows as they leave `dis`; else at half the size, before the repair.
    """
    scene = random_scene(sources, HEIGHT, WIDTH, np.random.default_rng([seed, number]))
    # As they come from a plate; 8 bits are enough for display-referred pictures.
    pictures: list[np.ndarray] = [(x * 255 + 0.5).astype(np.uint8) for x in (scene.first, scene.second)]
    plates = [x.astype(np.float32) / 255 for x in pictures]
    true, seen = np.stack([scene.forward, scene.backward]), np.stack(scene.visible)
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


def example_path(folder: Path, number: int) -> Path:
    """Return the file of an example; a folder holds a thousand."""
    return folder / f"{number // 1000:03}" / f"{number:06}.npz"


def make_missing(folder: Path, numbers: Sequence[int], seed: int, pictures: Path, *, whole: bool) -> Iterator[int]:
    """Make the examples that are not in the folder yet, and yield each number once its file is there."""
    sources: list[np.ndarray] = []
    for number in numbers:
        path = example_path(folder, number)
        if not path.exists():
            sources = sources or load_pictures(pictures)
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as temporary:
                arrays = make_example(number, seed, sources, whole=whole)
                np.savez(temporary, **arrays)  # type: ignore[arg-type]  # numpy's stubs take them for allow_pickle
        yield number


class Examples(Dataset[dict[str, Tensor]]):
    """The examples of a folder, shuffled, and augmented by seed, epoch and number.

    Those whose `lost_share` is `MAX_LOST_SHARE` or more are left out: no estimate there leads to the true motion, and
    their errors would outweigh all others.

    Raises:
        InputError: none is left.
    """

    def __init__(self, folder: Path, numbers: Sequence[int], seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.numbers = [number for number in numbers if lost_share(self.plain(number)) < MAX_LOST_SHARE]
        if not self.numbers:
            raise InputError(
                f"{folder}: in none of {len(numbers)} scenes is half of the motion found.", hint="Take more examples."
            )

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        epoch, position = divmod(number, len(self.numbers))
        order = torch.randperm(len(self.numbers), generator=photos.seeded_generator(self.seed, epoch))
        return augment(self._stored(self.numbers[order[position]]), photos.seeded_generator(self.seed, number, 1))

    def plain(self, number: int) -> dict[str, Tensor]:
        """Return example `number` of the folder, as float32 and not augmented."""
        return to_float(self._stored(number))

    def _stored(self, number: int) -> dict[str, Tensor]:
        with np.load(example_path(self.folder, number)) as file:
            return {name: torch.from_numpy(file[name]) for name in file.files}


def to_float(x: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return an example as float32, its pictures in [0, 1]."""
    return {
        "pictures": x["pictures"].float() / 255,
        "found": x["found"].float(),
        "true": x["true"].float(),
        "seen": x["seen"].float(),
    }


def lost_share(x: dict[str, Tensor]) -> float:
    """Return the share of places seen in both frames whose estimated motion is off by over a pixel of the plate."""
    off = (x["found"] - x["true"]).square().sum(1).sqrt() > x["true"].shape[-1] / WIDTH
    return float((off * x["seen"]).sum() / x["seen"].sum().clamp(min=1))


def augment(stored: dict[str, Tensor], rng: torch.Generator) -> dict[str, Tensor]:
    """Return an example mirrored, backward in time, with colour channels exchanged, darker or brighter.

    The motion that `dis` would estimate in it is about the same.
    """
    x = to_float(stored)
    for axis, component in ((-1, 0), (-2, 1)):
        if photos.uniform(0, 1, rng) < 0.5:
            x = {name: value.flip(axis) for name, value in x.items()}
            for name in ("found", "true"):
                x[name][:, component] *= -1
    if photos.uniform(0, 1, rng) < 0.5:
        x = {name: value.flip(0) for name, value in x.items()}  # forward and backward change places
    pictures = x["pictures"][:, torch.randperm(3, generator=rng)] ** photos.uniform(0.7, 1.4, rng)
    x["pictures"] = pictures * photos.uniform(0.7, 1.0, rng)
    return x
