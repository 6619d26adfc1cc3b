"""Flow on disk, so that a second render with another style or strength does not estimate it again."""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from tsn.errors import OutputError
from tsn.flow.base import FlowSource, View
from tsn.io.sequence import atomic

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
        size = a.image.shape[1:]
        flows = read(path, size)
        if flows is None:
            flows = self.inner.pair(a, b)
            self._keep(path, *flows)
        forward, backward = (flow.to(a.image.device) for flow in flows)
        return forward, backward

    def _keep(self, path: Path, forward: Tensor, backward: Tensor) -> None:
        if not self._writable:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write(path, forward, backward)
        except (OSError, OutputError) as error:
            self._writable = False
            log.warning("the flow cache is not written from here on, the render goes on without it: %s", error)


def cache_key(source: FlowSource, a: View, b: View) -> str:
    """Hash of all that the flow of a pair depends on.

    The step in frame number is part of it: a renderer's vectors are used between neighbours only, and a held
    frame has the content of another.
    """
    parts = [source.fingerprint, a.key, b.key, list(a.image.shape), list(b.image.shape), b.number - a.number]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def write(path: Path, forward: Tensor, backward: Tensor) -> None:
    """Store a pair atomically. OutputError where that fails."""
    flows = torch.stack([forward, backward]).detach().float().cpu().contiguous()
    with atomic(path) as temporary:
        # Not save_file: it makes files that only their owner can read, and hosts may run under other users.
        temporary.write_bytes(save({"flows": flows}, metadata={"crc32": _checksum(flows)}))


def read(path: Path, size: torch.Size) -> tuple[Tensor, Tensor] | None:
    """A stored pair, each float32 (2, *size); None where there is none, or one that can't be trusted."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            flows, expected = file.get_tensor("flows"), (file.metadata() or {}).get("crc32")
    except (OSError, SafetensorError) as error:
        log.warning("%s: damaged, measured again: %s", path, error)
        return None
    right_form = flows.shape == (2, 2, *size) and flows.dtype == torch.float32
    # The container has no checksum of its own, and a flipped bit would otherwise end up in the picture.
    if not right_form or _checksum(flows) != expected:
        log.warning("%s: damaged, measured again: its content is not what was written", path)
        return None
    forward, backward = flows
    return forward, backward


def _checksum(flows: Tensor) -> str:
    return f"{zlib.crc32(np.ascontiguousarray(flows.numpy()).data):08x}"
