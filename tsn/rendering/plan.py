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

import tsn
from tsn import frames as ranges
from tsn.frames import Chunk
from tsn.rendering.environment import library_versions
from tsn.rendering.inspect import Plate, require_in_shot
from tsn.shot.model import Shot
from tsn.temporal import METHOD

CALIBRATION_FRAMES = 5


@dataclass(frozen=True, kw_only=True)
class Pins:
    """What `tsn.rendering.pin` found by looking at the whole shot, so that no worker decides it again.

    Attributes:
        device: kind of the device it was found on; of a CPU also its instruction set.
        painter, flow, colour: fingerprints and colour space; a worker that comes to others is refused.
        cuts: first frames of new takes; None where nobody looked for any.
        calibration: the painter's survey as base64 of safetensors; None where it takes none.
    """

    device: str
    painter: str
    flow: str
    colour: str
    cuts: tuple[int, ...] | None
    calibration: str | None

    @property
    def fingerprint(self) -> tuple[str, ...]:
        """Of the engine that renders on the same kind of device, as `Plan.digest` takes it."""
        return (self.painter, self.flow, self.colour, self.device)


def device_type_of(kind: str) -> str:
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
        colour: what the plate's colour space means to whoever made the plan (`tsn.ocio.fingerprint`); None in a plan
            that stays in its process.
        plate_hashes: plate frame -> SHA-256 of its file; empty in a plan that stays in its process.
        pins: see there; None where each worker looks for itself.
        submitted_shot: the shot under the paths that it was submitted with, where this host has others (`plan_file`).
    """

    shot: Shot
    plate: Plate
    chunks: tuple[Chunk, ...]
    tsn: str
    weights: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    colour: str | None = None
    plate_hashes: Mapping[int, str] = field(default_factory=dict)
    pins: Pins | None = None
    submitted_shot: Shot | None = None

    @property
    def canonical_shot(self) -> Shot:
        """The shot that hashes and headers tell of: the same on every host, whatever its paths."""
        return self.submitted_shot or self.shot

    @cached_property
    def requested(self) -> tuple[int, ...]:
        """Every frame that was asked for, ascending."""
        return tuple(sorted(number for chunk in self.chunks for number in chunk.frames))

    @cached_property
    def output_frames(self) -> tuple[int, ...]:
        """Those of them that there will be: all but the gaps that are skipped."""
        return tuple(number for number in self.requested if self.source_of(number) is not None)

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

    def window_of(self, number: int) -> tuple[int, ...]:
        """The frames of its take that a frame on disk may depend on: itself and its window."""
        run = self.takes[bisect_right(self._starts, number) - 1]
        place, radius = bisect_left(run, number), self.shot.temporal.window
        return run[max(0, place - radius) : place + radius + 1]

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return tuple(run[0] for run in self.takes)

    @property
    def probe_frame(self) -> int:
        """The plate frame that a host tries its engine on: the same everywhere, and every chunk reads it anyway."""
        return calibration_frames(self.plate.present)[0]

    @property
    def calibration_reads(self) -> tuple[int, ...]:
        """Frames that every chunk reads besides its own: those of the survey, or the one its engine is tried on."""
        return calibration_frames(self.plate.present) if self.pins is None else (self.probe_frame,)

    def source_of(self, number: int) -> int | None:
        """The plate frame that output frame `number` is made of; None where the plate has none (`skip`)."""
        if number in self.plate.stamps:
            return number
        if self.shot.missing == "skip":
            return None
        present = self.plate.present
        return present[max(0, bisect_left(present, number) - 1)]

    def plate_frames_for(self, frames: Iterable[int]) -> set[int]:
        """The plate frames that some output frames may depend on: their sources, with the window of each."""
        sources = {source for number in frames if (source := self.source_of(number)) is not None}
        return {number for source in sources for number in self.window_of(source)}

    def frame_hash(self, number: int, *engine: str) -> str:
        """Hash of all that output frame `number` depends on: a finished frame with another one is stale.

        Args:
            engine: fingerprints of painter and flow, colour space, device type.
        """
        libraries, shot, canvas, with_calibration = self._same_for_all
        source = self.source_of(number)
        near = () if source is None else self.window_of(source)
        stamps = [*((n, self.plate.stamps[n]) for n in near), *with_calibration]
        painted = [(n, self.plate.painted[n]) for n in near if n in self.plate.painted]
        parts = [self.tsn, METHOD, libraries, shot, number, source, canvas, stamps, painted, *engine]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @cached_property
    def _same_for_all(self) -> tuple[list[tuple[str, str]], str, dict[str, int], list[tuple[int, str]]]:
        """What the digests of all frames share: a shot of a thousand keys or cuts is hashed once."""
        with_calibration = [(n, self.plate.stamps[n]) for n in calibration_frames(self.plate.present)]
        return sorted(self.libraries.items()), self.canonical_shot.digest, asdict(self.plate.canvas), with_calibration


def calibration_frames(present: Sequence[int]) -> tuple[int, ...]:
    """Frames that stand for the whole shot when its statistics are taken: evenly spaced. Every chunk reads them too."""
    return ranges.sample_frames(present, CALIBRATION_FRAMES)


def make_plan(shot: Shot, plate: Plate, *, frames: Sequence[int] | None = None, chunk_size: int | None = None) -> Plan:
    """Cut a shot into chunks.

    Args:
        frames: the frames to write, None = all. Neighbours outside may be read all the same.
        chunk_size: frames a chunk; the default keeps the handles, which are painted twice, under a third.

    Raises:
        UsageError: frames that the shot hasn't got, or no chunk size.
    """
    numbers = tuple(plate.frames if frames is None else sorted(set(frames)))
    require_in_shot(plate, numbers)
    window = shot.temporal.window
    size = default_chunk_size(window) if chunk_size is None else chunk_size
    chunks = ranges.chunks(plate.frames, numbers, size=size, handles=window)
    bare = Plan(shot=shot, plate=plate, chunks=chunks, tsn=tsn.__version__, libraries=library_versions(shot))
    return replace(bare, chunks=tuple(_with_sources(bare, chunk) for chunk in chunks))


def default_chunk_size(window: int) -> int:
    """Keeps the handles, which are painted twice, under a third of a chunk."""
    return max(16, 4 * window)


def _with_sources(plan: Plan, chunk: Chunk) -> Chunk:
    """The chunk, reading also what its gaps are made of: in a long gap that lies far outside the handles."""
    needed = plan.plate_frames_for(number for number in chunk.frames if number not in plan.plate.stamps)
    return replace(chunk, reads=tuple(sorted({*chunk.reads, *needed}))) if needed else chunk
