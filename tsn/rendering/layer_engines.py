"""An engine for each layer of a shot; a shot with one style has the only one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tsn.errors import InputError, UsageError
from tsn.rendering.engine import Engine, highlights_of, make_engine
from tsn.rendering.plan import Plan
from tsn.shot.model import Shot
from tsn.style.painter import digest

LAYERS = "layers-1"
"""Version of how layers are composited; a new one makes frames of shots with layers stale."""


def make_engines(
    plan: Plan,
    *,
    device: str = "auto",
    note: Callable[[str], None] = lambda text: None,
    tile: int | None = None,
    calibrated: bool = True,
) -> tuple[Engine, ...]:
    """Load everything that each layer of a shot needs, the lowest first. They share the source of motion.

    Args:
        device, note, tile, calibrated: as for `make_engine`; a sentence that holds for several layers is said once.

    Raises:
        TsnError: of any kind; nothing has been written then.
    """
    engines: list[Engine] = []
    note = once(note)
    for layer in plan.by_layer:
        flow = (engines[0].flow, engines[0].flow_reason) if engines else None
        with _named(f"layers.{len(engines)}" if plan.shot.layers else None):
            engine = make_engine(
                layer,
                device=device,
                note=note,
                tile=_smaller(tile, layer),
                calibrated=calibrated,
                flow=flow,
                motion_highlights=motion_highlights(plan.shot),
            )
        engines.append(engine)
    return tuple(engines)


@contextmanager
def _named(layer: str | None) -> Iterator[None]:
    """Names the layer in errors about a key of its style."""
    try:
        yield
    except (InputError, UsageError) as error:
        text = re.sub(r"(^|: )style\.", rf"\1{layer}.style.", str(error), count=1)
        if layer is None or text == str(error):
            raise
        raise type(error)(text, hint=error.hint) from error


def motion_highlights(shot: Shot) -> str:
    """How the picture that motion is found in has its highlights: for all layers alike, so that it is found once."""
    found = {highlights_of(layer) for layer in shot.by_layer}
    return found.pop() if len(found) == 1 else "keep"


def once(note: Callable[[str], None]) -> Callable[[str], None]:
    """A function that passes each sentence on once."""
    said: set[str] = set()

    def say(text: str) -> None:
        if text not in said:
            said.add(text)
            note(text)

    return say


def _smaller(tile: int | None, plan: Plan) -> int | None:
    """The tile of a layer where memory is short: one that has smaller tiles keeps them."""
    own = plan.shot.style.tile
    return min(tile, own) if tile and own else tile


def fingerprint_of(plan: Plan, by_layer: Sequence[tuple[str, ...]]) -> tuple[str, str, str, str]:
    """The fingerprint of a shot's engine, as `Plan.frame_hash` and `Pins` take it, from those of its layers."""
    if not plan.shot.layers:
        painter, flow, colour, kind = by_layer[0]
        return painter, flow, colour, kind
    painters, flows, colours, kinds = zip(*by_layer, strict=True)
    return digest(LAYERS, *painters), _joined(flows), _joined(colours), _joined(kinds)


def _joined(facts: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(facts))
