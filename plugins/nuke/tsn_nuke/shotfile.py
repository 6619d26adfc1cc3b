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

NOT_IN_NAMES = '/\\:*?"<>|#@%${}'
"""Mean something in a path: to the system, or as a frame's number, a token or a variable."""
FRAME_NUMBER = re.compile(r"#|%(0\d+)?d|\$F")
"""What a host may take for one in any part of a path; `tsn` looks at the file's name only."""


@dataclass(frozen=True)
class Shot:
    """What a node asks of tsn.

    Attributes:
        plate: pattern of the exported frames, relative to the shot file; `output` too.
        frames: the range, as `frames.named` writes it.
        layer: the layer to paint, where the plate has several.
        style: a bundled name, a .safetensors or .onnx file, or a painting (`painting` says which of the two).
        colours: `painting` or `plate`: whose colours a painting is painted in.
        vectors: (layer of motion vectors, whose convention they follow), where there is one.
        matte: Cryptomatte layer and the names in it.
    """

    plate: str
    output: str
    frames: str
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
    """The YAML. Strings are written as JSON, which YAML reads, so no name can break out of its line.

    All that the node shows is stated, what it lacks as null: a _show.yaml above may say otherwise.
    """
    painted = {"adain": shot.style, "colours": shot.colours} if shot.painting else {"model": shot.style}
    vectors = matte = None
    if shot.vectors:
        vectors = {"layer": shot.vectors[0], "convention": shot.vectors[1]}
    if shot.matte:
        layer, names = shot.matte
        matte = {"cryptomatte": layer, "names": list(names), "invert": shot.invert}
    lines = [
        "# Written by TSN Stylize. Strength is mixed in the compositor, so it can be keyed without painting again.",
        "version: 1",
        f"plate: {_written(shot.plate)}",
        f"layer: {_written(shot.layer)}",
        f"frames: {_written(shot.frames)}",
        f"output: {_written(shot.output)}",
        f"colour: {_written({'input': shot.colour})}",
        f"style: {_written({**painted, 'strength': 1})}",
        f"flow: {_written({'method': 'auto', 'vectors': vectors})}",
        f"temporal: {_written({'window': shot.window})}",
        f"matte: {_written(matte)}",
    ]
    return "\n".join(lines) + "\n"


def name_fault(name: str) -> str | None:
    """Why the files of a node can't be called so, as a sentence; None where they can."""
    if not name:
        return "The node has no name to call its files by."
    bad = next((letter for letter in name if letter in NOT_IN_NAMES or not letter.isprintable()), None)
    if bad:
        return f"Files can't be called {name!r}: {bad!r} has a meaning of its own in paths. Change the node's name."
    if name[0] in ". " or name[-1] in ". ":
        return f"Files can't be called {name!r}, which begins or ends with a dot or a space. Change the node's name."
    if name.lower() in ("_show", "_sequence"):
        return f"tsn would take {name}.yaml for what many shots share. Change the node's name."
    return None


def folder_fault(folder: str) -> str | None:
    """Why a node can't have its files there, as a sentence; None where it can."""
    if not os.path.isabs(folder):
        return f"The folder {folder!r} does not say where it begins. Choose another folder on the node."
    if number := FRAME_NUMBER.search(folder):
        return f"{number[0]!r} in {folder} would be taken for a frame's number. Choose another folder on the node."
    return None


def prepare(home: Path) -> None:
    """Make the folders of a shot, and try to write there before anything is rendered. Raises OSError."""
    for folder in (home, home / "plate", home / "styled"):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".tsn-{os.getpid()}"
        try:
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from None


def unwritten(error: OSError) -> str:
    """What an artist is told where a file could not be written."""
    where = f" {error.filename}" if error.filename else ""  # a full disk names none
    return f"Can't write{where}: {error.strerror}. Choose another folder on the node."


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


def _written(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(one)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
