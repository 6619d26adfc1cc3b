"""The shot: its sections, their keys, and the default and meaning of each key.

This is the one place that lists the keys of a shot file. A key is one line here: its name, the kind of its value, the
description that editors show, its default and its bounds. From these dataclasses `tsn.shot.schema` makes what pydantic
checks of a file, `tsn.shot.json_schema` what editors read, and `tsn.shot.load.load` a frozen `Shot`, in which every
path is absolute and every default is filled in. A plan carries a shot to the farm as JSON (`to_json`, `from_json`).
"""

# ruff: noqa: RUF009 - `key` makes a field, which ruff takes for a default that all instances share.
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tsn.shot.curves import Curve

# Kinds of values, as a resolved shot has them. `tsn.shot.values` has a type of the same name for each of those that a
# file may write in another way, or that need a check of their own.
Text = str
Space = str
FrameRange = str
ModelName = str
UnitCurve = Curve
DetailCurve = Curve
Blend = Mapping[str, Curve]
Paintings = Mapping[str, float]
Keys = Mapping[str, str]
Duration = float
PresetName = str
Palette = str
Ground = str
Files = tuple[str, ...]
Ramp = tuple[tuple[float, float], ...]
FactorCurve = Curve
JitterCurve = Curve
DegreesCurve = Curve
HoldCurve = Curve
Scale = float
WeightsFile = Path
Names = tuple[str, ...]
Cuts = Literal["auto"] | tuple[int, ...]
Missing = Literal["error", "hold", "black", "skip"]
Highlights = Literal["paint", "keep", "soft"]
Colours = Literal["painting", "plate"]
Edges = Literal["auto", "clipped", "overhanging"]
StrokeLayers = tuple[Literal["height", "normals", "coverage", "stroke_id"], ...]
Method = Literal["auto", "vectors", "raft", "dis"]
Background = Literal["estimate", "still"]
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
STROKES_WINDOW = 16
"""`temporal.window` of strokes where no file gives one: whole for half their life, they keep their texture."""
PAINTING = "painting"
"""In `style.keys`, in place of frames: the painting in whose manner tsn paints them."""
LAST_FRAME = 10**9
"""The highest frame number taken: beyond any shot, and small enough for exact arithmetic."""


GOES_WITH = "goes_with"
"""Mark of the keys that mean something beside some kinds of paint only: in a field's metadata, their names."""
SILENT = "silent"
"""Mark of the other keys that neither plans nor hashes contain where they have their default."""


def key(description: str, *, default: Any = MISSING, **bounds: float) -> Any:
    """A field of a section that is a key of the shot file.

    Args:
        description: what editors show, and what the error says where the key is missing.
        default: the value where no file gives one; a key without a default must be in the file.
        bounds: `ge`, `gt`, `le`, `lt`, as pydantic names them.
    """
    return field(default=default, metadata={"description": description, **bounds})


def _key_beside(kinds: tuple[str, ...], description: str, *, default: Any = None, **bounds: float) -> Any:
    """A key that goes with some kinds of paint; where it has its default, neither plans nor hashes contain it."""
    return field(default=default, metadata={"description": description, GOES_WITH: kinds, **bounds})


_stroke_key = partial(_key_beside, ("strokes",))
_keys_key = partial(_key_beside, ("keys",))
_guide_key = partial(_key_beside, ("strokes", "keys"))


@dataclass(frozen=True, kw_only=True)
class Colour:
    """How the plate's colours reach the style and come back."""

    input: Space = key("OCIO colour space of the plate, or auto: from the header.", default="auto")
    highlights: Highlights = key(
        "paint: the paint's hue and texture, with the plate's light; keep: highlights stay exactly where they are, and"
        " stay white; soft: a lower knee, so paint may move them. For strokes and display-referred plates all are one.",
        default="paint",
    )


@dataclass(frozen=True, kw_only=True)
class Style:
    """What paints: exactly one of model, adain, blend, frames, keys and strokes.

    In a resolved shot `blend` and `adain` are sorted by name, since the order of summing must not depend on the file;
    the weights of `blend` are never all zero at one frame.
    """

    model: ModelName | None = key(
        "A bundled style (see `tsn styles`), or a .safetensors or .onnx file (a.onnx:19 = its style 19).", default=None
    )
    adain: Paintings | None = key(
        "Any painting, painting.png; or several with their weights, {a.png: 0.7, b.png: 0.3}.", default=None
    )
    colours: Colours = key("With adain: colours of the painting, or kept from the plate.", default="painting")
    blend: Blend | None = key(
        "Several models and their weights, {great-wave: 0.7, tarascon: 0.3}; proportions count.", default=None
    )
    frames: Text | None = key(
        "A sequence painted frame by frame by another tool, painted.####.png: only made stable. Frames of"
        " another size and the same proportions are brought to the plate's display window.",
        default=None,
    )
    offset: int = key(
        "With frames: added to a plate frame's number to have the painted one's; -1000 where the plate"
        " starts at 1001 and the painted frames at 1.",
        default=0,
        ge=-LAST_FRAME,
        le=LAST_FRAME,
    )
    keys: Keys | None = _keys_key(
        "Frames painted over the plate, {1001: keys/sh010.1001.png}, which a small net learns for this shot; or"
        " {painting: night_cafe.png}: tsn chooses the frames and paints them. Its keys are in docs/guide/keys.md."
    )
    key_mattes: Keys | None = _keys_key(
        "With keys: where each of them is painted, {1001: keys/sh010.1001.matte.png}; else its alpha says it."
    )
    learn: Duration = _keys_key(
        "With keys: the time that learning them may take, such as 90s, 12m or 1h.", default=720.0
    )
    strokes: PresetName | None = _stroke_key(
        "Brush strokes carried by motion: a preset (see `tsn styles`), or a .yaml file of your own. Its keys are in "
        "docs/guide/strokes.md."
    )
    palette: Palette = _stroke_key("With strokes: plate, or a painting whose colours are taken.", default="plate")
    size: FactorCurve = _stroke_key(
        "With strokes: factor on their size. May have keyframes, as all below.", default=ONE
    )
    detail: JitterCurve = _stroke_key(
        "With strokes: how far fine ones go; 0 = only the coarse, 2 = twice as soon.", default=ONE
    )
    length: FactorCurve = _stroke_key("With strokes: factor on their length.", default=ONE)
    density: FactorCurve = _stroke_key("With strokes: factor on their number.", default=ONE)
    opacity: UnitCurve = _stroke_key("With strokes: factor on their opacity.", default=ONE)
    jitter: JitterCurve = _stroke_key("With strokes: factor on the spread of their colours.", default=ONE)
    relief: DetailCurve | None = _stroke_key(
        "With strokes: light on the thickness of the paint (impasto), 0 = flat; by default the preset's."
    )
    light: DegreesCurve = _stroke_key(
        "With strokes: where that light comes from, degrees anticlockwise from the right; 90 = above.",
        default=Curve.constant(127.0),
    )
    hold: HoldCurve = _stroke_key("With strokes: frames that each painting is held for; 2 = on twos.", default=ONE)
    ground: Ground | None = _stroke_key(
        "With strokes: what shows between them: paint (the coarsest strokes' colour), plate, none (alpha), or a colour"
        " such as '#f4efe4'; by default the preset's."
    )
    edges: Edges = _stroke_key(
        "With strokes: clipped at contours, overhanging, or auto: coarse ones clipped, fine ones overhanging.",
        default="auto",
    )
    brush: Files = _stroke_key(
        "With strokes: scans of brush strokes (masks), from left to right, instead of the preset's brushes.", default=()
    )
    brush_height: Files = _stroke_key("With strokes: the thickness of the paint in each scan of brush.", default=())
    direction: Text = _guide_key(
        "With strokes: auto: along the forms; or a layer of vectors (x, y) or of normals."
        " With keys: a layer of normals.",
        default="auto",
    )
    ids: Text | None = _guide_key(
        "With strokes: a Cryptomatte layer whose objects no stroke crosses."
        " With keys: a Cryptomatte layer that tells objects apart."
    )
    depth: Text | None = _guide_key(
        "With strokes: a depth channel, at whose steps strokes end."
        " With keys: a depth channel that tells near from far."
    )
    surface: Text | None = _guide_key(
        "With strokes: a layer of UVs, rest positions (Pref) or world positions; strokes stay where they are on it."
        " With keys: a layer that tells places on surfaces apart."
    )
    size_by: Text | None = _stroke_key("With strokes: a channel (a painted map, depth, an AOV): factor on their size.")
    size_range: Ramp = _stroke_key(
        "With strokes: the factor for values of size_by, [[2, 1.5], [30, 0.5]], linear between them; without it the"
        " values are the factor.",
        default=(),
    )
    density_by: Text | None = _stroke_key("With strokes: a channel: factor on their number.")
    density_range: Ramp = _stroke_key("With strokes: the factor for values of density_by.", default=())
    aovs: StrokeLayers = _stroke_key(
        "With strokes: layers of the paint to write beside it, EXR only: height, normals, coverage, stroke_id.",
        default=(),
    )
    strength: UnitCurve = key("0 = the plate, bit for bit; 1 = fully painted. May have keyframes.", default=ONE)
    scale: Scale = key(
        "Resolution painted at, relative to the plate: 0.5 on a 4K plate has the strokes of a 2K one.", default=1.0
    )
    tile: int = key("Side of the tiles in pixels; 0 = chosen for the device.", default=0, ge=0)

    @property
    def paints_single_frames(self) -> bool:
        """Whether tsn paints each frame from that frame alone: strokes and keys need others, `frames` is painted."""
        return self.frames is None and self.strokes is None and self.keys is None


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """The renderer's motion vectors."""

    layer: Text = key("The layer that holds them, such as ViewLayer.Vector.")
    convention: Convention = key(
        "Whose rules they follow: direction, sign and units. Or those themselves: pixels-next is pixels, y "
        "up, to the frame after. docs/guide/motion.md lists them.",
        default="blender",
    )
    background: Background = key(
        "Motion of the world behind everything, for which renderers write none: estimated from the "
        "picture, or still on the screen (locked camera, backdrop).",
        default="estimate",
    )


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Where the motion between frames comes from."""

    method: Method = key("auto: vectors where given, else RAFT if its weights are here, else DIS.", default="auto")
    vectors: Vectors | None = key("The layer of motion vectors, where the plate has one.", default=None)
    scale: Scale = key("Resolution at which motion is estimated, relative to the plate.", default=1.0)
    weights: WeightsFile | None = key("RAFT weights, instead of the ones `tsn fetch` brings.", default=None)


@dataclass(frozen=True, kw_only=True)
class Temporal:
    """How the paint is made stable."""

    window: int = key(
        "Frames to each side; 0 = every frame by itself. With strokes it is how long they live, by default 16.",
        default=8,
        ge=0,
        le=32,
    )
    detail: DetailCurve = key("Texture kept: 1 = as much as one frame has. May have keyframes.", default=ONE)
    cuts: Cuts = key("First frames of new takes, or auto: found in the plate.", default="auto")


@dataclass(frozen=True, kw_only=True)
class Matte:
    """Where the paint goes."""

    cryptomatte: Text | None = key("A Cryptomatte layer, such as CryptoObject.", default=None)
    names: Names = key("Names in it, as the manifest spells them.", default=())
    channel: Text | None = key("One channel as matte, instead of Cryptomatte.", default=None)
    invert: bool = key("Paint everything else.", default=False)


@dataclass(frozen=True, kw_only=True)
class LayerTemporal:
    """How the paint of a layer is made stable.

    In a resolved shot both keys have a value.
    """

    window: int | None = key(
        "Frames to each side, for this layer; by default what the shot's temporal says, else 16 with strokes and 8"
        " with other paint.",
        default=None,
        ge=0,
        le=32,
    )
    detail: DetailCurve | None = key(
        "Texture kept in this layer; by default what the shot's temporal says. May have keyframes.", default=None
    )


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One of several styles in a shot, each on its objects. It paints the plate, not the layer below."""

    style: Style = key("What paints this layer: as the shot's style.")
    matte: Matte | None = key("Where this layer paints; by default everywhere.", default=None)
    temporal: LayerTemporal = key("How the paint of this layer is made stable.", default=LayerTemporal())


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A shot of TemporalStyleNet.

    `file` is the YAML file, absolute. `version`, of the format, must be written in every file. A shot has either a
    style or layers; where it has layers, `style` names nothing that paints, and `by_layer` is to be used instead.
    """

    file: Path
    version: int = 1
    plate: Text = key("The plate, sh010.####.exr; relative to this file. Tokens: {show} {seq} {shot} ...")
    layer: Text | None = key("The layer to paint; by default the plate's own RGB.", default=None)
    frames: FrameRange | None = key("Frames, such as 1001-1050x2; by default what is on disk.", default=None)
    missing: Missing = key("What to do where the plate has a gap.", default="error")
    output: Text = key("The result, styled/{shot}_{version}.####.exr; relative to this file.")
    colour: Colour = key("How the plate's colours reach the style and back.", default=Colour())
    style: Style = key(
        "What paints: a model's name, or exactly one of model, adain, blend, frames, keys and strokes.",
        default=Style(),
    )
    layers: tuple[Layer, ...] = field(
        default=(),
        metadata={
            "description": "Instead of style and matte: several styles, each with a matte of its own, painted over"
            " each other in this order. A list is inherited or replaced as a whole.",
            SILENT: True,
        },
    )
    flow: Flow = key("Where the motion between frames comes from.", default=Flow())
    temporal: Temporal = key("How the paint is made stable.", default=Temporal())
    matte: Matte | None = key("Where the paint goes; by default everywhere.", default=None)

    @cached_property
    def by_layer(self) -> tuple[Shot, ...]:
        """The shot as each of its layers paints it, the lowest first; a shot with one style is the only one."""
        return tuple(
            replace(
                self,
                style=layer.style,
                matte=layer.matte,
                temporal=replace(
                    self.temporal,
                    window=self.temporal.window if layer.temporal.window is None else layer.temporal.window,
                    detail=layer.temporal.detail or self.temporal.detail,
                ),
                layers=(),
            )
            for layer in self.layers
        ) or (self,)

    @property
    def longest_window(self) -> int:
        """Frames to each side that the paint of a frame depends on, at most."""
        return max(layer.temporal.window for layer in self.by_layer)

    @property
    def needs_motion(self) -> bool:
        """Whether some paint depends on the motion between frames: in a window, or from a key to a frame."""
        return any(layer.temporal.window > 0 or layer.style.keys is not None for layer in self.by_layer)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of every key of the shot file but `output`, defaults filled in (but for silent ones).

        Each keyframe counts for all frames. Paths enter it relative to the shot file, so a show that moves as a whole
        keeps its digests. `Plan.frame_hash` adds weights by their content (the painter's fingerprint), and the plate by
        size and date.
        """
        folder = self.file.parent
        # Taken out before paths are made relative: on Windows there is no relative path to another drive.
        data = change_paths(to_json(self) | {"file": "", "output": ""}, lambda path: _relative(path, folder))
        del data["file"], data["output"]
        if all(layer.style.strokes is not None for layer in self.by_layer):
            data["colour"]["highlights"] = "keep"  # strokes carry highlights themselves, whatever it says
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def to_json(shot: Shot) -> dict[str, Any]:
    """JSON-ready and exact: `from_json(json.loads(json.dumps(to_json(shot)))) == shot`."""
    data: dict[str, Any] = _to_plain(shot)
    first = ("file", "version", "plate", "output")  # the order that plans have always had
    return {name: data[name] for name in dict.fromkeys((*first, *data))}


def from_json(data: Mapping[str, Any]) -> Shot:
    """The shot that `to_json` wrote.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: data that `to_json` didn't write.
    """
    shot: Shot = _from_plain(Shot, data)
    return shot


def change_paths(data: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """What `to_json` gave, with every path changed. Names of bundled styles go through `change` as well."""

    def one(path: str | None) -> str | None:
        return None if path is None else change(path)

    def many(weights: Mapping[str, Any] | None) -> dict[str, Any] | None:
        return None if weights is None else {change(path): weight for path, weight in weights.items()}

    def in_style(style: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **style,
            **{name: one(style[name]) for name in ("model", "frames")},
            **{name: one(style[name]) for name in ("strokes", "palette") if name in style},
            **{name: [change(path) for path in style[name]] for name in ("brush", "brush_height") if name in style},
            **{name: many(style[name]) for name in ("adain", "blend")},
            **{
                name: {key: change(path) for key, path in style[name].items()}
                for name in ("keys", "key_mattes")
                if name in style
            },
        }

    layers = [{**layer, "style": in_style(layer["style"])} for layer in data.get("layers", [])]
    return {
        **data,
        **{name: change(data[name]) for name in ("file", "plate", "output")},
        "style": in_style(data["style"]),
        **({"layers": layers} if layers else {}),
        "flow": {**data["flow"], "weights": one(data["flow"]["weights"])},
    }


def _to_plain(value: Any) -> Any:
    if isinstance(value, Curve):
        return value.to_json()
    if is_dataclass(value):
        return {
            each.name: _to_plain(getattr(value, each.name)) for each in fields(value) if not _is_silent(value, each)
        }
    if isinstance(value, Mapping):
        return {name: _to_plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _is_silent(section: Any, each: Field[Any]) -> bool:
    """Whether a key is left out of JSON: hashes of shots without strokes, keys or layers are what they were before."""
    marked = GOES_WITH in each.metadata or SILENT in each.metadata
    return marked and getattr(section, each.name) == each.default


def _from_plain(kind: Any, data: Any) -> Any:
    """The value of a field of this kind, out of what JSON can hold."""
    if data is None:
        return None
    for option in get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,):
        if option is Curve:
            return Curve.from_json(data)
        if get_origin(option) is tuple and is_dataclass(get_args(option)[0]):
            return tuple(_from_plain(get_args(option)[0], item) for item in data)
        if isinstance(option, type) and is_dataclass(option):
            return option(**{name: _from_plain(_hints(option)[name], item) for name, item in data.items()})
        if get_origin(option) is get_origin(Paintings):
            return {name: _from_plain(get_args(option)[1], item) for name, item in data.items()}
        if option is Path:
            return Path(data)
    return _as_tuples(data)


def _as_tuples(data: Any) -> Any:
    return tuple(_as_tuples(item) for item in data) if isinstance(data, list) else data


@lru_cache
def _hints(section: type) -> dict[str, Any]:
    return get_type_hints(section)


def _relative(text: str, folder: Path) -> str:
    """An absolute path as seen from the shot file's folder; a bundled name as it is."""
    return Path(os.path.relpath(text, folder)).as_posix() if os.path.isabs(text) else text
