"""Which properties of an RNA struct count for a digest of the render, and what is needed to read them.

No list of lights or modifiers: Blender's RNA says which properties there are, and `ignored_properties` which of them
can't change the render. So the properties of a new Blender, of a render engine or of an artist count too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import bpy

from . import compat, ignored_properties

_counted: dict[tuple[str, str], list[Property]] = {}
"""(struct's identifier, render engine) -> its properties that count."""


class Property(NamedTuple):
    """What is needed of a property's RNA, copied: the RNA goes when the add-on that registered it is switched off.

    Attributes:
        name: its identifier.
        type: its RNA type, such as FLOAT or POINTER.
        length: of an array; 0 where it is none.
        flags: whether it is an enum of several values.
        path: whether it names a file.
        items: the struct of a collection's items, or "".
    """

    name: str
    type: str
    length: int
    flags: bool
    path: bool
    items: str


def counted_properties(rna: bpy.types.Struct, engine: str) -> list[Property]:
    """The properties of a struct that can change what an engine renders."""
    key = (rna.identifier, engine)
    if key not in _counted:
        names, base = [], rna
        while base is not None:
            names.append(base.identifier)
            base = base.base
        defined_in_python = bool({"PropertyGroup", "Node"} & set(names))
        _counted[key] = [
            property_of(prop)
            for prop in rna.properties
            if ignored_properties.affects_render(names, prop, mesh_attributes=compat.MESH_ATTRIBUTES)
            and (defined_in_python or _belongs_to_engine(prop, engine))
        ]
    return _counted[key]


def property_of(prop: Any) -> Property:
    """A `bpy.types.Property` as a `Property`."""
    return Property(
        name=prop.identifier,
        type=prop.type,
        length=prop.array_length if getattr(prop, "is_array", False) else 0,
        flags=getattr(prop, "is_enum_flag", False),
        path=prop.type == "STRING" and prop.subtype in {"FILE_PATH", "FILE_NAME"},
        items=prop.fixed_type.identifier if prop.type == "COLLECTION" and prop.fixed_type else "",
    )


def clear_cache() -> None:
    """Read the structs' properties again: an add-on that was switched on or off changes them."""
    _counted.clear()


def _belongs_to_engine(prop: Any, engine: str) -> bool:
    """Whether a property is not another engine's. Engines add settings to many structs; Cycles is an add-on too."""
    if prop.identifier == "eevee":
        return "EEVEE" in engine
    if prop.identifier == "display":
        return engine == "BLENDER_WORKBENCH"
    if not prop.is_runtime:
        return True
    if engine == "CYCLES":
        return bool(prop.identifier.startswith("cycles"))
    return not (engine.startswith("BLENDER_") or prop.identifier.startswith("cycles"))
