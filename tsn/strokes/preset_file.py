"""Presets read from YAML: those that come with tsn, and an artist's own. Without torch and numba.

`find_preset` is the border: no code behind it sees an unchecked value. What a file may hold is in `preset_schema`; here
are the words for what it refuses.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tsn.errors import InputError, ShotError, UsageError, near_miss
from tsn.strokes.preset import Preset
from tsn.strokes.preset_schema import DRAWN, DRAWN_BRUSH, LAYER, PRESET, SCANNED, build
from tsn.style.catalogue import StyleInfo

BUNDLED_DIR = Path(__file__).parent / "presets"
"""Folder of the presets that come with tsn."""
SUFFIXES = (".yaml", ".yml")


def preset_names() -> tuple[str, ...]:
    """The presets that come with tsn, by name."""
    return tuple(sorted(path.stem for path in BUNDLED_DIR.glob("*.yaml")))


def find_preset(name: str, *, base: Path = Path()) -> Preset:
    """The preset that a shot file names.

    Args:
        name: of a bundled preset, or a `.yaml` file.
        base: folder that relative paths start from.

    Raises:
        UsageError: no bundled preset has this name, or its file has a fault (`ShotError`, with file and line).
        InputError: the file, or a brush that it names, is missing or damaged.
    """
    if not name.lower().endswith(SUFFIXES) and "/" not in name and "\\" not in name:
        require_preset(name)
        return _bundled(name)
    path = base / os.path.expanduser(name)
    if not path.name.lower().endswith(SUFFIXES):
        raise InputError(f"{path}: expected a preset as a .yaml file, found {path.suffix or 'no ending'}.")
    return read_preset(path)


def bundled_presets() -> tuple[StyleInfo, ...]:
    """The presets that come with tsn as `tsn styles` lists them, by name."""
    found = []
    for name in preset_names():
        preset, path = _bundled(name), BUNDLED_DIR / f"{name}.yaml"
        facts = {"title": preset.title, "licence": preset.licence, "sha256": preset.fingerprint}
        found.append(StyleInfo(name=name, family="strokes", size=path.stat().st_size, path=path, **facts))
    return tuple(found)


def require_preset(name: str) -> None:
    """Raise UsageError unless a bundled preset has this name."""
    if name not in preset_names():
        raise UsageError(
            f"No preset of strokes is called {name!r}; bundled are: {', '.join(preset_names())}.",
            hint=near_miss(name, preset_names()) or "A file of your own needs its ending: name.yaml.",
        )


@cache
def _bundled(name: str) -> Preset:
    return read_preset(BUNDLED_DIR / f"{name}.yaml")


def read_preset(path: Path) -> Preset:
    """Read a preset's file. Raises as `find_preset` does."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        siblings = [each.name for each in path.parent.glob("*") if each.name.lower().endswith(SUFFIXES)]
        hint = near_miss(path.name, siblings) or "A relative path is relative to the shot file."
        raise InputError(f"The preset's file does not exist: {path}", hint=hint) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise InputError(f"Cannot read the preset {path}: {reason}.") from error
    try:
        tree, values = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        raise ShotError(f"this is no YAML: {error.problem}", file=path, line=line, column=column) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ShotError(f"this is no YAML: {str(error) or 'nested too deeply'}", file=path) from None
    if not isinstance(values, dict):
        raise ShotError(f"expected a mapping with layers, found {_describe(values)}", file=path, line=1)
    try:
        # As JSON, whose strict mode takes lists and mappings for tuples and models, but no text for numbers.
        checked = PRESET.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        raise _refusal(error, path, tree, values) from None
    made = build(checked, path.parent)
    assert isinstance(made, Preset)
    return made


# --- words for what it refuses ------------------------------------------------------------------------

_EXPECTED = {
    "string_type": "text",
    "string_too_short": "some text",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "too_short": "at least one",
    "model_type": "a mapping of keys",
}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _refusal(error: ValidationError, path: Path, tree: yaml.Node | None, values: dict[str, Any]) -> ShotError:
    """One error with all faults of a file, the first with its hint, in the order of the file."""
    faults = []
    errors = error.errors(include_url=False)
    within = {one["loc"][:1] for one in errors if len(one["loc"]) > 1}
    for one in errors:
        if one["type"] == "too_short" and one["loc"] in within:
            continue  # pydantic doesn't count layers that have a fault
        at = one.get("ctx", {}).get("at")
        loc = (*(part for part in one["loc"] if part not in (DRAWN, SCANNED)), *([at] if at else []))
        faults.append((_line(tree, loc), *_message({**one, "loc": loc}, values)))
    (line, message, hint), *others = sorted(faults, key=lambda fault: fault[0])
    message += "".join(f"\n  also {path}:{at}: {text}" + (f" ({more})" if more else "") for at, text, more in others)
    return ShotError(message, file=path, line=line, hint=hint)


def _message(error: dict[str, Any], values: dict[str, Any]) -> tuple[str, str | None]:
    """A pydantic error in our words, and a hint."""
    kind, loc, context = error["type"], error["loc"], error.get("ctx", {})
    key = ".".join(str(part) for part in loc)
    known = _known_keys(loc)
    if kind == "extra_forbidden":
        return f"unknown key {key!r}", near_miss(str(loc[-1]), known) or f"Known here: {', '.join(known)}."
    if kind == "missing":
        return f"{key} is missing", None
    bound = next((f"{word} {context[name]:g}" for name, word in _BOUNDS.items() if name in context), None)
    expected = _EXPECTED.get(kind) or context.get("expected") or (f"a number, {bound}" if bound else error["msg"])
    found = _at(values, loc)
    hint = context.get("hint")
    if kind == "literal_error" and isinstance(found, str):
        hint = near_miss(found, re.findall("'([^']*)'", expected))
    elif kind == "float_type" and isinstance(found, str) and (match := re.fullmatch("([0-9]+),([0-9]+)", found)):
        hint = f"Decimals have a point: {match[1]}.{match[2]}."
    return f"{key}: expected {expected}, found {_describe(found)}", hint


def _known_keys(loc: Sequence[int | str]) -> list[str]:
    """The keys of the section that the last part of a place stands in."""
    model = DRAWN_BRUSH if "brush" in loc[:-1] else LAYER if "layers" in loc[:-1] else PRESET
    return list(model.model_fields)


def _at(values: Any, loc: Sequence[int | str]) -> Any:
    for part in loc:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return values
    return values


def _line(node: yaml.Node | None, loc: Sequence[int | str]) -> int:
    """The line of a place, or of the deepest one on the way there."""
    line = 1
    for part in loc:
        children: dict[int | str, tuple[yaml.Node, yaml.Node]] = {}
        if isinstance(node, yaml.MappingNode):
            children = {key.value: (key, value) for key, value in node.value}
        elif isinstance(node, yaml.SequenceNode):
            children = {number: (value, value) for number, value in enumerate(node.value)}
        if part not in children:
            break
        at, node = children[part]
        line = at.start_mark.line + 1
    return line


def _describe(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list" if value else "an empty list"
    return (
        {True: "true", False: "false"}[value]
        if isinstance(value, bool)
        else (f"the text {value!r}" if isinstance(value, str) else str(value))
    )
