"""Flow on disk, so that a second render with another style or strength does not estimate it again."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
from pathlib import Path

import torch
from torch import Tensor

from tsn.cpu_isa import instruction_set
from tsn.errors import OutputError
from tsn.flow.base import FlowSource, View
from tsn.io.atomic import atomic_write
from tsn.io.disk_cache import DiskCache
from tsn.io.float_compression import compress, decompress

log = logging.getLogger(__name__)

FILE_FORMAT = "packed-1"
"""Part of the key: files in another format are never read again, and are removed as the oldest ones."""
MISSING_ERRNOS = (errno.ENOENT, errno.ESTALE, errno.ENOTDIR)
"""The file does not exist: it never did, or another process removed it to make room."""


class CachedSource:
    """Another source's flow, stored in a folder without loss: a warm cache gives the bits that a cold one gives.

    A file is used only if its shape and checksum are right, else the pair is estimated again. A folder that cannot be
    written costs time but does not stop the render: one warning is logged. Hosts may share the folder, whose size
    `DiskCache` bounds.

    Raises:
        UsageError: the environment variable that bounds the cache has no valid value.
    """

    def __init__(self, inner: FlowSource, folder: Path) -> None:
        self.inner = inner
        self.folder = folder
        self.name = inner.name
        self.fingerprint = inner.fingerprint
        self._kept = DiskCache(folder, "flow")
        self._writable = True

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        """Flow a->b and b->a, each (2, H, W), pixels, on the image's device."""
        path = self.folder / f"{cache_key(self.inner, a, b)}.safetensors"
        flows = self._read(path, a.image.shape[1:])
        if flows is None:
            flows = torch.stack(self.inner.pair(a, b)).float()
            self._keep(path, flows)
        forward, backward = flows.to(a.image.device)
        return forward, backward

    def _read(self, path: Path, size: torch.Size) -> Tensor | None:
        """A stored pair, float32 (2, 2, *size); None if there is none, or if its file is damaged."""
        if not self._kept.touch(path):
            return None
        try:
            # Read, not memory-mapped: reading a page of a file that another host removed kills the process (SIGBUS).
            return torch.from_numpy(
                decompress(path.read_bytes(), (2, 2, *size))
            ).clone()  # into memory that torch allocates
        except OSError as error:
            if error.errno not in MISSING_ERRNOS:
                log.warning("%s: %s, measured again", path, error.strerror)
        except ValueError as error:
            log.warning("%s: %s, measured again", path, error)
        return None

    def _keep(self, path: Path, flows: Tensor) -> None:
        if not (self._writable and self._kept.limit):
            return
        content = compress(flows.cpu().numpy())
        if not self._kept.make_room(len(content)):
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as temporary:
                temporary.write_bytes(content)
        except (OSError, OutputError) as error:
            self._writable = False
            log.warning("the flow cache is not written from here on, the render goes on without it: %s", error)


def cache_key(source: FlowSource, a: View, b: View) -> str:
    """Hash of all that the flow of a pair depends on, 40 hexadecimal digits.

    The step in frame number is part of it: rendered vectors apply to neighbours only, and a held frame has the
    content of another. So is the instruction set, since hosts of several kinds may share the folder.
    """
    step = b.number - a.number
    parts = [
        *(FILE_FORMAT, instruction_set(), source.fingerprint, a.key, b.key),
        *(list(a.image.shape), list(b.image.shape), step),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]
