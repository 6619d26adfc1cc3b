"""The shot file as pydantic sees it: which keys there are, what they may hold, what they mean.

Only the YAML border knows these models; `tsn.shot.load` turns one into the frozen `Shot`. The JSON Schema
for editors is made from them: `python -m tsn.shot.schema > shots/shot.schema.json`.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tsn.errors import UsageError
from tsn.shot.curves import Curve, Interp
from tsn.shot.model import Colour, Colours, Flow, Highlights, Matte, Method, Missing, Shot, Style, Temporal, Vectors

__all__ = ["ALTERNATIVES", "MERGED", "MODEL_FILE", "SECTIONS", "ShotFile", "json_schema", "json_schema_text"]

MODEL_FILE = re.compile(r"\.(safetensors|onnx(:[0-9]+)?)\Z", re.IGNORECASE)
"""What ends the name of a model's file; :19 is one style of an ONNX net with several."""
LAST_FRAME = 10**9
"""Beyond any shot, and small enough for exact arithmetic on frame numbers."""


def fault(message: str, *, at: str | None = None, hint: str | None = None) -> PydanticCustomError:
    """An error that `load` shows as it is; `at` is a key below the value that was validated."""
    # Pydantic formats messages by braces, which our own may hold.
    return PydanticCustomError("tsn", "{message}", {"message": message, "at": at, "hint": hint})


def _readable(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise fault(f"expected one line of text, found {text!r}")
    return text


def _model_name(text: str) -> str:
    if ("." in text or "/" in text) and not MODEL_FILE.search(text):
        raise fault(
            f"expected the name of a bundled style, or a .safetensors or .onnx file, found {text!r}",
            hint="`tsn styles` lists the bundled ones.",
        )
    return text


def _range(value: Any) -> Any:
    text = str(value) if type(value) is int else value
    if isinstance(text, str):
        from tsn import frames

        try:
            frames.parse(text)
        except UsageError as error:
            raise fault(str(error), hint=error.hint) from None
    return text


def _cuts(value: Any) -> Literal["auto"] | tuple[int, ...]:
    if value == "auto":
        return "auto"
    if not isinstance(value, list) or not all(type(frame) is int for frame in value):
        raise fault(f"expected auto, or a list of frame numbers such as [1017, 1043], found {value!r}")
    return tuple(sorted(set(value)))


def _paintings(value: Any) -> Any:
    """One painting, a list of them, or their weights: always as weights."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value, 1.0)
    if not isinstance(value, Mapping) or not value:
        raise fault(
            f"expected a painting, a list of them, or their weights {{a.png: 0.7, b.png: 0.3}}, found {value!r}"
        )
    return value


def _curve(value: Any, *, low: float, high: float) -> Curve:
    """A number, or {frame: number, ..., interp: linear|hold|smooth}."""
    if not isinstance(value, Mapping):
        return Curve.constant(_number(value, low=low, high=high, at=None))
    interp = value.get("interp", "linear")
    if interp not in get_args(Interp):
        raise fault(f"expected 'linear', 'hold' or 'smooth', found {interp!r}", at="interp")
    keys: dict[int, float] = {}
    for key, item in value.items():
        if key == "interp":
            continue
        if re.fullmatch(r"-?[0-9]+:[-+.0-9]+", key):
            raise fault(f"{key!r} is no frame number", at=key, hint=f"Put a space after the colon: {_spaced(key)}")
        if not re.fullmatch(r"-?[0-9]{1,10}", key) or abs(int(key)) > LAST_FRAME:
            raise fault(f"expected a frame number or interp, found {key!r}", at=key)
        if int(key) in keys:
            raise fault(f"frame {int(key)} has two keys", at=key)
        keys[int(key)] = _number(item, low=low, high=high, at=key)
    if not keys:
        raise fault("expected at least one keyframe, such as {1001: 0.5}")
    if len(keys) == 1:
        return Curve.constant(next(iter(keys.values())))
    return Curve(keys=tuple(sorted(keys.items())), interp=interp)


def _number(value: Any, *, low: float, high: float, at: str | None) -> float:
    if type(value) not in (int, float):
        hint = None
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]+:[-+.0-9]+", value):
            hint = f"Put a space after the colon: {_spaced(value)}"
        kind = "nothing" if value is None else f"the text {value!r}" if isinstance(value, str) else repr(value)
        expected = "a number" if at else "a number, or keyframes such as {1001: 0.2, 1040: 0.8}"
        raise fault(f"expected {expected}, found {kind}", at=at, hint=hint)
    if not math.isfinite(value) or not low <= value <= high:
        raise fault(f"expected a number from {low:g} to {high:g}, found {value}", at=at)
    return float(value)


def _spaced(text: str) -> str:
    return text.replace(":", ": ", 1)


def _curve_schema(low: float, high: float) -> dict[str, Any]:
    number = {"type": "number", "minimum": low, "maximum": high}
    return {
        "anyOf": [
            number,
            {
                "type": "object",
                "description": "Keyframes: frame number to value, held before the first and after the last.",
                "properties": {
                    "interp": {
                        "enum": list(get_args(Interp)),
                        "default": "linear",
                        "description": "What happens between two keys.",
                    }
                },
                "patternProperties": {"^-?[0-9]+$": number},
                "additionalProperties": False,
            },
        ]
    }


# The JSON Schema shows the defaults of whole sections, so pydantic must know how to write a curve.
_WRITTEN = PlainSerializer(Curve.written)
Text = Annotated[str, StringConstraints(min_length=1), AfterValidator(_readable)]
ModelName = Annotated[Text, AfterValidator(_model_name)]
Range = Annotated[Text, BeforeValidator(_range), WithJsonSchema({"type": ["string", "integer"]})]
Cuts = Annotated[
    Literal["auto"] | tuple[int, ...],
    PlainValidator(_cuts),
    WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "array", "items": {"type": "integer"}}]}),
]
UnitCurve = Annotated[
    Curve, PlainValidator(partial(_curve, low=0, high=1)), _WRITTEN, WithJsonSchema(_curve_schema(0, 1))
]
DetailCurve = Annotated[
    Curve, PlainValidator(partial(_curve, low=0, high=2)), _WRITTEN, WithJsonSchema(_curve_schema(0, 2))
]
PositiveWeight = Annotated[float, Field(gt=0)]
Paintings = Annotated[
    dict[Text, PositiveWeight],
    BeforeValidator(_paintings),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
                {"type": "object", "additionalProperties": {"type": "number", "exclusiveMinimum": 0}},
            ]
        }
    ),
]
Scale = Annotated[float, Field(gt=0, le=2)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Token = Annotated[Text, WithJsonSchema({"type": ["string", "number"]})]
"""Numbers are taken as they are written: 010 stays 010."""


class TokensSection(_Section):
    """Values of the tokens in the paths of plate, output and style.frames."""

    show: Token | None = Field(default=None, description="{show}: the production.")
    seq: Token | None = Field(default=None, description="{seq}: the sequence of shots.")
    shot: Token | None = Field(default=None, description="{shot}: by default the shot file's name without its suffix.")
    version: Token | None = Field(default=None, description="{version}: of the output, such as v003.")
    layer: Token | None = Field(default=None, description="{layer}: by default the layer that is painted.")


class ColourSection(_Section):
    """How the plate's colours reach the style and come back."""

    input: Text = Field(default=Colour.input, description="OCIO colour space of the plate, or auto: from the header.")
    highlights: Highlights = Field(
        default=Colour.highlights,
        description="keep: highlights stay exactly where they are; soft: a lower knee, so the paint reaches them.",
    )


class StyleSection(_Section):
    """What paints: exactly one of model, adain, blend and frames."""

    model: ModelName | None = Field(
        default=None,
        description="A bundled style (see `tsn styles`), or a .safetensors or .onnx file (a.onnx:19 = its style 19).",
    )
    adain: Paintings | None = Field(
        default=None,
        description="Any painting, painting.png; or several with their weights, {a.png: 0.7, b.png: 0.3}.",
    )
    colours: Colours = Field(
        default=Style.colours, description="With adain: colours of the painting, or kept from the plate."
    )
    blend: dict[ModelName, UnitCurve] | None = Field(
        default=None,
        description="Several models and their weights, {great-wave: 0.7, tarascon: 0.3}; proportions count.",
    )
    frames: Text | None = Field(
        default=None,
        description="A sequence painted frame by frame by another tool, painted.####.png: only made stable.",
    )
    strength: UnitCurve = Field(
        default=1.0,
        validate_default=True,
        description="0 = the plate, bit for bit; 1 = fully painted. May have keyframes.",
    )
    scale: Scale = Field(
        default=Style.scale,
        description="Resolution painted at, relative to the plate: 0.5 on a 4K plate has the strokes of a 2K one.",
    )
    tile: int = Field(default=Style.tile, ge=0, description="Side of the tiles in pixels; 0 = chosen for the device.")

    @model_validator(mode="after")
    def _one_source(self) -> StyleSection:
        named = [name for name in ("model", "adain", "blend", "frames") if getattr(self, name) is not None]
        if len(named) != 1:
            found = " and ".join(named) if named else "none of them"
            raise fault(
                f"expected exactly one of model, adain, blend and frames, found {found}",
                at=named[1] if named else None,
                hint=None if named else "Name a style: {model: great-wave}.",
            )
        if self.blend is not None:
            # Weights are linear or held between keys, so all can only be zero where they are at some key.
            frames = {frame for curve in self.blend.values() for frame, _ in curve.keys}
            dark = [frame for frame in sorted(frames) if not any(curve.at(frame) for curve in self.blend.values())]
            if dark or not self.blend:
                where = f" at frame {dark[0]}" if len(frames) > 1 else ""
                raise fault(f"expected a weight above 0{where}, found none", at="blend")
        if self.colours != Style.colours and self.adain is None:
            raise fault("only paintings (adain) can be painted in the colours of the plate", at="colours")
        return self


class VectorsSection(_Section):
    """The renderer's motion vectors."""

    layer: Text = Field(description="The layer that holds them, such as ViewLayer.Vector.")
    convention: Text = Field(
        default=Vectors.convention, description="Whose rules they follow: direction, sign and units."
    )
    background: Literal["estimate", "still"] = Field(
        default=Vectors.background,
        description="Motion of the world behind everything, for which renderers write none: estimated from the "
        "picture, or still on the screen (locked camera, backdrop).",
    )


class FlowSection(_Section):
    """Where the motion between frames comes from."""

    method: Method = Field(
        default=Flow.method, description="auto: vectors where given, else RAFT if its weights are here, else DIS."
    )
    vectors: VectorsSection | None = Field(
        default=None, description="The layer of motion vectors, where the plate has one."
    )
    scale: Scale = Field(
        default=Flow.scale, description="Resolution at which motion is estimated, relative to the plate."
    )
    weights: Text | None = Field(default=None, description="RAFT weights, instead of the ones `tsn fetch` brings.")

    @model_validator(mode="after")
    def _layer_named(self) -> FlowSection:
        if self.method == "vectors" and self.vectors is None:
            raise fault("expected a layer of vectors, found none", at="method", hint="Add vectors: {layer: ...}.")
        return self


class TemporalSection(_Section):
    """How the paint is made stable."""

    window: int = Field(
        default=Temporal.window, ge=0, le=32, description="Frames to each side; 0 = every frame by itself."
    )
    detail: DetailCurve = Field(
        default=1.0,
        validate_default=True,
        description="Texture kept: 1 = as much as one frame has. May have keyframes.",
    )
    cuts: Cuts = Field(default=Temporal.cuts, description="First frames of new takes, or auto: found in the plate.")


class MatteSection(_Section):
    """Where the paint goes."""

    cryptomatte: Text | None = Field(default=None, description="A Cryptomatte layer, such as CryptoObject.")
    names: list[Text] = Field(default=[], description="Names in it, as the manifest spells them.")
    channel: Text | None = Field(default=None, description="One channel as matte, instead of Cryptomatte.")
    invert: bool = Field(default=Matte.invert, description="Paint everything else.")

    @model_validator(mode="after")
    def _one_matte(self) -> MatteSection:
        if (self.cryptomatte is None) == (self.channel is None):
            found = "none of them" if self.channel is None else "both"
            raise fault(f"expected exactly one of cryptomatte and channel, found {found}")
        if (self.cryptomatte is None) != (not self.names):
            found = "names without it" if self.names else "no names"
            raise fault(f"expected cryptomatte together with names, found {found}")
        return self


class ShotFile(_Section):
    """A shot of TemporalStyleNet."""

    version: Literal[1] = Field(description="Version of this format: 1.")
    extends: Text | None = Field(
        default=None, description="The file to inherit from, instead of _sequence.yaml/_show.yaml."
    )
    tokens: TokensSection = Field(
        default=TokensSection(), description="Values of the tokens {show} {seq} {shot} {version}."
    )
    plate: Text = Field(description="The plate, sh010.####.exr; relative to this file. Tokens: {show} {seq} {shot} ...")
    layer: Text | None = Field(default=None, description="The layer to paint; by default the plate's own RGB.")
    frames: Range | None = Field(default=None, description="Frames, such as 1001-1050x2; by default what is on disk.")
    missing: Missing = Field(default=Shot.missing, description="What to do where the plate has a gap.")
    output: Text = Field(description="The result, styled/{shot}_{version}.####.exr; relative to this file.")
    colour: ColourSection = Field(
        default=ColourSection(), description="How the plate's colours reach the style and back."
    )
    style: StyleSection = Field(
        description="What paints: a model's name, or exactly one of model, adain, blend and frames."
    )
    flow: FlowSection = Field(default=FlowSection(), description="Where the motion between frames comes from.")
    temporal: TemporalSection = Field(default=TemporalSection(), description="How the paint is made stable.")
    matte: MatteSection | None = Field(default=None, description="Where the paint goes; by default everywhere.")


SECTIONS: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): ShotFile,
    ("tokens",): TokensSection,
    ("colour",): ColourSection,
    ("style",): StyleSection,
    ("flow",): FlowSection,
    ("flow", "vectors"): VectorsSection,
    ("temporal",): TemporalSection,
    ("matte",): MatteSection,
}
MERGED = frozenset(SECTIONS) | {("style", "blend")}
"""Mappings that a shot changes key by key; any other value (keyframes, lists) it replaces whole."""

ALTERNATIVES: Mapping[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
    ("style",): (("model",), ("adain", "colours"), ("blend",), ("frames",)),
    ("matte",): (("cryptomatte", "names"), ("channel",)),
}
"""Keys that exclude each other, each with those that mean nothing without it: a shot that states one lets go of the
others its show stated."""


_NULL = {"type": "null"}


def json_schema() -> dict[str, Any]:
    """The JSON Schema for editors.

    It differs from the models where inheritance makes a file less than a shot: only `version` is required,
    and every other key may be null, which resets what was inherited.
    """
    schema = ShotFile.model_json_schema()
    models = {model.__name__: model for model in SECTIONS.values()}
    for name, section in [("ShotFile", schema), *schema["$defs"].items()]:
        section.pop("required", None)
        for key, field in section["properties"].items():
            section["properties"][key] = _resettable(field, models[name].model_fields[key].description)
    version, style = schema["properties"]["version"], schema["properties"]["style"]
    version["anyOf"].remove(_NULL)
    style["anyOf"].insert(0, {"type": "string"})
    blend = schema["$defs"]["StyleSection"]["properties"]["blend"]["anyOf"][0]
    blend["additionalProperties"]["anyOf"].append(_NULL)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "TemporalStyleNet shot",
        "required": ["version"],
    }


def _resettable(field: dict[str, Any], description: str | None) -> dict[str, Any]:
    """A field that may also be null, without what editors would show as noise."""
    outer: dict[str, Any] = {"description": description}
    if not isinstance(field.get("default"), dict | None):
        outer["default"] = field["default"]
    inner = {key: value for key, value in field.items() if key not in ("description", "default", "title")}
    options = inner["anyOf"] if list(inner) == ["anyOf"] else [inner]
    return {**outer, "anyOf": [*(option for option in options if option != _NULL), _NULL]}


def json_schema_text() -> str:
    """What shots/shot.schema.json must hold."""
    return json.dumps(json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(json_schema_text(), end="")
