"""A sequence that another tool painted frame by frame: `style: {frames: painted.####.png}`.

PNG, TIFF, JPEG or WebP, display-referred: what is in the file is style space. Whatever painted it, a
diffusion model or a person, tsn then makes it stable on the plate.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from tsn import frames as ranges
from tsn.errors import InputError
from tsn.io import read_image
from tsn.io.sequence import Sequence
from tsn.style.base import digest
from tsn.style.marks import mark


class PaintedFrames:
    """Reads instead of painting.

    Args:
        pattern: absolute pattern of the sequence.
        marks: the frames there are, by content (`tsn.style.marks`).
    """

    def __init__(self, pattern: str, marks: Mapping[int, str]) -> None:
        self.sequence, self.marks = Sequence.parse(pattern, base=Path()), marks
        self.name = Path(pattern).name
        self.fingerprint = digest("painted-3")  # of the way they are read: which ones a frame needs, `Plan.digest` says

    def paint(self, image: Tensor, number: int) -> Tensor:
        """The painted frame, (3, H, W); `image` says which size and device to expect.

        Raises:
            InputError: the frame is missing, damaged, not of the plate's size, or not the one of its mark.
        """
        path = self.sequence.path(number)
        if number not in self.marks:
            raise InputError(
                f"Painted frame {number} is missing: {path}",
                hint=f"There are {ranges.compact(sorted(self.marks)) or 'none of the shot'};"
                " paint the frame, or set `frames:` of the shot.",
            )
        if mark(path) != self.marks[number]:  # its result would carry the hash of the old one
            raise InputError(
                f"{path}: frame {number} was painted again after the plan was made.",
                hint="Plan, render or submit the shot again; frames that are still right will be skipped.",
            )
        height, width = image.shape[-2:]

        def admit(h: int, w: int) -> None:
            if (h, w) != (height, width):
                raise InputError(
                    f"{path}: frame {number} is {w} x {h}, the plate is {width} x {height}.",
                    hint="Painted frames must have the size of the plate's display window, whatever its data window.",
                )

        painted = torch.from_numpy(read_image(path, admit=admit)).permute(2, 0, 1).contiguous()
        return painted.to(image.device)
