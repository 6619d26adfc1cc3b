"""The styles to choose from, and their thumbnails: those that `tsn styles` listed last, else those of the add-on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy.utils.previews

from .shared import style_list, tsn_process

THUMBNAILS = Path(__file__).parent / "thumbnails"
DEFAULT_STYLE = "tarascon"
DEFAULT_PRESET = "oil"
_previews: Any = None


class Choice:
    """What an EnumProperty offers, by the thumbnails in a folder.

    Attributes:
        listed: the names that `tsn styles` listed last.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listed: list[str] = []
        self._items: list[tuple[str, str, str, int, int]] = []
        """Kept alive: Blender stores only pointers to the strings of an enum."""

    def offer(self, listed: list[str]) -> None:
        """Offer these names from now on; none: those of the thumbnails."""
        self.listed = listed
        self._items.clear()

    def names(self) -> list[str]:
        """All names, ascending."""
        return sorted(self.listed or [path.stem for path in self.folder.glob("*.png")])

    def enum_items(self) -> list[tuple[str, str, str, int, int]]:
        """The items of the EnumProperty: (identifier, name, description, icon, number)."""
        if not self._items:
            self._items.extend(
                (name, name.replace("-", " "), "", _icon(self.folder / f"{name}.png"), number)
                for number, name in enumerate(self.names())
            )
        return self._items

    def index_of(self, name: str) -> int:
        """The number of a name among the items; 0 where there is none of that name."""
        known = self.names()
        return known.index(name) if name in known else 0

    def name_at(self, index: int) -> str:
        """The name with this number."""
        return self.names()[index]


MODELS = Choice(THUMBNAILS)
PRESETS = Choice(THUMBNAILS / "strokes")


def load_names(command: str) -> style_list.StyleList:
    """Ask the command for its styles, and offer these from now on. Those that need a painting are left out.

    Raises:
        tsn_process.PluginError: it can't be started, fails, or is another program.
    """
    try:
        listed = style_list.read_list(tsn_process.run_command(command, "styles", "--json"))
    except (ValueError, KeyError, TypeError):
        raise tsn_process.PluginError(f"{command} is not the tsn command: it does not list styles.") from None
    MODELS.offer(listed.models)
    PRESETS.offer(listed.presets)
    return listed


def painting_icon(path: str) -> int:
    """The icon of a painting's thumbnail, or 0 where there is no such file."""
    return _icon(Path(path)) if path else 0


def unload() -> None:
    """Free the thumbnails, and forget what was listed."""
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
    _previews = None
    MODELS.offer([])
    PRESETS.offer([])


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
