"""The resolved shot: frozen data, every path absolute, every default filled in.

`tsn.shot.load.load` makes one from YAML; a plan carries it to the farm as JSON (`to_json`, `from_json`).
The defaults here are the defaults of the shot file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tsn.shot.curves import Curve

Missing = Literal["error", "hold", "black", "skip"]
Highlights = Literal["keep", "soft"]
Colours = Literal["painting", "plate"]
Method = Literal["auto", "vectors", "raft", "dis"]
Convention = Literal[
    "blender",
    "nuke",
    "renderman",
    "arnold",
    "vray",
    "karma",
    "normalised",
    "pixels-next",
    "pixels-previous",
    "ndc-next",
]

ONE = Curve.constant(1.0)


@dataclass(frozen=True, kw_only=True)
class Colour:
    """`input` is an OCIO colour space, or `auto` to take it from the plate's header."""

    input: str = "auto"
    highlights: Highlights = "keep"


@dataclass(frozen=True, kw_only=True)
class Style:
    """What paints: exactly one of `model`, `adain`, `blend` and `frames` is set.

    Attributes:
        model: a bundled name, or the absolute path of a .safetensors or .onnx file (`file.onnx:19`).
        adain: absolute paths of paintings to paint like, and their weights, sorted by path; proportions count.
        colours: of the painting, or kept from the plate; with `adain` only.
        blend: weights of several such models, sorted by name; only their proportions count, and they
            are never all zero at once.
        frames: absolute pattern of a sequence that another tool painted.
        offset: what is added to a plate frame's number to have that of the painted one.
        strength: 0 (the plate) to 1.
        scale: resolution that is painted at, relative to the plate; 0.5 doubles the strokes.
        tile: side of the tiles in pixels, 0 = chosen for the device.
    """

    model: str | None = None
    adain: Mapping[str, float] | None = None
    colours: Colours = "painting"
    blend: Mapping[str, Curve] | None = None
    frames: str | None = None
    offset: int = 0
    strength: Curve = ONE
    scale: float = 1.0
    tile: int = 0


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """The renderer's motion vectors: the layer that holds them, and how they are to be read.

    `background` says how the world moves where the renderer wrote nothing: `estimate`, or `still` on the screen.
    """

    layer: str
    convention: Convention = "blender"
    background: Literal["estimate", "still"] = "estimate"


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Where motion comes from; `scale` is the resolution it is estimated at, relative to the plate."""

    method: Method = "auto"
    vectors: Vectors | None = None
    scale: float = 1.0
    weights: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Temporal:
    """Stabilising: frames to each side (0 = per frame), texture kept, and the first frames of new takes."""

    window: int = 8
    detail: Curve = ONE
    cuts: Literal["auto"] | tuple[int, ...] = "auto"


@dataclass(frozen=True, kw_only=True)
class Matte:
    """Where the paint goes: named Cryptomatte objects or one channel; `invert` turns it round."""

    cryptomatte: str | None = None
    names: tuple[str, ...] = ()
    channel: str | None = None
    invert: bool = False


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One shot, ready to plan and to render.

    Attributes:
        file: the YAML file, absolute.
        version: of the shot file's format, 1.
        plate, output: absolute patterns, the frame number written `####`.
        layer: the layer to paint, None = the plate's own RGB.
        frames: a range such as `1001-1050x2`, None = what is on disk.
        missing: what to do where the plate has a gap.
    """

    file: Path
    version: int = 1
    plate: str
    output: str
    layer: str | None = None
    frames: str | None = None
    missing: Missing = "error"
    colour: Colour = Colour()
    style: Style
    flow: Flow = Flow()
    temporal: Temporal = Temporal()
    matte: Matte | None = None

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) of everything in the shot file that changes pixels.

        Paths enter it relative to the shot file, so a show that moves as a whole keeps its digests.
        The contents of the plate and of weight files are not in it: the plan hashes those.
        """
        data = to_json(self)
        del data["file"], data["output"]
        folder = self.file.parent
        data["plate"] = _relative(self.plate, folder)
        style, flow = data["style"], data["flow"]
        style["model"] = _relative(style["model"], folder)
        style["frames"] = _relative(style["frames"], folder)
        if style["adain"] is not None:
            style["adain"] = {_relative(name, folder): weight for name, weight in style["adain"].items()}
        if style["blend"] is not None:
            style["blend"] = {_relative(name, folder): curve for name, curve in style["blend"].items()}
        flow["weights"] = _relative(flow["weights"], folder)
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def to_json(shot: Shot) -> dict[str, Any]:
    """JSON-ready and exact: `from_json(json.loads(json.dumps(to_json(shot)))) == shot`."""
    data: dict[str, Any] = _plain(shot)
    return data


def from_json(data: Mapping[str, Any]) -> Shot:
    """The shot that `to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: data that `to_json` didn't write.
    """
    style, flow, temporal, matte = data["style"], data["flow"], data["temporal"], data["matte"]
    blend, vectors, cuts = style["blend"], flow["vectors"], temporal["cuts"]
    resolved = {
        "file": Path(data["file"]),
        "colour": Colour(**data["colour"]),
        "style": Style(
            **style
            | {
                "strength": Curve.from_json(style["strength"]),
                "blend": None if blend is None else {name: Curve.from_json(curve) for name, curve in blend.items()},
            }
        ),
        "flow": Flow(
            **flow
            | {
                "vectors": None if vectors is None else Vectors(**vectors),
                "weights": None if flow["weights"] is None else Path(flow["weights"]),
            }
        ),
        "temporal": Temporal(
            **temporal
            | {"detail": Curve.from_json(temporal["detail"]), "cuts": cuts if cuts == "auto" else tuple(cuts)}
        ),
        "matte": None if matte is None else Matte(**matte | {"names": tuple(matte["names"])}),
    }
    return Shot(**{**data, **resolved})


def _plain(value: Any) -> Any:
    if isinstance(value, Curve):
        return value.to_json()
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _relative(text: str | None, folder: Path) -> str | None:
    """An absolute path as seen from the shot file's folder; a bundled name (or None) as it is."""
    if text is None or not os.path.isabs(text):
        return text
    return Path(os.path.relpath(text, folder)).as_posix()
