"""A sequence that another tool painted frame by frame: `style: {frames: painted.####.png}`.

PNG, TIFF, JPEG or WebP, display-referred: what is in the file is style space. Whatever painted it, a
diffusion model or a person, tsn then makes it stable on the plate. Its frames may count from elsewhere, have other
numbers of digits, as the pattern says, and another size of the same proportions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from tsn.errors import InputError
from tsn.io import read_image
from tsn.io.sequence import FrameSequence
from tsn.style.frame_hashes import hash_file, missing_frames_hint
from tsn.style.painter import digest
from tsn.style.resize import resize

MAX_ASPECT_ERROR = 0.02
"""How far proportions may be apart."""


class PaintedFrames:
    """Reads instead of painting.

    Args:
        pattern: absolute pattern of the sequence.
        hashes: the frames there are, by content (`tsn.style.frame_hashes`).
        offset: what is added to a plate frame's number to have that of the painted one.
    """

    def __init__(self, pattern: str, hashes: Mapping[int, str], *, offset: int = 0) -> None:
        self.sequence, self.hashes, self.offset = FrameSequence.parse(pattern, base=Path()), hashes, offset
        self.name = Path(pattern).name
        self.fingerprint = digest("painted-3")  # of the way they are read: which ones a frame needs, `Plan.digest` says

    def paint(self, image: Tensor, number: int) -> Tensor:
        """The painted frame, (3, H, W); `image` says which size and device to expect.

        Raises:
            InputError: the frame is missing, damaged, of other proportions than the plate, or not the one of its mark.
        """
        height, width = image.shape[-2:]
        # On the CPU, so that all devices get the same paint.
        return resize(self.read(number, height, width), height, width).to(image.device)

    def read(self, number: int, height: int, width: int) -> Tensor:
        """What was painted of a plate frame of a size, (3, h, w) as in its file: tools paint smaller or larger ones.

        Raises:
            InputError: as `paint` does.
        """
        path = self.sequence.path(number + self.offset)
        if number not in self.hashes:
            raise InputError(
                f"Painted frame {number + self.offset} is missing: {path}",
                hint=missing_frames_hint(self.sequence.pattern, self.offset, {number}),
            )
        if hash_file(path) != self.hashes[number]:  # its result would carry the hash of the old one
            raise InputError(
                f"{path}: frame {number} was painted again after the plan was made.",
                hint="Plan, render or submit the shot again; frames that are still right will be skipped.",
            )

        def admit(h: int, w: int) -> None:
            # What rounding one side to whole pixels does, and no more: a placeholder of one pixel is no painted frame.
            rounded = min(abs(h - w * height / width), abs(w - h * width / height)) < 1
            if not rounded or abs(w * height / (h * width) - 1) > MAX_ASPECT_ERROR:
                raise InputError(
                    f"{path}: frame {number} is {w} x {h}, the plate is {width} x {height}.",
                    hint="Painted frames must have the proportions of the plate's display window, not of its data"
                    " window.",
                )

        return torch.from_numpy(read_image(path, admit=admit)).permute(2, 0, 1).contiguous()
