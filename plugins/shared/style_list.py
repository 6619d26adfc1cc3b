"""What `tsn styles --json` lists, as the plug-ins offer it."""

from __future__ import annotations

import json
from typing import NamedTuple

OTHER_FAMILIES = ("adain", "strokes")
"""Families that are no models to choose by name: one needs a painting, the others are presets of brush strokes."""


class StyleList(NamedTuple):
    """The names of models and of presets of brush strokes."""

    models: list[str]
    presets: list[str]


def read_list(printed: str) -> StyleList:
    """The names in what the command printed. Raises ValueError, KeyError or TypeError where it is another program's."""
    families = {style["name"]: style["family"] for style in json.loads(printed)}
    return StyleList(
        models=[name for name, family in families.items() if family not in OTHER_FAMILIES],
        presets=[name for name, family in families.items() if family == "strokes"],
    )
