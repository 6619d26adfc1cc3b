"""The plan of a shot as a JSON file, and with its paths as this host has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tsn import frames as ranges
from tsn.errors import InputError
from tsn.frames import Chunk
from tsn.io.frame import Box
from tsn.rendering.inspect import Plate
from tsn.rendering.plan import Pins, Plan, calibration_frames, longest_hold
from tsn.shot.model import change_paths, from_json, to_json
from tsn.shot.pathmap import Rule, map_path, read_rules

FORMAT = 4
"""Version of the plan file; another one is refused."""


def to_dict(plan: Plan) -> dict[str, Any]:
    """The plan, ready for JSON; `from_dict` reads it back exactly."""
    plate = plan.plate
    layers = {"painted_layers": [_by_text(marks) for marks in plate.painted_layers]} if plate.painted_layers else {}
    return layers | {
        "format": FORMAT,
        "tsn": plan.tsn,
        "shot": to_json(plan.canonical_shot),
        "shot_sha256": plan.canonical_shot.digest,
        "frames": list(plate.frames),
        "missing": list(plate.missing),
        "canvas": asdict(plate.canvas),
        "handles": plan.shot.longest_window + longest_hold(plan.shot) - 1,
        "survey": list(calibration_frames(plan.plate.present)),
        "weights": dict(plan.weights),
        "libraries": dict(plan.libraries),
        "colour": plan.colour,
        "contents": _by_text(plan.plate_hashes),
        "pins": None if plan.pins is None else _pins_to_dict(plan.pins),
        "chunks": [
            {
                "index": c.index,
                "frames": list(c.frames),
                "range": ranges.compact(c.frames),
                "reads": list(c.reads),
                "survey": list(plan.extra_reads),
            }
            for c in plan.chunks
        ],
        "stamps": _by_text(plate.stamps),
        "painted": _by_text(plate.painted),
    }


def _by_text(marks: Mapping[int, str]) -> dict[str, str]:
    """Keys of JSON are text."""
    return {str(number): mark for number, mark in marks.items()}


def _by_number(marks: Mapping[str, str]) -> dict[int, str]:
    return {int(number): mark for number, mark in marks.items()}


def from_dict(data: dict[str, Any]) -> Plan:
    """The plan that `to_dict` wrote. Raises AttributeError, KeyError, TypeError or ValueError for anything else."""
    if data["format"] != FORMAT:
        raise ValueError(f"plan format {data['format']}, this tsn reads {FORMAT}")
    return Plan(
        shot=from_json(data["shot"]),
        plate=Plate(
            frames=tuple(data["frames"]),
            missing=tuple(data["missing"]),
            canvas=Box(**data["canvas"]),
            stamps=_by_number(data["stamps"]),
            painted=_by_number(data["painted"]),
            painted_layers=tuple(map(_by_number, data.get("painted_layers", []))),
        ),
        chunks=tuple(
            Chunk(index=c["index"], frames=tuple(c["frames"]), reads=tuple(c["reads"])) for c in data["chunks"]
        ),
        tsn=data["tsn"],
        weights=dict(data["weights"]),
        libraries=dict(data["libraries"]),
        colour=data["colour"],
        plate_hashes=_by_number(data["contents"]),
        pins=None if data["pins"] is None else _pins_from_dict(data["pins"]),
    )


def _pins_to_dict(pins: Pins) -> dict[str, Any]:
    data = asdict(replace(pins, layers=()))
    data["survey"] = data.pop("calibration")  # the key that plans have always had
    del data["layers"]
    return data | ({"layers": [_pins_to_dict(each) for each in pins.layers]} if pins.layers else {})


def _pins_from_dict(data: dict[str, Any]) -> Pins:
    fields = dict(data)
    cuts, calibration = fields.pop("cuts"), fields.pop("survey")
    layers = tuple(_pins_from_dict(each) for each in fields.pop("layers", []))
    return Pins(**fields, cuts=None if cuts is None else tuple(cuts), calibration=calibration, layers=layers)


def save(plan: Plan, path: Path, setting: str = "the path") -> None:
    """Write the plan, atomically.

    Args:
        setting: the option or variable that gave the path, for the message.

    Raises:
        OutputError: it can't be written.
    """
    from tsn.io.atomic import atomic_write

    with atomic_write(path, setting) as temporary:
        temporary.write_text(json.dumps(to_dict(plan), indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Plan:
    """Read a plan, with its paths as `$TSN_PATHMAP` says that this host has them.

    Raises:
        InputError: it is missing, damaged or not a plan.
        UsageError: the variable contains no rules.
    """
    rules = read_rules()
    try:
        return map_to_host(from_dict(json.loads(path.read_text(encoding="utf-8"))), rules)
    except OSError as error:
        raise InputError(f"Can't read the plan {path}: {error.strerror}.") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is not a plan of this tsn: {error}.", hint="Make one with `tsn plan SHOT -o plan.json`."
        ) from error


def map_to_host(plan: Plan, rules: Sequence[Rule]) -> Plan:
    """The plan with its paths as this host has them. The shot that hashes are made of stays as it was submitted."""
    shot = from_json(change_paths(to_json(plan.shot), lambda path: map_path(path, rules)))
    return plan if shot == plan.shot else replace(plan, shot=shot, submitted_shot=plan.canonical_shot)
