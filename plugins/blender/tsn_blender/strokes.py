"""The settings of a node whose style is brush strokes.

Its numbers can be keyed and driven: their keys belong to the inner tree, as the settings do, and go into the shot file.
"""
# Blender reads properties from annotations, so these must not become strings: no `from __future__ import annotations`.
# mypy: disable-error-code="valid-type"

import math
from collections.abc import Sequence
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, FloatVectorProperty, IntProperty, StringProperty

from . import compat, plate_export, rna_values, styles, upstream_digest
from .shared.stroke_style import DESCRIPTIONS, LAYERS, NUMBERS, StrokeStyle

STATIC: dict[str, set[str]] = {"options": set()}
PATH = {"options": compat.RELATIVE_PATH}
DATA_PATH = "tsn.strokes."
"""How the data paths of these settings begin, from the inner tree."""


def _preset_items(self: Any, context: bpy.types.Context) -> list[tuple[str, str, str, int, int]]:
    return styles.PRESETS.enum_items()


def _get_preset(self: Any) -> int:
    return styles.PRESETS.index_of(self.preset_name)


def _set_preset(self: Any, index: int) -> None:
    self.preset_name = styles.PRESETS.name_at(index)


def _number(name: str, *, convert: Any = float) -> dict[str, Any]:
    """The arguments of the property of a number."""
    default, low, high = (convert(value) for value in NUMBERS[name])
    return {
        "name": name.capitalize(),
        "description": DESCRIPTIONS[name],
        "default": default,
        "min": low,
        "max": high,
    }


class TSNStrokeSettings(bpy.types.PropertyGroup):
    """What a node shows for brush strokes."""

    preset_name: StringProperty(default=styles.DEFAULT_PRESET, **STATIC)
    preset: EnumProperty(name="Preset", items=_preset_items, get=_get_preset, set=_set_preset, **STATIC)
    file: StringProperty(
        name="Own preset", subtype="FILE_PATH", description="A .yaml file, instead of the preset above", **PATH
    )
    palette: StringProperty(
        name="Palette", subtype="FILE_PATH", description="A painting to take colours from; empty: the plate's", **PATH
    )
    size: FloatProperty(**_number("size"))
    detail: FloatProperty(**_number("detail"))
    length: FloatProperty(**_number("length"))
    density: FloatProperty(**_number("density"))
    opacity: FloatProperty(**_number("opacity"))
    jitter: FloatProperty(**_number("jitter"))
    own_relief: BoolProperty(name="Own relief", description="Instead of the preset's", **STATIC)
    relief: FloatProperty(**_number("relief"))
    light: FloatProperty(subtype="ANGLE", **_number("light", convert=math.radians))
    hold: IntProperty(**_number("hold", convert=int))
    ground: EnumProperty(
        name="Ground",
        description="What shows between the strokes",
        items=[
            ("PRESET", "Preset's", "As the preset has it"),
            ("PAINT", "Paint", "Colour of the coarsest strokes"),
            ("PLATE", "Plate", "The plate"),
            ("NONE", "None", "Nothing: alpha is 0 there"),
            ("COLOUR", "Colour", "A colour, such as a paper's"),
        ],
        **STATIC,
    )
    ground_colour: FloatVectorProperty(
        name="Colour of the ground", subtype="COLOR_GAMMA", default=(0.957, 0.937, 0.894), min=0, max=1, **STATIC
    )
    borders: BoolProperty(
        name="Keep to objects",
        description="No stroke crosses from one object to another, by Cryptomatte, where the scene renders it",
        **STATIC,
    )
    surface: EnumProperty(
        name="Surface",
        description="A pass by which strokes stay where they are on a surface; it is rendered for the export",
        items=[
            ("NONE", "None", "Strokes follow the motion alone"),
            ("UV", "UV", "For what moves or bends, and is unwrapped without overlaps"),
            ("POSITION", "Position", "For what stands still before a moving camera"),
        ],
        **STATIC,
    )
    layers: EnumProperty(
        name="Layers",
        description="Layers of the paint to write beside it, in the painted files",
        items=[(name, name.replace("_", " ").capitalize(), "") for name in LAYERS],
        options={"ENUM_FLAG"},
    )

    def palette_path(self) -> str:
        """The absolute path of the palette, or ""."""
        return compat.absolute_path(self.palette)

    def style_argument(self) -> str:
        """The preset as the shot file has it."""
        return compat.absolute_path(self.file) or self.preset_name

    def style(
        self, scene: bpy.types.Scene, frames: Sequence[int], *, ids: str | None, surface: str | None
    ) -> StrokeStyle:
        """All beside the preset, for the shot file.

        Args:
            scene: whose frame is changed meanwhile, where a number is driven.
            frames: the frames at which numbers are read.
            ids, surface: the layers in the plate.
        """
        ground = {"PRESET": None, "COLOUR": _hexadecimal(self.ground_colour)}.get(self.ground, self.ground.lower())
        return StrokeStyle(
            numbers=_numbers_at(self, scene, frames),
            palette=self.palette_path() or "plate",
            ground=ground,
            ids=ids,
            surface=surface,
            aovs=[name for name in LAYERS if name in self.layers],
        )

    def paint_key(self, engine: str) -> tuple[Any, ...]:
        """Every setting that the paint depends on; of a number that is animated, its keys and drivers."""
        animated = {curve.data_path for curve in _curves(self)}
        numbers = [getattr(self, name) for name in _names(self) if DATA_PATH + name not in animated]
        return (
            rna_values.file_stamp(self.file, self, None) or self.preset_name,
            rna_values.file_stamp(self.palette, self, None),
            numbers,
            upstream_digest.digest_curves(self.id_data, _curves(self), engine),
            self.ground,
            list(self.ground_colour) if self.ground == "COLOUR" else None,
            self.borders,
            self.surface,
            sorted(self.layers),
        )


def _names(strokes: TSNStrokeSettings) -> list[str]:
    """The numbers that count."""
    return [name for name in NUMBERS if name != "relief" or strokes.own_relief]


def _curves(strokes: TSNStrokeSettings) -> list[Any]:
    """All F-curves that animate a number that counts."""
    data = strokes.id_data.animation_data
    paths = {DATA_PATH + name for name in _names(strokes)}
    return [curve for curve in compat.all_curves(data) if curve.data_path in paths] if data else []


def _numbers_at(
    strokes: TSNStrokeSettings, scene: bpy.types.Scene, frames: Sequence[int]
) -> dict[str, dict[int, float]]:
    """Each number at each frame. Keys are read from their curves; for drivers and NLA strips the frame is set."""
    numbers = {name: dict.fromkeys(frames, _plain(name, getattr(strokes, name))) for name in _names(strokes)}
    keyed = {curve.data_path: curve for curve in compat.curves(strokes.id_data)}
    stepped = []
    for curve in _curves(strokes):
        name = curve.data_path[len(DATA_PATH) :]
        if curve != keyed.get(curve.data_path):
            stepped.append(name)
        elif not curve.mute:
            numbers[name] = {frame: _plain(name, curve.evaluate(frame)) for frame in frames}
    if stepped:
        with plate_export.current_frame(scene, frames[0]):
            for frame in frames:
                scene.frame_set(frame)
                for name in stepped:
                    numbers[name][frame] = _plain(name, getattr(strokes, name))
    return numbers


def _plain(name: str, value: float) -> float:
    """A number as the shot file has it: angles in degrees, and within its range, where Blender keeps properties too."""
    _, low, high = NUMBERS[name]
    return min(max(math.degrees(value) if name == "light" else value, low), high)


def _hexadecimal(colour: Sequence[float]) -> str:
    return "#" + "".join(f"{round(255 * value):02x}" for value in colour)
