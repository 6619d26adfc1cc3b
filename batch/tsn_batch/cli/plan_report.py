"""Describe and check a shot before a frame is rendered, for `tsn check` and `tsn render --dry-run`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tsn import frames as ranges
from tsn.errors import InputError
from tsn.io.sequence import FrameSequence, describe_ignored
from tsn.rendering.output import require_writable
from tsn.rendering.plan import Plan
from tsn.shot.model import PAINTING, Matte, Shot, Style
from tsn.style.painted_frame_hashes import missing_frames_hint
from tsn_batch import matte_report
from tsn_batch.key_report import key_findings
from tsn_batch.local.worker_slots import worker_slots
from tsn_batch.wording import frame_count

if TYPE_CHECKING:
    from tsn.rendering.engine import Engine

Finding = tuple[str, str]
"""Subject, such as "plate" or "colour", and what was found."""


def describe_plan(plan: Plan) -> Iterator[Finding]:
    """Describe the shot from its plan. Reads one header; loads neither torch nor the tensors of a weights file.

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
    patterns = [("plate", shot.plate)]
    patterns += [(f"{prefix}style.frames", layer.style.frames) for prefix, layer in _layers(shot) if layer.style.frames]
    ignored = [
        (key, describe_ignored(FrameSequence.parse(pattern, base=Path()).ignored_files())) for key, pattern in patterns
    ]
    if any(files for _, files in ignored):
        yield "left out", " ".join(f"{key}: {files}" for key, files in ignored if files)
    yield "canvas", f"{plate.canvas.width}x{plate.canvas.height}{plate.canvas.x:+}{plate.canvas.y:+}"
    for prefix, layer in _layers(shot):
        window = layer.temporal.window
        alone = "every frame by itself" if layer.style.keys is None else "every frame with its keys only"
        temporal = f"{frame_count(window)} to either side" if window else alone
        if shot.layers:
            yield prefix.strip("."), f"{_style(layer.style)}; {_painted_where(layer.matte)}; {temporal}"
        else:
            yield "style", _style(layer.style)
            yield "temporal", temporal
    cuts = () if shot.temporal.cuts == "auto" else shot.temporal.cuts
    if outside := [cut for cut in cuts if not plate.frames[0] <= cut <= plate.frames[-1]]:
        yield "cuts", f"{', '.join(map(str, outside))} outside of the shot, without effect"
    folder = Path(shot.output).parent
    require_writable(folder)
    yield "output", shot.output + ("" if folder.exists() else f"; {folder} will be created")


def check_plan(plan: Plan, *, device: str, note: Callable[[str], None]) -> Iterator[Finding]:
    """Describe the shot, then load everything that it needs, and describe what was found.

    Args:
        device: one, or a list with commas as `tsn render` takes it. All of them must exist; the engine is loaded once
            for each type of device.
        note: is called with each warning.

    Raises:
        TsnError: of the kind of the fault.
    """
    yield from describe_plan(plan)
    from tsn.rendering.engine import choose_device
    from tsn.rendering.layer_engines import make_engines

    devices = [choose_device(name) for name in dict.fromkeys(slot.device for slot in worker_slots(device))]
    first_of_type = {chosen.type: str(chosen) for chosen in reversed(devices)}
    calibrated = all(layer.style.keys is None for layer in plan.shot.by_layer)  # learning takes minutes
    engines, *_ = [make_engines(plan, device=name, note=note, calibrated=calibrated) for name in first_of_type.values()]
    yield "device", ", ".join(map(str, devices))
    yield "colour", engines[0].codec.space
    yield "flow", engines[0].flow_reason
    for (prefix, shot), layer, engine in zip(_layers(plan.shot), plan.by_layer, engines, strict=True):
        if shot.matte is not None:
            shares = _shares(layer, shot.matte, engine)
            yield f"{prefix}matte", matte_report.coverage_text(shares)
            if text := matte_report.miss_warning(shot.matte, shares):
                note(f"Warning: {f'{prefix[:-1]}: ' if prefix else ''}{text}")
        if shot.style.frames is not None:
            yield f"{prefix}painted", _painted(layer, engine)
        if shot.style.keys is not None:
            yield from ((f"{prefix}{name}", text) for name, text in key_findings(layer, engine))


def _layers(shot: Shot) -> list[tuple[str, Shot]]:
    """The layers of a shot, each with how its keys begin, `layers.0.`; a shot with one style with nothing."""
    if not shot.layers:
        return [("", shot)]
    return [(f"layers.{place}.", layer) for place, layer in enumerate(shot.by_layer)]


def _painted_where(matte: Matte | None) -> str:
    if matte is None:
        return "everywhere"
    what = str(matte.channel) if matte.channel else f"{matte.cryptomatte}: {', '.join(matte.names)}"
    return f"all but {what}" if matte.invert else what


def _shares(plan: Plan, matte: Matte, engine: Engine) -> dict[int, float]:
    """Frame -> share that the matte covers, up to and with the first checked frame where it does not miss."""
    from tsn.rendering.engine import matte_coverage

    plates, shares = FrameSequence.parse(plan.shot.plate, base=Path()), {}
    for number in matte_report.frames_to_check(plan.plate.present):
        mask = engine.matte_of(engine.read(plates.path(number), number))
        assert mask is not None  # the shot has a matte
        shares[number] = matte_coverage(mask)
        if not matte_report.misses_subject(matte, shares[number]):
            break
    return shares


def _painted(plan: Plan, engine: Engine) -> str:
    """Read all painted frames that the plan needs, and describe them. Raises InputError for one that can't be used."""
    from tsn.style.painted_frames import PaintedFrames

    shot, plate = plan.shot, plan.plate
    painted = {n for n in plan.requested if shot.style.strength.at(n) and (n in plate.stamps or shot.missing == "hold")}
    needed = sorted(plan.plate_frames_for(painted))
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
    text = f"{frame_count(len(needed))} of {', '.join(sorted(sizes))}"
    if sizes - {size := f"{plate.canvas.width}x{plate.canvas.height}"}:
        text += f", resized to {size}"
    return f"{text}: {_numbers(needed, offset)}" if needed else text


def _numbers(frames: Collection[int], offset: int) -> str:
    """The numbers of painted frames, and those of their plate frames where an offset makes them differ."""
    painted = ranges.compact(number + offset for number in frames)
    return f"{painted} for {ranges.compact(frames)}" if offset else painted


def _style(style: Style) -> str:
    if style.frames is not None:
        return f"painted frames {style.frames}"
    if style.keys is not None:
        painting = style.keys.get(PAINTING)
        return f"keys painted by tsn like {painting}" if painting else f"key frames {', '.join(style.keys)}"
    if style.strokes is not None:
        colours = "" if style.palette == "plate" else f" in the colours of {style.palette}"
        return f"brush strokes: {style.strokes}{colours}"
    if style.adain is not None:
        return f"like {', '.join(style.adain)} ({_model('adain')})"
    names = [style.model] if style.blend is None else list(style.blend)
    return " + ".join(_model(name) for name in names if name is not None)


def _model(name: str) -> str:
    from tsn.style.catalogue import resolve_style

    if ".onnx:" in name.lower():  # one of several styles in a file, which only the painter can read
        return name
    info = resolve_style(name)
    return f"{info.name} ({info.family}, {info.sha256[:12]})"
