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
from pydantic_core import PydanticCustomError

from tsn.errors import near_miss
from tsn.shot import hints
from tsn.shot.cascade import read_cascade
from tsn.shot.model import PAINTING, STROKES_WINDOW, Shot, from_json
from tsn.shot.paths import (
    PATTERNS,
    Paths,
    fill_variables,
    model_path,
    painting_weights,
    preset_path,
    refuse_duplicate_files,
    refuse_other_format,
    refuse_overwriting,
    refuse_scene_linear_frames,
    resolve_pattern,
    token_values,
)
from tsn.shot.schema import MERGED, SECTIONS, ShotFile
from tsn.shot.values import model_name
from tsn.shot.yaml_positions import Fault, Node, describe, error_of, find_node, plain_value

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
    parsed = _validate(tree, faults)
    _refuse_unknown_models(tree, faults)
    tokens = token_values(tree, Path(file))
    paths: Paths = {loc: resolve_pattern(tree, loc, tokens, environ, faults) for loc in PATTERNS}
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


def _data_for_pydantic(node: Node, path: tuple[str, ...] = ()) -> Any:
    if isinstance(node.value, dict):
        # Null resets a known key to its default; under an unknown key it must not hide a misspelling.
        known = None if path not in SECTIONS else SECTIONS[path].model_fields
        empty = {key for key, item in node.value.items() if item.value is None and path in MERGED}
        dropped = {key for key in empty if known is None or key in known}
        return {key: _data_for_pydantic(item, (*path, key)) for key, item in node.value.items() if key not in dropped}
    if isinstance(node.value, list):
        return [_data_for_pydantic(item, (*path, "")) for item in node.value]
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
    dotted = ".".join(str(part) for part in loc if part != "[key]")
    hint: str | None
    if kind == "extra_forbidden":
        beside = plain_value(find_node(tree, loc[:-1])[0])
        hint = hints.unknown_key_hint(str(loc[-1]), beside, SECTIONS[tuple(loc[:-1])].model_fields, DOTTED)
        return Fault(message=f"unknown key {str(loc[-1])!r}", origin=node.key, hint=hint)
    if kind == "missing":
        hint = SECTIONS[tuple(loc[:-1])].model_fields[loc[-1]].description
        return Fault(message=f"{dotted} is missing", origin=node.origin, hint=hint)
    if kind == "tsn":
        place = node.key if ctx["at"] or loc[-1:] == ("[key]",) else node.origin
        message = f"{dotted}: {ctx['message']}" if dotted else ctx["message"]
        return Fault(message=message, origin=place, hint=ctx["hint"])
    bound = next((f"{word} {ctx[name]:g}" for name, word in _BOUNDS.items() if name in ctx), None)
    expected = _EXPECTED.get(kind) or ctx.get("expected") or (f"a number, {bound}" if bound else error["msg"].lower())
    key = str(loc[-1]) if loc else ""
    hint = _hint(kind, key, node, expected)
    if node.value is None and isinstance(beside := plain_value(find_node(tree, loc[:-1])[0]), dict):
        hint = hints.decimal_comma_hint(key, beside)
    return Fault(message=f"{dotted}: expected {expected}, found {describe(node)}", origin=node.origin, hint=hint)


def _hint(kind: str, key: str, node: Node, expected: str) -> str | None:
    value = plain_value(node)
    if kind == "literal_error":
        return near_miss(node.text, re.findall(r"'([^']*)'", expected)) if node.text else None
    if kind == "string_type":
        return f'Put it in quotes: "{node.text}".' if node.text else hints.text_hint(key, value)
    if kind == "list_type":
        return hints.list_hint(key, value)
    if kind == "model_type":
        fields = next((model.model_fields for path, model in SECTIONS.items() if path[-1:] == (key,)), {})
        return f"Its keys: {', '.join(fields)}." if fields else None
    if isinstance(value, str):
        return hints.boolean_hint(value) if kind == "bool_type" else hints.number_hint(value)
    return None


def _refuse_unknown_models(tree: Node, faults: list[Fault]) -> None:
    """Null takes a model out of a blend; under an unknown name it must not hide a misspelling."""
    blend, rest = find_node(tree, ("style", "blend"))
    if rest or not isinstance(blend.value, dict):
        return
    beside = plain_value(blend)
    for name, entry in blend.value.items():
        if entry.value is None:
            try:
                model_name(name)
            except PydanticCustomError as error:
                context = error.context or {}
                hint = hints.decimal_comma_hint(name, beside) or context.get("hint")
                message = f"style.blend.{name}: {context.get('message')}"
                faults.append(Fault(message=message, origin=entry.key, hint=hint))


# --- the shot ----------------------------------------------------------------------------------------


def _build(parsed: BaseModel, tree: Node, paths: Paths, file: Path) -> Shot:
    """The shot with its paths absolute, each relative to the file that it stands in."""
    shot = from_json({"file": os.path.abspath(file), **parsed.model_dump(exclude={"extends", "tokens"})})
    style, flow = shot.style, shot.flow

    def at(*loc: str) -> Node:
        return find_node(tree, loc)[0]

    blend, adain, weights = style.blend, style.adain, flow.weights
    if blend is not None:
        entries = at("style", "blend").value
        blend = dict(sorted((model_path(name, entries[name]), curve) for name, curve in blend.items()))
    if adain is not None:
        adain = dict(sorted(painting_weights(adain, at("style", "adain"))))
    if weights is not None:
        weights = Path(at("flow", "weights").origin.path(str(weights)))
    model = None if style.model is None else model_path(style.model, at("style", "model"))
    strokes = None if style.strokes is None else preset_path(style.strokes, at("style", "strokes"))
    palette = style.palette if style.palette == "plate" else at("style", "palette").origin.path(style.palette)

    def scans(key: str, files: Sequence[str]) -> tuple[str, ...]:
        return tuple(at("style", key).origin.path(file) for file in files)

    def key_files(name: str, files: Mapping[str, str] | None) -> dict[str, str] | None:
        if files is None:
            return None
        written = {str(int(key)) if key != PAINTING else key: node for key, node in at("style", name).value.items()}
        return {key: written[key].origin.path(file) for key, file in files.items()}

    temporal = shot.temporal
    node, rest = find_node(tree, ("temporal", "window"))
    if style.strokes is not None and (rest or node.value is None):
        temporal = replace(temporal, window=STROKES_WINDOW)
    return replace(
        shot,
        temporal=temporal,
        plate=str(paths["plate",]),
        output=str(paths["output",]),
        style=replace(
            style,
            model=model,
            adain=adain,
            blend=blend,
            frames=paths["style", "frames"],
            strokes=strokes,
            palette=palette,
            keys=key_files("keys", style.keys),
            key_mattes=key_files("key_mattes", style.key_mattes),
            brush=scans("brush", style.brush),
            brush_height=scans("brush_height", style.brush_height),
        ),
        flow=replace(flow, weights=weights),
    )
