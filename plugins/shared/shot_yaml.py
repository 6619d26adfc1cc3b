"""The shot file of a node: check what the artist entered, and write YAML that can be submitted as it is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FORBIDDEN_IN_NAMES = '/\\:*?"<>|#@%${}'
"""Characters with a meaning in paths: for the system, or as a frame number, a token or a variable."""
FRAME_NUMBER_PATTERN = re.compile(r"#|%(0\d+)?d|\$F")
"""What hosts take for a frame number anywhere in a path; tsn takes it so in the file's name only."""


DEFAULT_WINDOW = 8
"""Of both plug-ins, and of tsn for paint that is averaged."""


@dataclass(frozen=True)
class ShotSettings:
    """What a node writes into its shot file.

    Attributes:
        plate: pattern of the exported frames, relative to the shot file; the same for `output`.
        frames: the range, as `frame_numbers.format_range` writes it.
        colour: the OCIO colour space of the plate.
        style: a bundled style, a .safetensors or .onnx file, or a painting's file where `painting` is true; with
            `strokes` a bundled preset, or a .yaml file.
        window: frames on each side that stabilise the paint; 0 for none.
        colours: `painting` or `plate`: where the colours come from, for a painting.
        layer: the layer to paint, where the plate has several.
        vectors: (layer of the motion vectors, convention of the renderer), where there are any.
        matte: (Cryptomatte layer, names of objects in it), where the paint is limited to objects.
        invert: paint everything except those objects.
        strokes: the keys beside the preset (`StrokeStyle.keys`), where the style is brush strokes.
        key_frames: all of the style (`KeyStyle.keys`), where it is key frames; `style` does not count then.
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
    strokes: Mapping[str, object] | None = None
    key_frames: Mapping[str, object] | None = None


def to_yaml(shot: ShotSettings) -> str:
    """The text of the shot file. Strings are written as JSON, which is valid YAML and escapes every character.

    Every setting of the node is written, also the empty ones as null: otherwise a _show.yaml above would set them.
    Of brush strokes there are too many: a knob that is left alone is not written, and a _show.yaml may set it.
    """
    style: dict[str, object] = (
        {"adain": shot.style, "colours": shot.colours} if shot.painting else {"model": shot.style}
    )
    if shot.strokes is not None:
        style = {"strokes": shot.style, **shot.strokes}
    if shot.key_frames is not None:
        style = dict(shot.key_frames)
    vectors = matte = None
    if shot.vectors:
        vectors = {"layer": shot.vectors[0], "convention": shot.vectors[1]}
    if shot.matte:
        layer, names = shot.matte
        matte = {"cryptomatte": layer, "names": list(names), "invert": shot.invert}
    untouched = shot.strokes is not None and shot.window == DEFAULT_WINDOW  # strokes have a default of their own
    lines = [
        "# Written by TSN Stylize. Strength is mixed in the compositor, so it can be keyed without painting again.",
        "version: 1",
        f"plate: {_flow_style(shot.plate)}",
        f"layer: {_flow_style(shot.layer)}",
        f"frames: {_flow_style(shot.frames)}",
        f"output: {_flow_style(shot.output)}",
        f"colour: {_flow_style({'input': shot.colour})}",
        f"style: {_flow_style({**style, 'strength': 1})}",
        f"flow: {_flow_style({'method': 'auto', 'vectors': vectors})}",
        *([] if untouched else [f"temporal: {_flow_style({'window': shot.window})}"]),
        f"matte: {_flow_style(matte)}",
    ]
    return "\n".join(lines) + "\n"


def write(shot: ShotSettings, path: Path) -> None:
    """Write the shot file, whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(to_yaml(shot), encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def make_folders(home: Path) -> None:
    """Make a shot's folders and try to write into them, before anything is rendered. Raises OSError."""
    for folder in (home, home / "plate", home / "styled"):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".tsn-{os.getpid()}"
        try:
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from None


def name_error(name: str) -> str | None:
    """Why a node's files can't have this name, as a sentence for the artist; None where they can."""
    if not name:
        return "The node has no name for its files."
    bad = next((letter for letter in name if letter in FORBIDDEN_IN_NAMES or not letter.isprintable()), None)
    if bad:
        return f"Files can't be called {name!r}: {bad!r} has a meaning of its own in paths. Change the node's name."
    if name[0] in ". " or name[-1] in ". ":
        return f"Files can't be called {name!r}, which begins or ends with a dot or a space. Change the node's name."
    if name.lower() in ("_show", "_sequence"):
        return f"tsn would take {name}.yaml for what many shots share. Change the node's name."
    return None


def folder_error(folder: str) -> str | None:
    """Why a node's files can't be in this folder, as a sentence for the artist; None where they can."""
    if not os.path.isabs(folder):
        return f"The folder {folder!r} is not an absolute path. Choose another folder on the node."
    if number := FRAME_NUMBER_PATTERN.search(folder):
        return f"{number[0]!r} in {folder} would be taken for a frame's number. Choose another folder on the node."
    return None


def style_file_error(style: str, *, painting: bool) -> str | None:
    """Why a style's or painting's file can't be used, as a sentence for the artist; None where it can."""
    kind = "painting" if painting else "style"
    # net.onnx:19 is style 19 of an ONNX file with several; a painting's name may end in anything.
    file = style if painting else re.sub(r"(?<=\.onnx):\d+\Z", "", style, flags=re.IGNORECASE)
    if not os.path.isfile(file):
        return f"There is no {kind} at {style or 'an empty path'}."
    if not painting and not file.lower().endswith((".safetensors", ".onnx")):
        return f"{style} is no style: choose a .safetensors or .onnx file."
    return None


def write_error(error: OSError) -> str:
    """A sentence for the artist about a file that could not be written."""
    path = f" {error.filename}" if error.filename else ""  # a full disk gives no file name
    return f"Can't write{path}: {error.strerror}. Choose another folder on the node."


def _flow_style(value: object) -> str:
    """A value in YAML's one-line ("flow") style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow_style(item)}" for key, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
