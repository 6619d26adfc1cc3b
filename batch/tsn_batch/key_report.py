"""What `tsn check` says of the key frames of a shot: how much of it they show, and where another would help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tsn.rendering.plan import Plan
from tsn.shot.model import PAINTING

if TYPE_CHECKING:
    from tsn.rendering.engine import Engine

WORTH_SAYING = 0.005
"""A share of the shot below this that no key shows is not worth a line."""


def key_findings(plan: Plan, engine: Engine) -> Iterator[tuple[str, str]]:
    """Look at the motion of the whole shot, and describe what its keys show.

    Raises:
        InputError: a key is damaged, of other proportions than the plate, or of a frame that the shot hasn't got.
    """
    from tsn.rendering.key_coverage import object_of, survey_coverage

    keys = plan.shot.style.keys
    assert keys is not None
    if PAINTING in keys:
        numbers = survey_coverage(engine, plan).choose()
        yield "keys", f"tsn will paint {', '.join(map(str, numbers))}, which show the shot best"
        return
    from tsn.rendering.key_files import key_mattes
    from tsn.rendering.key_frames import read_keys, require_in_shot

    frames = sorted(map(int, keys))
    require_in_shot(frames, plan)
    painted = read_keys(engine, plan, {number: keys[str(number)] for number in frames}, key_mattes(plan.shot))
    weights = {key.number: key.weight for key in painted}
    coverage = survey_coverage(engine, plan)
    missing = coverage.missing(frames, weights)
    shown = 1 - sum(missing.values()) / len(missing)
    text = f"{', '.join(map(str, frames))}: {shown:.0%} of the shot is shown by them"
    if 1 - shown >= WORTH_SAYING:
        worst = max(missing, key=lambda number: missing[number])
        text += f", {1 - missing[worst]:.0%} of {worst}"
    yield "keys", text
    for each in coverage.suggest(frames, weights):
        name = object_of(engine, plan, each)
        span = f"{each.first}" if each.first == each.last else f"{each.first}-{each.last}"
        text = f"{each.missing:.0%} of {span} is shown by none, most of it {each.where}" + (
            f", of {name}" if name else ""
        )
        yield "keys", f"a key near {each.number} would help: {text}"
