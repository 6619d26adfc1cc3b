"""The shot file as pydantic checks it, made from the dataclasses of `tsn.shot.model`.

The dataclasses say which keys there are; `tsn.shot.values` says what a file may hold for each kind of value. Here are
only the rules between keys, and the keys that no resolved shot has (`extends`, `tokens`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from dataclasses import Field as DataclassField
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from tsn.shot import model, values
from tsn.shot.curves import Curve
from tsn.shot.model import Colour, Flow, Layer, LayerTemporal, Matte, Shot, Style, Temporal, Vectors
from tsn.shot.values import Text, Token, fault

__all__ = ["ALTERNATIVES", "LAYERS", "LAYER_SECTIONS", "MERGED", "SECTIONS", "ShotFile", "section_at"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, validate_default=True)


_MODELS: dict[type, type[BaseModel]] = {}
"""The pydantic models made so far, by their dataclasses."""


def _section(
    cls: type, *, check: Callable[[Any], Any] | None = None, name: str | None = None, **of_file: Any
) -> type[BaseModel]:
    """The pydantic model of a dataclass.

    Annotations are read with the types of `tsn.shot.values` in place of the kinds of `tsn.shot.model`, and with
    pydantic models in place of dataclasses.

    Args:
        check: raises `fault` where keys that are right by themselves contradict each other, or returns the section.
        of_file: keys that only the file has, before the others; or what stands in the place of a key.
    """
    names = vars(model) | vars(values) | {each.__name__: made for each, made in _MODELS.items()}
    types = get_type_hints(cls, names, include_extras=True)
    own = {each.name for each in fields(cls) if each.metadata}
    keys = {name: given for name, given in of_file.items() if name not in own}
    for each in fields(cls):
        if each.metadata:
            facts = {name: fact for name, fact in each.metadata.items() if name not in (model.GOES_WITH, model.SILENT)}
            keys[each.name] = of_file.get(each.name) or (types[each.name], Field(_written(each), **facts))
    checks: dict[str, Any] = {"check": model_validator(mode="after")(check)} if check else {}
    doc = (cls.__doc__ or "").partition("\n")[0]
    made = create_model(name or f"{cls.__name__}Section", __base__=_Section, __doc__=doc, __validators__=checks, **keys)
    _MODELS[cls] = made
    return made


def _may_lack(name: str) -> Any:
    """The field of a key that a file may lack, though every resolved shot has a value for it."""
    (description,) = (each.metadata["description"] for each in fields(Shot) if each.name == name)
    return Field(default=None, description=description)


def _written(field: DataclassField[Any]) -> Any:
    """The default of a field as a file would write it."""
    default: Any = field.default
    if field.type == "Duration":
        return values.written_duration(default)
    if isinstance(default, Curve):
        return default.to_yaml()
    if type(default) in _MODELS:
        return _MODELS[type(default)]()
    return ... if default is MISSING else list(default) if isinstance(default, tuple) else default


KINDS = ("model", "adain", "blend", "frames", "keys", "strokes")
"""The kinds of paint, of which a style has exactly one."""
GOES_WITH: Mapping[str, tuple[str, ...]] = {
    each.name: each.metadata[model.GOES_WITH]
    for each in fields(Style)
    if model.GOES_WITH in each.metadata and each.name not in KINDS
}
"""Keys of `style` -> the kinds of paint that they go with."""


def keys_beside(kind: str) -> tuple[str, ...]:
    """The keys of `style` that go with a kind of paint."""
    return tuple(name for name, kinds in GOES_WITH.items() if kind in kinds)


# --- rules between keys ------------------------------------------------------------------------------


def _check_style(style: Style) -> Style:
    named = [name for name in KINDS if getattr(style, name) is not None]
    if len(named) != 1:
        found = " and ".join(named) if named else "none of them"
        raise fault(
            f"expected exactly one of {', '.join(KINDS[:-1])} and {KINDS[-1]}, found {found}",
            at=named[1] if named else None,
            hint=None if named else "Name a style: {model: great-wave}.",
        )
    if style.blend is not None:
        # Weights are linear or held between keys, so all can only be zero where they are at some key.
        frames = {frame for curve in style.blend.values() for frame, _ in curve.keys}
        dark = [frame for frame in sorted(frames) if not any(curve.at(frame) for curve in style.blend.values())]
        if dark or not style.blend:
            where = f" at frame {dark[0]}" if len(frames) > 1 else ""
            raise fault(f"expected a weight above 0{where}, found none", at="blend")
    if style.colours != Style.colours and style.adain is None:
        raise fault("only paintings (adain) can be painted in the colours of the plate", at="colours")
    if style.offset and style.frames is None:
        raise fault("only painted frames (frames) have numbers of their own", at="offset")
    for each in fields(Style):
        kinds = GOES_WITH.get(each.name, named)
        if named[0] not in kinds and _as_list(getattr(style, each.name)) != _as_list(each.default):
            example = "strokes: oil" if "strokes" in kinds else "keys: {1001: key.png}"
            raise fault(
                f"this goes with {' and '.join(kinds)} only", at=each.name, hint=f"Add {example}, or remove it."
            )
    if style.keys is not None:
        _check_keys(style)
    for by, ramp in (("size_by", "size_range"), ("density_by", "density_range")):
        if getattr(style, ramp) and getattr(style, by) is None:
            raise fault(f"this goes with {by} only", at=ramp)
    if style.brush_height and len(style.brush_height) != len(style.brush):
        found = f"{len(style.brush_height)} for {len(style.brush)} of brush"
        raise fault(f"expected as many files as brush has, found {found}", at="brush_height")
    return style


def _check_keys(style: Style) -> None:
    assert style.keys is not None
    if style.scale != 1:
        raise fault("keys are painted at the plate's size", at="scale", hint="Remove scale.")
    if lost := [frame for frame in style.key_mattes or () if frame not in style.keys or frame == model.PAINTING]:
        raise fault(f"frame {lost[0]} has a matte and no key", at="key_mattes")


def _as_list(value: Any) -> Any:
    """A list for a tuple: some values are lists until `tsn.shot.load` makes the shot."""
    return list(value) if isinstance(value, tuple) else value


def _check_flow(flow: Flow) -> Flow:
    if flow.method == "vectors" and flow.vectors is None:
        raise fault("expected a layer of vectors, found none", at="method", hint="Add vectors: {layer: ...}.")
    return flow


def _check_matte(matte: Matte) -> Matte:
    if (matte.cryptomatte is None) == (matte.channel is None):
        found = "none of them" if matte.channel is None else "both"
        raise fault(f"expected exactly one of cryptomatte and channel, found {found}")
    if (matte.cryptomatte is None) != (not matte.names):
        found = "names without it" if matte.names else "no names"
        raise fault(f"expected cryptomatte together with names, found {found}")
    return matte


# --- the file ----------------------------------------------------------------------------------------


class TokensSection(_Section):
    """Values of the tokens in the paths of plate, output and style.frames."""

    show: Token | None = Field(default=None, description="{show}: the production.")
    seq: Token | None = Field(default=None, description="{seq}: the sequence of shots.")
    shot: Token | None = Field(default=None, description="{shot}: by default the shot file's name without its suffix.")
    version: Token | None = Field(default=None, description="{version}: of the output, such as v003.")
    layer: Token | None = Field(default=None, description="{layer}: by default the layer that is painted.")


_sections: dict[tuple[str, ...], type[BaseModel]] = {
    ("tokens",): TokensSection,
    ("colour",): _section(Colour),
    ("style",): _section(Style, check=_check_style),
    ("flow", "vectors"): _section(Vectors),
    ("flow",): _section(Flow, check=_check_flow),
    ("temporal",): _section(Temporal),
    ("matte",): _section(Matte, check=_check_matte),
}
_section(LayerTemporal)
LAYERS = ("layers",)
"""The key of the list of layers, sections of their own kind."""
LayerSection = _section(Layer)
LAYER_SECTIONS: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): LayerSection,
    ("temporal",): _MODELS[LayerTemporal],
    **{path: _sections[path] for path in (("style",), ("matte",))},
}
"""The models of the sections of a layer, by their place in it."""
ShotFile = _section(
    Shot,
    name="ShotFile",
    style=(_sections["style",] | None, _may_lack("style")),
    layers=(list[LayerSection] | None, _may_lack("layers")),  # type: ignore[valid-type]
    version=(Literal[1], Field(description="Version of this format: 1.")),
    extends=(
        Text | None,
        Field(default=None, description="The file to inherit from, instead of _sequence.yaml/_show.yaml."),
    ),
    tokens=(
        TokensSection,
        Field(default=TokensSection(), description="Values of the tokens {show} {seq} {shot} {version}."),
    ),
)
SECTIONS: Mapping[tuple[str, ...], type[BaseModel]] = {(): ShotFile, **_sections}
"""The pydantic model of each section, by its place in the file; those of layers `section_at` finds."""


def section_at(path: Sequence[str | int]) -> type[BaseModel] | None:
    """The pydantic model of the section at a place, such as ("layers", 1, "style"); None where there is none."""
    if tuple(path[:1]) == LAYERS and len(path) > 1:
        return LAYER_SECTIONS.get(tuple(map(str, path[2:])))
    return SECTIONS.get(tuple(map(str, path)))


MERGED = frozenset(SECTIONS) | {("style", "blend")}
"""Mappings that a shot changes key by key; any other value (keyframes, lists) it replaces whole."""

ALTERNATIVES: Mapping[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
    (): (("style", "matte"), LAYERS),
    ("style",): (
        ("model",),
        ("adain", "colours"),
        ("blend",),
        ("frames", "offset"),
        ("keys", *keys_beside("keys")),
        ("strokes", *keys_beside("strokes")),
    ),
    ("matte",): (("cryptomatte", "names"), ("channel",)),
}
"""Keys that exclude each other, each with those that mean nothing without it: a shot that gives one of them drops the
others that its show gave."""
