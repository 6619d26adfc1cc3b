"""Flow on disk, so that a second render with another style or strength does not estimate it again."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import torch
from torch import Tensor

from tsn.errors import InputError, OutputError
from tsn.flow.base import FlowSource, View
from tsn.instructions import instructions
from tsn.io import tensors

log = logging.getLogger(__name__)


class CachedSource:
    """Another source's flow, kept in a folder as float32, bit for bit: a warm cache gives what a cold one gives.

    A file is believed only if its shape, type and checksum are right, else the pair is measured again. A folder
    that can't be written costs time, not the render: it is logged once. Hosts may share the folder.
    """

    def __init__(self, inner: FlowSource, folder: Path) -> None:
        self.inner = inner
        self.folder = folder
        self.name = inner.name
        self.fingerprint = inner.fingerprint
        self._writable = True

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        """Flow a->b and b->a, each (2, H, W), pixels, on the image's device."""
        path = self.folder / f"{cache_key(self.inner, a, b)}.safetensors"
        flows = _read(path, a.image.shape[1:])
        if flows is None:
            flows = torch.stack(self.inner.pair(a, b))
            self._keep(path, flows)
        forward, backward = flows.to(a.image.device)
        return forward, backward

    def _keep(self, path: Path, flows: Tensor) -> None:
        if not self._writable:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tensors.write(path, "flows", flows.float().cpu())
        except (OSError, OutputError) as error:
            self._writable = False
            log.warning("the flow cache is not written from here on, the render goes on without it: %s", error)


def cache_key(source: FlowSource, a: View, b: View) -> str:
    """Hash of all that the flow of a pair depends on.

    The step in frame number is part of it: a renderer's vectors are used between neighbours only, and a held
    frame has the content of another. So is the instruction set, since hosts of several kinds may share the folder.
    """
    parts = [
        instructions(),
        source.fingerprint,
        a.key,
        b.key,
        list(a.image.shape),
        list(b.image.shape),
        b.number - a.number,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def _read(path: Path, size: torch.Size) -> Tensor | None:
    """A stored pair, float32 (2, 2, *size); None where there is none, or one that can't be trusted."""
    try:
        return tensors.read(path, "flows", (2, 2, *size))
    except InputError as error:
        log.warning("%s, measured again", error)
        return None
