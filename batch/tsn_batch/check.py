"""What can be told of a shot, and found wrong with it, before a frame is rendered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Set
from pathlib import Path
from typing import TYPE_CHECKING

import tsn
from tsn import frames as ranges
from tsn.errors import InputError, UsageError
from tsn.io.sequence import FrameSequence, describe_ignored
from tsn.rendering.output import require_writable
from tsn.rendering.plan import Plan, calibration_frames
from tsn.rendering.plate_hashes import changed_frames
from tsn.shot.model import Matte
from tsn.style.frame_hashes import hash_painted_frames, missing_frames_hint
from tsn_batch import cover
from tsn_batch.progress import count
from tsn_batch.slots import slots

if TYPE_CHECKING:
    from tsn.rendering.engine import Engine

Finding = tuple[str, str]
"""What it is about, and what was found."""

AGAIN = "Make the plan again with `tsn plan`; frames that are finished and still right will be skipped."


def describe(plan: Plan) -> Iterator[Finding]:
    """What the plan alone tells. Reads one header, and loads neither torch nor a weights file's tensors.

    Raises:
        UsageError: no such style.
        InputError: a weights file is missing or damaged.
        OutputError: the output's folder can't be written.
    """
    shot, plate = plan.shot, plan.plate
    yield "shot", str(shot.file)
    yield "plate", shot.plate + (f", layer {shot.layer}" if shot.layer else "")
    text = f"{len(plan.requested)} of {len(plate.frames)}: {ranges.compact(plan.requested)}"
    if plate.missing:
        text += f"; missing {ranges.compact(plate.missing)} ({shot.missing})"
    yield "frames", text
    patterns = [("plate", shot.plate), *([("style.frames", shot.style.frames)] if shot.style.frames else [])]
    told_of = [
        (key, describe_ignored(FrameSequence.parse(pattern, base=Path()).ignored_files())) for key, pattern in patterns
    ]
    if any(alike for _, alike in told_of):
        yield "left out", " ".join(f"{key}: {alike}" for key, alike in told_of if alike)
    yield "canvas", f"{plate.canvas.width}x{plate.canvas.height}{plate.canvas.x:+}{plate.canvas.y:+}"
    yield "style", _style(plan)
    window = shot.temporal.window
    yield "temporal", f"{count(window)} to either side" if window else "every frame by itself"
    cuts = () if shot.temporal.cuts == "auto" else shot.temporal.cuts
    if strays := [cut for cut in cuts if not plate.frames[0] <= cut <= plate.frames[-1]]:
        yield "cuts", f"{', '.join(map(str, strays))} outside of the shot, where they part nothing"
    folder = Path(shot.output).parent
    require_writable(folder)
    yield "output", shot.output + ("" if folder.exists() else f"; {folder} will be made")


def check(plan: Plan, *, device: str, note: Callable[[str], None]) -> Iterator[Finding]:
    """All that `describe` tells, then what loading everything the shot needs brings to light.

    Args:
        device: one, or several with commas between, as `tsn render` takes them. Each has to be there; everything is
            loaded once for each kind of them.

    Raises:
        TsnError: the fault, of any kind.
    """
    yield from describe(plan)
    from tsn.rendering.engine import choose_device, make_engine

    devices = [choose_device(name) for name in dict.fromkeys(slot.device for slot in slots(device))]
    first_of = {chosen.type: str(chosen) for chosen in reversed(devices)}
    engine, *_ = [make_engine(plan, device=name, note=note) for name in first_of.values()]
    yield "device", ", ".join(map(str, devices))
    yield "colour", engine.codec.space
    yield "flow", engine.flow_reason
    if plan.shot.matte is not None:
        shares = _shares(plan, plan.shot.matte, engine)
        yield "matte", cover.told(shares)
        if text := cover.warning(plan.shot.matte, shares):
            note(f"Warning: {text}")
    if plan.shot.style.frames is not None:
        yield "painted", _painted(plan, engine)


def _shares(plan: Plan, matte: Matte, engine: Engine) -> dict[int, float]:
    """Frame -> share of it that the matte lets through, for the first one where it does not miss and those before."""
    from tsn.rendering.engine import matte_coverage

    plates, shares = FrameSequence.parse(plan.shot.plate, base=Path()), {}
    for number in cover.looks(plan.plate.present):
        found = engine.matte_of(engine.read(plates.path(number), number))
        assert found is not None  # the shot has a matte
        shares[number] = matte_coverage(found)
        if not cover.misses(matte, shares[number]):
            break
    return shares


def require_plan(plan: Plan) -> None:
    """Raise InputError where this host has another tsn, or other libraries, colours or weights, than the plan says."""
    from tsn.rendering.environment import require_environment
    from tsn.rendering.pinned_weights import require_weights

    if plan.tsn != tsn.__version__:
        raise InputError(f"The plan was made by tsn {plan.tsn}, and this is {tsn.__version__}.", hint=AGAIN)
    require_environment(plan)
    require_weights(plan)


def require_chunk(plan: Plan, index: int) -> None:
    """Raise UsageError for a chunk that the plan hasn't got, InputError where it would come out otherwise today.

    The plan pins the plate as it was. A frame that was rendered again since would give a result that
    carries the hash of the old one.
    """
    if not 0 <= index < len(plan.chunks):
        raise UsageError(f"The plan has no chunk {index}, only 0 to {len(plan.chunks) - 1}.", hint="They count from 0.")
    require_plan(plan)
    chunk = plan.chunks[index]
    gaps = {number for number in chunk.reads if number not in plan.plate.stamps}
    window = plan.plate_frames_for(chunk.frames)
    _require_unchanged(plan, {*window, *gaps, *calibration_frames(plan.plate.present)}, f"chunk {index}")
    _require_as_painted(plan, window, f"chunk {index}")


def require_survey(plan: Plan) -> None:
    """Raise InputError where the plan's pins would be taken of another plate than it was made for."""
    require_plan(plan)
    needed = set(calibration_frames(plan.plate.present))
    if plan.shot.temporal.cuts == "auto":
        needed |= {number for chunk in plan.chunks for number in chunk.reads}
    _require_unchanged(plan, needed, "the survey")


def _require_unchanged(plan: Plan, needed: Set[int], what: str) -> None:
    """Only the frames that it depends on: one that a renderer has taken back must not stop the rest."""
    changed = changed_frames(plan.shot.plate, plan.plate.stamps, plan.plate_hashes, needed)
    if changed:
        raise InputError(
            f"{plan.shot.plate}: {what} depends on frames that changed after the plan was made:"
            f" {ranges.compact(changed)} (another size, content or presence)",
            hint=AGAIN,
        )


def _require_as_painted(plan: Plan, needed: Set[int], what: str) -> None:
    """A frame that was never painted is told where it is missed: strength may be 0 there."""
    if plan.shot.style.frames is None:
        return
    found = hash_painted_frames(plan.shot.style.frames, needed, offset=plan.shot.style.offset)
    planned = {number: mark for number, mark in plan.plate.painted.items() if number in needed}
    if changed := sorted({number for number, _ in found.items() ^ planned.items()}):
        raise InputError(
            f"{plan.shot.style.frames}: {what} depends on painted frames that changed after the plan was made:"
            f" {ranges.compact(changed)}",
            hint=AGAIN,
        )


def _painted(plan: Plan, engine: Engine) -> str:
    """What was found of the painted frames. Raises InputError where one that is needed can't be used."""
    from tsn.style.painted_frames import PaintedFrames

    shot, plate = plan.shot, plan.plate
    mixed = {n for n in plan.requested if shot.style.strength.at(n) and (n in plate.stamps or shot.missing == "hold")}
    needed = sorted(plan.plate_frames_for(mixed))
    offset = shot.style.offset
    if lost := [number for number in needed if number not in plate.painted]:
        raise InputError(
            f"{shot.style.frames}: {len(lost)} of {len(needed)} painted frames are missing: {_numbers(lost, offset)}",
            hint=missing_frames_hint(str(shot.style.frames), offset, lost),
        )
    painter, sizes = engine.painter, set()
    assert isinstance(painter, PaintedFrames)
    for number in needed:
        picture = painter.read(number, plate.canvas.height, plate.canvas.width)
        sizes.add(f"{picture.shape[-1]}x{picture.shape[-2]}")
    text = f"{count(len(needed))} of {', '.join(sorted(sizes))}"
    if sizes - {size := f"{plate.canvas.width}x{plate.canvas.height}"}:
        text += f", brought to {size}"
    return f"{text}: {_numbers(needed, offset)}" if needed else text


def _numbers(frames: Collection[int], offset: int) -> str:
    """Painted frames, and which frames of the plate they are for where those have other numbers."""
    painted = ranges.compact(number + offset for number in frames)
    return f"{painted} for {ranges.compact(frames)}" if offset else painted


def _style(plan: Plan) -> str:
    style = plan.shot.style
    if style.frames is not None:
        return f"painted frames {style.frames}"
    if style.adain is not None:
        return f"like {', '.join(style.adain)} ({_model('adain')})"
    names = [style.model] if style.blend is None else list(style.blend)
    return " + ".join(_model(name) for name in names if name is not None)


def _model(name: str) -> str:
    from tsn.style.catalogue import resolve_style

    if ".onnx:" in name.lower():  # one style of several: only the painter knows how to read that
        return name
    info = resolve_style(name)
    return f"{info.name} ({info.family}, {info.sha256[:12]})"
