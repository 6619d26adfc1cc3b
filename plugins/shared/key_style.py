"""Key frames as the style of a shot file: frames that an artist painted, which tsn learns for the shot."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MINUTES = 12
"""Time to learn, of both plug-ins and of tsn."""
MOST_MINUTES = 600
FILES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".exr")


@dataclass(frozen=True)
class KeyStyle:
    """What a node shows for key frames.

    Attributes:
        files: frame -> file of the painted frame.
        minutes: that learning them may take.
        ids: the Cryptomatte layer that tells objects apart.
    """

    files: Mapping[int, str]
    minutes: int = DEFAULT_MINUTES
    ids: str | None = None

    def keys(self) -> dict[str, object]:
        """The shot file's `style`."""
        style: dict[str, object] = {"keys": {frame: self.files[frame] for frame in sorted(self.files)}}
        if self.minutes != DEFAULT_MINUTES:
            style["learn"] = f"{self.minutes}m"
        return style | ({} if self.ids is None else {"ids": self.ids})


def key_file(home: Path, name: str, frame: int) -> Path:
    """The file of a key that a node exports or has painted, as `tsn key` and `tsn paint` name it."""
    return home / "keys" / f"{name}.{frame:04d}.png"


def error(files: Mapping[int, str], frames: range | list[int]) -> str | None:
    """Why keys can't be learnt, as a sentence for the artist; None where they can.

    Args:
        files: frame -> file, absolute.
        frames: those of the shot.
    """
    if not files:
        return "The node has no key: export a frame and paint over it, or paint a key from a painting."
    for frame, file in sorted(files.items()):
        if frame not in frames:
            return f"The key at {frame} is outside of the frames {frames[0]} to {frames[-1]}."
        if not os.path.isfile(file):
            return f"There is no key at {file or 'an empty path'}, for frame {frame}."
        if not file.lower().endswith(FILES):
            return f"{file} is no picture of a key: choose a PNG, TIFF, JPEG or EXR."
    return None
