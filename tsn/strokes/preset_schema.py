"""A preset's file as pydantic checks it: the dataclasses of `preset`, with what a file writes in another way."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, Discriminator, Field, PlainValidator, Tag, create_model, model_validator
from pydantic_core import PydanticCustomError

from tsn.errors import InputError, near_miss
from tsn.io.hashing import sha256_of
from tsn.strokes.preset import DrawnBrush, Layer, Preset, ScannedBrush

GROUNDS = ("paint", "plate", "none")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


_MODELS: dict[type[BaseModel], type] = {}
"""The pydantic models made so far, with their dataclasses."""


def _model(cls: type, base: type[BaseModel] = _Section, **of_file: Any) -> type[BaseModel]:
    """The pydantic model of a dataclass; `of_file` are the types of keys that a file writes in another way."""
    hints = get_type_hints(cls, include_extras=True) | of_file
    keys: dict[str, Any] = {
        each.name: (hints[each.name], ... if each.default is MISSING else each.default) for each in fields(cls)
    }
    made: type[BaseModel] = create_model(cls.__name__, __base__=base, **keys)
    _MODELS[made] = cls
    return made


def _fault(expected: str, hint: str | None = None, at: str | None = None) -> PydanticCustomError:
    """An error that says what was expected; `at` is a key below the value that was validated."""
    # Pydantic formats messages by braces, and ours may contain braces.
    return PydanticCustomError("tsn", "{expected}", {"expected": expected, "hint": hint, "at": at})


def _read_colour(value: Any, words: Sequence[str] = ()) -> Any:
    if isinstance(value, str) and (match := re.fullmatch("#([0-9a-fA-F]{6})", value)):
        return tuple(int(match[1][at : at + 2], 16) / 255 for at in (0, 2, 4))
    if value in words:
        return value
    if isinstance(value, list) and len(value) == 3 and all(type(each) in (int, float) for each in value):
        return tuple(float(each) for each in value)
    hint = near_miss(value, words) if isinstance(value, str) else None
    if value is None:
        hint = 'A colour needs quotes: "#f4efe4"; without them YAML takes it for a comment.'
    raise _fault(
        f'{", ".join((*words, ""))}{"or " if words else ""}a colour such as "#f4efe4" or [0.9, 0.9, 0.8]', hint
    )


def read_ground(value: Any) -> Any:
    """The `Ground` that a file writes. Raises PydanticCustomError for anything else."""
    return _read_colour(value, GROUNDS)


def _read_names(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise _fault("the name of a picture, or a list of them")
    return tuple(names)


_Names = Annotated[Any, PlainValidator(_read_names)]
DRAWN, SCANNED = "drawn", "scanned"
"""Tags of the two kinds of brush; pydantic names them in the place of a fault."""


class _WithBrush(_Section):
    brush_height: _Names | None = Field(default=None, description="Pictures of the thickness of a scanned brush.")

    @model_validator(mode="after")
    def _check_heights(self) -> _WithBrush:
        masks = getattr(self, "brush", None)
        count = len(masks) if isinstance(masks, tuple) else 0
        if self.brush_height is not None and len(self.brush_height) != count:
            raise _fault(f"as many pictures as brush has, {count}", at="brush_height")
        return self


class _LayerBase(_WithBrush):
    @model_validator(mode="after")
    def _check_ramps(self) -> _LayerBase:
        keys: Any = self
        if keys.high <= keys.low:
            raise _fault(f"a number, more than low, {keys.low:g}", at="high")
        if keys.tones is not None and keys.tones[0] == keys.tones[1]:
            raise _fault("two different tones", at="tones")
        return self


DRAWN_BRUSH = _model(DrawnBrush)
_BRUSH = Annotated[
    Annotated[DRAWN_BRUSH, Tag(DRAWN)] | Annotated[_Names, Tag(SCANNED)],  # type: ignore[valid-type]  # made at run time
    Discriminator(lambda value: DRAWN if isinstance(value, dict | DrawnBrush) else SCANNED),
]
LAYER = _model(Layer, _LayerBase, brush=_BRUSH | None)
PRESET = _model(
    Preset,
    _WithBrush,
    layers=Annotated[tuple[LAYER, ...], MinLen(1)],  # type: ignore[valid-type]  # made at run time
    brush=_BRUSH,
    pigment=Annotated[Any, PlainValidator(_read_colour)] | None,
    ground=Annotated[Any, PlainValidator(read_ground)],
)


def build(value: Any, folder: Path) -> Any:
    """The dataclass of a checked model, and of those in it; pictures are looked for in `folder`.

    Raises:
        InputError: the picture of a brush can't be read.
    """
    if isinstance(value, tuple):
        return tuple(build(item, folder) for item in value)
    if type(value) not in _MODELS:
        return value
    keys = {each.name: build(getattr(value, each.name), folder) for each in fields(_MODELS[type(value)])}
    if isinstance(value, _WithBrush) and isinstance(keys["brush"], tuple):
        keys["brush"] = scanned_brushes(keys["brush"], value.brush_height, folder=folder)
    return _MODELS[type(value)](**keys)


def scanned_brushes(
    masks: Sequence[str], heights: Sequence[str] | None = None, *, folder: Path = Path()
) -> tuple[ScannedBrush, ...]:
    """Scanned brushes of pictures in a folder; as many heights as masks, or none.

    Raises:
        InputError: a picture is not there, or can't be read.
    """
    found = []
    for index, name in enumerate(masks):
        paths = [folder / os.path.expanduser(each) for each in (name, *([heights[index]] if heights else []))]
        try:
            content = " ".join(sha256_of(path) for path in paths)
        except OSError as error:
            raise InputError(
                f"Cannot read the picture of a brush {error.filename}: {error.strerror}.",
                hint="A relative path is relative to the file that names it.",
            ) from error
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        found.append(ScannedBrush(mask=paths[0], height=paths[1] if heights else None, sha256=sha256))
    return tuple(found)
