"""Where each value of a shot comes from, as `tsn explain` prints it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tsn.shot.curves import Curve
from tsn.shot.load import Resolved, resolve
from tsn.shot.paths import model_path
from tsn.shot.schema import LAYERS, section_at
from tsn.shot.values import written_duration
from tsn.shot.yaml_positions import Loc, Origin, dotted_key, find_node


@dataclass(frozen=True, kw_only=True)
class Row:
    """One value: its dotted key, the resolved value (paths absolute), and where it comes from."""

    key: str
    value: Any
    origin: Origin


def explain(file: Path | str, *, sets: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> tuple[Row, ...]:
    """Every value of the shot, in the order of the schema.

    Raises:
        ShotError, UsageError: as `tsn.shot.load.load` does.
    """
    return tuple(_rows(resolve(file, sets=sets, environ=environ)))


def render_text(rows: Sequence[Row]) -> str:
    """A table of key, value and origin, one row a line."""
    cells = [(row.key, _text(row.value), str(row.origin)) for row in rows]
    key_width, value_width = (max((len(cell[column]) for cell in cells), default=0) for column in (0, 1))
    return "".join(f"{key:{key_width}}  {value:{value_width}}  {origin}\n" for key, value, origin in cells)


def render_json(rows: Sequence[Row]) -> str:
    """A JSON list of {key, value, origin: {kind, file, line, column, name}}; a field that does not apply is null."""
    data = [
        {
            "key": row.key,
            "value": _plain(row.value),
            "origin": {
                "kind": row.origin.kind,
                "file": None if row.origin.file is None else os.path.abspath(row.origin.file),
                "line": row.origin.line,
                "column": row.origin.column,
                "name": row.origin.name,
            },
        }
        for row in rows
    ]
    return json.dumps(data, indent=2) + "\n"


def _rows(resolved: Resolved, path: Loc = ()) -> Iterator[Row]:
    section = section_at(path)
    assert section is not None
    for key in section.model_fields:
        here = (*path, key)
        # What origins show anyway; and, beside layers, the keys of a style that paints nothing.
        if here == ("extends",) or (here == ("style",) and resolved.shot.layers):
            continue
        value = _value(resolved, here)
        if here == LAYERS and value:
            for place in range(len(value)):
                yield from _rows(resolved, (*here, place))
        elif section_at(here) is not None and value is not None:
            yield from _rows(resolved, here)
        elif here[-2:] == ("style", "blend") and value is not None:
            for name, entry in find_node(resolved.tree, here)[0].value.items():
                if entry.value is not None:
                    model = model_path(name, entry)
                    yield Row(key=dotted_key((*here, model)), value=value[model], origin=entry.origin)
        else:
            if here[-2:] == ("style", "learn"):
                value = written_duration(value)
            yield Row(key=dotted_key(here), value=value, origin=_origin(resolved, here))


def _value(resolved: Resolved, path: Loc) -> Any:
    if path[0] == "tokens":
        return resolved.tokens if len(path) == 1 else resolved.tokens.get(str(path[1]))
    value: Any = resolved.shot
    for key in path:
        value = value[key] if isinstance(key, int) else getattr(value, key)
    return value


def _origin(resolved: Resolved, path: Loc) -> Origin:
    node, rest = find_node(resolved.tree, path)
    if node.value is None:
        return replace(node.origin, kind="default")
    return Origin(kind="default") if rest else node.origin


def _text(value: Any) -> str:
    value = _plain(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "-", True: "true", False: "false"}[value]
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Curve):
        return value.to_yaml()
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
