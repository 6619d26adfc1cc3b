"""The file that editors read is the one that the models make, and it describes every key."""

from __future__ import annotations

from pathlib import Path

from tsn.shot.json_schema import json_schema, json_schema_text
from tsn.shot.schema import LAYER_SECTIONS, SECTIONS

COMMITTED = Path(__file__).parents[2] / "shots" / "shot.schema.json"


def test_the_committed_schema_has_not_drifted() -> None:
    stale = "run: python -m tsn.shot.json_schema > shots/shot.schema.json"
    assert COMMITTED.read_text(encoding="utf-8") == json_schema_text(), stale


def test_every_key_is_described_for_editors() -> None:
    schema = json_schema()
    sections = [schema, *schema["$defs"].values()]
    assert len(sections) == len({*SECTIONS.values(), *LAYER_SECTIONS.values()})
    for section in sections:
        assert section["additionalProperties"] is False
        for name, field in section["properties"].items():
            assert len(field["description"]) > 5, name
