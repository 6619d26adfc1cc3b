"""The styles to choose from, and their thumbnails: those that `tsn styles` listed last, else those of the add-on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy.utils.previews

from .shared import tsn_process

THUMBNAILS = Path(__file__).parent / "thumbnails"
DEFAULT_STYLE = "tarascon"
_listed: list[str] = []
"""What `tsn styles` listed."""
_items: list[tuple[str, str, str, int, int]] = []
"""Kept alive: Blender stores only pointers to the strings of an enum."""
_previews: Any = None


def load_names(command: str) -> list[str]:
    """Ask the command for its styles, and offer these from now on. Those that need a painting are left out.

    Raises:
        tsn_process.PluginError: it can't be started, fails, or is another program.
    """
    try:
        styles = json.loads(tsn_process.run_command(command, "styles", "--json"))
        listed = [style["name"] for style in styles if style["family"] not in ("adain", "strokes")]
    except (ValueError, KeyError, TypeError):
        raise tsn_process.PluginError(f"{command} is not the tsn command: it does not list styles.") from None
    _listed[:] = listed
    _items.clear()
    return listed


def names() -> list[str]:
    """The names of all styles, ascending."""
    return sorted(_listed or [path.stem for path in THUMBNAILS.glob("*.png")])


def enum_items() -> list[tuple[str, str, str, int, int]]:
    """The items of the node's EnumProperty: (identifier, name, description, icon, number)."""
    if not _items:
        _items.extend(
            (name, name.replace("-", " "), "", _icon(THUMBNAILS / f"{name}.png"), number)
            for number, name in enumerate(names())
        )
    return _items


def index_of(name: str) -> int:
    """The number of a style among the items; 0 where there is none of that name."""
    known = names()
    return known.index(name) if name in known else 0


def name_at(index: int) -> str:
    """The name of the style with this number."""
    return names()[index]


def painting_icon(path: str) -> int:
    """The icon of a painting's thumbnail, or 0 where there is no such file."""
    return _icon(Path(path)) if path else 0


def unload() -> None:
    """Free the thumbnails, and forget what was listed."""
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
    _previews = None
    _items.clear()
    _listed.clear()


def _icon(path: Path) -> int:
    """The icon of an image file, or 0 where there is none; a file that changed is read again."""
    global _previews
    if not path.is_file():
        return 0
    key = f"{path} {path.stat().st_mtime_ns}"
    if _previews is None:
        _previews = bpy.utils.previews.new()
    if key not in _previews:
        _previews.load(key, str(path), "IMAGE")
    return int(_previews[key].icon_id)
