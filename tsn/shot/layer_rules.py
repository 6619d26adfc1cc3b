"""The rules between `style`, `matte` and `layers`: a shot has either one style or several layers."""

from __future__ import annotations

from dataclasses import replace

from tsn.shot.schema import ShotFile
from tsn.shot.yaml_positions import Fault, Node


def require_style_or_layers(tree: Node, faults: list[Fault]) -> Node:
    """Add a fault where a shot has neither a style nor layers, both, or what each layer has to say by itself.

    Returns:
        The tree, without a single key of a style that was set beside layers: its other keys are not to be missed.
    """
    stated = {name: node for name, node in tree.value.items() if node.value is not None}
    if "layers" not in stated:
        if "style" not in stated:
            hint = ShotFile.model_fields["style"].description
            faults.append(Fault(message="style is missing", origin=tree.origin, hint=hint))
        return tree
    layers = stated["layers"]
    if layers.value == []:
        hint = "Write one below the other: - style: great-wave"
        faults.append(Fault(message="layers: expected at least one layer, found none", origin=layers.origin, hint=hint))
    if "style" in stated:
        style = stated["style"]
        message = "style: expected exactly one of style and layers, found both"
        hint = "Move it into a layer, - style: ... below layers."
        if style.partial:
            hint = "A list is replaced as a whole: set layers=[{style: ...}, ...], or change it in the file."
        faults.append(Fault(message=message, origin=style.key, hint=hint))
    if "matte" in stated:
        message = "matte: this goes with style only; each layer has a matte of its own"
        hint = "Move it into the layer that it is for."
        faults.append(Fault(message=message, origin=stated["matte"].key, hint=hint))
    _refuse_second_aovs(layers, faults)
    kept = {name: node for name, node in tree.value.items() if name != "style" or not node.partial}
    return replace(tree, value=kept)


def _refuse_second_aovs(layers: Node, faults: list[Fault]) -> None:
    """Channels of two layers would have the same names."""
    first: int | None = None
    for place, layer in enumerate(layers.value if isinstance(layers.value, list) else ()):
        style = layer.value.get("style") if isinstance(layer.value, dict) else None
        aovs = style.value.get("aovs") if style is not None and isinstance(style.value, dict) else None
        if aovs is None or not aovs.value:
            continue
        if first is not None:
            message = f"layers.{place}.style.aovs: only one layer can write its aovs, and layers.{first} does"
            hint = "Render the shot once more with its aovs, to another output."
            faults.append(Fault(message=message, origin=aovs.key, hint=hint))
        first = place if first is None else first
