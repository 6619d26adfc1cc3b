"""The paths of a shot file: variables and tokens filled in, made absolute, and harmful ones refused.

A path is harmful where a render would overwrite its own input, or where a file counts twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from tsn.errors import UsageError, near_miss
from tsn.io.sequence import FrameSequence
from tsn.shot.host_paths import TOKENS, expand_variables, localise_path
from tsn.shot.values import MODEL_FILE, PRESET_FILE
from tsn.shot.yaml_positions import Fault, Loc, Node, Origin, dotted_key, find_node

FORMATS = (".exr", ".dpx")
"""Endings of plates, and so of output frames."""
Paths = Mapping[Loc, str | None]
"""Absolute patterns by their places; None where there is none, or a fault."""


def style_places(tree: Node) -> list[Loc]:
    """The places where a tree may have a style: the shot's own, and that of each layer."""
    layers, rest = find_node(tree, ("layers",))
    count = len(layers.value) if not rest and isinstance(layers.value, list) else 0
    return [("style",), *(("layers", place, "style") for place in range(count))]


def patterns(tree: Node) -> list[Loc]:
    """The places of paths that may contain tokens; `resolve_pattern` fills them in."""
    return [("plate",), ("output",), *((*place, "frames") for place in style_places(tree))]


def fill_variables(tree: Node, environ: Mapping[str, str], faults: list[Fault]) -> Node:
    """The tree with the variables in its paths filled in; a path that can't be one of this host is a fault."""

    def filled(text: str, origin: Origin, dotted: str, *, whole: bool) -> str:
        try:
            text = expand_variables(text, environ)
            return localise_path(text, environ) if whole else text
        except UsageError as error:
            faults.append(Fault(message=f"{dotted}: {error}", origin=origin, hint=error.hint))
            return text

    def scalar(node: Node, dotted: str, *, whole: bool = True) -> Node:
        if not isinstance(node.value, str):
            return node
        text = filled(node.value, node.origin, dotted, whole=whole)
        return replace(node, value=text, text=text)

    def named(node: Node, dotted: str) -> Node:
        """One path, a list of them, or a mapping from them."""
        if isinstance(node.value, list):
            return replace(node, value=[scalar(item, dotted) for item in node.value])
        if not isinstance(node.value, dict):
            return scalar(node, dotted)
        entries: dict[str, Node] = {}
        for name, item in node.value.items():
            text = filled(name, item.key, dotted, whole=True)
            if text in entries:
                faults.append(Fault(message=f"{dotted}: {text!r} is here twice", origin=item.key))
            entries[text] = item
        return replace(node, value=entries)

    def values(node: Node, dotted: str, *, whole: bool = False) -> Node:
        if not isinstance(node.value, dict):
            return node
        return replace(
            node, value={key: scalar(item, f"{dotted}.{key}", whole=whole) for key, item in node.value.items()}
        )

    for loc in patterns(tree):
        tree = _changed(tree, loc, lambda node, dotted: scalar(node, dotted, whole=False))
    for style in style_places(tree):
        for key in ("model", "blend", "strokes", "adain", "palette", "brush", "brush_height"):
            tree = _changed(tree, (*style, key), named)
        for key in ("keys", "key_mattes"):
            tree = _changed(tree, (*style, key), partial(values, whole=True))
    tree = _changed(tree, ("flow", "weights"), named)
    return _changed(tree, ("tokens",), values)


def _changed(tree: Node, loc: Loc, change: Callable[[Node, str], Node], done: Loc = ()) -> Node:
    """The tree with the node at a place changed, if there is one."""
    if not loc:
        return change(tree, dotted_key(done))
    node, rest = find_node(tree, loc[:1])
    if rest:
        return tree
    below = _changed(node, loc[1:], change, (*done, loc[0]))
    if isinstance(tree.value, list):
        return replace(tree, value=[below if place == loc[0] else item for place, item in enumerate(tree.value)])
    return replace(tree, value=tree.value | {loc[0]: below})


def token_values(tree: Node, file: Path) -> dict[str, str]:
    """The value of each token in the paths of a shot."""
    stated = tree.value.get("tokens")
    layer = tree.value.get("layer")
    tokens = {"shot": file.name.split(".")[0]}
    if layer is not None and isinstance(layer.value, str):
        tokens["layer"] = layer.value
    if stated is not None and isinstance(stated.value, dict):
        tokens |= {key: node.text for key, node in stated.value.items() if node.value is not None and node.text}
    return tokens | {"frame": "####"}


def resolve_pattern(
    tree: Node, loc: Loc, tokens: Mapping[str, str], environ: Mapping[str, str], faults: list[Fault]
) -> str | None:
    """A path with its tokens filled in, absolute; None where there is none, or a fault."""
    node, rest = find_node(tree, loc)
    if rest or not isinstance(node.value, str) or not node.value:
        return None
    stated, rest = find_node(tree, ("tokens",))
    filled = stated.value.values() if not rest and isinstance(stated.value, dict) else ()
    places = {node.origin, *(token.origin for token in filled)}
    if any(fault.origin in places for fault in faults):  # reported already
        return None
    dotted, before = dotted_key(loc), len(faults)

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
        return FrameSequence.parse(node.origin.path(localise_path(text, environ)), base=Path()).pattern
    except UsageError as error:
        faults.append(Fault(message=f"{dotted}: {error}", origin=node.origin, hint=error.hint))
        return None


def refuse_overwriting(tree: Node, paths: Paths, faults: list[Fault]) -> None:
    """Refuse an output that would overwrite the plate or the painted frames."""

    def place(path: str) -> str:
        """The real folder, and the name without the number's padding."""
        folder, name = os.path.split(path)
        return os.path.join(os.path.realpath(folder), re.sub("#+", "#", name))

    same = {loc: place(path) for loc, path in paths.items() if path is not None}
    output = same.pop(("output",), None)
    for loc, path in same.items():
        if path == output:
            message = f"output: expected a path of its own, found that of {dotted_key(loc)}, which it would overwrite"
            faults.append(Fault(message=message, origin=find_node(tree, ("output",))[0].origin))


def refuse_other_format(tree: Node, paths: Paths, faults: list[Fault]) -> None:
    """Refuse an output whose ending is not the plate's. `tsn.rendering.inspect` looks at the plate itself."""
    output, plate = (os.path.splitext(paths[key,] or "")[1].lower() for key in ("output", "plate"))
    expected = [plate] if plate in FORMATS else FORMATS
    if paths["output",] is not None and output not in expected:
        message = f"output: expected a name that ends in {' or '.join(expected)}, found {output or 'no ending'}"
        hint = "tsn keeps the plate's format, EXR or DPX."
        faults.append(Fault(message=message, origin=find_node(tree, ("output",))[0].origin, hint=hint))


def refuse_scene_linear_frames(tree: Node, paths: Paths, faults: list[Fault]) -> None:
    """Refuse painted frames as EXR or DPX: they are display-referred, and those formats are not."""
    for loc in ((*place, "frames") for place in style_places(tree)):
        ending = os.path.splitext(paths[loc] or "")[1].lower()
        if ending in FORMATS:
            message = (
                f"{dotted_key(loc)}: expected PNG, TIFF, JPEG or WebP, found {ending}, whose values are scene-linear"
                " or log"
            )
            hint = "Convert the frames to sRGB as 16-bit PNG or TIFF."
            faults.append(Fault(message=message, origin=find_node(tree, loc)[0].origin, hint=hint))


def refuse_duplicate_files(tree: Node, faults: list[Fault]) -> None:
    """Refuse a file with two weights: one of them was perhaps forgotten in the show, so they are not added silently."""
    ways = (("adain", _painting_path), ("blend", model_path))
    for loc, path in (((*place, key), path) for place in style_places(tree) for key, path in ways):
        node, rest = find_node(tree, loc)
        first: dict[str, str] = {}
        for name, place in () if rest else _named(node):
            file = path(name, place)
            if file in first:
                before = f"the same file as {first[file]!r}, which has its weight already"
                message = f"{dotted_key(loc)}: {name!r} is {before}"
                hint = "Name it once, with the weight that it shall have in all."
                faults.append(Fault(message=message, origin=place.key, hint=hint))
            first.setdefault(file, name)


def _named(node: Node) -> Iterator[tuple[str, Node]]:
    """The files that a list or a mapping to weights names, each with the node that has its place."""
    if isinstance(node.value, dict):
        yield from ((name, item) for name, item in node.value.items() if item.value is not None)
    elif isinstance(node.value, list):
        yield from ((item.value, item) for item in node.value if isinstance(item.value, str))


def model_path(name: str, node: Node) -> str:
    """The name of a bundled style unchanged, the path of a file absolute."""
    return node.key.path(name) if MODEL_FILE.search(name) else name


def preset_path(name: str, node: Node) -> str:
    """The name of a bundled preset of strokes unchanged, the path of a file absolute."""
    return node.origin.path(name) if PRESET_FILE.search(name) else name


def _painting_path(name: str, node: Node) -> str:
    return node.key.path(name)


def painting_weights(weights: Mapping[str, float], node: Node) -> Iterator[tuple[str, float]]:
    """(Absolute path, weight) of each painting; a path is relative to the file that names it."""
    for name, weight in weights.items():
        yield _painting_path(name, node.value[name] if isinstance(node.value, dict) else node), weight
