"""A sequence that another tool painted frame by frame: `style: {frames: painted.####.png}`.

PNG, TIFF, JPEG or WebP, display-referred: what is in the file is style space. Whatever painted it, a
diffusion model or a person, tsn then makes it stable on the plate.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from tsn import frames as ranges
from tsn.errors import InputError
from tsn.io import read_image
from tsn.io.sequence import Sequence
from tsn.style.base import digest

HASHED_END = 64 * 1024


def content_mark(path: Path) -> str:
    """Size, first and last 64 KiB of a file, hashed.

    Not all of it: a worker that paints 16 frames would read the whole sequence to know what it works on.
    A repainted picture changes everywhere, and compressed ones change in size. Not its date: synced copies
    on other hosts have others.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        head = file.read(HASHED_END)
        file.seek(max(0, size - HASHED_END))
        return hashlib.sha256(size.to_bytes(8, "little") + head + file.read()).hexdigest()


class PaintedFrames:
    """Reads instead of painting.

    Args:
        pattern: absolute pattern of the sequence.

    Raises:
        InputError: no frame of the pattern is on disk.
    """

    def __init__(self, pattern: str) -> None:
        self.sequence = Sequence.parse(pattern, base=Path())
        self.numbers = self.sequence.on_disk()
        if not self.numbers:
            raise InputError(
                f"No painted frames found: {pattern}",
                hint="style.frames is relative to the shot file; check the folder.",
            )
        self.name = self.sequence.path(self.numbers[0]).name
        marks = (text for n in self.numbers for text in (str(n), content_mark(self.sequence.path(n))))
        self.fingerprint = digest("painted-1", *marks)

    def paint(self, image: Tensor, number: int) -> Tensor:
        """The painted frame, (3, H, W); `image` says which size and device to expect.

        Raises:
            InputError: the frame is missing, damaged, or not of the plate's size.
        """
        path = self.sequence.path(number)
        if number not in self.numbers:
            raise InputError(
                f"Painted frame {number} is missing: {path}",
                hint=f"On disk are {ranges.compact(self.numbers)}; paint the frame, or set `frames:` of the shot.",
            )
        painted = torch.from_numpy(read_image(path)).permute(2, 0, 1).contiguous()
        if painted.shape != image.shape:
            (height, width), (h, w) = image.shape[-2:], painted.shape[-2:]
            raise InputError(
                f"{path}: frame {number} is {w} x {h}, the plate is {width} x {height}.",
                hint="Painted frames must have the size of the plate's data window.",
            )
        return painted.to(image.device)
