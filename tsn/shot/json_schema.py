"""The JSON Schema of the shot file for editors: `python -m tsn.shot.json_schema > shots/shot.schema.json`."""

from __future__ import annotations

import json
from typing import Any

from tsn.shot.schema import LAYER_SECTIONS, SECTIONS, ShotFile

_NULL = {"type": "null"}


def json_schema() -> dict[str, Any]:
    """The JSON Schema for editors.

    It differs from the pydantic models since a file may inherit the rest of a shot: only `version` is required,
    and every other key may be null, which resets an inherited value. A layer inherits nothing, so it needs its style.
    """
    schema = ShotFile.model_json_schema()
    models = {model.__name__: model for model in (*SECTIONS.values(), *LAYER_SECTIONS.values())}
    for name, section in [("ShotFile", schema), *schema["$defs"].items()]:
        section.pop("required", None)
        for key, field in section["properties"].items():
            section["properties"][key] = _resettable(field, models[name].model_fields[key].description)
    schema["properties"]["version"]["anyOf"].remove(_NULL)
    layer = schema["$defs"]["LayerSection"]
    for section in (schema, layer):
        section["properties"]["style"]["anyOf"].insert(0, {"type": "string"})
    layer["properties"]["style"]["anyOf"].remove(_NULL)  # a layer inherits nothing
    layer["required"] = ["style"]
    blend = schema["$defs"]["StyleSection"]["properties"]["blend"]["anyOf"][0]
    blend["additionalProperties"]["anyOf"].append(_NULL)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "TemporalStyleNet shot",
        "required": ["version"],
    }


def _resettable(field: dict[str, Any], description: str | None) -> dict[str, Any]:
    """A field that may also be null, without titles, which editors would only show as noise."""
    outer: dict[str, Any] = {"description": description}
    if not isinstance(field.get("default"), dict | None):
        outer["default"] = field["default"]
    inner = {key: value for key, value in field.items() if key not in ("description", "default", "title")}
    options = inner["anyOf"] if list(inner) == ["anyOf"] else [inner]
    return {**outer, "anyOf": [*(option for option in options if option != _NULL), _NULL]}


def json_schema_text() -> str:
    """The content of shots/shot.schema.json."""
    return json.dumps(json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(json_schema_text(), end="")
