"""The styles to pick from, with their thumbnails: what `tsn styles` told last, else those shipped with the add-on."""

import json
from pathlib import Path

import bpy.utils.previews

from . import command

THUMBNAILS = Path(__file__).parent / "thumbnails"
FIRST = "tarascon"
_told = []
_items = []  # Blender keeps only pointers to the strings of an enum
_previews = None


def ask(path):
    """The names that the command knows; they are picked from from now on. Raises command.Failed."""
    try:
        told = [one["name"] for one in json.loads(command.ask(path, "styles", "--json")) if one["family"] != "adain"]
    except (ValueError, KeyError, TypeError):
        raise command.Failed(f"{path} is not the tsn command: it does not list styles.") from None
    _told[:] = told
    _items.clear()
    return told


def names():
    """All names, ascending."""
    return sorted(_told or [path.stem for path in THUMBNAILS.glob("*.png")])


def items():
    """For an EnumProperty."""
    if not _items:
        _items.extend((one, one.replace("-", " "), "", _icon(one), number) for number, one in enumerate(names()))
    return _items


def number(name):
    """Of a style, or of the first where there is none of that name."""
    known = names()
    return known.index(name) if name in known else 0


def name(number):
    """Of a style's number."""
    return names()[number]


def forget():
    """Free the pictures."""
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
    _previews = None
    _items.clear()
    _told.clear()


def _icon(name):
    return _loaded(THUMBNAILS / f"{name}.png")


def painting_icon(path):
    """A painting's thumbnail, or 0 where there is none."""
    return _loaded(Path(path)) if path else 0


def _loaded(path):
    """A picture's icon; one that was changed on disk is read again. 0 where it is not there."""
    global _previews
    if not path.is_file():
        return 0
    key = f"{path} {path.stat().st_mtime_ns}"
    if _previews is None:
        _previews = bpy.utils.previews.new()
    if key not in _previews:
        _previews.load(key, str(path), "IMAGE")
    return _previews[key].icon_id
