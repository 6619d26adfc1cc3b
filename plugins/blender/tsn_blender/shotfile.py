"""The shot file of a node: what a TD can submit as it is.

Plain Python, without the host; the same file in tsn_blender and tsn_nuke.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shot:
    """What a node asks of tsn.

    Attributes:
        plate: pattern of the exported frames, relative to the shot file; `output` too.
        layer: the layer to paint, where the plate has several.
        style: a bundled name, a .safetensors or .onnx file, or a painting (`painting` says which of the two).
        colours: `painting` or `plate`: whose colours a painting is painted in.
        vectors: (layer of motion vectors, whose convention they follow), where there is one.
        matte: Cryptomatte layer and the names in it.
    """

    plate: str
    output: str
    first: int
    last: int
    colour: str
    style: str
    painting: bool
    window: int
    colours: str = "painting"
    layer: str | None = None
    vectors: tuple[str, str] | None = None
    matte: tuple[str, Sequence[str]] | None = None
    invert: bool = False


def text(shot: Shot) -> str:
    """The YAML. Strings are written as JSON, which YAML reads, so no name can break out of its line."""
    painted = {"adain": shot.style, "colours": shot.colours} if shot.painting else {"model": shot.style}
    lines = [
        "# Written by TSN Stylize. Strength is mixed in the compositor, so it can be keyed without painting again.",
        "version: 1",
        f"plate: {_quoted(shot.plate)}",
        *([f"layer: {_quoted(shot.layer)}"] if shot.layer else []),
        f"frames: {_quoted(str(shot.first) if shot.first == shot.last else f'{shot.first}-{shot.last}')}",
        f"output: {_quoted(shot.output)}",
        f"colour: {{input: {_quoted(shot.colour)}}}",
        f"style: {_mapping(painted)}",
        f"temporal: {{window: {shot.window}}}",
    ]
    if shot.vectors:
        layer, convention = shot.vectors
        vectors = f"{{layer: {_quoted(layer)}, convention: {convention}}}"
        lines.append(f"flow: {{method: auto, vectors: {vectors}}}")
    if shot.matte:
        layer, names = shot.matte
        invert = ", invert: true" if shot.invert else ""
        lines.append(f"matte: {{cryptomatte: {_quoted(layer)}, names: {_quoted(list(names))}{invert}}}")
    return "\n".join(lines) + "\n"


def style_fault(style: str, *, painting: bool) -> str | None:
    """Why a style's or painting's file can't be painted like, as a sentence; None where it can."""
    kind = "painting" if painting else "style"
    # net.onnx:19 is one style of several; a painting may be called anything.
    file = style if painting else re.sub(r"(?<=\.onnx):\d+\Z", "", style, flags=re.IGNORECASE)
    if not os.path.isfile(file):
        return f"There is no {kind} at {style or 'an empty path'}."
    if not painting and not file.lower().endswith((".safetensors", ".onnx")):
        return f"{style} is no style: choose a .safetensors or .onnx file."
    return None


def write(shot: Shot, path: Path) -> None:
    """Write it whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text(shot), encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _mapping(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {_quoted(value)}" for key, value in values.items()) + "}"
