"""The shot file as pydantic sees it: which keys there are, and what they mean.

Only the YAML border knows these models; `tsn.shot.load` turns one into the frozen `Shot`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tsn.shot.model import (
    Colour,
    Colours,
    Convention,
    Flow,
    Highlights,
    Matte,
    Method,
    Missing,
    Shot,
    Style,
    Temporal,
    Vectors,
)
from tsn.shot.values import (
    LAST_FRAME,
    Cuts,
    DetailCurve,
    ModelName,
    Paintings,
    Range,
    Scale,
    Space,
    Text,
    Token,
    UnitCurve,
    fault,
)

__all__ = ["ALTERNATIVES", "MERGED", "SECTIONS", "ShotFile"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class TokensSection(_Section):
    """Values of the tokens in the paths of plate, output and style.frames."""

    show: Token | None = Field(default=None, description="{show}: the production.")
    seq: Token | None = Field(default=None, description="{seq}: the sequence of shots.")
    shot: Token | None = Field(default=None, description="{shot}: by default the shot file's name without its suffix.")
    version: Token | None = Field(default=None, description="{version}: of the output, such as v003.")
    layer: Token | None = Field(default=None, description="{layer}: by default the layer that is painted.")


class ColourSection(_Section):
    """How the plate's colours reach the style and come back."""

    input: Space = Field(default=Colour.input, description="OCIO colour space of the plate, or auto: from the header.")
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
        description="A sequence painted frame by frame by another tool, painted.####.png: only made stable. Frames of"
        " another size and the same proportions are brought to the plate's display window.",
    )
    offset: int = Field(
        default=Style.offset,
        ge=-LAST_FRAME,
        le=LAST_FRAME,
        description="With frames: added to a plate frame's number to have the painted one's; -1000 where the plate"
        " starts at 1001 and the painted frames at 1.",
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
        if self.offset and self.frames is None:
            raise fault("only painted frames (frames) have numbers of their own", at="offset")
        return self


class VectorsSection(_Section):
    """The renderer's motion vectors."""

    layer: Text = Field(description="The layer that holds them, such as ViewLayer.Vector.")
    convention: Convention = Field(
        default=Vectors.convention,
        description="Whose rules they follow: direction, sign and units. Or those themselves: pixels-next is pixels, y "
        "up, to the frame after. docs/flow.md lists them.",
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
    ("style",): (("model",), ("adain", "colours"), ("blend",), ("frames", "offset")),
    ("matte",): (("cryptomatte", "names"), ("channel",)),
}
"""Keys that exclude each other, each with those that mean nothing without it: a shot that states one lets go of the
others its show stated."""
