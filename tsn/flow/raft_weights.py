"""Published RAFT weights: their names, their URLs, and the folder in which they are looked for.

They do not come with tsn. `tsn fetch raft-large` downloads them once into the weights folder: `$TSN_WEIGHTS`, or
`~/.local/share/tsn/weights`. On a farm, set TSN_WEIGHTS to a folder that every host can read.
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from tsn.errors import InputError, OutputError, UsageError, near_miss
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


# Names, hashes and recipes as in torchvision/models/optical_flow/raft.py (Raft_Large_Weights, Raft_Small_Weights).
# The fine-tuned C_T_SKHT, not the KITTI variant, which is tuned to driving.
REGISTRY = {
    entry.name: entry
    for entry in (
        PublishedWeights(
            name="raft-large",
            url="https://download.pytorch.org/models/raft_large_C_T_SKHT_V2-ff5fadd5.pth",
            sha256="ff5fadd5",
            # RAFT, 5.3M parameters, FlyingChairs + FlyingThings3D + Sintel/KITTI/HD1K, torchvision, BSD-3-Clause
        ),
        PublishedWeights(
            name="raft-small",
            url="https://download.pytorch.org/models/raft_small_C_T_V2-01064c6d.pth",
            sha256="01064c6d",
            # RAFT small, 1.0M parameters, FlyingChairs + FlyingThings3D, torchvision, BSD-3-Clause
        ),
    )
}


def weights_folder() -> Path:
    """The folder where weights are looked for and downloaded to; it need not exist."""
    chosen = os.environ.get("TSN_WEIGHTS")
    return Path(chosen).expanduser() if chosen else Path.home() / ".local" / "share" / "tsn" / "weights"


def published_weights(name: str) -> PublishedWeights:
    """The registry's entry of a name. Raises UsageError, with the nearest name as a hint, if there is none."""
    if name not in REGISTRY:
        raise UsageError(
            f"no published weights {name!r}, expected one of {', '.join(REGISTRY)}", hint=near_miss(name, REGISTRY)
        )
    return REGISTRY[name]


def installed_weights() -> Path | None:
    """The best of the published RAFT weights that are in the folder, or None.

    Every entry of `REGISTRY` is taken for RAFT: weights of another net need a registry of their own.
    """
    files = (weights_folder() / entry.file for entry in REGISTRY.values())
    return next((file for file in files if file.is_file()), None)


def weights_sha256(path: Path) -> str:
    """Hash of a file's content, 64 hexadecimal digits; InputError where it can't be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot read the flow weights: {error.strerror or error}", hint="tsn fetch raft-large"
        ) from error


def fetch(entry: PublishedWeights, *, into: Path | None = None) -> Path:
    """Download a weight file, unless it is installed already, and return its path.

    The file appears under its name only after its hash was found to be right.

    Args:
        entry: which one, from `published_weights`.
        into: the folder, created if missing; `weights_folder()` by default.

    Raises:
        InputError: the URL cannot be reached, or the content is not what was published; no file is left behind.
        OutputError: the folder cannot be written.
    """
    target = (into or weights_folder()) / entry.file
    if target.is_file() and sha256_of(target).startswith(entry.sha256):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{target.parent}: cannot make the weights folder: {error.strerror}") from error
    with atomic_write(target) as temporary:
        with temporary.open("wb") as file:
            file.writelines(_content_blocks(entry))
        found = weights_sha256(temporary)
        if not found.startswith(entry.sha256):
            raise InputError(
                f"{entry.url}: expected sha256 {entry.sha256}..., found {found[: max(8, len(entry.sha256))]}",
                hint="A proxy or a broken download changed the file. Try again, or copy the file by hand to "
                f"{target.parent}.",
            )
    return target


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
