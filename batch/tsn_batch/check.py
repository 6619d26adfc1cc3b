"""What can be told of a shot, and found wrong with it, before a frame is rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import tsn
from tsn import frames as ranges
from tsn.errors import InputError, UsageError
from tsn.shot.inspect import inspect
from tsn.shot.output import require_writable
from tsn.shot.plan import Plan
from tsn_batch.progress import count

Finding = tuple[str, str]
"""What it is about, and what was found."""


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
    text = f"{len(plan.wanted)} of {len(plate.frames)}: {ranges.compact(plan.wanted)}"
    if plate.missing:
        text += f"; missing {ranges.compact(plate.missing)} ({shot.missing})"
    yield "frames", text
    yield "canvas", f"{plate.canvas.width}x{plate.canvas.height}{plate.canvas.x:+}{plate.canvas.y:+}"
    yield "style", _style(plan)
    window = shot.temporal.window
    yield "temporal", f"{count(window)} to either side" if window else "every frame by itself"
    folder = Path(shot.output).parent
    require_writable(folder)
    yield "output", shot.output + ("" if folder.exists() else f"; {folder} will be made")


def check(plan: Plan, *, device: str, note: Callable[[str], None]) -> Iterator[Finding]:
    """All that `describe` tells, then what loading everything the shot needs brings to light.

    Raises:
        TsnError: the fault, of any kind.
    """
    yield from describe(plan)
    from tsn import io
    from tsn.shot.engine import make_engine

    engine = make_engine(plan, device=device, note=note)
    yield "device", str(engine.device)
    yield "colour", engine.codec.space
    yield "flow", engine.flow_reason
    first = plan.plate.present[0]
    cover = engine.matte_of(engine.read(io.Sequence.parse(plan.shot.plate, base=Path()).path(first), first))
    if cover is not None:
        yield "matte", f"covers {100 * float(cover.mean()):.1f} % of frame {first}"


def require_chunk(plan: Plan, index: int) -> None:
    """Raise UsageError for a chunk that the plan hasn't got, InputError where it would come out otherwise today.

    The plan pins the plate as it was. A frame that was rendered again since would give a result that
    carries the hash of the old one.
    """
    if not 0 <= index < len(plan.chunks):
        raise UsageError(f"The plan has no chunk {index}, only 0 to {len(plan.chunks) - 1}.", hint="They count from 0.")
    again = "Make the plan again with `tsn plan`; frames that are finished and still right will be skipped."
    if plan.tsn != tsn.__version__:
        raise InputError(f"The plan was made by tsn {plan.tsn}, and this is {tsn.__version__}.", hint=again)
    planned = plan.plate
    now = inspect(replace(plan.shot, frames=ranges.compact(planned.frames)))
    today = replace(plan, plate=now)
    if any(plan.digest(number) != today.digest(number) for number in plan.chunks[index].frames):
        changed = [number for number in planned.frames if planned.stamps.get(number) != now.stamps.get(number)]
        raise InputError(
            f"{plan.shot.plate}: chunk {index} depends on frames that changed after the plan was made:"
            f" {ranges.compact(changed)} (another size, date or presence)",
            hint=again,
        )


def _style(plan: Plan) -> str:
    style = plan.shot.style
    if style.frames is not None:
        return f"painted frames {style.frames}"
    if style.adain is not None:
        return f"like {', '.join(style.adain)} ({_model('adain')})"
    names = [style.model] if style.blend is None else list(style.blend)
    return " + ".join(_model(name) for name in names if name is not None)


def _model(name: str) -> str:
    from tsn.style.weights import resolve

    if ".onnx:" in name.lower():  # one style of several: only the painter knows how to read that
        return name
    info = resolve(name)
    return f"{info.name} ({info.family}, {info.sha256[:12]})"
