"""From YAML to a Shot: what is stated is validated, paths are filled in, and faults are told together.

`tsn.shot.cascade` says which statement of a value wins; a value that nothing states has the default of
`tsn.shot.model`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tsn.errors import UsageError, near_miss
from tsn.io.sequence import Sequence as FrameSequence
from tsn.shot.cascade import statements
from tsn.shot.document import Fault, Node, described, find, refusal
from tsn.shot.model import Colour, Flow, Matte, Shot, Style, Temporal, Vectors
from tsn.shot.schema import MERGED, SECTIONS, ShotFile
from tsn.shot.values import MODEL_FILE

TOKENS = ("show", "seq", "shot", "version", "layer", "frame")
Paths = Mapping[tuple[str, ...], str | None]


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
    tree = statements(Path(file), sets=sets, environ=environ, faults=faults)
    parsed = _validate(tree, faults)
    tokens = _tokens(tree, Path(file))
    paths: Paths = {loc: _pattern(tree, loc, tokens, faults) for loc in (("plate",), ("output",), ("style", "frames"))}
    _refuse_overwriting(tree, paths, faults)
    _refuse_twice(tree, faults)
    if faults or parsed is None:
        raise refusal(faults, Path(file))
    return Resolved(shot=_build(parsed, tree, paths, Path(file)), tree=tree, tokens=tokens)


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
    return Fault(message=f"{dotted}: expected {expected}, found {described(node)}", origin=node.origin, hint=hint)


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
        FrameSequence.parse(text, base=Path())  # As it is written, for the message.
        # And as the plan will read it: the folders above may hold a # too.
        return FrameSequence.parse(node.origin.path(text), base=Path()).pattern
    except UsageError as error:
        faults.append(Fault(message=f"{dotted}: {error}", origin=node.origin, hint=error.hint))
        return None


def _refuse_overwriting(tree: Node, paths: Paths, faults: list[Fault]) -> None:
    def place(path: str) -> str:
        """Where its frames lie, whatever links lead there and however many places the number has."""
        folder, name = os.path.split(path)
        return re.sub("#+", "#", os.path.join(os.path.realpath(folder), name))

    same = {loc: place(path) for loc, path in paths.items() if path is not None}
    output = same.pop(("output",), None)
    for loc, path in same.items():
        if path == output:
            message = f"output: expected a path of its own, found that of {'.'.join(loc)}, which it would overwrite"
            faults.append(Fault(message=message, origin=find(tree, ("output",))[0].origin))


def _refuse_twice(tree: Node, faults: list[Fault]) -> None:
    """A file has one weight. Of two, one was perhaps forgotten in the show, so they are not added silently."""
    for key, path in (("adain", _painting_path), ("blend", model_path)):
        node, rest = find(tree, ("style", key))
        first: dict[str, str] = {}
        for name, place in () if rest else _named(node):
            file = path(name, place)
            if file in first:
                message = f"style.{key}: {name!r} is the same file as {first[file]!r}, which has its weight already"
                hint = "Name it once, with the weight that it shall have in all."
                faults.append(Fault(message=message, origin=place.key, hint=hint))
            first.setdefault(file, name)


def _named(node: Node) -> Iterator[tuple[str, Node]]:
    """What a list or a mapping to weights names, and the nodes that know where."""
    if isinstance(node.value, dict):
        yield from ((name, item) for name, item in node.value.items() if item.value is not None)
    elif isinstance(node.value, list):
        yield from ((item.value, item) for item in node.value if isinstance(item.value, str))


def model_path(name: str, node: Node) -> str:
    """A bundled name as it is, a file's path absolute."""
    return node.key.path(name) if MODEL_FILE.search(name) else name


def _painting_path(name: str, node: Node) -> str:
    return node.key.path(name)


def _paintings(weights: Mapping[str, float], node: Node) -> Iterator[tuple[str, float]]:
    """Paintings by their absolute paths, each relative to the file that names it."""
    for name, weight in weights.items():
        yield _painting_path(name, node.value[name] if isinstance(node.value, dict) else node), weight


def _build(parsed: ShotFile, tree: Node, paths: Paths, file: Path) -> Shot:
    style, flow, matte = parsed.style, parsed.flow, parsed.matte
    blend = None
    if style.blend is not None:
        entries = find(tree, ("style", "blend"))[0].value
        blend = dict(sorted((model_path(name, entries[name]), curve) for name, curve in style.blend.items()))
    adain = None
    if style.adain is not None:
        adain = dict(sorted(_paintings(style.adain, find(tree, ("style", "adain"))[0])))
    weights = None
    if flow.weights is not None:
        weights = Path(find(tree, ("flow", "weights"))[0].origin.path(flow.weights))
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
            adain=adain,
            colours=style.colours,
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
