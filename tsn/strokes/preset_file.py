"""Presets read from YAML: those that come with tsn, and an artist's own. Without torch and numba.

`find_preset` is the border: pydantic checks a file against the dataclasses of `preset` here, and no code behind it
sees an unchecked value.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import yaml
from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError, create_model
from pydantic_core import PydanticCustomError

from tsn.errors import InputError, ShotError, UsageError, near_miss
from tsn.strokes.preset import DrawnBrush, Layer, Preset
from tsn.style.catalogue import StyleInfo

BUNDLED_DIR = Path(__file__).parent / "presets"
"""Folder of the presets that come with tsn."""
SUFFIXES = (".yaml", ".yml")
GROUNDS = ("paint", "plate", "none")


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
        checked = _PRESET.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        raise _refusal(error, path, tree, values) from None
    made = _built(checked)
    assert isinstance(made, Preset)
    return made


# --- the file as pydantic checks it -------------------------------------------------------------------


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


_MODELS: dict[type[BaseModel], type] = {}
"""The pydantic models made so far, with their dataclasses."""


def _model(cls: type, **of_file: Any) -> type[BaseModel]:
    """The pydantic model of a dataclass; `of_file` are the types of keys that a file writes in another way."""
    hints = get_type_hints(cls, include_extras=True) | of_file
    keys: dict[str, Any] = {
        each.name: (hints[each.name], ... if each.default is MISSING else each.default) for each in fields(cls)
    }
    made: type[BaseModel] = create_model(cls.__name__, __base__=_Section, **keys)
    _MODELS[made] = cls
    return made


def _built(value: Any) -> Any:
    """The dataclass of a checked model, and of those in it."""
    if isinstance(value, tuple):
        return tuple(_built(item) for item in value)
    if type(value) not in _MODELS:
        return value
    return _MODELS[type(value)](**{name: _built(getattr(value, name)) for name in type(value).model_fields})


def _fault(expected: str, hint: str | None = None) -> PydanticCustomError:
    # Pydantic formats messages by braces, and ours may contain braces.
    return PydanticCustomError("tsn", "{expected}", {"expected": expected, "hint": hint})


def _read_colour(value: Any, words: Sequence[str] = ()) -> Any:
    if isinstance(value, str) and (match := re.fullmatch("#([0-9a-fA-F]{6})", value)):
        return tuple(int(match[1][at : at + 2], 16) / 255 for at in (0, 2, 4))
    if value in words:
        return value
    if isinstance(value, list) and len(value) == 3 and all(type(each) in (int, float) for each in value):
        return tuple(float(each) for each in value)
    hint = near_miss(value, words) if isinstance(value, str) else None
    if value is None:
        hint = 'A colour needs quotes: "#f4efe4"; without them YAML takes it for a comment.'
    raise _fault(
        f'{", ".join((*words, ""))}{"or " if words else ""}a colour such as "#f4efe4" or [0.9, 0.9, 0.8]', hint
    )


def read_ground(value: Any) -> Any:
    """The `Ground` that a file writes. Raises PydanticCustomError for anything else."""
    return _read_colour(value, GROUNDS)


_LAYER = _model(Layer)
_BRUSH = _model(DrawnBrush)
_PRESET = _model(
    Preset,
    layers=Annotated[tuple[_LAYER, ...], MinLen(1)],  # type: ignore[valid-type]  # made at run time
    brush=_BRUSH,
    pigment=Annotated[Any, PlainValidator(_read_colour)],
    ground=Annotated[Any, PlainValidator(read_ground)],
)


# --- words for what it refuses ------------------------------------------------------------------------

_EXPECTED = {
    "string_type": "text",
    "string_too_short": "some text",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "too_short": "at least one",
    "model_type": "a mapping of keys",
}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _refusal(error: ValidationError, path: Path, tree: yaml.Node | None, values: dict[str, Any]) -> ShotError:
    """One error with all faults of a file, the first with its hint, in the order of the file."""
    faults = [(_line(tree, one["loc"]), *_message(dict(one), values)) for one in error.errors(include_url=False)]
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
    model = _BRUSH if loc[0] == "brush" else _LAYER if loc[0] == "layers" else _PRESET
    return list((_PRESET if len(loc) == 1 else model).model_fields)


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
