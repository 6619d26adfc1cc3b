"""The plan of a shot: pure data that pins everything a worker needs, written as JSON.

A plan fixes the shot, its frames, the canvas, the weights and the chunk borders; no farm engine chooses them.
Any worker that holds the plan renders any chunk of it to the same bits, and once it is pinned, so does a worker
that would have come to another survey or other cuts.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import tsn
from tsn import frames as ranges
from tsn.errors import InputError
from tsn.frames import Chunk
from tsn.io.frame import Box
from tsn.rendering.environment import libraries_of
from tsn.rendering.inspect import Plate, require_in_shot
from tsn.shot import pathmap
from tsn.shot.model import Shot, from_json, to_json
from tsn.temporal import METHOD

FORMAT = 4
CALIBRATION_FRAMES = 5


@dataclass(frozen=True, kw_only=True)
class Pins:
    """What `tsn.rendering.pin` found by looking at the whole shot, so that no worker decides it again.

    Attributes:
        device: kind of the device it was found on; of a CPU also its instruction set.
        painter, flow, colour: fingerprints and colour space; a worker that comes to others is refused.
        cuts: first frames of new takes; None where nobody looked for any.
        survey: the painter's survey as base64 of safetensors; None where it takes none.
    """

    device: str
    painter: str
    flow: str
    colour: str
    cuts: tuple[int, ...] | None
    survey: str | None

    @property
    def fingerprint(self) -> tuple[str, ...]:
        """Of the engine that renders on the same kind of device, as `Plan.digest` takes it."""
        return (self.painter, self.flow, self.colour, self.device)


def type_of(kind: str) -> str:
    """The type of a device, `cpu` or `cuda`, out of its kind as pins have it."""
    return kind.split(maxsplit=1)[0]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be rendered, and from what.

    Attributes:
        shot: the resolved shot.
        plate: its frames as found when the plan was made.
        chunks: what one worker renders at a time, with the handles it reads.
        tsn: version of tsn that made the plan.
        weights: sha256 of every weight file (`pinned_weights`); empty in a plan that stays in its process.
        libraries: versions of the libraries that pixels are computed with (`tsn.rendering.environment`).
        colour: what the plate's colour space means to whoever made the plan (`tsn.ocio.space_fingerprint`); None
            in a plan that stays in its process.
        contents: plate frame -> SHA-256 of its file; empty in a plan that stays in its process.
        pins: see there; None where each worker looks for itself.
        submitted: the shot under the paths of whoever made the plan, where they are others here (`tsn.shot.pathmap`).
    """

    shot: Shot
    plate: Plate
    chunks: tuple[Chunk, ...]
    tsn: str
    weights: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    colour: str | None = None
    contents: Mapping[int, str] = field(default_factory=dict)
    pins: Pins | None = None
    submitted: Shot | None = None

    @property
    def stated(self) -> Shot:
        """The shot that hashes and headers tell of: the same on every host, whatever its paths."""
        return self.submitted or self.shot

    @cached_property
    def wanted(self) -> tuple[int, ...]:
        """Every frame that was asked for, ascending."""
        return tuple(sorted(number for chunk in self.chunks for number in chunk.frames))

    @cached_property
    def written(self) -> tuple[int, ...]:
        """Those of them that there will be: all but the gaps that are skipped."""
        return tuple(number for number in self.wanted if self.source_of(number) is not None)

    @cached_property
    def takes(self) -> tuple[tuple[int, ...], ...]:
        """Frames on disk in runs that no gap and no listed cut interrupts: history ends with a run."""
        cuts = () if self.shot.temporal.cuts == "auto" else self.shot.temporal.cuts
        runs: list[list[int]] = [[]]
        passed = 0
        for number in self.plate.frames:
            # A cut on a number that the shot leaves out (on twos, say) parts it at the next frame there is.
            before, passed = passed, bisect_right(cuts, number)
            if passed != before or number not in self.plate.stamps:
                runs.append([])
            if number in self.plate.stamps:
                runs[-1].append(number)
        return tuple(tuple(run) for run in runs if run)

    def near(self, number: int) -> tuple[int, ...]:
        """The frames of its take that a frame on disk may depend on: itself and its window."""
        run = self.takes[bisect_right(self._starts, number) - 1]
        place, radius = bisect_left(run, number), self.shot.temporal.window
        return run[max(0, place - radius) : place + radius + 1]

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return tuple(run[0] for run in self.takes)

    @property
    def sample(self) -> int:
        """The plate frame that a host tries its engine on: the same everywhere, and every chunk reads it anyway."""
        return calibration_frames(self.plate.present)[0]

    @property
    def calibration_reads(self) -> tuple[int, ...]:
        """Frames that every chunk reads besides its own: those of the survey, or the one its engine is tried on."""
        return calibration_frames(self.plate.present) if self.pins is None else (self.sample,)

    def source_of(self, number: int) -> int | None:
        """The plate frame that output frame `number` is made of; None where the plate has none (`skip`)."""
        if number in self.plate.stamps:
            return number
        if self.shot.missing == "skip":
            return None
        present = self.plate.present
        return present[max(0, bisect_left(present, number) - 1)]

    def made_of(self, frames: Iterable[int]) -> set[int]:
        """The plate frames that some output frames may depend on: their sources, with the window of each."""
        sources = {source for number in frames if (source := self.source_of(number)) is not None}
        return {number for source in sources for number in self.near(source)}

    def digest(self, number: int, *engine: str) -> str:
        """Hash of all that output frame `number` depends on: a finished frame with another one is stale.

        Args:
            engine: fingerprints of painter and flow, colour space, device type.
        """
        libraries, shot, canvas, with_calibration = self._same_for_all
        source = self.source_of(number)
        near = () if source is None else self.near(source)
        stamps = [*((n, self.plate.stamps[n]) for n in near), *with_calibration]
        painted = [(n, self.plate.painted[n]) for n in near if n in self.plate.painted]
        parts = [self.tsn, METHOD, libraries, shot, number, source, canvas, stamps, painted, *engine]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @cached_property
    def _same_for_all(self) -> tuple[list[tuple[str, str]], str, dict[str, int], list[tuple[int, str]]]:
        """What the digests of all frames share: a shot of a thousand keys or cuts is hashed once."""
        with_calibration = [(n, self.plate.stamps[n]) for n in calibration_frames(self.plate.present)]
        return sorted(self.libraries.items()), self.stated.digest, asdict(self.plate.canvas), with_calibration


def calibration_frames(present: Sequence[int]) -> tuple[int, ...]:
    """Frames that stand for the whole shot when its statistics are taken: evenly spaced. Every chunk reads them too."""
    return ranges.sample_frames(present, CALIBRATION_FRAMES)


def plan(shot: Shot, plate: Plate, *, wanted: Sequence[int] | None = None, chunk_size: int | None = None) -> Plan:
    """Cut a shot into chunks.

    Args:
        wanted: the frames to write, None = all. Neighbours outside may be read all the same.
        chunk_size: frames a chunk; the default keeps the handles, which are painted twice, under a third.

    Raises:
        UsageError: frames that the shot hasn't got, or no chunk size.
    """
    numbers = tuple(plate.frames if wanted is None else sorted(set(wanted)))
    require_in_shot(plate, numbers)
    window = shot.temporal.window
    size = default_chunk_size(window) if chunk_size is None else chunk_size
    chunks = ranges.chunks(plate.frames, numbers, size=size, handles=window)
    bare = Plan(shot=shot, plate=plate, chunks=chunks, tsn=tsn.__version__, libraries=libraries_of(shot))
    return replace(bare, chunks=tuple(_with_sources(bare, chunk) for chunk in chunks))


def default_chunk_size(window: int) -> int:
    """Keeps the handles, which are painted twice, under a third of a chunk."""
    return max(16, 4 * window)


def _with_sources(plan: Plan, chunk: Chunk) -> Chunk:
    """The chunk, reading also what its gaps are made of: in a long gap that lies far outside the handles."""
    needed = plan.made_of(number for number in chunk.frames if number not in plan.plate.stamps)
    return replace(chunk, reads=tuple(sorted({*chunk.reads, *needed}))) if needed else chunk


def to_dict(plan: Plan) -> dict[str, Any]:
    """JSON-ready form; `from_dict` reads it back exactly."""
    plate = plan.plate
    return {
        "format": FORMAT,
        "tsn": plan.tsn,
        "shot": to_json(plan.stated),
        "shot_sha256": plan.stated.digest,
        "frames": list(plate.frames),
        "missing": list(plate.missing),
        "canvas": asdict(plate.canvas),
        "handles": plan.shot.temporal.window,
        "survey": list(calibration_frames(plan.plate.present)),
        "weights": dict(plan.weights),
        "libraries": dict(plan.libraries),
        "colour": plan.colour,
        "contents": {str(number): content for number, content in plan.contents.items()},
        "pins": None if plan.pins is None else asdict(plan.pins),
        "chunks": [
            {
                "index": c.index,
                "frames": list(c.frames),
                "range": ranges.compact(c.frames),
                "reads": list(c.reads),
                "survey": list(plan.calibration_reads),
            }
            for c in plan.chunks
        ],
        "stamps": {str(number): stamp for number, stamp in plate.stamps.items()},
        "painted": {str(number): mark for number, mark in plate.painted.items()},
    }


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
            stamps={int(number): stamp for number, stamp in data["stamps"].items()},
            painted={int(number): mark for number, mark in data["painted"].items()},
        ),
        chunks=tuple(
            Chunk(index=c["index"], frames=tuple(c["frames"]), reads=tuple(c["reads"])) for c in data["chunks"]
        ),
        tsn=data["tsn"],
        weights=dict(data["weights"]),
        libraries=dict(data["libraries"]),
        colour=data["colour"],
        contents={int(number): content for number, content in data["contents"].items()},
        pins=None if data["pins"] is None else _pins(data["pins"]),
    )


def _pins(data: dict[str, Any]) -> Pins:
    cuts = data["cuts"]
    return Pins(**data | {"cuts": None if cuts is None else tuple(cuts)})


def save(plan: Plan, path: Path, setting: str = "the path") -> None:
    """Write the plan, atomically. Raises OutputError, which names the `setting` that chose the path."""
    from tsn.io.atomic import atomic_write

    with atomic_write(path, setting) as temporary:
        temporary.write_text(json.dumps(to_dict(plan), indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Plan:
    """Read a plan, with its files where `$TSN_PATHMAP` says that this host has them.

    Raises:
        InputError: it is missing, damaged or not a plan.
        UsageError: the variable holds no rules.
    """
    by = pathmap.rules()
    try:
        return pathmap.here(from_dict(json.loads(path.read_text(encoding="utf-8"))), by)
    except OSError as error:
        raise InputError(f"Can't read the plan {path}: {error.strerror}.") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is not a plan of this tsn: {error}.", hint="Make one with `tsn plan SHOT -o plan.json`."
        ) from error
