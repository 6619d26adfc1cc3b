"""Published weights that do not come with tsn: the folder in which they are looked for, and their download.

`tsn fetch NAME` downloads them once into the weights folder: `$TSN_WEIGHTS`, or `~/.local/share/tsn/weights`. On a
farm, set TSN_WEIGHTS to a folder that every host can read.
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from tsn.errors import InputError, OutputError
from tsn.io.atomic import atomic_write
from tsn.io.hashing import sha256_of

TIMEOUT_S = 30.0
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """A weight file that can be fetched.

    Attributes:
        name: what `tsn fetch` and the shot file call it.
        url: where it is published; its last part is the file's name on disk.
        sha256: the hash's first hexadecimal digits (all 64, or the 8 that torchvision puts into the file's name).
    """

    name: str
    url: str
    sha256: str

    @property
    def file(self) -> str:
        """The file's name on disk."""
        return self.url.rpartition("/")[2]


def weights_folder() -> Path:
    """The folder where weights are looked for and downloaded to; it need not exist."""
    chosen = os.environ.get("TSN_WEIGHTS")
    return Path(chosen).expanduser() if chosen else Path.home() / ".local" / "share" / "tsn" / "weights"


def make_weights_folder(folder: Path) -> None:
    """Make the folder. Raises OutputError where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot make the weights folder: {error.strerror}") from error


def fetch(entry: PublishedWeights, *, into: Path | None = None) -> Path:
    """Download a weight file, unless it is installed already, and return its path.

    The file appears under its name only after its hash was found to be right.

    Args:
        entry: which one.
        into: the folder, created if missing; `weights_folder()` by default.

    Raises:
        InputError: the URL cannot be reached, or the content is not what was published; no file is left behind.
        OutputError: the folder cannot be written.
    """
    target = (into or weights_folder()) / entry.file
    if target.is_file() and sha256_of(target).startswith(entry.sha256):
        return target
    make_weights_folder(target.parent)
    with atomic_write(target) as temporary:
        with temporary.open("wb") as file:
            file.writelines(_content_blocks(entry))
        require_hash(temporary, entry.sha256, source=entry.url, folder=target.parent)
    return target


def require_hash(path: Path, sha256: str, *, source: str, folder: Path) -> None:
    """Raise InputError unless the file's hash begins with `sha256`.

    Args:
        source: where it came from, for the message.
        folder: where a person may put the right file by hand.
    """
    found = sha256_of(path)
    if not found.startswith(sha256):
        raise InputError(
            f"{source}: expected sha256 {sha256[:8]}..., found {found[:8]}",
            hint=f"A proxy or a broken download changed the file. Try again, or copy the file by hand to {folder}.",
        )


def _content_blocks(entry: PublishedWeights) -> Iterator[bytes]:
    """The file's content from its URL, block by block. Raises InputError on faults of the network only."""
    try:
        with urllib.request.urlopen(entry.url, timeout=TIMEOUT_S) as response:
            block = response.read(BLOCK_BYTES)
            while block:
                yield block
                block = response.read(BLOCK_BYTES)
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # the error is the open response, too
        raise InputError(
            f"{entry.url}: cannot be downloaded: {getattr(error, 'reason', None) or error}",
            hint=f"On a machine without internet, copy {entry.file} to {weights_folder()} by hand, or set TSN_WEIGHTS.",
        ) from error
