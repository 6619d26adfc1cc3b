"""A sequence that was painted frame by frame elsewhere, as a painter: `style: {frames: painted.####.png}`.

Whatever painted it, a diffusion model or a person, tsn makes it stable on the plate. Files are PNG, TIFF, JPEG or
WebP, display-referred: their values are style space. Frame numbers may have an offset to the plate's, and the frames
another size with the same aspect ratio.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from tsn.errors import InputError
from tsn.io import read_image
from tsn.io.sequence import FrameSequence
from tsn.style.painted_frame_hashes import hash_file, missing_frames_hint
from tsn.style.painter import digest
from tsn.style.resize import resize

MAX_ASPECT_ERROR = 0.02
"""Largest relative difference between the aspect ratios of a painted frame and of the plate."""


class PaintedFrames:
    """A painter that reads painted frames from disk.

    Args:
        pattern: absolute pattern of the sequence.
        hashes: the painted frames and the hashes of their files, by the number of the plate frame
            (`painted_frame_hashes.hash_painted_frames`).
        offset: number of a painted frame minus that of its plate frame.
    """

    def __init__(self, pattern: str, hashes: Mapping[int, str], *, offset: int = 0) -> None:
        self.sequence, self.hashes, self.offset = FrameSequence.parse(pattern, base=Path()), hashes, offset
        self.name = Path(pattern).name
        # Only the way of reading: the hashes of the painted frames that an output depends on are in `Plan.frame_hash`.
        self.fingerprint = digest("painted-3")

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`: the painted frame at the size and on the device of `image`.

        Raises:
            InputError: as `read`.
        """
        height, width = image.shape[-2:]
        # Resized on the CPU, so that the pixels are the same on all devices.
        return resize(self.read(number, height, width), height, width).to(image.device)

    def read(self, number: int, height: int, width: int) -> Tensor:
        """Read the painted frame of a plate frame, at the size of its file.

        Args:
            number: of the plate frame.
            height: of the plate, pixels.
            width: the same.

        Returns:
            (3, h, w) in [0, 1].

        Raises:
            InputError: the frame is missing or damaged, its aspect ratio is not the plate's, or its hash has changed.
        """
        path = self.sequence.path(number + self.offset)
        if number not in self.hashes:
            raise InputError(
                f"Painted frame {number + self.offset} is missing: {path}",
                hint=missing_frames_hint(self.sequence.pattern, self.offset, {number}),
            )
        if hash_file(path) != self.hashes[number]:  # the output's hash is that of the old one
            raise InputError(
                f"{path}: frame {number} was painted again after the plan was made.",
                hint="Plan, render or submit the shot again; frames that are still right will be skipped.",
            )

        def admit(h: int, w: int) -> None:
            # Sides rounded to whole pixels are accepted. The second test refuses placeholders of 1 pixel.
            is_rounded = min(abs(h - w * height / width), abs(w - h * width / height)) < 1
            if not is_rounded or abs(w * height / (h * width) - 1) > MAX_ASPECT_ERROR:
                raise InputError(
                    f"{path}: frame {number} is {w} x {h}, the plate is {width} x {height}.",
                    hint="Painted frames must have the aspect ratio of the plate's display window, not of its data"
                    " window.",
                )

        return torch.from_numpy(read_image(path, admit=admit)).permute(2, 0, 1).contiguous()
