"""The plan of a shot: pure data that fixes what a worker renders, and from what.

A plan contains the shot, its frames, the canvas, the weights and the chunk borders; no farm engine chooses them.
Any worker with the plan renders any chunk of it to the same bits.

*Handles.* The paint of a frame is averaged along the motion over its temporal window, K frames to each side
(`temporal.window`). So a chunk reads up to K frames more at each end than it writes, its handles: a chunk that writes
1033-1064 with K = 8 reads 1025-1072. Without them its first and last frames would be averaged over fewer neighbours,
and the chunk border would show. The average is made in `tsn.temporal.window`; `Plan.window_of` and, at cuts that are
found, `tsn.rendering.stream` end the window.

*Frame hash.* `Plan.frame_hash` is of everything that an output frame depends on. It goes into the frame's header; a
frame on disk with the same hash is finished and skipped, one with another hash is rendered again.
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
from tsn.keys.reach import span_with_keys
from tsn.rendering.environment import library_versions
from tsn.rendering.inspect import Plate
from tsn.shot.model import PAINTING, Shot
from tsn.temporal import METHOD

CALIBRATION_FRAMES = 5
"""Frames of a shot that its calibration is taken from."""


@dataclass(frozen=True, kw_only=True)
class Pins:
    """What `tsn.rendering.pin` found in the whole shot before the farm starts, so that no worker finds it anew.

    Attributes:
        device: kind of the device it was found on; of a CPU with its instruction set, such as `cpu avx2`.
        painter, flow, colour: fingerprints of the engine; a worker with other ones is refused.
        cuts: first frames of new takes; None where none are to be found (listed in the shot, or no window).
        calibration: the painter's frozen statistics, safetensors as base64 (`survey` in the file); None where the
            painter needs none.
        layers: the pins of each layer where the shot has some; those of the shot are then made of them.
    """

    device: str
    painter: str
    flow: str
    colour: str
    cuts: tuple[int, ...] | None
    calibration: str | None
    layers: tuple[Pins, ...] = ()

    @property
    def fingerprint(self) -> tuple[str, ...]:
        """That of an engine on the same kind of device, as `Plan.frame_hash` takes it."""
        return (self.painter, self.flow, self.colour, self.device)


def device_type_of(kind: str) -> str:
    """The type of a device, `cpu` or `cuda`, from its kind in `Pins`, such as `cpu avx2`."""
    return kind.split(maxsplit=1)[0]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be rendered, and from what.

    Attributes:
        shot: the resolved shot.
        plate: its frames as found when the plan was made.
        chunks: what one worker renders at a time, with the handles it reads.
        tsn: version of tsn that made the plan.
        weights: name -> SHA-256 of every weight file (`pinned_weights`); empty in a plan that stays in its process.
        libraries: versions of the libraries that pixels are computed with (`tsn.rendering.environment`).
        colour: fingerprint of the plate's colour space where the plan was made (`tsn.ocio.space_fingerprint`); None in
            a plan that stays in its process.
        plate_hashes: plate frame -> SHA-256 of its file, to notice a changed plate on a host whose copies have other
            dates; empty in a plan that stays in its process.
        pins: calibration and cuts; None where each worker finds them itself.
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
        """The shot as hashes and headers contain it: the same on every host, whatever its paths."""
        return self.submitted_shot or self.shot

    @cached_property
    def by_layer(self) -> tuple[Plan, ...]:
        """The plan as each layer of the shot is painted by, the lowest first; that of a shot with one style itself."""
        if not self.shot.layers:
            return (self,)
        return tuple(
            replace(
                self,
                shot=shot,
                plate=self.plate.for_layer(place),
                pins=None if self.pins is None else self.pins.layers[place],
                submitted_shot=None if self.submitted_shot is None else self.submitted_shot.by_layer[place],
            )
            for place, shot in enumerate(self.shot.by_layer)
        )

    @cached_property
    def requested(self) -> tuple[int, ...]:
        """Every requested frame, ascending."""
        return tuple(sorted(number for chunk in self.chunks for number in chunk.frames))

    @cached_property
    def output_frames(self) -> tuple[int, ...]:
        """The requested frames that will be written, ascending: all but the gaps that `missing: skip` leaves out."""
        return tuple(number for number in self.requested if self.source_of(number) is not None)

    @cached_property
    def takes(self) -> tuple[tuple[int, ...], ...]:
        """Plate frames on disk in runs without a gap or a listed cut. No temporal window reaches beyond its take.

        Cuts that are found (`temporal.cuts: auto`) are not in here: `tsn.rendering.stream` stops at them, so the frames
        behind one are read and hashed, and have no weight.
        """
        cuts = () if self.shot.temporal.cuts == "auto" else self.shot.temporal.cuts
        runs: list[list[int]] = [[]]
        passed = 0
        for number in self.plate.frames:
            # A cut on a number that the shot leaves out (on twos, say) counts at the next frame there is.
            before, passed = passed, bisect_right(cuts, number)
            if passed != before or number not in self.plate.stamps:
                runs.append([])
            if number in self.plate.stamps:
                runs[-1].append(number)
        return tuple(tuple(run) for run in runs if run)

    def window_of(self, number: int) -> tuple[int, ...]:
        """The plate frames that the paint of a plate frame depends on: itself, and up to K to each side in its take.

        At the first and last frame of a take the window has one side only, in a chunk as in the whole shot. Where the
        painting of an earlier frame is held, the window is around that one and all that may show it: a cut that is
        found among them makes one of them the painted one. Of layers, all that one of them depends on.
        """
        if self.shot.layers:
            return tuple(sorted({near for layer in self.by_layer for near in layer.window_of(number)}))
        run, _, shown = self._held(number)
        radius = self.shot.temporal.window
        return run[max(0, shown - radius) : shown + longest_hold(self.shot) + radius]

    def needs_of(self, number: int) -> set[int]:
        """`window_of` a plate frame, and the frames from each of those to the keys that show something of it.

        Where tsn chooses the keys itself (`style.keys: {painting: ...}`) any frame within reach may be one.
        """
        if self.shot.layers:
            return {near for layer in self.by_layer for near in layer.needs_of(number)}
        near = self.window_of(number)
        if self.shot.style.keys is None:
            return set(near)
        index = bisect_right(self._starts, number) - 1
        run = self.takes[index]
        first, last = span_with_keys(bisect_left(run, near[0]), bisect_left(run, near[-1]), self._key_places[index])
        return set(run[first : last + 1])

    def held(self, number: int) -> int:
        """The plate frame whose painting a plate frame shows: itself, or the first of those that `style.hold` joins."""
        run, _, shown = self._held(number)
        return run[shown]

    def _held(self, number: int) -> tuple[tuple[int, ...], int, int]:
        """The take of a plate frame, and in it the places of the frame and of the one whose painting it shows."""
        index = bisect_right(self._starts, number) - 1
        run = self.takes[index]
        place = bisect_left(run, number)
        return run, place, self._shown[index][place]

    @cached_property
    def _shown(self) -> tuple[tuple[int, ...], ...]:
        """For each take, the place of the frame whose painting each of its frames shows.

        A painting is held for the number of frames that `style.hold` has where it begins, whatever comes later.
        """
        hold = self.shot.style.hold
        found = []
        for run in self.takes:
            shown, places = 0, []
            for place in range(len(run)):
                if place - shown >= int(hold.at(run[shown])):
                    shown = place
                places.append(shown)
            found.append(tuple(places))
        return tuple(found)

    @cached_property
    def _key_places(self) -> tuple[Sequence[int], ...]:
        """For each take, the places of its keys, ascending; all places where tsn chooses the keys."""
        keys = self.shot.style.keys or {}
        if PAINTING in keys:
            return tuple(range(len(run)) for run in self.takes)
        numbers = {int(key) for key in keys}
        return tuple([place for place, number in enumerate(run) if number in numbers] for run in self.takes)

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return tuple(run[0] for run in self.takes)

    @property
    def probe_frame(self) -> int:
        """The plate frame that a host checks its engine with: one of the calibration, so the same on every host."""
        return calibration_frames(self.plate.present)[0]

    @property
    def extra_reads(self) -> tuple[int, ...]:
        """What every chunk reads besides `Chunk.reads`: the calibration frames; only `probe_frame` with `pins`."""
        return calibration_frames(self.plate.present) if self.pins is None else (self.probe_frame,)

    def source_of(self, number: int) -> int | None:
        """The plate frame that an output frame is made of, in a gap the one before; None with `missing: skip`."""
        if number in self.plate.stamps:
            return number
        if self.shot.missing == "skip":
            return None
        present = self.plate.present
        return present[max(0, bisect_left(present, number) - 1)]

    def plate_frames_for(self, frames: Iterable[int]) -> set[int]:
        """The plate frames that output frames depend on: the source of each, with its window."""
        sources = {source for number in frames if (source := self.source_of(number)) is not None}
        return {number for source in sources for number in self.needs_of(source)}

    def frame_hash(self, number: int, *engine: str) -> str:
        """SHA-256 (hex) that changes whenever output frame `number` may, the header's `tsn:frameSha256`.

        It is made of: the version of tsn and of the temporal method; versions of libraries; the shot file
        (`Shot.digest`); the frame's number and that of its plate frame; the canvas; size and date of the plate frames
        in its window and of the calibration frames; hashes of painted frames (`style.frames`) in its window; and the
        engine.

        Args:
            engine: `Engine.fingerprint`: painter (with the hash of its weights), flow, colour, kind of device.

        Not in it: contents of the plate, the calibration's numbers, cuts that were found, the output path, chunks and
        threads. Shot file and calibration frames are the same for all frames, so a change of them touches all.
        """
        libraries, shot, canvas, calibration_stamps = self._same_for_all
        source = self.source_of(number)
        near = [] if source is None else sorted(self.needs_of(source))
        stamps = [*((n, self.plate.stamps[n]) for n in near), *calibration_stamps]
        by_layer = [[(n, marks[n]) for n in near if n in marks] for marks in self.plate.painted_by_layer]
        painted = by_layer if self.shot.layers else by_layer[0]
        parts = [self.tsn, METHOD, libraries, shot, number, source, canvas, stamps, painted, *engine]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @cached_property
    def _same_for_all(self) -> tuple[list[tuple[str, str]], str, dict[str, int], list[tuple[int, str]]]:
        """The parts that are the same for all frames, so that a shot of a thousand keyframes is hashed once."""
        calibration_stamps = [(n, self.plate.stamps[n]) for n in calibration_frames(self.plate.present)]
        return sorted(self.libraries.items()), self.canonical_shot.digest, asdict(self.plate.canvas), calibration_stamps


def calibration_frames(present: Sequence[int]) -> tuple[int, ...]:
    """The frames that the painter's statistics are taken from, evenly spaced. Without pins every chunk reads them."""
    return ranges.sample_frames(present, CALIBRATION_FRAMES)


def make_plan(shot: Shot, plate: Plate, *, frames: Sequence[int] | None = None, chunk_size: int | None = None) -> Plan:
    """Split a shot into chunks.

    Args:
        frames: the frames to write, None = all. Their neighbours are read all the same.
        chunk_size: frames a chunk; the default is `default_chunk_size`.

    Raises:
        UsageError: frames that the shot hasn't got, or no chunk size.
    """
    numbers = tuple(plate.frames if frames is None else sorted(set(frames)))
    window = shot.longest_window
    size = default_chunk_size(window) if chunk_size is None else chunk_size
    chunks = ranges.chunks(plate.frames, numbers, size=size, handles=window + longest_hold(shot) - 1)
    bare = Plan(shot=shot, plate=plate, chunks=chunks, tsn=tsn.__version__, libraries=library_versions(shot))
    return replace(bare, chunks=tuple(_with_all_reads(bare, chunk) for chunk in chunks))


def longest_hold(shot: Shot) -> int:
    """The number of frames that one painting is shown for, at most; 1 = every frame has its own."""
    return int(max(frames for layer in shot.by_layer for _, frames in layer.style.hold.keys))


def default_chunk_size(window: int) -> int:
    """Frames a chunk, such that its handles, which its neighbours paint too, are at most a third of what it reads."""
    return max(16, 4 * window)


def _with_all_reads(plan: Plan, chunk: Chunk) -> Chunk:
    """The chunk with the plate frames that its gaps and its keys need, which may be far outside the handles."""
    gaps = (number for number in chunk.frames if number not in plan.plate.stamps)
    keys = any(layer.style.keys is not None for layer in plan.shot.by_layer)
    needed = plan.plate_frames_for(chunk.frames if keys else gaps)
    return replace(chunk, reads=tuple(sorted({*chunk.reads, *needed}))) if needed else chunk
