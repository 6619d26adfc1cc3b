"""Hints under the errors of a shot file: what the writer of a refused value or an unknown key perhaps meant.

Nothing here decides what is valid: a value that gets a hint has been refused already.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tsn.errors import near_miss

QUOTES = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a"
"""Typographic quotes, which YAML reads as part of the text."""
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_SWITCHES = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def yaml_text(value: Any) -> str:
    """A value as YAML writes it in one line, for the words after `found` in a message."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return "nothing" if value is None else f"the text {value!r}" if isinstance(value, str) else _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return yaml_text(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def number_hint(text: str) -> str | None:
    """The hint for a text where a number is expected, such as `0,5`, `50%`, `8 frames`, `"0.5"`."""
    plain = unicodedata.normalize("NFKC", text).strip(QUOTES + " \t")
    if match := re.fullmatch(r"([-+]?[0-9]+),([0-9]+)", plain):
        return f"Decimals have a point: {match[1]}.{match[2]}."
    if match := re.fullmatch(rf"({_NUMBER})\s*%", plain):
        return f"Write it as a part of 1: {float(match[1]) / 100:g}."
    if re.fullmatch(_NUMBER, plain):
        return f"Write it plainly, without quotes: {plain}."
    if match := re.fullmatch(r"(-?[0-9]+):([-+.0-9]+)", plain):
        return f"Put a space after the colon: {match[1]}: {match[2]}."
    if match := re.match(rf"({_NUMBER})\s*[a-z]+\.?\Z", plain, re.IGNORECASE):
        return f"Write the number alone: {match[1]}."
    return None


def boolean_hint(text: str) -> str | None:
    """The hint for a text where true or false is expected."""
    meant = _SWITCHES.get(text.strip(QUOTES + " \t").lower())
    return f"Write {meant}." if meant else None


def text_hint(key: str, value: Any) -> str | None:
    """The hint for a list or a mapping where text is expected.

    Args:
        key: the last part of the dotted key.
        value: of lists, mappings and scalars.
    """
    if isinstance(value, list) and value and all(isinstance(item, str | int | float) for item in value):
        joined = ",".join(map(str, value))
        if key == "frames" and re.fullmatch(r"[-0-9x:,]+", joined):
            return f"Write it without brackets, {key}: {joined}"
        if len(value) == 1:
            return f"Write it without brackets, {key}: {joined}"
        return f"Only one can stand here, such as {key}: {value[0]}"
    if isinstance(value, Mapping):
        numbers = [str(item) for item in value.values() if type(item) is int]
        if key == "frames" and len(numbers) == len(value) == 2:
            return f"Write it as a range, {key}: {'-'.join(numbers)}"
        if len(value) == 1 and next(iter(value.values())) is None:  # {shot}
            if key == "frames":
                return f"Write it without braces, {key}: {next(iter(value))}"
            return f'Text that starts with {{ needs quotes: {key}: "{{{next(iter(value))}}}"'
    return f"Write it as one text, such as {key}: 1001-1010" if key == "frames" else None


def list_hint(key: str, value: Any) -> str | None:
    """The hint for a single value, or for a mapping of keys, where a list is expected."""
    if isinstance(value, Mapping):
        first = next(iter(value), "style")
        return f"Each entry of {key} begins with a dash: - {first}: ..."
    return f"Write a list of one: {key}: [{value}]" if isinstance(value, str | int | float) else None


def decimal_comma_hint(key: str, beside: Mapping[str, Any]) -> str | None:
    """The hint for `weight: 0,5` in braces, which YAML reads as two keys: weight with 0, and 5 without a value.

    Args:
        key: a key without a value.
        beside: the mapping that contains it, in the order of the file.
    """
    before = dict(zip(list(beside)[1:], beside, strict=False)).get(key)
    if before is None or not re.fullmatch(r"[0-9]+", key) or type(beside[before]) is not int:
        return None
    return f"Decimals have a point: {before}: {beside[before]}.{key}"


def unknown_key_hint(key: str, beside: Mapping[str, Any], known: Collection[str], elsewhere: Sequence[str] = ()) -> str:
    """The hint for an unknown key.

    Args:
        beside: the mapping that contains it, in the order of the file.
        known: the keys that this mapping may have.
        elsewhere: the dotted names of all keys of a shot file.
    """
    if beside.get(key) is None:
        if comma := decimal_comma_hint(key, beside):
            return comma
        if match := re.fullmatch(r"([^:\s]+):(\S.*)", key):
            return f"Put a space after the colon: {match[1]}: {match[2]}"
    if key == "<<":
        return "Merge keys are not read. A file inherits from another by extends: FILE, at its top."
    plain = key.strip(QUOTES + " \t\u00a0\u200b\ufeff")
    if plain in known:
        return f"Perhaps you meant {plain!r}, without quotes?"
    other = next((name for name in elsewhere if name.endswith(f".{key}")), None)
    place = f"Perhaps you meant {other}? Indent it below {other.rpartition('.')[0]}:." if other else None
    return near_miss(key, known) or place or f"Known here: {', '.join(known)}."
