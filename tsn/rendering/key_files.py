"""Which files the key frames of a shot are in: those of the shot file, or those that tsn painted itself."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from tsn.errors import InputError
from tsn.io.hashing import sha256_of
from tsn.shot.model import PAINTING, Shot

FRAME_DIGITS = 4
FOLDER = "keys"
"""Beside the output frames: the folder of the keys that tsn paints itself. All hosts of a farm can read it."""


def painting_of(shot: Shot) -> str | None:
    """The painting in whose manner tsn paints the keys itself; None where they are files of the shot file."""
    assert shot.style.keys is not None
    return shot.style.keys.get(PAINTING)


def key_path(folder: Path, shot_name: str, number: int) -> Path:
    """The file of a frame's key in a folder."""
    return folder / f"{shot_name}.{number:0{FRAME_DIGITS}d}.png"


def own_key_folder(shot: Shot) -> Path:
    """The folder of the keys that tsn paints itself: one for each painting, as layers may have different ones.

    Two paintings may have the same name in different folders, so its name ends with a hash of its content. An artist
    may copy a key, paint over the copy, and name that in the shot file.

    Raises:
        InputError: the painting can't be read.
    """
    painting = painting_of(shot)
    assert painting is not None
    try:
        content = sha256_of(painting)
    except OSError as error:
        raise InputError(f"Cannot read the painting {painting}: {error.strerror}.") from error
    return Path(shot.output).parent / FOLDER / f"{Path(painting).stem}-{content[:6]}"


def key_files(shot: Shot, painted: Mapping[int, str]) -> dict[int, str]:
    """Frame -> file of each key.

    Args:
        painted: frame -> SHA-256 of the keys that tsn painted itself, as they were learnt.

    Raises:
        InputError: a key that tsn painted is gone, or another one now.
    """
    assert shot.style.keys is not None
    if painting_of(shot) is None:
        return {int(number): file for number, file in shot.style.keys.items()}
    if not painted:
        return {}
    found, folder = {}, own_key_folder(shot)
    for number, sha256 in painted.items():
        path = key_path(folder, shot.file.stem, number)
        try:
            now = sha256_of(path)
        except OSError as error:
            raise InputError(
                f"{socket.gethostname()} can't read the key {path}, which the shot was learnt from: {error.strerror}.",
                hint="Put it back, or learn the shot again: tsn learn SHOT --force",
            ) from error
        if now != sha256:
            raise InputError(
                f"The key {path} has changed since the shot was learnt from it.",
                hint="To paint over it, copy it and name the copy in the shot: keys: {FRAME: FILE}.",
            )
        found[number] = str(path)
    return found


def key_mattes(shot: Shot) -> dict[int, str]:
    """Frame -> matte of each key that has one."""
    return {int(number): file for number, file in (shot.style.key_mattes or {}).items()}
