"""Read a data-block as plain values, to be hashed: its properties, and the data-blocks that it refers to.

A value that keys or drivers animate is left out, since it differs from frame to frame; the keys count in its place.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection, Iterable
from typing import Any

import bpy

from .rna_properties import Property, counted_properties, property_of
from .rna_values import animated_properties, block_name, file_stamp, hash_of, plain_value

READ_BY_NAME = ("Node", "NodeSocket", "Bone", "PoseBone", "ShapeKey", "ActionSlot", "BoneCollection", "ViewLayer")
"""Structs that are part of another one and read with it: a pointer to one is read as its name."""
ARRAY_TYPES = {"BOOLEAN": "b", "INT": "i", "FLOAT": "f", "ENUM": "i"}
"""RNA type -> type code for `array` and foreach_get."""
VALUE_IN_OUTPUT = ("NodeValue", "NodeRGB", "NodeNormal")
"""Nodes whose value is in an output socket."""
EDITING_ATTRIBUTES = (".select", ".hide", ".uv_select", ".vs.", ".es.", ".pn.")
"""How the names of attributes begin that store what is selected, hidden or pinned."""
MAX_ITEMS_READ_SINGLY = 8
"""Longer collections are read property by property: a mesh has millions of vertices."""


class DataBlockReader:
    """Reads one data-block.

    Attributes:
        block: the data-block.
        engine: the engine that renders; the settings of other engines are left out.
        points_to: the data-blocks that it needs, to be read too; a view layer that a node shows is in there as
            (scene, or None for the node's own; name of the layer).
        inside: addresses of the node trees that are part of it.
    """

    def __init__(self, block: bpy.types.ID, engine: str) -> None:
        self.block, self.engine = block, engine
        self.points_to: list[Any] = []
        self.inside: list[int] = []
        self._seen: dict[tuple[int, str], int] = {}
        self._animated = animated_properties(block)

    def read_struct(self, struct: Any, *, skip: Collection[str] = ()) -> Any:
        """The struct's properties as plain values, without those named in `skip`."""
        kind = struct.bl_rna.identifier
        key = (struct.as_pointer(), kind)
        if key in self._seen:
            return ("again", self._seen[key])
        self._seen[key] = len(self._seen)
        parts = [kind]
        for prop in counted_properties(struct.bl_rna, self.engine):
            if prop.name not in skip:
                value = self._value(struct, prop)
                if value is not None:
                    parts.append((prop.name, value))
        if isinstance(struct, bpy.types.NodeTree) and "nodes" not in skip:
            parts.append(self._nodes(struct.nodes))
        elif isinstance(struct, bpy.types.Mesh):
            parts.append(_mesh_beside_attributes(struct))
        elif isinstance(struct, bpy.types.Object):
            parts.append(_vertex_weights(struct))
        elif isinstance(struct, bpy.types.Image):
            parts.append(self._unsaved_pixels(struct))
        elif isinstance(struct, bpy.types.ShapeKey) and len(struct.data):
            parts.append(self._many(struct.data))
        return [*parts, *self._custom_properties(struct)]

    def read_node(self, node: bpy.types.Node) -> Any:
        """A node with its input sockets: each one's value, or the socket that is linked to it."""
        sockets = list(node.inputs)
        if node.bl_idname.endswith(VALUE_IN_OUTPUT):
            sockets += node.outputs
        parts = []
        for socket in sockets:
            links = () if socket.is_output else socket.links
            linked = [
                (link.from_node.name, link.from_socket.identifier, link.from_socket.enabled, link.is_muted)
                for link in links
            ]
            value = None
            if hasattr(socket, "default_value") and all(link.is_muted for link in links):
                value = self._value(socket, property_of(socket.bl_rna.properties["default_value"]))
            parts.append((socket.identifier, linked, value))
        if node.bl_idname == "CompositorNodeRLayers":
            self.points_to.append((node.scene, node.layer))
            return [node.bl_idname, node.name, node.mute, node.layer]
        return [node.bl_idname, self.read_struct(node), parts]

    def read_pointer(self, block: bpy.types.ID | None) -> Any:
        """A data-block that a property points to: its name, or its content where it is part of this data-block."""
        if block is None or _is_render_result(block):
            return None
        if isinstance(block, bpy.types.NodeTree) and block.is_embedded_data:
            self.inside.append(block.as_pointer())
            self._animated |= animated_properties(block)
            return self.read_struct(block)
        self.points_to.append(block)
        return block_name(block)

    def _nodes(self, nodes: Iterable[bpy.types.Node]) -> list[Any]:
        """Nodes in the order of their names: Blender's own order changes with the selection."""
        ordered = sorted(nodes, key=lambda node: node.name)
        return [self.read_node(node) for node in ordered if node.bl_idname != "NodeFrame"]

    def _value(self, struct: Any, prop: Property) -> Any:
        animated = self._animated.get((struct.as_pointer(), prop.name), ())
        if animated and not prop.length:
            return None
        try:
            value = getattr(struct, prop.name)
        except (AttributeError, RuntimeError, ValueError, UnicodeDecodeError):  # has no value at present
            return None
        if value is None:
            return None
        if prop.type == "POINTER":
            return self._pointer(value)
        if prop.type == "COLLECTION":
            return self._collection(value, prop)
        if prop.path:
            return file_stamp(value, struct, self.block.library)
        value = plain_value(value)
        if animated and isinstance(value, list):
            value = [None if index in animated else item for index, item in enumerate(value)]
        return value

    def _pointer(self, value: Any) -> Any:
        if isinstance(value, bpy.types.ID):
            return self.read_pointer(value)
        if any(isinstance(value, getattr(bpy.types, kind)) for kind in READ_BY_NAME if hasattr(bpy.types, kind)):
            return getattr(value, "name", "") or value.identifier
        return self.read_struct(value)

    def _collection(self, items: Any, prop: Property) -> Any:
        count = len(items)
        if not count:
            return None
        first = items[0]
        if isinstance(first, bpy.types.Attribute):
            kept = [item for item in items if not item.name.startswith(EDITING_ATTRIBUTES)]
            return [self.read_struct(item) for item in sorted(kept, key=lambda item: item.name)]
        if count > MAX_ITEMS_READ_SINGLY and first is not None and first.bl_rna.identifier == prop.items:
            return self._many(items)
        return [
            self.read_pointer(item) if item is None or isinstance(item, bpy.types.ID) else self.read_struct(item)
            for item in items
        ]

    def _many(self, items: Any) -> list[Any]:
        """Many structs of one kind, property by property."""
        count, rna = len(items), items[0].bl_rna
        animated = {name for _, name in self._animated}
        parts, singly = [rna.identifier, count], []
        for prop in counted_properties(rna, self.engine):
            values = None if prop.name in animated else _hash_of_all(items, prop)
            if values is None:
                singly.append(prop)
            else:
                parts.append((prop.name, values))
        if singly:
            parts.append(hash_of([[self._value(item, prop) for prop in singly] for item in items]))
        return parts

    def _custom_properties(self, struct: Any) -> list[Any]:
        """The properties that artists and geometry nodes add to a struct."""
        if not isinstance(struct, (bpy.types.ID, bpy.types.PoseBone, bpy.types.NodesModifier)):
            return []
        registered = struct.bl_rna.properties
        values = []
        for name in sorted(struct.keys()):
            key = f'["{bpy.utils.escape_identifier(name)}"]'
            if name in registered or name.startswith(("_", "cycles")) or (struct.as_pointer(), key) in self._animated:
                continue
            value = struct[name]
            values.append((name, self.read_pointer(value) if isinstance(value, bpy.types.ID) else plain_value(value)))
        return values

    def _unsaved_pixels(self, image: bpy.types.Image) -> tuple[list[str], str | None]:
        """Hashes of the packed files, and of pixels that were painted in Blender and not saved."""
        packed = [hashlib.sha256(file.packed_file.data).hexdigest() for file in image.packed_files if file.packed_file]
        painted = None
        if image.is_dirty and len(image.pixels):
            values = array("f", bytes(4 * len(image.pixels)))
            image.pixels.foreach_get(values)
            painted = hashlib.sha256(values).hexdigest()
        return packed, painted


def _hash_of_all(items: Any, prop: Property) -> str | None:
    """Hash of one property of many structs; None where each must be read by itself."""
    if prop.type not in ARRAY_TYPES or prop.flags:
        return None
    if prop.length and len(getattr(items[0], prop.name)) != prop.length:
        return None
    code = ARRAY_TYPES[prop.type]
    values = array(code, bytes(max(prop.length, 1) * len(items) * array(code).itemsize))
    try:
        items.foreach_get(prop.name, values)
    except (RuntimeError, TypeError, AttributeError):
        return None
    return hashlib.sha256(values).hexdigest()


def _mesh_beside_attributes(mesh: bpy.types.Mesh) -> list[Any]:
    """What a mesh's attributes don't store: where faces begin, the colours to render, and custom normals."""
    parts = [getattr(mesh.attributes, "render_color_index", None)]
    corner_normals: Any = getattr(mesh, "corner_normals", ())  # missing in old versions of Blender
    for items, name in ((mesh.polygons, "loop_start"), (corner_normals, "vector")):
        custom_normals = mesh.has_custom_normals and "custom_normal" not in mesh.attributes
        if len(items) and (name == "loop_start" or custom_normals):
            parts.append(_hash_of_all(items, property_of(items[0].bl_rna.properties[name])))
    return parts


def _vertex_weights(owner: bpy.types.Object) -> str | None:
    """Hash of a mesh object's vertex weights; None where it has no vertex groups, as most have none."""
    if owner.type != "MESH" or not owner.vertex_groups:
        return None
    return hash_of([[(entry.group, entry.weight) for entry in vertex.groups] for vertex in owner.data.vertices])


def _is_render_result(block: bpy.types.ID) -> bool:
    return isinstance(block, bpy.types.Image) and block.type in {"RENDER_RESULT", "COMPOSITING"}
