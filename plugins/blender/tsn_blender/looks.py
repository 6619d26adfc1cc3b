"""What a data-block looks like: a hash of all that Blender's RNA tells of it; `unseen` is the short list of the rest.

Nothing here knows what a light or a modifier is: values are read, structs are gone into, and what a property points to
is looked at in turn. So what a new Blender, an engine or an artist's own property adds counts too.
A value that keys or a driver move is left out, since it is another one on each frame; the keys count in its place.
"""

import hashlib
import os
import re
from array import array
from typing import NamedTuple

import bpy

from . import compat, unseen

BY_NAME = ("Node", "NodeSocket", "Bone", "PoseBone", "ShapeKey", "ActionSlot", "BoneCollection", "ViewLayer")
"""Structs that belong to another one, which looks at them: a pointer to one says its name."""
CODES = {"BOOLEAN": "b", "INT": "i", "FLOAT": "f", "ENUM": "i"}
HOLDS_ITS_VALUE = ("NodeValue", "NodeRGB", "NodeNormal")
"""Nodes that have it in an output."""
EDITING = (".select", ".hide", ".uv_select", ".vs.", ".es.", ".pn.")
"""How attributes begin that say what is selected, hidden or pinned."""
MANY = 8
"""Items of one kind are read property by property from so many on: a mesh has millions of them."""
_plans = {}


class Property(NamedTuple):
    """What is needed of a property's RNA, which is gone when the add-on that made it is switched off."""

    name: str
    type: str
    length: int
    """Of an array; 0 where it is none."""
    flags: bool
    path: bool
    items: str
    """What a collection's items are."""


def hash_of(value):
    """Stable between sessions, unlike hash()."""
    return hashlib.sha256(repr(value).encode("utf-8", "backslashreplace")).hexdigest()[:16]


class Look:
    """One look at a data-block, or at a part of one.

    Attributes:
        block: the data-block it belongs to.
        engine: the engine that renders: the settings of others don't count.
        points_to: the data-blocks that it needs, which are to be looked at too; of a scene that nodes show one layer,
            as (scene or None for the own one, layer's name).
        inside: addresses of node trees that are a part of it.
    """

    def __init__(self, block, engine):
        self.block, self.engine = block, engine
        self.points_to, self.inside = [], []
        self._seen = {}
        self._moving = moving(block)

    def struct(self, one, *, but=()):
        """Its properties, as plain values; `but` are names of some that aren't wanted."""
        kind = one.bl_rna.identifier
        key = (one.as_pointer(), kind)
        if key in self._seen:
            return ("again", self._seen[key])
        self._seen[key] = len(self._seen)
        parts = [kind]
        for prop in _plan(one.bl_rna, self.engine):
            if prop.name not in but:
                found = self._value(one, prop)
                if found is not None:
                    parts.append((prop.name, found))
        if isinstance(one, bpy.types.NodeTree) and "nodes" not in but:
            parts.append(self._nodes(one.nodes))
        elif isinstance(one, bpy.types.Mesh):
            parts.append(_outside_of_attributes(one))
        elif isinstance(one, bpy.types.Object):
            parts.append(_weights(one))
        elif isinstance(one, bpy.types.Image):
            parts.append(self._picture(one))
        elif isinstance(one, bpy.types.ShapeKey) and len(one.data):
            parts.append(self._raw(one.data))
        return [*parts, *self._own_properties(one)]

    def node(self, one):
        """A node with its inputs: values, or what is linked to them."""
        sockets = list(one.inputs)
        if one.bl_idname.endswith(HOLDS_ITS_VALUE):
            sockets += one.outputs
        parts = []
        for socket in sockets:
            links = () if socket.is_output else socket.links
            linked = [
                (link.from_node.name, link.from_socket.identifier, link.from_socket.enabled, link.is_muted)
                for link in links
            ]
            value = None
            if hasattr(socket, "default_value") and all(link.is_muted for link in links):
                value = self._value(socket, _property(socket.bl_rna.properties["default_value"]))
            parts.append((socket.identifier, linked, value))
        if one.bl_idname == "CompositorNodeRLayers":
            self.points_to.append((one.scene, one.layer))
            return [one.bl_idname, one.name, one.mute, one.layer]
        return [one.bl_idname, self.struct(one), parts]

    def to(self, block):
        """A data-block that is pointed to."""
        if block is None or _a_result(block):
            return None
        if isinstance(block, bpy.types.NodeTree) and block.is_embedded_data:
            self.inside.append(block.as_pointer())
            self._moving |= moving(block)
            return self.struct(block)
        self.points_to.append(block)
        return called(block)

    def _nodes(self, nodes):
        """By name: their order is that in which they were selected last."""
        return [self.node(one) for one in sorted(nodes, key=lambda each: each.name) if one.bl_idname != "NodeFrame"]

    def _value(self, one, prop):
        moves = self._moving.get((one.as_pointer(), prop.name), ())
        if moves and not prop.length:
            return None
        try:
            value = getattr(one, prop.name)
        except (AttributeError, RuntimeError, ValueError, UnicodeDecodeError):  # there is none now
            return None
        if value is None:
            return None
        if prop.type == "POINTER":
            return self._pointer(value)
        if prop.type == "COLLECTION":
            return self._collection(value, prop)
        if prop.path:
            return stamp(value, one, self.block.library)
        value = plain(value)
        if moves and isinstance(value, list):
            value = [None if index in moves else each for index, each in enumerate(value)]
        return value

    def _pointer(self, value):
        if isinstance(value, bpy.types.ID):
            return self.to(value)
        if any(isinstance(value, getattr(bpy.types, kind)) for kind in BY_NAME if hasattr(bpy.types, kind)):
            return getattr(value, "name", "") or value.identifier
        return self.struct(value)

    def _collection(self, items, prop):
        count = len(items)
        if not count:
            return None
        first = items[0]
        if isinstance(first, bpy.types.Attribute):
            items = [one for one in items if not one.name.startswith(EDITING)]
            return [self.struct(one) for one in sorted(items, key=lambda each: each.name)]
        if count > MANY and first is not None and first.bl_rna.identifier == prop.items:
            return self._raw(items)
        return [self.to(one) if one is None or isinstance(one, bpy.types.ID) else self.struct(one) for one in items]

    def _raw(self, items):
        """Many structs of one kind."""
        count, kind = len(items), items[0].bl_rna
        moved = {name for _, name in self._moving}
        parts, singly = [kind.identifier, count], []
        for prop in _plan(kind, self.engine):
            read = None if prop.name in moved else _all_of(items, prop)
            if read is None:
                singly.append(prop)
            else:
                parts.append((prop.name, read))
        if singly:
            parts.append(hash_of([[self._value(one, prop) for prop in singly] for one in items]))
        return parts

    def _own_properties(self, one):
        """What artists and geometry nodes add to it."""
        if not isinstance(one, (bpy.types.ID, bpy.types.PoseBone, bpy.types.NodesModifier)):
            return []
        known = one.bl_rna.properties
        found = []
        for name in sorted(one.keys()):
            quoted = f'["{bpy.utils.escape_identifier(name)}"]'
            if name in known or name.startswith(("_", "cycles")) or (one.as_pointer(), quoted) in self._moving:
                continue
            value = one[name]
            found.append((name, self.to(value) if isinstance(value, bpy.types.ID) else plain(value)))
        return found

    def _picture(self, image):
        """What it holds that no file does."""
        packed = [hashlib.sha256(one.packed_file.data).hexdigest() for one in image.packed_files if one.packed_file]
        painted = None
        if image.is_dirty and len(image.pixels):
            values = array("f", bytes(4 * len(image.pixels)))
            image.pixels.foreach_get(values)
            painted = hashlib.sha256(values).hexdigest()
        return packed, painted


def _all_of(items, prop):
    """Hash of one property of many structs, or None where they must be asked one by one."""
    if prop.type not in CODES or prop.flags:
        return None
    if prop.length and len(getattr(items[0], prop.name)) != prop.length:
        return None
    code = CODES[prop.type]
    values = array(code, bytes(max(prop.length, 1) * len(items) * array(code).itemsize))
    try:
        items.foreach_get(prop.name, values)
    except (RuntimeError, TypeError, AttributeError):
        return None
    return hashlib.sha256(values).hexdigest()


def _outside_of_attributes(mesh):
    """Where the faces begin, which colours a shader takes, and which way normals were turned by hand."""
    parts = [getattr(mesh.attributes, "render_color_index", None)]
    for items, name in ((mesh.polygons, "loop_start"), (getattr(mesh, "corner_normals", ()), "vector")):
        by_hand = mesh.has_custom_normals and "custom_normal" not in mesh.attributes
        if len(items) and (name == "loop_start" or by_hand):
            parts.append(_all_of(items, _property(items[0].bl_rna.properties[name])))
    return parts


def _weights(one):
    """Hash of the vertex groups of a mesh: few have any, and the object knows."""
    if one.type != "MESH" or not one.vertex_groups:
        return None
    return hash_of([[(each.group, each.weight) for each in point.groups] for point in one.data.vertices])


def called(block):
    """Which data-block of the file it is."""
    return f"{block.bl_rna.identifier} {block.name_full}"


def _a_result(block):
    return isinstance(block, bpy.types.Image) and block.type in {"RENDER_RESULT", "COMPOSITING"}


def _plan(rna, engine):
    """The properties of a struct that count."""
    key = (rna.identifier, engine)
    if key not in _plans:
        identifiers, base = [], rna
        while base is not None:
            identifiers.append(base.identifier)
            base = base.base
        of_python = bool({"PropertyGroup", "Node"} & set(identifiers))
        _plans[key] = [
            _property(prop)
            for prop in rna.properties
            if unseen.counts(identifiers, prop, attributes=compat.ATTRIBUTES)
            and (of_python or _of_the_engine(prop, engine))
        ]
    return _plans[key]


def _property(prop):
    return Property(
        name=prop.identifier,
        type=prop.type,
        length=prop.array_length if getattr(prop, "is_array", False) else 0,
        flags=getattr(prop, "is_enum_flag", False),
        path=prop.type == "STRING" and prop.subtype in {"FILE_PATH", "FILE_NAME"},
        items=prop.fixed_type.identifier if prop.type == "COLLECTION" and prop.fixed_type else "",
    )


def forget():
    """The structs' properties may be others: an add-on was switched on or off."""
    _plans.clear()


def _of_the_engine(prop, engine):
    """Add-ons put settings into every struct; of the engines Blender comes with Cycles is one."""
    if prop.identifier == "eevee":
        return "EEVEE" in engine
    if prop.identifier == "display":
        return engine == "BLENDER_WORKBENCH"
    if not prop.is_runtime:
        return True
    if engine == "CYCLES":
        return prop.identifier.startswith("cycles")
    return not (engine.startswith("BLENDER_") or prop.identifier.startswith("cycles"))


def plain(value):
    """A property's value in types whose repr is the same in every session."""
    if isinstance(value, float):
        return value + 0.0  # no -0.0, which edit mode makes
    if isinstance(value, (str, int, bytes)) or value is None:
        return int(value) if isinstance(value, bool) else value  # Blender keeps some as numbers, in files only
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, bpy.types.ID):
        return called(value)
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if isinstance(value, dict):
        return sorted((str(name), plain(one)) for name, one in value.items())
    try:
        return [plain(one) for one in value]
    except TypeError:
        return str(type(value))


def moving(block):
    """(address of a struct, name of its property) -> indices that keys or a driver move."""
    data = getattr(block, "animation_data", None)
    found = {}
    for curve in compat.all_curves(data) if data else ():
        path = curve.data_path
        at = path.rfind('["') if path.endswith('"]') else path.rfind(".") + 1
        try:
            owner = block.path_resolve(path[:at].rstrip(".")) if path[:at] else block
            found.setdefault((owner.as_pointer(), path[at:]), set()).add(curve.array_index)
        except (ValueError, AttributeError):  # moves nothing, or what is gone
            continue
    return found


def stamp(path, owner, library):
    """A file that is used: name, size and time. Not its folder: projects are moved, and files saved elsewhere."""
    if not path:
        return None
    path = bpy.path.abspath(path, library=library)
    folder, name = os.path.split(path)
    if getattr(owner, "source", "") in {"SEQUENCE", "TILED"} or getattr(owner, "is_sequence", False):
        name = re.sub(r"\d+(?=\D*$)|<UDIM>|<UVTILE>", "#", name)
        like = re.compile(re.escape(name).replace(r"\#", "#").replace("#", r"-?\w+"))
        try:
            with os.scandir(folder) as entries:
                found = sorted((one.name, *_facts(one.stat())) for one in entries if like.fullmatch(one.name))
        except OSError:
            found = []
        return name, hash_of(found)
    try:
        return name, *_facts(os.stat(path))
    except OSError:
        return (name,)


def _facts(stat):
    return stat.st_size, stat.st_mtime_ns  # a second is long: tools write a texture twice in one
