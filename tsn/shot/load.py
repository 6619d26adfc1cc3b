"""From YAML to a Shot: values are validated, paths are made absolute, and all faults are reported together.

`tsn.shot.cascade` says which source of a value wins; a value that no source gives has the default in `tsn.shot.model`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from tsn.errors import near_miss
from tsn.shot import hints
from tsn.shot.cascade import read_cascade
from tsn.shot.layer_rules import require_style_or_layers
from tsn.shot.model import PAINTING, STROKES_WINDOW, LayerTemporal, Shot, Style, from_json
from tsn.shot.paths import (
    Paths,
    fill_variables,
    model_path,
    painting_weights,
    patterns,
    preset_path,
    refuse_duplicate_files,
    refuse_other_format,
    refuse_overwriting,
    refuse_scene_linear_frames,
    resolve_pattern,
    style_places,
    token_values,
)
from tsn.shot.schema import SECTIONS, ShotFile, section_at
from tsn.shot.values import model_name
from tsn.shot.yaml_positions import Fault, Loc, Node, describe, dotted_key, error_of, find_node, plain_value

DOTTED = tuple(".".join((*path, key)) for path, model in SECTIONS.items() for key in model.model_fields)
"""The dotted name of every key of a shot file."""


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A shot, with the merged tree and the values of the path tokens that it was made from."""

    shot: Shot
    tree: Node
    tokens: Mapping[str, str]


def load(file: Path | str, *, sets: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> Shot:
    """The validated, resolved shot of a YAML file.

    Args:
        file: the shot file.
        sets: `key.sub=value` overrides, as after `--set`.
        environ: where TSN_* variables are looked up, and those in paths.

    Raises:
        ShotError: the first fault of the file(s) with its place; the message lists the others.
        UsageError: a fault in `sets` or `environ`.
        InputError: $OCIO names a config that can't be read, and the shot a colour space.
    """
    return resolve(file, sets=sets, environ=environ).shot


def resolve(file: Path | str, *, sets: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> Resolved:
    """As `load`, with what `tsn explain` needs to name the source of each value."""
    faults: list[Fault] = []
    tree = read_cascade(Path(file), sets=sets, environ=environ, faults=faults)
    tree = fill_variables(tree, environ, faults)
    tree = require_style_or_layers(tree, faults)
    parsed = _validate(tree, faults)
    _refuse_unknown_models(tree, faults)
    tokens = token_values(tree, Path(file))
    paths: Paths = {loc: resolve_pattern(tree, loc, tokens, environ, faults) for loc in patterns(tree)}
    refuse_other_format(tree, paths, faults)
    refuse_scene_linear_frames(tree, paths, faults)
    refuse_overwriting(tree, paths, faults)
    refuse_duplicate_files(tree, faults)
    if faults or parsed is None:
        raise error_of(faults, Path(file))
    return Resolved(shot=_build(parsed, tree, paths, Path(file)), tree=tree, tokens=tokens)


# --- validation --------------------------------------------------------------------------------------


def _validate(tree: Node, faults: list[Fault]) -> BaseModel | None:
    try:
        return ShotFile.model_validate(_data_for_pydantic(tree))
    except ValidationError as error:
        faults += [_fault(tree, dict(one)) for one in error.errors(include_url=False, include_input=False)]
        return None


def _data_for_pydantic(node: Node, path: Loc = ()) -> Any:
    if isinstance(node.value, dict):
        # Null resets a known key to its default; under an unknown key it must not hide a misspelling.
        section = section_at(path)
        known = None if section is None else section.model_fields
        resets = section is not None or path[-2:] == ("style", "blend")
        empty = {key for key, item in node.value.items() if item.value is None and resets}
        dropped = {key for key in empty if known is None or key in known}
        return {key: _data_for_pydantic(item, (*path, key)) for key, item in node.value.items() if key not in dropped}
    if isinstance(node.value, list):
        return [_data_for_pydantic(item, (*path, place)) for place, item in enumerate(node.value)]
    # A frame range or a version token may look like a number, and 010 must not become 10.
    as_written = path == ("frames",) or path[:1] == ("tokens",)
    return node.text if as_written and type(node.value) in (int, float) else node.value


_EXPECTED = {
    "string_type": "text",
    "string_too_short": "some text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "a mapping of keys",
    "dict_type": "a mapping of keys",
}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _fault(tree: Node, error: dict[str, Any]) -> Fault:
    """A pydantic error in our words, at its place in the file."""
    kind, loc, ctx = error["type"], error["loc"], error.get("ctx", {})
    node, _ = find_node(tree, (*loc, *([ctx["at"]] if ctx.get("at") else [])))
    dotted = dotted_key(part for part in loc if part != "[key]")
    hint: str | None
    if kind == "extra_forbidden":
        beside = plain_value(find_node(tree, loc[:-1])[0])
        hint = hints.unknown_key_hint(str(loc[-1]), beside, _fields_at(loc[:-1]), DOTTED)
        return Fault(message=f"unknown key {str(loc[-1])!r}", origin=node.key, hint=hint)
    if kind == "missing":
        hint = _fields_at(loc[:-1])[loc[-1]].description
        return Fault(message=f"{dotted} is missing", origin=node.origin, hint=hint)
    if kind == "tsn":
        place = node.key if ctx["at"] or loc[-1:] == ("[key]",) else node.origin
        message = f"{dotted}: {ctx['message']}" if dotted else ctx["message"]
        return Fault(message=message, origin=place, hint=ctx["hint"])
    bound = next((f"{word} {ctx[name]:g}" for name, word in _BOUNDS.items() if name in ctx), None)
    expected = _EXPECTED.get(kind) or ctx.get("expected") or (f"a number, {bound}" if bound else error["msg"].lower())
    key = str(loc[-1]) if loc else ""
    hint = _hint(kind, loc, node, expected)
    if node.value is None and isinstance(beside := plain_value(find_node(tree, loc[:-1])[0]), dict):
        hint = hints.decimal_comma_hint(key, beside)
    return Fault(message=f"{dotted}: expected {expected}, found {describe(node)}", origin=node.origin, hint=hint)


def _fields_at(path: Loc) -> Mapping[str, FieldInfo]:
    section = section_at(path)
    assert section is not None
    return section.model_fields


def _hint(kind: str, loc: Loc, node: Node, expected: str) -> str | None:
    value, key = plain_value(node), str(loc[-1]) if loc else ""
    if kind == "literal_error":
        return near_miss(node.text, re.findall(r"'([^']*)'", expected)) if node.text else None
    if kind == "string_type":
        return f'Put it in quotes: "{node.text}".' if node.text else hints.text_hint(key, value)
    if kind == "list_type":
        return hints.list_hint(key, value)
    if kind == "model_type":
        section = section_at(loc)
        return f"Its keys: {', '.join(section.model_fields)}." if section else None
    if isinstance(value, str):
        return hints.boolean_hint(value) if kind == "bool_type" else hints.number_hint(value)
    return None


def _refuse_unknown_models(tree: Node, faults: list[Fault]) -> None:
    """Null takes a model out of a blend; under an unknown name it must not hide a misspelling."""
    for place in style_places(tree):
        blend, rest = find_node(tree, (*place, "blend"))
        if rest or not isinstance(blend.value, dict):
            continue
        beside = plain_value(blend)
        for name, entry in blend.value.items():
            if entry.value is None:
                try:
                    model_name(name)
                except PydanticCustomError as error:
                    context = error.context or {}
                    hint = hints.decimal_comma_hint(name, beside) or context.get("hint")
                    message = f"{dotted_key((*place, 'blend', name))}: {context.get('message')}"
                    faults.append(Fault(message=message, origin=entry.key, hint=hint))


# --- the shot ----------------------------------------------------------------------------------------


def _build(parsed: BaseModel, tree: Node, paths: Paths, file: Path) -> Shot:
    """The shot with its paths absolute, each relative to the file that it stands in."""
    stated = parsed.model_dump(exclude={"extends", "tokens"})
    stated = {name: value for name, value in stated.items() if value is not None}  # style or layers
    shot = from_json({"file": os.path.abspath(file), **stated})
    flow, (node, rest) = shot.flow, find_node(tree, ("flow", "weights"))
    if flow.weights is not None:
        flow = replace(flow, weights=Path(node.origin.path(str(flow.weights))))
    node, rest = find_node(tree, ("temporal", "window"))
    by_default = bool(rest) or node.value is None

    def window(style: Style) -> int:
        return STROKES_WINDOW if by_default and style.strokes is not None else shot.temporal.window

    layers = []
    for place, layer in enumerate(shot.layers):
        own = layer.temporal
        temporal = LayerTemporal(
            window=window(layer.style) if own.window is None else own.window,
            detail=shot.temporal.detail if own.detail is None else own.detail,
        )
        style = _with_paths(layer.style, ("layers", place, "style"), tree, paths)
        layers.append(replace(layer, style=style, temporal=temporal))
    return replace(
        shot,
        temporal=replace(shot.temporal, window=window(shot.style)),
        plate=str(paths["plate",]),
        output=str(paths["output",]),
        style=shot.style if layers else _with_paths(shot.style, ("style",), tree, paths),
        layers=tuple(layers),
        flow=flow,
    )


def _with_paths(style: Style, place: Loc, tree: Node, paths: Paths) -> Style:
    """The style that stands at a place of the tree, with its paths absolute."""

    def at(key: str) -> Node:
        return find_node(tree, (*place, key))[0]

    def scans(key: str, files: Sequence[str]) -> tuple[str, ...]:
        return tuple(at(key).origin.path(file) for file in files)

    def key_files(name: str, files: Mapping[str, str] | None) -> dict[str, str] | None:
        if files is None:
            return None
        written = {str(int(key)) if key != PAINTING else key: node for key, node in at(name).value.items()}
        return {key: written[key].origin.path(file) for key, file in files.items()}

    blend, adain = style.blend, style.adain
    if blend is not None:
        entries = at("blend").value
        blend = dict(sorted((model_path(name, entries[name]), curve) for name, curve in blend.items()))
    if adain is not None:
        adain = dict(sorted(painting_weights(adain, at("adain"))))
    return replace(
        style,
        model=None if style.model is None else model_path(style.model, at("model")),
        adain=adain,
        blend=blend,
        frames=paths[(*place, "frames")],
        strokes=None if style.strokes is None else preset_path(style.strokes, at("strokes")),
        palette=style.palette if style.palette == "plate" else at("palette").origin.path(style.palette),
        keys=key_files("keys", style.keys),
        key_mattes=key_files("key_mattes", style.key_mattes),
        brush=scans("brush", style.brush),
        brush_height=scans("brush_height", style.brush_height),
    )
