"""Random crops of a folder of photos, decoded once and kept in memory (a hundred fit in 200 MB)."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError
from torch import Generator, Tensor
from torchvision.transforms.functional import pil_to_tensor

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


def load_image(path: Path) -> Tensor:
    """An image as uint8 (3, H, W).

    Raises:
        ValueError: the file is not a picture that Pillow can read; names it.
    """
    try:
        with Image.open(path) as file:
            return pil_to_tensor(file.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path}: not a readable picture ({error}).") from error


class Photos:
    """Yields batches of random crops, the same for the same seed.

    Raises:
        ValueError: the folder holds no picture, or one that cannot be read.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        if not paths:
            raise ValueError(f"{folder}: no pictures in it (looked for {', '.join(sorted(SUFFIXES))}).")
        self.images = [load_image(p) for p in paths]
        self.rng: Generator = torch.Generator().manual_seed(seed)

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * torch.rand(1, generator=self.rng).item()

    def crop(self, size: int) -> Tensor:
        """One square crop at a random place and scale, perhaps mirrored: (3, size, size) in [0, 1].

        Exposure varies too: plates are darker and brighter than published photos.
        """
        image = self.images[int(self._uniform(0, len(self.images)))]
        side = min(image.shape[1:])
        cut = int(min(side, size * self._uniform(1.0, max(1.0, side / size))))
        top = int(self._uniform(0, image.shape[1] - cut + 1))
        left = int(self._uniform(0, image.shape[2] - cut + 1))
        x = image[:, top : top + cut, left : left + cut].float()[None] / 255
        x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)[0]
        if self._uniform(0, 1) < 0.5:
            x = x.flip(-1)
        return (x * self._uniform(0.6, 1.2)).clamp(0, 1)

    def batch(self, count: int, size: int) -> Tensor:
        return torch.stack([self.crop(size) for _ in range(count)])
