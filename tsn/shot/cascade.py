"""The sources of a shot's values, and which of them wins.

A value comes from the first of these that gives it:

1. `--set temporal.window=4`, the last one first;
2. the environment: `TSN_TEMPORAL__WINDOW=4`, with two underscores between section and key. A variable is
   read when its part before `__` is a key of the shot file; one underscore instead of two is an error. `TSN_VERSION`
   is never read, nor are tsn's own settings (TSN_CACHE, TSN_CACHE_SIZE, TSN_WEIGHTS, TSN_DEVICE, TSN_LOG_LEVEL); a
   misspelt one is an error, an empty one counts as unset;
3. the shot file;
4. `_sequence.yaml`, the nearest on the way up from the shot file to its `_show.yaml`;
5. `_show.yaml`, the nearest above or beside it. `extends: PATH` in a file names its parent instead;
6. the defaults of `tsn.shot.model`.

Sections are merged key by key; lists (layers, too) and keyframes are replaced whole, unless a single key of them is set
(`--set style.strength.1001=0` leaves the others); null goes back to the default. A path is relative to the file that
contains it, or to the working directory where it is in no file; `~` is the home folder, `$VAR` and `${VAR}` are
variables of the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial, reduce
from pathlib import Path

from tsn.errors import ShotError, UsageError, near_miss
from tsn.shot.host_paths import expand_variables, localise_path
from tsn.shot.schema import ALTERNATIVES, MERGED, SECTIONS, ShotFile
from tsn.shot.yaml_positions import Fault, Node, Origin, describe, error_of, parse_value, read_file

SHOW_FILE, SEQUENCE_FILE = "_show.yaml", "_sequence.yaml"
SETTINGS = ("cache", "cache_size", "weights", "device", "log_level", "command", "pathmap", "version")
"""Variables TSN_... that are settings of tsn, not keys of a shot."""
MIN_SIMILARITY = 0.8
"""How alike (0 to 1) a variable of one word must be to count as misspelt: other programs may have TSN_ variables."""


def read_cascade(file: Path, *, sets: Sequence[str], environ: Mapping[str, str], faults: list[Fault]) -> Node:
    """All values given for a shot, merged into one tree; a style in its long form, {model: great-wave}.

    Args:
        faults: collects the errors that leave the rest of the shot readable.

    Raises:
        ShotError: a file that can't be read, or one of another version of the format.
        UsageError: a text after --set, or the value of a variable, that can't be read.
    """
    levels = _cascade(file, environ, faults)
    overrides = [*_environment(environ, faults), *(_set(text, faults) for text in sets)]
    return reduce(partial(_merge, faults=faults), [_long_form(level) for level in (*levels, *overrides)])


def _cascade(file: Path, environ: Mapping[str, str], faults: list[Fault]) -> list[Node]:
    """The files that a shot inherits from and its own, the show's first."""
    levels: list[Node] = []
    seen: dict[Path, Path] = {}
    path: Path | None = file
    while path is not None:
        seen[Path(os.path.realpath(path))] = path
        origin = Origin(kind="file", file=path, line=1, column=1)
        tree = read_file(path, faults)
        if tree is None and not levels:
            hint = "A shot starts with version: 1, plate, output and style."
            raise ShotError("expected a shot, found an empty file", file=path, line=1, column=1, hint=hint)
        tree = tree or Node(value={}, origin=origin, key=origin)
        if not isinstance(tree.value, dict):
            message = f"expected a mapping of keys, found {describe(tree)}"
            raise error_of([Fault(message=message, origin=tree.origin, hint="Such as version: 1.")], path)
        _check_version(tree)
        extends = tree.value.get("extends")
        # Not inherited: each file names its own parent and its own version.
        own = {key: node for key, node in tree.value.items() if key != "extends" and (key != "version" or not levels)}
        levels.insert(0, replace(tree, value=own, origin=origin))
        path = _parent(path, extends, environ, explicit=len(levels) > 1 and path.name not in (SHOW_FILE, SEQUENCE_FILE))
        if path is not None and Path(os.path.realpath(path)) in seen:
            place = extends.origin if extends else origin
            raise error_of([Fault(message=f"extends comes back to {path}", origin=place)], file)
    return levels


def _check_version(tree: Node) -> None:
    """Before anything else, since the keys of another version would only give misleading errors."""
    node = tree.value.get("version")
    if node is not None and (type(node.value) is not int or node.value != 1):
        hint = "A newer tsn may read it." if type(node.value) in (int, float) else "Write version: 1."
        message = f"version: expected 1, the format this tsn reads, found {describe(node)}"
        raise error_of([Fault(message=message, origin=node.origin, hint=hint)], tree.origin.file)


def _parent(file: Path, extends: Node | None, environ: Mapping[str, str], *, explicit: bool) -> Path | None:
    """The file that a file inherits from; one reached by `extends` has only the parent it names."""
    if extends is not None and extends.value is not None:
        if not isinstance(extends.value, str) or not extends.value:
            fault = Fault(message=f"extends: expected a path, found {describe(extends)}", origin=extends.origin)
            raise error_of([fault], file)
        try:
            parent = Path(extends.origin.path(localise_path(expand_variables(extends.value, environ), environ)))
        except UsageError as error:
            fault = Fault(message=f"extends: {error}", origin=extends.origin, hint=error.hint)
            raise error_of([fault], file) from None
        if not parent.is_file():
            hint = near_miss(parent.name, [path.name for path in parent.parent.glob("*.yaml")])
            raise error_of([Fault(message=f"extends: no file {parent}", origin=extends.origin, hint=hint)], file)
        return _as_named(parent, file)
    if explicit or file.name == SHOW_FILE:
        return None
    sequence = None
    for folder in Path(os.path.abspath(file)).parents:
        if sequence is None and file.name != SEQUENCE_FILE and (folder / SEQUENCE_FILE).is_file():
            sequence = _as_named(folder / SEQUENCE_FILE, file)
        if (folder / SHOW_FILE).is_file():
            return sequence or _as_named(folder / SHOW_FILE, file)
    return sequence


def _as_named(path: Path, beside: Path) -> Path:
    """Absolute or relative, as the shot was named on the command line."""
    return path if beside.is_absolute() else Path(os.path.relpath(path))


def _environment(environ: Mapping[str, str], faults: list[Fault]) -> Iterator[Node]:
    keys = [key for key in ShotFile.model_fields if key not in ("version", "extends")]
    # A variable with one underscore too few would otherwise be ignored without a word.
    paths = [(*section, key) for section, model in SECTIONS.items() if section for key in model.model_fields]
    meant = {"_".join(path): "__".join(path).upper() for path in paths}
    similar = [*keys, *meant, *SETTINGS]
    for name in sorted(environ):
        if not name.startswith("TSN_"):
            continue
        path = name.removeprefix("TSN_").lower().split("__")
        origin = Origin(kind="environment", name=name)
        if path[0] in keys:
            if environ[name] or not _in_schema(path):
                yield _nested(path, environ[name], origin, faults)
        elif len(path) > 1:
            hint = near_miss(path[0], keys) or f"Known: {', '.join(keys)}."
            faults.append(Fault(message=f"unknown key {path[0]!r}", origin=origin, hint=hint))
        elif path[0] in meant:
            hint = f"Perhaps you meant TSN_{meant[path[0]]}, with two underscores?"
            faults.append(Fault(message=f"unknown key {path[0]!r}", origin=origin, hint=hint))
        elif path[0] not in SETTINGS and (near := get_close_matches(path[0], similar, n=1, cutoff=MIN_SIMILARITY)):
            hint = f"Perhaps you meant TSN_{meant.get(near[0], near[0].upper())}?"
            faults.append(Fault(message=f"unknown key {path[0]!r}", origin=origin, hint=hint))


def _in_schema(path: list[str]) -> bool:
    """Whether the schema has this key, or a mapping there whose keys may have any name."""
    for depth, key in enumerate(path):
        section = SECTIONS.get(tuple(path[:depth]))
        if section is not None and key not in section.model_fields:
            return False
    return True


def _set(text: str, faults: list[Fault]) -> Node:
    key, equals, value = text.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise UsageError(f"--set {text}: expected KEY=VALUE", hint="Such as --set temporal.window=4.")
    if path[0] in ("version", "extends"):
        raise UsageError(f"--set {text}: {path[0]} can only stand in a file")
    return _nested(path, value, Origin(kind="set", name=text), faults)


def _nested(path: list[str], text: str, origin: Origin, faults: list[Fault]) -> Node:
    node = parse_value(text, origin, faults) or Node(value=None, origin=origin, key=origin)
    for key in reversed(path):
        node = Node(value={key: node}, origin=origin, key=origin, partial=True)
    return node


def _long_form(level: Node) -> Node:
    """`style: great-wave` as {model: great-wave}, so that it merges like one; in layers, too."""
    layers = level.value.get("layers")
    if layers is not None and isinstance(layers.value, list):
        items = [_long_form(item) if isinstance(item.value, dict) else item for item in layers.value]
        level = replace(level, value=level.value | {"layers": replace(layers, value=items)})
    style = level.value.get("style")
    if style is None or not isinstance(style.value, str):
        return level
    return replace(level, value=level.value | {"style": replace(style, value={"model": style})})


def _merge(base: Node, over: Node, path: tuple[str, ...] = (), *, faults: list[Fault]) -> Node:
    if over.partial and base.value is not None and not isinstance(base.value, dict):
        dotted = ".".join(path)
        message = f"{dotted} is {describe(base)} at {base.origin}, so it has no keys of which one could be set"
        whole = "[..., ...]" if isinstance(base.value, list) else "{KEY: VALUE, ...}"
        faults.append(Fault(message=message, origin=over.origin, hint=f"Set it whole: {dotted}={whole}."))
        return base
    both = isinstance(base.value, dict) and isinstance(over.value, dict)
    if not both or (path not in MERGED and not over.partial):
        return over
    stated = {key for key, node in over.value.items() if node.value is not None}
    merged = dict(base.value)
    for group in ALTERNATIVES.get(path, ()):
        others = {key for other in ALTERNATIVES[path] for key in other} - set(group)
        # A single key of a style that is set, --set style.strength=0, is not a style in place of the layers.
        if group[0] in stated and (path or not over.value[group[0]].partial):
            merged = {key: node for key, node in merged.items() if key not in others}
    for key, node in over.value.items():
        merged[key] = _merge(merged[key], node, (*path, key), faults=faults) if key in merged else node
    # A key that is missing in a section is reported at the file, not at the variable that set another key of it.
    section = path in MERGED and over.origin.kind != "file"
    return replace(base if section else over, value=merged)
