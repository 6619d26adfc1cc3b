"""The types of the values in a shot file, for pydantic, with the message for each value that is refused.

`tsn.shot.model` says which keys there are, and names the kind of each value; a type here stands for the kind of the
same name.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from tsn.errors import UsageError
from tsn.shot.curves import Curve, Interp
from tsn.shot.hints import QUOTES, decimal_comma_hint, number_hint, yaml_text
from tsn.shot.model import LAST_FRAME, PAINTING

MODEL_FILE = re.compile(r"\.(safetensors|onnx(:[0-9]+)?)\Z", re.IGNORECASE)
"""The end of a weight file's name; `:19` picks one style of an ONNX net with several."""
PRESET_FILE = re.compile(r"\.ya?ml\Z", re.IGNORECASE)
"""The end of the name of an artist's own preset of strokes."""
MAX_HOLD = 24
"""Frames that a painting may be held for."""
INVISIBLE_JOINERS = "\u00ad\u200c\u200d"
"""Invisible, but part of how some languages are written."""
UNUSUAL_SPACES = re.compile(r"[^\S ]")
"""Spaces other than the plain one."""


def fault(message: str, *, at: str | None = None, hint: str | None = None) -> PydanticCustomError:
    """An error whose message `load` shows unchanged; `at` is a key below the value that was validated."""
    # Pydantic formats messages by braces, and ours may contain braces.
    return PydanticCustomError("tsn", "{message}", {"message": message, "at": at, "hint": hint})


@contextmanager
def _as_fault() -> Iterator[None]:
    """Turns a UsageError of another module into a `fault`, which gets its place in the file."""
    try:
        yield
    except UsageError as error:
        raise fault(str(error), hint=error.hint) from None


def _check_readable(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise fault(f"expected one line of text, found {text!r}")
    spaces = "".join(UNUSUAL_SPACES.findall(text))
    invisible = {each for each in text if unicodedata.category(each) == "Cf"} - set(INVISIBLE_JOINERS)
    quoted = len(text) > 1 and text[0] in QUOTES and text[-1] in QUOTES
    if invisible or quoted or text.strip(spaces) != text:
        what = "typographic quotes" if quoted else "spaces that nobody sees"
        plain = "".join(each for each in text if each not in invisible).strip(spaces + QUOTES * quoted)
        raise fault(f"expected plain text, found {what}: {text!a}", hint=f"Type it anew: {plain}")
    return text


def model_name(text: str) -> str:
    """The name of a bundled style or of a file, unchanged; raises a `fault` for anything else."""
    if ("." in text or "/" in text) and not MODEL_FILE.search(text):
        raise fault(
            f"expected the name of a bundled style, or a .safetensors or .onnx file, found {text!r}",
            hint="`tsn styles` lists the bundled ones.",
        )
    if not MODEL_FILE.search(text):
        from tsn.style.catalogue import require_bundled

        with _as_fault():
            require_bundled(text)
    return text


def _preset_name(text: str) -> str:
    """The name of a preset of strokes or of a .yaml file, unchanged."""
    if not PRESET_FILE.search(text):
        from tsn.strokes.preset_file import require_preset

        with _as_fault():
            require_preset(text)
    return text


def _ground(text: str) -> str:
    if text not in ("paint", "plate", "none") and not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        raise fault(f"expected paint, plate, none or a colour such as '#f4efe4', found {text!r}")
    return text


def _file_list(value: Any) -> Any:
    """One file as a list of one."""
    return [value] if isinstance(value, str) else value


def _ramp(value: Any) -> tuple[tuple[float, float], ...]:
    """Pairs of a channel's value and the factor there, by rising values."""
    expected = "pairs of a value and its factor, such as [[2, 1.5], [30, 0.5]]"
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise fault(f"expected {expected}, found {yaml_text(value)}")
    pairs = [
        (_number(at, low=-1e9, high=1e9, at=None), _number(factor, low=0.25, high=4, at=None)) for at, factor in value
    ]
    if any(b[0] <= a[0] for a, b in pairwise(pairs)):
        raise fault(f"expected values that rise, found {', '.join(f'{at:g}' for at, _ in pairs)}")
    return tuple(pairs)


def _hold(value: Any) -> Curve:
    curve = _curve(value, low=1, high=MAX_HOLD)
    for _, frames in curve.keys:
        if frames != int(frames):
            raise fault(f"expected a number of frames, found {frames:g}")
    return curve


def _space(text: str) -> str:
    if text.lower() != "auto":  # auto is resolved from the plate's header
        from tsn.ocio import find_space

        with _as_fault():
            find_space(text)
    return text


def _frame_range(value: Any) -> Any:
    text = str(value) if type(value) is int else value
    if isinstance(text, str):
        from tsn import frames

        with _as_fault():
            frames.parse(text)
    return text


def _cuts(value: Any) -> Literal["auto"] | tuple[int, ...]:
    if value == "auto":
        return "auto"
    if not isinstance(value, list) or not all(type(frame) is int for frame in value):
        numbers = re.fullmatch(r"-?[0-9]+(?:[\s,]+-?[0-9]+)*", str(value))
        hint = f"Write [{', '.join(re.findall(r'-?[0-9]+', str(value)))}]." if numbers else None
        expected = "auto, or a list of frame numbers such as [1017, 1043]"
        raise fault(f"expected {expected}, found {yaml_text(value)}", hint=hint)
    return tuple(sorted(set(value)))


def _paintings(value: Any) -> Any:
    """Paintings as a mapping to weights, from one painting, a list of them, or such a mapping."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value, 1.0)
    if not isinstance(value, Mapping) or not value:
        expected = "a painting, a list of them, or their weights {a.png: 0.7, b.png: 0.3}"
        raise fault(f"expected {expected}, found {yaml_text(value)}")
    return value


KEY_SUFFIXES = (".exr", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
"""Formats of a key."""


def _keys(value: Any) -> dict[str, str]:
    """Files by frame, or one painting."""
    if not isinstance(value, Mapping) or not value:
        expected = "frames and their files, {1001: keys/sh010.1001.png}, or {painting: night_cafe.png}"
        raise fault(f"expected {expected}, found {yaml_text(value)}")
    found: dict[str, str] = {}
    for key, file in value.items():
        if not isinstance(file, str) or not file:
            raise fault(f"expected a file, found {yaml_text(file)}", at=key)
        _check_readable(file)
        if key == PAINTING:
            if len(value) > 1:
                raise fault("a painting stands alone: tsn chooses the frames", at=key)
            return {PAINTING: file}
        if not re.fullmatch(r"-?[0-9]{1,10}", key) or abs(int(key)) > LAST_FRAME:
            raise fault(f"expected a frame number, found {key!r}", at=key)
        if str(int(key)) in found:
            raise fault(f"frame {int(key)} has two keys", at=key)
        if not file.lower().endswith(KEY_SUFFIXES):
            raise fault(f"expected a file in PNG, TIFF, JPEG or EXR, found {file!r}", at=key)
        found[str(int(key))] = file
    return {frame: found[frame] for frame in sorted(found, key=int)}


def _duration(value: Any) -> float:
    """Seconds, of a text such as 90s, 12m or 1h."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([smh])", value) if isinstance(value, str) else None
    if match is None or not 0 < float(match[1]) < 1e6:
        hint = f"Write {value:g}m for minutes." if type(value) in (int, float) and value > 0 else None
        raise fault(f"expected a time such as 90s, 12m or 1h, found {yaml_text(value)}", hint=hint)
    return float(match[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[match[2]]


def written_duration(seconds: float) -> str:
    """A time as a file would write it."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _curve(value: Any, *, low: float, high: float) -> Curve:
    """A curve from a number, or from {frame: number, ..., interp: linear|hold|smooth}."""
    if not isinstance(value, Mapping):
        return Curve.constant(_number(value, low=low, high=high, at=None))
    interp: Interp = value.get("interp", "linear")
    if interp not in list(get_args(Interp)):  # a list, since the value may not be hashable
        found = repr(interp) if isinstance(interp, str) else yaml_text(interp)
        raise fault(f"expected 'linear', 'hold' or 'smooth', found {found}", at="interp")
    keys: dict[int, float] = {}
    for key, item in value.items():
        if key == "interp":
            continue
        if re.fullmatch(r"-?[0-9]+:[-+.0-9]+", key):
            raise fault(f"{key!r} is no frame number", at=key, hint=number_hint(key))
        if not re.fullmatch(r"-?[0-9]{1,10}", key) or abs(int(key)) > LAST_FRAME:
            hint = "A key is one frame, such as {1001: 0.2, 1040: 0.8}."
            raise fault(f"expected a frame number or interp, found {key!r}", at=key, hint=hint)
        if int(key) in keys:
            raise fault(f"frame {int(key)} has two keys", at=key)
        if item is None and (comma := decimal_comma_hint(key, value)):
            raise fault("expected a number, found nothing", at=key, hint=comma)
        keys[int(key)] = _number(item, low=low, high=high, at=key)
    if not keys:
        raise fault("expected at least one keyframe, such as {1001: 0.5}")
    if len(keys) == 1:
        return Curve.constant(next(iter(keys.values())))
    return Curve(keys=tuple(sorted(keys.items())), interp=interp)


def _number(value: Any, *, low: float, high: float, at: str | None) -> float:
    if type(value) not in (int, float):
        expected = "a number" if at else "a number, or keyframes such as {1001: 0.2, 1040: 0.8}"
        hint = number_hint(value) if isinstance(value, str) else None
        raise fault(f"expected {expected}, found {yaml_text(value)}", at=at, hint=hint)
    if not math.isfinite(value) or not low <= value <= high:
        raise fault(f"expected a number from {low:g} to {high:g}, found {value}", at=at)
    return float(value)


def _curve_schema(low: float, high: float) -> dict[str, Any]:
    number = {"type": "number", "minimum": low, "maximum": high}
    return {
        "anyOf": [
            number,
            {
                "type": "object",
                "description": "Keyframes: frame number to value, held before the first and after the last.",
                "properties": {
                    "interp": {
                        "enum": list(get_args(Interp)),
                        "default": "linear",
                        "description": "What happens between two keys.",
                    }
                },
                "patternProperties": {"^-?[0-9]+$": number},
                "additionalProperties": False,
            },
        ]
    }


# In JSON only, where the schema shows the defaults of whole sections; `load` takes the curve itself.
_WRITTEN = PlainSerializer(Curve.to_yaml, when_used="json")
Text = Annotated[str, StringConstraints(min_length=1), AfterValidator(_check_readable)]
Space = Annotated[Text, AfterValidator(_space)]
ModelName = Annotated[Text, AfterValidator(model_name)]
FrameRange = Annotated[Text, BeforeValidator(_frame_range), WithJsonSchema({"type": ["string", "integer"]})]
Cuts = Annotated[
    Literal["auto"] | tuple[int, ...],
    PlainValidator(_cuts),
    WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "array", "items": {"type": "integer"}}]}),
]
UnitCurve = Annotated[
    Curve, PlainValidator(partial(_curve, low=0, high=1)), _WRITTEN, WithJsonSchema(_curve_schema(0, 1))
]
DetailCurve = Annotated[
    Curve, PlainValidator(partial(_curve, low=0, high=2)), _WRITTEN, WithJsonSchema(_curve_schema(0, 2))
]
FactorCurve = Annotated[
    Curve, PlainValidator(partial(_curve, low=0.25, high=4)), _WRITTEN, WithJsonSchema(_curve_schema(0.25, 4))
]
JitterCurve = Annotated[
    Curve, PlainValidator(partial(_curve, low=0, high=4)), _WRITTEN, WithJsonSchema(_curve_schema(0, 4))
]
DegreesCurve = Annotated[
    Curve, PlainValidator(partial(_curve, low=-360, high=360)), _WRITTEN, WithJsonSchema(_curve_schema(-360, 360))
]
HoldCurve = Annotated[Curve, PlainValidator(_hold), _WRITTEN, WithJsonSchema(_curve_schema(1, MAX_HOLD))]
PresetName = Annotated[Text, AfterValidator(_preset_name)]
Palette = Text
Ground = Annotated[Text, AfterValidator(_ground)]
Files = Annotated[
    list[Text],
    BeforeValidator(_file_list),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}},
            ]
        }
    ),
]
Ramp = Annotated[
    tuple[tuple[float, float], ...],
    PlainValidator(_ramp),
    WithJsonSchema(
        {"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}}
    ),
]
StrokeLayers = list[Literal["height", "normals", "coverage", "stroke_id"]]
_KEYS_SCHEMA = {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}, "minProperties": 1}
Keys = Annotated[dict[str, str], PlainValidator(_keys), WithJsonSchema(_KEYS_SCHEMA)]
Duration = Annotated[
    float,
    PlainValidator(_duration),
    PlainSerializer(written_duration, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *[smh]$"}),
]
Blend = dict[ModelName, UnitCurve]
PositiveWeight = Annotated[float, Field(gt=0)]
Paintings = Annotated[
    dict[Text, PositiveWeight],
    BeforeValidator(_paintings),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
                {"type": "object", "additionalProperties": {"type": "number", "exclusiveMinimum": 0}},
            ]
        }
    ),
]
Names = list[Text]
WeightsFile = Text
Scale = Annotated[float, Field(gt=0, le=2)]
Token = Annotated[Text, WithJsonSchema({"type": ["string", "number"]})]
"""A number stays as it is written: 010 is not turned into 10."""
