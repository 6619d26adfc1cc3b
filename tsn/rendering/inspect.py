"""Find and check the files of a shot before any work is spent on it.

Every frame's header is read and its completeness checked (a tenth of a millisecond each); a damaged or truncated
frame, or one of another size or with other layers, is refused here by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from math import gcd
from pathlib import Path

from tsn import frames as ranges
from tsn import io, matte
from tsn.errors import InputError, UsageError, at_frame, near_miss
from tsn.io.frame import Box, Probe
from tsn.io.sequence import describe_ignored
from tsn.shot.model import Shot
from tsn.style.painted_frame_hashes import hash_painted_frames


@dataclass(frozen=True, kw_only=True)
class Plate:
    """The plate of a shot as found.

    Attributes:
        frames: every frame of the shot, ascending, those that are missing too.
        missing: the gaps.
        canvas: the window that is painted, the union of all data windows (with `style.frames` the display window).
        stamps: frame on disk -> size and date of its file, to notice a plate that was rendered again.
        painted: frame -> hash of the frame that another tool painted of it (`style.frames`).
        painted_layers: the same for each layer, where the shot has some.
    """

    frames: tuple[int, ...]
    missing: tuple[int, ...]
    canvas: Box
    stamps: dict[int, str]
    painted: dict[int, str] = field(default_factory=dict)
    painted_layers: tuple[dict[int, str], ...] = ()

    @property
    def painted_by_layer(self) -> tuple[dict[int, str], ...]:
        """`painted` of each layer, the lowest first; of a shot with one style it is the only one."""
        return self.painted_layers or (self.painted,)

    def for_layer(self, place: int) -> Plate:
        """The plate as the layer at a place sees it."""
        return replace(self, painted=self.painted_layers[place], painted_layers=())

    @cached_property
    def present(self) -> tuple[int, ...]:
        """The frames on disk."""
        return tuple(number for number in self.frames if number in self.stamps)


def inspect(shot: Shot) -> Plate:
    """Find the shot's frames and check every one of them.

    Raises:
        UsageError: `frames:` is no frame range, or the output has another format's suffix.
        InputError: no plate, a gap with `missing: error`, a damaged frame, a frame unlike the others or there under
            two names; no painted frames; a name of the matte that no frame has.
    """
    sequence = io.FrameSequence.parse(shot.plate, base=Path())
    on_disk = sequence.on_disk()
    if not on_disk:
        hint = "`plate:` is relative to the file that states it; check the folder."
        raise InputError(f"No plate found: {shot.plate}", hint=describe_ignored(sequence.ignored_files()) or hint)
    wanted = tuple(sorted(ranges.parse(shot.frames))) if shot.frames else _without_gaps(on_disk)
    there = set(on_disk)
    missing = tuple(number for number in wanted if number not in there)
    if missing and shot.missing == "error":
        raise InputError(
            f"{shot.plate}: {_count(missing)} missing: {ranges.compact(missing)} (on disk: {ranges.compact(on_disk)})",
            hint="Render them, correct `frames:`, or choose `missing: hold`, `black` or `skip`."
            f" {describe_ignored(sequence.ignored_files())}".rstrip(),
        )
    present = [number for number in wanted if number in there]
    if not present:
        raise InputError(
            f"{shot.plate}: none of the frames {ranges.compact(wanted)} is on disk (there: {ranges.compact(on_disk)})",
            hint="Correct `frames:` or `plate:`.",
        )
    taken = set(present)
    if doubled := [names for number, names in sequence.duplicate_frames().items() if number in taken]:
        raise InputError(
            f"{shot.plate}: {_count(doubled)} there under two names, such as {' and '.join(doubled[0])}",
            hint="Remove those that are not meant; nobody can tell which of the two is the frame.",
        )
    paths = {number: sequence.path(number) for number in present}
    probes = {number: io.probe(path, layer=shot.layer) for number, path in paths.items()}
    _require_alike(paths, probes)
    first = probes[present[0]]
    _require_format(shot.output, first.format)
    for layer in shot.by_layer:
        _require_names(layer, paths, first.channels)
    canvas = first.data_window
    for probe in probes.values():
        canvas = canvas.union(probe.data_window)
    painted: list[dict[int, str]] = []
    for style in (layer.style for layer in shot.by_layer):
        painted.append(hash_painted_frames(style.frames, present, offset=style.offset) if style.frames else {})
        if style.frames:  # other tools paint the display window
            canvas = first.display_window
    stamps = {number: stamp(path) for number, path in paths.items()}
    by_layer = tuple(painted) if shot.layers else ()
    alone = {} if shot.layers else painted[0]
    return Plate(frames=wanted, missing=missing, canvas=canvas, stamps=stamps, painted=alone, painted_layers=by_layer)


def _without_gaps(on_disk: Sequence[int]) -> tuple[int, ...]:
    """All frames from first to last at the sequence's own step, so that a frame that never arrived is noticed."""
    step = gcd(*(b - a for a, b in pairwise(on_disk))) if len(on_disk) > 1 else 1
    return tuple(range(on_disk[0], on_disk[-1] + 1, step))


def _require_format(output: str, form: str) -> None:
    if Path(output).suffix.lower() != f".{form}":
        raise UsageError(
            f"The output {output} is not named *.{form}, but the plate is {form.upper()}.",
            hint=f"tsn keeps the plate's format: name the output *.{form}.",
        )


def _require_alike(paths: dict[int, Path], probes: dict[int, Probe]) -> None:
    first = next(iter(probes))
    expected = probes[first]
    for number, probe in probes.items():
        for what, wanted, found in (
            ("format", expected.format, probe.format),
            ("display window", expected.display_window, probe.display_window),
            ("channels", set(expected.channels), set(probe.channels)),
        ):
            if wanted != found:
                raise InputError(
                    f"{paths[number]}: frame {number} has another {what} than frame {first}: "
                    f"expected {_described(wanted, found)}, found {_described(found, wanted)}",
                    hint="Render the odd frames again, or split the shot where the plate changes.",
                )


def _require_names(shot: Shot, paths: Mapping[int, Path], channels: Sequence[str]) -> None:
    """Refuse a name of the matte that no frame has; renderers list only the objects in the picture."""
    if shot.matte is None or shot.matte.cryptomatte is None:
        return
    known: set[str] = set()
    for number, path in paths.items():
        with at_frame(path, number):
            header = io.read_attributes(path, layer=shot.layer)
            names = matte.manifest(channels, header, layer=shot.matte.cryptomatte, folder=path.parent).names
        if names is None:  # no manifest, so no names to compare with
            return
        known.update(names)
        if all(matte.in_manifest(name, known) for name in shot.matte.names):  # in most shots after the first frame
            return
    if known:
        name = next(name for name in shot.matte.names if not matte.in_manifest(name, known))
        raise InputError(
            f"{shot.plate}: Cryptomatte {shot.matte.cryptomatte} has no {name!r} in any frame of the shot,"
            f" among {len(known)} names.",
            hint=near_miss(name, known) or f"It has {', '.join(sorted(known)[:12])} ...",
        )


def _described(value: object, other: object) -> str:
    """A value for a message; of a set only what the other one lacks."""
    if isinstance(value, Box):
        return f"{value.width}x{value.height}+{value.x}+{value.y}"
    if isinstance(value, set) and isinstance(other, set):
        return ", ".join(sorted(value - other)) or "none of those"
    return str(value)


def _count(numbers: Sequence[object]) -> str:
    return "1 frame is" if len(numbers) == 1 else f"{len(numbers)} frames are"


def stamp(path: Path) -> str:
    """Size in bytes and date in nanoseconds of a file, as `SIZE:DATE`. Raises OSError where there is none."""
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"
