"""Chooses the source of motion for a shot, with a sentence for the artist that gives the reason."""

from __future__ import annotations

from pathlib import Path

import torch

from tsn.errors import InputError, UsageError, near_miss
from tsn.flow.base import FlowSource
from tsn.flow.cache import CachedSource
from tsn.flow.dis import DisSource
from tsn.flow.fused import FusedSource
from tsn.flow.raft import RaftSource
from tsn.flow.raft_weights import installed_weights
from tsn.flow.vectors import VectorSource
from tsn.io.published import weights_folder

METHODS = ("auto", "vectors", "raft", "dis")


def choose_flow_source(
    method: str,
    *,
    has_vectors: bool,
    device: torch.device,
    scale: float,
    weights: Path | None,
    cache: Path | None = None,
) -> tuple[FlowSource, str]:
    """The flow source for a shot, and why it is that one.

    `auto` means the renderer's vectors, else RAFT if its weights are installed, else fused DIS. Where the vectors leave
    gaps in a picture (background), RAFT fills them if its weights are installed, else plain DIS: the gaps are mostly
    smooth sky, and it costs a fifteenth. Pairs of frames without vectors (a stepped range) get what a shot without
    vectors would.

    Args:
        method: a name in `METHODS`.
        has_vectors: the plate has motion vectors and the shot file names their layer.
        device: where RAFT runs.
        scale: size at which motion is estimated; rendered vectors are always at full size.
        weights: RAFT's state dict, or None for the published weights in the weights folder.
        cache: folder for estimated flow; rendered vectors cost less to decode than to store.

    Raises:
        UsageError: an unknown method, or `vectors` without any.
        InputError: RAFT is requested and its weights are not there.
    """
    if method not in METHODS:
        raise UsageError(
            f"flow.method: {method!r} is not known, expected one of {', '.join(METHODS)}",
            hint=near_miss(method, METHODS),
        )

    def cached(source: FlowSource) -> FlowSource:
        return source if cache is None else CachedSource(source, cache)

    if method == "vectors" and not has_vectors:
        raise UsageError(
            "flow.method is vectors, but the shot names no layer with motion vectors",
            hint="Add flow.vectors: {layer: ViewLayer.Vector, convention: blender}, or take method: auto.",
        )
    if method == "dis":
        return cached(FusedSource(scale=scale)), "DIS estimates the motion, as the shot file asks."
    if method == "raft":
        raft = RaftSource(_weights(weights), device=device, scale=scale)
        return cached(raft), f"{raft.name} estimates the motion, as the shot file asks."

    estimator: FlowSource
    if weights is None and installed_weights() is None:
        estimator, fills = FusedSource(scale=scale), cached(DisSource(scale=scale))
        why = f"DIS estimates the motion, since there are no RAFT weights in {weights_folder()}."
    else:
        path = _weights(weights)
        estimator = RaftSource(path, device=device, scale=scale)
        fills = cached(estimator)
        why = f"{estimator.name} estimates the motion, with the weights {path}."
    if not has_vectors:
        return cached(estimator), f"{why} The plate has no motion vectors."
    asked = "as the shot file asks" if method == "vectors" else "since the plate has them"
    return (
        VectorSource(fills, cached(estimator)),
        f"The renderer's motion vectors are used, {asked}; {fills.name} fills in where they are missing.",
    )


def _weights(weights: Path | None) -> Path:
    """The file of RAFT's weights. Raises InputError if there is none."""
    path = weights or installed_weights()
    if path is None:
        raise InputError(f"no RAFT weights in {weights_folder()}", hint="tsn fetch raft-large")
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected RAFT's weights (flow.weights)", hint="tsn fetch raft-large")
    return path
