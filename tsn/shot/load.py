"""From YAML to a Shot: what is stated where, which statement wins, and where a fault lies.

A value comes from the first of these that states it:

1. `--set temporal.window=4`, the last one first;
2. the environment: `TSN_TEMPORAL__WINDOW=4`, with two underscores between section and key. A variable is
   read when its part before `__` is a key of the shot file. `TSN_VERSION` never is, nor are tsn's own
   settings (TSN_CACHE, TSN_WEIGHTS, TSN_DEVICE, TSN_LOG_LEVEL); an empty one counts as unset;
3. the shot file;
4. `_sequence.yaml`, the nearest on the way up from the shot file to its `_show.yaml`;
5. `_show.yaml`, the nearest above or beside it. `extends: PATH` in a file names its parent instead;
6. the defaults of `tsn.shot.model`.

Sections are merged key by key; lists and keyframes are replaced whole; null goes back to the default. A
path is relative to the file that states it, or to the working directory where no file does. Values are
YAML with the scalars of YAML 1.2 (`no`, `on` and `1001:20` are text, 010 is ten), as editors read them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import ValidationError

from tsn.errors import ShotError, UsageError, near_miss
from tsn.io.sequence import Sequence as FrameSequence
from tsn.shot.model import Colour, Flow, Matte, Shot, Style, Temporal, Vectors
from tsn.shot.schema import ALTERNATIVES, MERGED, MODEL_FILE, SECTIONS, ShotFile

SHOW, SEQUENCE = "_show.yaml", "_sequence.yaml"
TOKENS = ("show", "seq", "shot", "version", "layer", "frame")
Loc = tuple[str | int, ...]
Paths = Mapping[tuple[str, ...], str | None]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a value comes from; `name` is the variable or the text after --set, lines count from 1."""

    kind: Literal["file", "environment", "set", "default"]
    file: Path | None = None
    line: int | None = None
    column: int | None = None
    name: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file else ""
        if self.kind == "default":
            return f"default (null at {place or self.name})" if place or self.name else "default"
        return place or (f"--set {self.name}" if self.kind == "set" else str(self.name))

    @property
    def folder(self) -> Path:
        """What relative paths stated here are relative to."""
        return Path(os.path.abspath(self.file)).parent if self.file else Path.cwd()


@dataclass(frozen=True, kw_only=True)
class Node:
    """A stated value: a scalar, a list or a mapping of nodes, with its place and its key's place."""

    value: Any
    origin: Origin
    key: Origin
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Fault:
    message: str
    origin: Origin
    hint: str | None = None


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
        environ: where TSN_* variables are looked up.

    Raises:
        ShotError: the first fault of the file(s) with its place; the message lists the others.
        UsageError: a fault in `sets` or `environ`.
    """
    return resolve(file, sets=sets, environ=environ).shot


def resolve(file: Path | str, *, sets: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> Resolved:
    """`load`, with what `tsn explain` needs to tell where each value came from."""
    faults: list[Fault] = []
    levels = _cascade(Path(file), faults)
    overrides = [*_environment(environ, faults), *(_set(text, faults) for text in sets)]
    tree = reduce(_merge, [_long_form(level) for level in (*levels, *overrides)])
    parsed = _validate(tree, faults)
    tokens = _tokens(tree, Path(file))
    paths: Paths = {loc: _pattern(tree, loc, tokens, faults) for loc in (("plate",), ("output",), ("style", "frames"))}
    _refuse_overwriting(tree, paths, faults)
    if faults or parsed is None:
        raise _error(faults, Path(file))
    return Resolved(shot=_build(parsed, tree, paths, Path(file)), tree=tree, tokens=tokens)


# --- reading -----------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """Only the scalars of YAML 1.2's core schema: PyYAML's own make `no` false, 010 eight and 1:20 eighty."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


for _tag, _pattern_text, _first in (
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", list("tTfF")),
    ("int", r"[-+]?[0-9]+\Z", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", list("-+.0123456789")),
    ("float", r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z", list("-+.")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern_text), _first)

_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": lambda text: float(re.sub(r"\.(?=inf|nan)", "", text.lower())),
    "tag:yaml.org,2002:str": str,
}
_LARGEST = 1 << 20
"""Bytes of a shot file: more is a plate given by mistake."""
_MOST_NODES = 20_000
"""Nodes of a file with its aliases written out: more is a bomb."""


def _read(file: Path, faults: list[Fault]) -> Node | None:
    """The top-level mapping of a file, or None where it is empty."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        near = [path.name for path in file.parent.glob("*.yaml")] if file.parent.is_dir() else []
        if file.is_dir():
            names = ", ".join(sorted(path.name for path in file.glob("*.yaml"))[:5])
            hint = f"Shot files in it: {names}." if names else "Name a .yaml file."
            raise ShotError("expected a shot file, found a folder", file=file, hint=hint) from None
        hint = near_miss(file.name, near) or "Check the path."
        raise ShotError(f"can't read it: {(error.strerror or str(error)).lower()}", file=file, hint=hint) from None
    what = "A shot file is a small YAML text, saved as UTF-8."
    if len(data) > _LARGEST:
        raise ShotError("expected a shot file, found more than 1 MiB", file=file, hint=what)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"expected UTF-8 text, found byte 0x{data[error.start]:02x} at offset {error.start}"
        raise ShotError(message, file=file, line=line, hint=what) from None
    return _parse(text, lambda mark: _at(file, mark), faults)


def _at(file: Path, mark: yaml.Mark | None) -> Origin:
    return Origin(kind="file", file=file, line=mark.line + 1 if mark else 1, column=mark.column + 1 if mark else 1)


def _parse(text: str, place: Callable[[yaml.Mark | None], Origin], faults: list[Fault]) -> Node | None:
    """YAML text as nodes; raises on broken YAML, collects what is only wrong."""
    try:
        root = yaml.compose(text, Loader=_Loader)
        return None if root is None else _Converter(place, faults).node(root, place(root.start_mark))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else text
        hint = 'Text that starts with {, @, % or ` needs quotes: plate: "{shot}.####.exr".'
        quotes = re.search(r"[:=]\s*[{@%`]", f":{line}") or re.search(r"\}[^\s,}\]]", line)
        problem = error.problem or error.context or "no YAML"
        fault = Fault(message=f"broken YAML: {problem}", origin=place(mark), hint=hint if quotes else None)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        mark = yaml.Mark("", 0, before.count("\n"), len(before) - before.rfind("\n") - 1, None, None)
        fault = Fault(message=f"expected text, found the character {error.character:#04x}", origin=place(mark))
    except RecursionError:
        fault = Fault(message="nested too deeply", origin=place(None))
    raise _error([fault], fault.origin.file)


@dataclass
class _Converter:
    """Composed YAML to `Node`s; a class only to count and to notice aliases that hold themselves."""

    place: Callable[[yaml.Mark | None], Origin]
    faults: list[Fault]
    count: int = 0
    open: set[int] = field(default_factory=set)

    def node(self, raw: yaml.Node, key: Origin) -> Node:
        origin = self.place(raw.start_mark)
        self.count += 1
        if id(raw) in self.open or self.count > _MOST_NODES:
            raise _error([Fault(message="aliases that never end", origin=origin)], origin.file)
        self.open.add(id(raw))
        try:
            return Node(value=self.value(raw, origin), origin=origin, key=key, text=getattr(raw, "value", ""))
        finally:
            self.open.discard(id(raw))

    def value(self, raw: yaml.Node, origin: Origin) -> Any:
        if isinstance(raw, yaml.ScalarNode):
            try:
                return _SCALARS[raw.tag](raw.value)
            except (KeyError, ValueError):
                message = f"expected a plain value, found {raw.tag} {raw.value!r}"
                self.faults.append(Fault(message=message, origin=origin))
                return None
        if isinstance(raw, yaml.SequenceNode):
            return [self.node(item, self.place(item.start_mark)) for item in raw.value]
        found: dict[str, Node] = {}
        for key, item in raw.value:
            place = self.place(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                hint = 'Text that starts with { needs quotes: plate: "{shot}.####.exr".'
                self.faults.append(Fault(message="expected a key, found a mapping or list", origin=place, hint=hint))
            elif key.value in found:
                first = found[key.value].key
                where = f", first on line {first.line}" if first.line else ""
                self.faults.append(Fault(message=f"the key {key.value!r} is here twice{where}", origin=place))
            else:
                found[key.value] = self.node(item, place)
        return found


# --- the cascade -------------------------------------------------------------------------------------


def _cascade(file: Path, faults: list[Fault]) -> list[Node]:
    """The files a shot is made of, from the show's down to its own."""
    levels: list[Node] = []
    seen: dict[Path, Path] = {}
    path: Path | None = file
    while path is not None:
        seen[Path(os.path.realpath(path))] = path
        origin = Origin(kind="file", file=path, line=1, column=1)
        tree = _read(path, faults)
        if tree is None and not levels:
            hint = "A shot starts with version: 1, plate, output and style."
            raise ShotError("expected a shot, found an empty file", file=path, line=1, column=1, hint=hint)
        tree = tree or Node(value={}, origin=origin, key=origin)
        if not isinstance(tree.value, dict):
            message = f"expected a mapping of keys, found {_found(tree)}"
            raise _error([Fault(message=message, origin=tree.origin, hint="Such as version: 1.")], path)
        _check_version(tree)
        extends = tree.value.get("extends")
        # Not inherited: each file has its own parent and says its own version.
        own = {key: node for key, node in tree.value.items() if key != "extends" and (key != "version" or not levels)}
        levels.insert(0, replace(tree, value=own, origin=origin))
        path = _parent(path, extends, explicit=len(levels) > 1 and path.name not in (SHOW, SEQUENCE))
        if path is not None and Path(os.path.realpath(path)) in seen:
            place = extends.origin if extends else origin
            raise _error([Fault(message=f"extends comes back to {path}", origin=place)], file)
    return levels


def _check_version(tree: Node) -> None:
    """Before anything else: the keys of another version's file would only give misleading faults."""
    node = tree.value.get("version")
    if node is not None and (type(node.value) is not int or node.value != 1):
        hint = "A newer tsn may read it." if type(node.value) in (int, float) else "Write version: 1."
        message = f"version: expected 1, the format this tsn reads, found {_found(node)}"
        raise _error([Fault(message=message, origin=node.origin, hint=hint)], tree.origin.file)


def _parent(file: Path, extends: Node | None, *, explicit: bool) -> Path | None:
    """The file that a file inherits from; one reached by `extends` has only the parent it names."""
    if extends is not None and extends.value is not None:
        if not isinstance(extends.value, str) or not extends.value:
            fault = Fault(message=f"extends: expected a path, found {_found(extends)}", origin=extends.origin)
            raise _error([fault], file)
        parent = Path(os.path.normpath(extends.origin.folder / extends.value))
        if not parent.is_file():
            hint = near_miss(parent.name, [path.name for path in parent.parent.glob("*.yaml")])
            raise _error([Fault(message=f"extends: no file {parent}", origin=extends.origin, hint=hint)], file)
        return _shown(parent, file)
    if explicit or file.name == SHOW:
        return None
    sequence = None
    for folder in Path(os.path.abspath(file)).parents:
        if sequence is None and file.name != SEQUENCE and (folder / SEQUENCE).is_file():
            sequence = _shown(folder / SEQUENCE, file)
        if (folder / SHOW).is_file():
            return sequence or _shown(folder / SHOW, file)
    return sequence


def _shown(path: Path, beside: Path) -> Path:
    """Absolute or relative, as the user named the shot."""
    return path if beside.is_absolute() else Path(os.path.relpath(path))


def _environment(environ: Mapping[str, str], faults: list[Fault]) -> Iterator[Node]:
    keys = [key for key in ShotFile.model_fields if key not in ("version", "extends")]
    for name in sorted(environ):
        if not name.startswith("TSN_") or not environ[name]:
            continue
        path = name.removeprefix("TSN_").lower().split("__")
        origin = Origin(kind="environment", name=name)
        if path[0] in keys:
            yield _nested(path, environ[name], origin, faults)
        elif len(path) > 1:
            hint = near_miss(path[0], keys) or f"Known: {', '.join(keys)}."
            faults.append(Fault(message=f"unknown key {path[0]!r}", origin=origin, hint=hint))


def _set(text: str, faults: list[Fault]) -> Node:
    key, equals, value = text.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise UsageError(f"--set {text}: expected KEY=VALUE", hint="Such as --set temporal.window=4.")
    if path[0] in ("version", "extends"):
        raise UsageError(f"--set {text}: {path[0]} can only stand in a file")
    return _nested(path, value, Origin(kind="set", name=text), faults)


def _nested(path: list[str], text: str, origin: Origin, faults: list[Fault]) -> Node:
    node = _parse(text, lambda mark: origin, faults) or Node(value=None, origin=origin, key=origin)
    for key in reversed(path):
        node = Node(value={key: node}, origin=origin, key=origin)
    return node


def _long_form(level: Node) -> Node:
    """`style: great-wave` as {model: great-wave}, so that it merges like one."""
    style = level.value.get("style")
    if style is None or not isinstance(style.value, str):
        return level
    return replace(level, value=level.value | {"style": replace(style, value={"model": style})})


def _merge(base: Node, over: Node, path: tuple[str, ...] = ()) -> Node:
    if path not in MERGED or not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    stated = {key for key, node in over.value.items() if node.value is not None}
    merged = dict(base.value)
    for group in ALTERNATIVES.get(path, ()):
        others = frozenset().union(*ALTERNATIVES[path]) - group
        if stated & group:
            merged = {key: node for key, node in merged.items() if key not in others}
    for key, node in over.value.items():
        merged[key] = _merge(merged[key], node, (*path, key)) if key in merged else node
    # What is missing in a section is missing in the file, not in the variable that set another key of it.
    return replace(over if over.origin.kind == "file" else base, value=merged)


# --- validation --------------------------------------------------------------------------------------


def _validate(tree: Node, faults: list[Fault]) -> ShotFile | None:
    try:
        return ShotFile.model_validate(_data(tree))
    except ValidationError as error:
        faults += [_fault(tree, dict(one)) for one in error.errors(include_url=False, include_input=False)]
        return None


def _data(node: Node, path: tuple[str, ...] = ()) -> Any:
    if isinstance(node.value, dict):
        dropped = {key for key, item in node.value.items() if item.value is None and path in MERGED}
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
        if loc == ("style", "adain"):
            hint = "This one has model, blend and frames."
            return Fault(message="style.adain is not in this version of tsn", origin=node.key, hint=hint)
        known = SECTIONS[tuple(loc[:-1])].model_fields
        hint = near_miss(str(loc[-1]), known) or f"Known here: {', '.join(known)}."
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
    hint = None
    if kind == "literal_error":
        hint = near_miss(node.text, re.findall(r"'([^']*)'", expected)) if node.text else None
    elif kind == "string_type" and node.text:
        hint = f'Put it in quotes: "{node.text}".'
    return Fault(message=f"{dotted}: expected {expected}, found {_found(node)}", origin=node.origin, hint=hint)


def find(tree: Node, loc: Loc) -> tuple[Node, Loc]:
    """The node at a place, or the deepest on the way there with what is left of it."""
    for index, part in enumerate(loc):
        known = (
            tree.value
            if isinstance(tree.value, dict)
            else range(len(tree.value))
            if isinstance(tree.value, list)
            else ()
        )
        if part not in known:
            return tree, loc[index:]
        tree = tree.value[part]
    return tree, ()


def _found(node: Node) -> str:
    if node.value is None:
        return "nothing"
    if isinstance(node.value, dict | list):
        return "a mapping" if isinstance(node.value, dict) else "a list"
    return f"the text {node.value!r}" if isinstance(node.value, str) else node.text


def _error(faults: Sequence[Fault], file: Path | None) -> UsageError:
    """All faults as one error, the shot file's own first."""

    def rank(fault: Fault) -> tuple[bool, bool, str, int, int]:
        origin = fault.origin
        return origin.file is None, origin.file != file, str(origin.file), origin.line or 0, origin.column or 0

    first, *others = sorted(faults, key=rank)
    message = first.message
    for other in others:
        origin = other.origin
        place = f"{origin}:{origin.column}" if origin.file else str(origin)
        message += f"\n  also {place}: {other.message}" + (f" ({other.hint})" if other.hint else "")
    origin = first.origin
    if origin.file is None:
        return UsageError(f"{origin}: {message}", hint=first.hint)
    return ShotError(message, file=origin.file, line=origin.line, column=origin.column, hint=first.hint)


# --- paths, and the shot -----------------------------------------------------------------------------


def _tokens(tree: Node, file: Path) -> dict[str, str]:
    stated = tree.value.get("tokens")
    layer = tree.value.get("layer")
    tokens = {"shot": file.name.split(".")[0]}
    if layer is not None and isinstance(layer.value, str):
        tokens["layer"] = layer.value
    if stated is not None and isinstance(stated.value, dict):
        tokens |= {key: node.text for key, node in stated.value.items() if node.value is not None and node.text}
    return tokens | {"frame": "####"}


def _pattern(tree: Node, loc: tuple[str, ...], tokens: Mapping[str, str], faults: list[Fault]) -> str | None:
    """A path with its tokens filled in, absolute; None where there is none or it is at fault."""
    node, rest = find(tree, loc)
    if rest or not isinstance(node.value, str) or not node.value:
        return None
    dotted, before = ".".join(loc), len(faults)

    def fill(match: re.Match[str]) -> str:
        token = match[1]
        if token not in TOKENS:
            hint = near_miss(token, TOKENS) or f"Tokens: {' '.join('{' + name + '}' for name in TOKENS)}."
            faults.append(Fault(message=f"{dotted}: unknown token {{{token}}}", origin=node.origin, hint=hint))
        elif token not in tokens:
            message = f"{dotted}: the token {{{token}}} has no value"
            hint = f"Add tokens: {{{token}: ...}} to the shot or its show."
            faults.append(Fault(message=message, origin=node.origin, hint=hint))
        return tokens.get(token, "")

    text = re.sub(r"\{([^{}]*)\}", fill, node.value)
    if len(faults) == before and re.search(r"[{}]", text):
        faults.append(Fault(message=f"{dotted}: a brace without its other half in {text!r}", origin=node.origin))
    if len(faults) > before:
        return None
    try:
        pattern = FrameSequence.parse(text, base=node.origin.folder).pattern
        # Once more as the plan will read it: the folders above may hold a # too.
        return FrameSequence.parse(pattern, base=Path()).pattern
    except UsageError as error:
        faults.append(Fault(message=f"{dotted}: {error}", origin=node.origin, hint=error.hint))
        return None


def _refuse_overwriting(tree: Node, paths: Paths, faults: list[Fault]) -> None:
    same = {loc: re.sub("#+", "#", path) for loc, path in paths.items() if path is not None}
    output = same.pop(("output",), None)
    for loc, path in same.items():
        if path == output:
            message = f"output: expected a path of its own, found that of {'.'.join(loc)}, which it would overwrite"
            faults.append(Fault(message=message, origin=find(tree, ("output",))[0].origin))


def model_path(name: str, node: Node) -> str:
    """A bundled name as it is, a file's path absolute."""
    return os.path.abspath(node.key.folder / name) if MODEL_FILE.search(name) else name


def _build(parsed: ShotFile, tree: Node, paths: Paths, file: Path) -> Shot:
    style, flow, matte = parsed.style, parsed.flow, parsed.matte
    blend = None
    if style.blend is not None:
        entries = find(tree, ("style", "blend"))[0].value
        blend = dict(sorted((model_path(name, entries[name]), curve) for name, curve in style.blend.items()))
    weights = None
    if flow.weights is not None:
        weights = Path(os.path.abspath(find(tree, ("flow", "weights"))[0].origin.folder / flow.weights))
    return Shot(
        file=Path(os.path.abspath(file)),
        version=parsed.version,
        plate=str(paths["plate",]),
        output=str(paths["output",]),
        layer=parsed.layer,
        frames=parsed.frames,
        missing=parsed.missing,
        colour=Colour(**parsed.colour.model_dump()),
        style=Style(
            model=None if style.model is None else model_path(style.model, find(tree, ("style", "model"))[0]),
            blend=blend,
            frames=paths["style", "frames"],
            strength=style.strength,
            scale=style.scale,
            tile=style.tile,
        ),
        flow=Flow(
            method=flow.method,
            vectors=None if flow.vectors is None else Vectors(**flow.vectors.model_dump()),
            scale=flow.scale,
            weights=weights,
        ),
        temporal=Temporal(window=parsed.temporal.window, detail=parsed.temporal.detail, cuts=parsed.temporal.cuts),
        matte=None if matte is None else Matte(**matte.model_dump() | {"names": tuple(matte.names)}),
    )
