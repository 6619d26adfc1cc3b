"""YAML read into nodes with their line and column, and faults reported at those places.

Scalars are those of YAML 1.2 (`no`, `on` and `1001:20` are text, 010 is ten), as editors read them. Round-trip loading
by ruamel.yaml knows places too, but not how a scalar was written (version: 003); it stops at the first key that is
there twice, and needs half a minute for 2000 open brackets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from tsn.errors import ShotError, UsageError, near_miss

Loc = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a value comes from; `name` is the variable or the text after --set, lines and columns count from 1."""

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
        """The folder that relative paths from here are relative to."""
        return Path(os.path.abspath(self.file)).parent if self.file else Path.cwd()

    def path(self, text: str) -> str:
        """A path from here, absolute; `~` and `~user` are home folders, as in a shell."""
        return os.path.abspath(os.path.join(self.folder, os.path.expanduser(text)))


@dataclass(frozen=True, kw_only=True)
class Node:
    """A value: a scalar, a list of nodes or a mapping to nodes, with its own place and that of its key.

    Attributes:
        text: a scalar as it is written.
        partial: a mapping made of a dotted key (`--set style.strength.1001=0`), which leaves other keys as they are.
    """

    value: Any
    origin: Origin
    key: Origin
    text: str = ""
    partial: bool = False


@dataclass(frozen=True, kw_only=True)
class Fault:
    """An error at a place. Faults are collected, so that one run reports all of them."""

    message: str
    origin: Origin
    hint: str | None = None


def find_node(tree: Node, loc: Loc) -> tuple[Node, Loc]:
    """The node at a place, or the deepest one on the way there with the rest of the way."""
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


def dotted_key(loc: Iterable[str | int]) -> str:
    """The name of a place as messages have it, `style.strength`; entries of lists count from 0, `layers.1.style`."""
    return ".".join(map(str, loc))


def plain_value(node: Node) -> Any:
    """The value of a node, without places."""
    if isinstance(node.value, dict):
        return {key: plain_value(item) for key, item in node.value.items()}
    return [plain_value(item) for item in node.value] if isinstance(node.value, list) else node.value


def describe(node: Node) -> str:
    """The value of a node in the words of a message, after `found`."""
    if node.value is None:
        return "nothing"
    if isinstance(node.value, dict | list):
        return "a mapping" if isinstance(node.value, dict) else "a list"
    return f"the text {node.value!r}" if isinstance(node.value, str) else node.text


def error_of(faults: Sequence[Fault], file: Path | None) -> UsageError:
    """One error with all faults, those of the shot file itself first."""

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


class _Loader(yaml.SafeLoader):
    """Only the scalars of YAML 1.2's core schema: PyYAML's own make `no` false, 010 eight and 1:20 eighty."""


_Loader.yaml_implicit_resolvers = {}

for _tag, _pattern, _first in (
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", list("tTfF")),
    ("int", r"[-+]?[0-9]+\Z", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", list("-+.0123456789")),
    ("float", r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z", list("-+.")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)

_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": lambda text: float(re.sub(r"\.(?=inf|nan)", "", text.lower())),
    "tag:yaml.org,2002:str": str,
}
_MAX_BYTES = 1 << 20
"""Of a shot file; a larger one is a plate given by mistake."""
_MAX_NODES = 20_000
"""Of a file with its aliases written out; more is an attack ('billion laughs')."""


def read_file(file: Path, faults: list[Fault]) -> Node | None:
    """The top node of a file, or None where the file is empty.

    Args:
        faults: collects the errors that leave the rest readable.

    Raises:
        ShotError: no file, too large, not UTF-8, or not YAML.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        near = [path.name for path in file.parent.glob("*.yaml")] if file.parent.is_dir() else []
        if file.is_dir():
            names = ", ".join(sorted(path.name for path in file.glob("*.yaml"))[:5])
            hint = f"Shot files in it: {names}." if names else "Name a .yaml file."
            raise ShotError("expected a shot file, found a folder", file=file, hint=hint) from None
        hint = near_miss(file.name, near) or "Check the path."
        raise ShotError(f"can't read it: {(error.strerror or str(error)).lower()}", file=file, hint=hint) from None
    what = "A shot file is a small YAML text, saved as UTF-8."
    if len(data) > _MAX_BYTES:
        raise ShotError("expected a shot file, found more than 1 MiB", file=file, hint=what)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"expected UTF-8 text, found byte 0x{data[error.start]:02x} at offset {error.start}"
        raise ShotError(message, file=file, line=line, hint=what) from None
    return parse(text, lambda mark: _at(file, mark), faults)


def _at(file: Path, mark: yaml.Mark | None) -> Origin:
    return Origin(kind="file", file=file, line=mark.line + 1 if mark else 1, column=mark.column + 1 if mark else 1)


def parse_value(text: str, origin: Origin, faults: list[Fault]) -> Node | None:
    """One value outside of a file, as `parse`. A comment is a fault, since the # was meant as part of the value."""
    node = parse(text, lambda mark: origin, faults)
    tokens = [token for token in yaml.scan(text, Loader=_Loader) if not isinstance(token, yaml.StreamEndToken)]
    rest = text[max(token.end_mark.index for token in tokens) :].strip()
    if rest:
        message = f"expected one value, found a comment: {rest}"
        faults.append(Fault(message=message, origin=origin, hint=f'Put the value in quotes: "{text.strip()}".'))
    return node


def parse(text: str, place: Callable[[yaml.Mark | None], Origin], faults: list[Fault]) -> Node | None:
    """YAML text as nodes, or None where it is empty.

    Args:
        text: one YAML document.
        place: the origin of what starts at a mark of the text.
        faults: collects the errors that leave the rest readable, such as a key that is there twice.

    Raises:
        ShotError, UsageError: broken YAML, in a file or outside of one.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
        return None if root is None else _Converter(place, faults).node(root, place(root.start_mark))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else text
        problem = error.problem or error.context or "no YAML"
        fault = Fault(message=f"broken YAML: {problem}", origin=place(mark), hint=_syntax_hint(line, problem))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        mark = yaml.Mark("", 0, before.count("\n"), len(before) - before.rfind("\n") - 1, None, 0)
        fault = Fault(message=f"expected text, found the character {error.character:#04x}", origin=place(mark))
    except RecursionError:
        fault = Fault(message="nested too deeply", origin=place(None))
    raise error_of([fault], fault.origin.file)


def _syntax_hint(line: str, problem: str) -> str | None:
    """A hint for a line with a syntax error."""
    if "'\\t'" in problem:
        return "There is a tab where YAML takes spaces only."
    if re.search(r"[:=]\s*[{@%`]", f":{line}") or re.search(r"\}[^\s,}\]]", line):
        return 'Text that starts with {, @, % or ` needs quotes: plate: "{shot}.####.exr".'
    if "escape" in problem:
        return "In double quotes a backslash starts an escape: use / between folders, or single quotes."
    if "':'" in problem:
        return "A key is followed by a colon and a space: layer: beauty."
    return None


@dataclass
class _Converter:
    """Makes `Node`s of composed YAML; counts them, and notices aliases that contain themselves."""

    place: Callable[[yaml.Mark | None], Origin]
    faults: list[Fault]
    count: int = 0
    open: set[int] = field(default_factory=set)

    def node(self, raw: yaml.Node, key: Origin) -> Node:
        origin = self.place(raw.start_mark)
        self.count += 1
        if id(raw) in self.open or self.count > _MAX_NODES:
            raise error_of([Fault(message="aliases that never end", origin=origin)], origin.file)
        self.open.add(id(raw))
        try:
            text = raw.value if isinstance(raw, yaml.ScalarNode) else ""
            return Node(value=self.value(raw, origin), origin=origin, key=key, text=text)
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
