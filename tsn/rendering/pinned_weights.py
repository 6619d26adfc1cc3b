"""The weight files of a shot by their SHA-256: a host with others refuses to render."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping

from tsn.errors import InputError
from tsn.io.hashing import sha256_of
from tsn.rendering.plan import Plan
from tsn.shot import pathmap
from tsn.shot.model import Shot, Style

FLOW = "flow"
"""The name of RAFT's weights among them."""
DIS = "none: DIS estimates"
"""In place of a hash where RAFT has no weights here."""


def hash_weights(shot: Shot) -> dict[str, str]:
    """SHA-256 (hex) of each weight file, picture, preset and key by its name in the shot; RAFT's weights as `flow`.

    Raises:
        UsageError: no such style.
        InputError: a file is missing or damaged.
    """
    from tsn.flow.raft_weights import installed_weights, weights_sha256

    found: dict[str, str] = {}
    for layer in shot.by_layer:
        found |= _hash_style(layer.style)
    if shot.needs_motion and shot.flow.method in ("auto", "raft", "vectors"):
        # RAFT fills in what vectors leave out, and without its weights on a host DIS does: that too is worth a line.
        raft = shot.flow.weights or installed_weights()
        found[FLOW] = weights_sha256(raft) if raft else DIS
    return found


def _hash_style(style: Style) -> dict[str, str]:
    """SHA-256 (hex) of the files that a style is made of."""
    from tsn.style.catalogue import resolve_style

    names = style.blend or (["adain"] if style.adain else [style.model] if style.model else [])
    found = {name: resolve_style(weight_file(name)).sha256 for name in names}
    palettes = [] if style.palette == "plate" else [style.palette]
    keys = (*(style.keys or {}).values(), *(style.key_mattes or {}).values())
    for picture in (*(style.adain or ()), *palettes, *style.brush, *style.brush_height, *keys):
        try:
            found[picture] = sha256_of(picture)
        except OSError as error:
            raise InputError(f"Cannot read the picture {picture}: {error.strerror}.") from error
    if style.strokes is not None:
        from tsn.strokes.preset_file import find_preset

        found[style.strokes] = find_preset(style.strokes).fingerprint
    return found


def require_weights(plan: Plan) -> None:
    """Raise InputError where this host's weights are not those the plan was made with.

    A plan without weights, which never left its process, passes.
    """
    if not plan.weights:
        return
    by = pathmap.read_rules()
    planned = {pathmap.map_path(name, by): sha256 for name, sha256 in plan.weights.items()}
    here = hash_weights(plan.shot)
    if FLOW not in planned and plan.shot.flow.method == "vectors":
        here.pop(FLOW, None)  # a plan made before RAFT's weights were pinned beside vectors
    if here != planned:
        raise InputError(
            f"{socket.gethostname()} has other weights than the plan: {_difference(planned, here)}",
            hint="Give every host the same files (TSN_WEIGHTS for RAFT), or make the plan again with `tsn plan`.",
        )


def _difference(planned: Mapping[str, str], here: Mapping[str, str]) -> str:
    name = next(name for name in sorted({*planned, *here}) if planned.get(name) != here.get(name))
    return f"{name}: expected {planned.get(name, 'nothing')[:16]}, found {here.get(name, 'nothing')[:16]}"


def weight_file(model: str) -> str:
    """The path of a weight file, without the number of a style: `styles.onnx` of `styles.onnx:19`."""
    return re.sub(r"(\.onnx):\d+$", r"\1", model, flags=re.IGNORECASE)
