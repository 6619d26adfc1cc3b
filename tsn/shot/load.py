"""From YAML to a Shot: what is stated is validated, paths are filled in, and faults are told together.

`tsn.shot.cascade` says which statement of a value wins; a value that nothing states has the default of
`tsn.shot.model`.
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
from tsn.shot import advice
from tsn.shot.cascade import statements
from tsn.shot.model import Shot, from_json
from tsn.shot.paths import (
    PATTERNS,
    Paths,
    localised,
    model_path,
    painting_weights,
    pattern_of,
    refuse_format,
    refuse_linear,
    refuse_overwriting,
    refuse_twice,
    tokens_of,
)
from tsn.shot.schema import MERGED, SECTIONS, ShotFile
from tsn.shot.values import model_name
from tsn.shot.yaml_positions import Fault, Node, described, find, plain, refusal

DOTTED = tuple(".".join((*path, key)) for path, model in SECTIONS.items() for key in model.model_fields)
"""Every key of a shot file by its whole name."""


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A shot, and what it was resolved from: the merged statements, the values of the path tokens."""

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
    """`load`, with what `tsn explain` needs to tell where each value came from."""
    faults: list[Fault] = []
    tree = statements(Path(file), sets=sets, environ=environ, faults=faults)
    tree = localised(tree, environ, faults)
    parsed = _validate(tree, faults)
    _refuse_unknown_models(tree, faults)
    tokens = tokens_of(tree, Path(file))
    paths: Paths = {loc: pattern_of(tree, loc, tokens, environ, faults) for loc in PATTERNS}
    refuse_format(tree, paths, faults)
    refuse_linear(tree, paths, faults)
    refuse_overwriting(tree, paths, faults)
    refuse_twice(tree, faults)
    if faults or parsed is None:
        raise refusal(faults, Path(file))
    return Resolved(shot=_build(parsed, tree, paths, Path(file)), tree=tree, tokens=tokens)


# --- validation --------------------------------------------------------------------------------------


def _validate(tree: Node, faults: list[Fault]) -> BaseModel | None:
    try:
        return ShotFile.model_validate(_data(tree))
    except ValidationError as error:
        faults += [_fault(tree, dict(one)) for one in error.errors(include_url=False, include_input=False)]
        return None


def _data(node: Node, path: tuple[str, ...] = ()) -> Any:
    if isinstance(node.value, dict):
        # Null is the default of a key there is; of any other it would hide a misspelt one.
        known = None if path not in SECTIONS else SECTIONS[path].model_fields
        empty = {key for key, item in node.value.items() if item.value is None and path in MERGED}
        dropped = {key for key in empty if known is None or key in known}
        return {key: _data(item, (*path, key)) for key, item in node.value.items() if key not in dropped}
    if isinstance(node.value, list):
        return [_data(item, (*path, "")) for item in node.value]
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
    """A pydantic error in the words and at the place of the file."""
    kind, loc, ctx = error["type"], error["loc"], error.get("ctx", {})
    node, _ = find(tree, (*loc, *([ctx["at"]] if ctx.get("at") else [])))
    dotted = ".".join(str(part) for part in loc if part != "[key]")
    hint: str | None
    if kind == "extra_forbidden":
        beside = plain(find(tree, loc[:-1])[0])
        hint = advice.unknown(str(loc[-1]), beside, SECTIONS[tuple(loc[:-1])].model_fields, DOTTED)
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
    if node.value is None and isinstance(beside := plain(find(tree, loc[:-1])[0]), dict):
        hint = advice.decimal(key, beside)
    return Fault(message=f"{dotted}: expected {expected}, found {described(node)}", origin=node.origin, hint=hint)


def _hint(kind: str, key: str, node: Node, expected: str) -> str | None:
    value = plain(node)
    if kind == "literal_error":
        return near_miss(node.text, re.findall(r"'([^']*)'", expected)) if node.text else None
    if kind == "string_type":
        return f'Put it in quotes: "{node.text}".' if node.text else advice.text(key, value)
    if kind == "list_type":
        return advice.list_of(key, value)
    if kind == "model_type":
        fields = next((model.model_fields for path, model in SECTIONS.items() if path[-1:] == (key,)), {})
        return f"Its keys: {', '.join(fields)}." if fields else None
    if isinstance(value, str):
        return advice.switch(value) if kind == "bool_type" else advice.number(value)
    return None


def _refuse_unknown_models(tree: Node, faults: list[Fault]) -> None:
    """Null takes a model out of a blend; under a name that is none it would hide a misspelt one."""
    blend, rest = find(tree, ("style", "blend"))
    if rest or not isinstance(blend.value, dict):
        return
    beside = plain(blend)
    for name, entry in blend.value.items():
        if entry.value is None:
            try:
                model_name(name)
            except PydanticCustomError as error:
                told = error.context or {}
                hint = advice.decimal(name, beside) or told.get("hint")
                faults.append(Fault(message=f"style.blend.{name}: {told.get('message')}", origin=entry.key, hint=hint))


# --- the shot ----------------------------------------------------------------------------------------


def _build(parsed: BaseModel, tree: Node, paths: Paths, file: Path) -> Shot:
    """The shot with its paths absolute, each relative to the file that it stands in."""
    shot = from_json({"file": os.path.abspath(file), **parsed.model_dump(exclude={"extends", "tokens"})})
    style, flow = shot.style, shot.flow

    def at(*loc: str) -> Node:
        return find(tree, loc)[0]

    blend, adain, weights = style.blend, style.adain, flow.weights
    if blend is not None:
        entries = at("style", "blend").value
        blend = dict(sorted((model_path(name, entries[name]), curve) for name, curve in blend.items()))
    if adain is not None:
        adain = dict(sorted(painting_weights(adain, at("style", "adain"))))
    if weights is not None:
        weights = Path(at("flow", "weights").origin.path(str(weights)))
    model = None if style.model is None else model_path(style.model, at("style", "model"))
    return replace(
        shot,
        plate=str(paths["plate",]),
        output=str(paths["output",]),
        style=replace(style, model=model, adain=adain, blend=blend, frames=paths["style", "frames"]),
        flow=replace(flow, weights=weights),
    )
