"""What a node draws, without a window: a layout that takes only what this Blender's own UILayout would."""

from __future__ import annotations

import bpy

UI = bpy.types.UILayout.bl_rna


class Asked:
    """The properties of a button's operator."""

    def __init__(self, operator):
        module, name = operator.split(".")
        rna = getattr(getattr(bpy.ops, module), name).get_rna_type()  # KeyError where there is no such operator
        object.__setattr__(self, "_known", set(rna.properties.keys()))

    def __setattr__(self, name, value):
        assert name in self._known, name
        object.__setattr__(self, name, value)


class Layout:
    """Attributes:
    drawn: (function, the text or property drawn) of all that was drawn, in order.
    """

    def __init__(self, drawn=None):
        object.__setattr__(self, "drawn", [] if drawn is None else drawn)

    def __setattr__(self, name, value):
        known = UI.properties[name]
        kinds = {"BOOLEAN": bool, "FLOAT": float}
        assert type(value) is kinds[known.type] if known.type in kinds else value in known.enum_items, (name, value)

    def __getattr__(self, name):
        if name not in UI.functions:
            raise AttributeError(name)
        return lambda *values, **named: self._call(UI.functions[name], values, named)

    def _call(self, function, values, named):
        inputs = [one for one in function.parameters if not one.is_output]
        given = dict(zip((one.identifier for one in inputs), values, strict=False)) | named
        assert len(values) <= len(inputs) and given.keys() <= {one.identifier for one in inputs}, (function, given)
        for one in inputs:
            assert not one.is_required or one.identifier in given, (function.identifier, one.identifier)
            if one.identifier in given and one.type == "ENUM":
                assert given[one.identifier] in one.enum_items, given
        for data, name in (("data", "property"), ("search_data", "search_property")):
            if data in given:
                assert given[name] in given[data].bl_rna.properties, given
        self.drawn.append((function.identifier, given.get("text") or given.get("property") or given.get("operator")))
        if function.identifier == "operator":
            return Asked(given["operator"])
        return Layout(self.drawn)
