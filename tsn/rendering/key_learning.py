"""Learn the key frames of a shot: gather what the net is to see, learn, and keep the weights for the next render.

What is learnt is the shot's calibration: the plan carries it to the farm, so that all chunks are painted by the same
net. It is looked for first, by everything that it is made of (`learnt_store`); the last net of a shot is where the next
learning starts, after a key was added or painted over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from tsn.errors import InputError
from tsn.keys.frame import Key
from tsn.keys.learning import Report, learn
from tsn.keys.net import net_from_weights
from tsn.keys.painter import DEVIATION, MEAN, METHOD, WEIGHTS, KeyPainter, net_weights, painted_frames, painted_mark
from tsn.rendering.engine import Engine
from tsn.rendering.key_files import key_files, key_mattes, painting_of
from tsn.rendering.key_frames import read_keys, require_in_shot
from tsn.rendering.key_lesson import gather
from tsn.rendering.learnt_store import LearntStore
from tsn.rendering.plan import Plan
from tsn.shot.model import to_json
from tsn.style.painter import Calibration, digest
from tsn.style.perceptual import load_perceptual


def learnt_keys(
    engine: Engine,
    plan: Plan,
    note: Callable[[str], None],
    *,
    force: bool = False,
    progress: Callable[[Report], None] = lambda report: None,
) -> Calibration:
    """What the net of a shot has learnt, before or now.

    Args:
        engine: with a `KeyPainter` that has learnt nothing yet.
        note: called with a sentence about what takes a while.
        force: learn from nothing, whatever was learnt before.
        progress: called while it learns.

    Raises:
        InputError: a key can't be read, or the weights of the perceptual net are not here.
    """
    painter = engine.painter
    assert isinstance(painter, KeyPainter)
    store = _store(engine, plan, note)
    if force:
        store.forget()
    elif (found := _found(store, plan)) is not None:
        return found
    perceptual = load_perceptual(engine.device)  # a fault shows before anything is painted
    painted = _paint(engine, plan, note)
    files = key_files(plan.shot, painted)
    require_in_shot(sorted(files), plan)
    keys = read_keys(engine, plan, files, key_mattes(plan.shot))
    lesson = gather(engine, plan, keys)
    start, done = _start(store, painter.guides, note)
    seconds = plan.shot.style.learn
    left = f"{seconds * (1 - done) / 60:.3g} minutes" + (" more" if done else "")
    note(f"Learning {_named(keys)} for {left}; how far it is: {store.picture}")
    marks = {MEAN: lesson.scaling.mean, DEVIATION: lesson.scaling.deviation}
    marks |= dict(painted_mark(number, sha256) for number, sha256 in painted.items())

    def as_learnt(weights: Mapping[str, Tensor]) -> Calibration:
        tensors = {f"{WEIGHTS}{name}": tensor for name, tensor in weights.items()}
        return Calibration(painter_fingerprint=painter.fingerprint, tensors=tensors | marks)

    reports: list[Report] = []

    def watch(report: Report) -> None:
        reports[:] = [report]
        store.watch(report, lambda: as_learnt(report.weights))
        progress(report)

    try:
        weights = learn(
            lesson.examples,
            lesson.others,
            perceptual=perceptual,
            seconds=seconds * (1 - done),
            start=start,
            done=done,
            device=engine.device,
            progress=watch,
        )
    except KeyboardInterrupt:
        if reports:
            store.stop(reports[0], as_learnt(reports[0].weights))
        raise
    return store.keep(as_learnt(weights))


def preview_file(engine: Engine, plan: Plan) -> Path:
    """The picture that shows how far the learning of a shot is."""
    return _store(engine, plan, lambda text: None).picture


def is_learnt(engine: Engine, plan: Plan) -> bool:
    """Whether `learnt_keys` has nothing to learn; a shot without keys needs nothing."""
    if not isinstance(engine.painter, KeyPainter):
        return True
    return _found(_store(engine, plan, lambda text: None), plan) is not None


def _store(engine: Engine, plan: Plan, note: Callable[[str], None]) -> LearntStore:
    return LearntStore(plan.shot, key=_key(engine, plan), shot_key=_shot_key(plan), note=note)


def _found(store: LearntStore, plan: Plan) -> Calibration | None:
    """The net that was learnt before, unless a key that tsn painted for it is gone or another one now."""
    found = store.finished()
    try:
        key_files(plan.shot, {} if found is None else painted_frames(found.tensors))
    except InputError:
        return None
    return found


def _start(store: LearntStore, guides: int, note: Callable[[str], None]) -> tuple[Mapping[str, Tensor] | None, float]:
    """Weights to begin with, and the share of the time that they have had: of a stopped learning, or the last net."""
    begun = store.unfinished()
    learnt, done = begun if begun is not None else (store.last(), 0.0)
    if learnt is None:
        return None, 0.0
    weights = net_weights(learnt.tensors)
    try:
        if net_from_weights(weights).guides == guides:
            return weights, done
    except InputError:
        pass
    note("The last net of this shot is of another kind; learning begins anew.")
    return None, 0.0


def _paint(engine: Engine, plan: Plan, note: Callable[[str], None]) -> dict[int, str]:
    """Paint the keys where the shot names a painting: frame -> SHA-256 of its file."""
    painting = painting_of(plan.shot)
    if painting is None:
        return {}
    from tsn.rendering.key_painting import paint_own_keys

    return paint_own_keys(engine, plan, painting, note)


def _key(engine: Engine, plan: Plan) -> str:
    """Hash of all that a net is learnt from. Strength, matte and window may change without learning again."""
    shot = to_json(plan.canonical_shot)
    style = {name: shot["style"].get(name) for name in ("keys", "key_mattes", "learn", *GUIDES)}
    frames = [f"{number}:{plan.plate.stamps[number]}" for number in plan.plate.present]
    libraries = [f"{name} {version}" for name, version in sorted(plan.libraries.items())]
    motion = (str(shot["flow"]), str(plan.shot.temporal.cuts))
    chosen = str(shot["matte"]) if painting_of(plan.shot) else ""  # tsn chooses the frames by what the matte shows
    parts = (plan.tsn, str(style), *motion, chosen, str(shot["plate"]), str(engine.canvas), *engine.fingerprint)
    return digest(*parts, *libraries, *frames)


GUIDES = ("direction", "ids", "depth", "surface")
"""Keys of `style` that name guides."""


def _shot_key(plan: Plan) -> str:
    """Hash of what a shot's last net is kept under: another key does not change it, other guides do."""
    shot = to_json(plan.canonical_shot)
    guides = (str(shot["style"].get(name)) for name in GUIDES)
    return digest("last", METHOD, shot["plate"], str(shot["matte"]), *guides)


def _named(keys: Sequence[Key]) -> str:
    numbers = ", ".join(str(key.number) for key in keys)
    return f"the key of frame {numbers}" if len(keys) == 1 else f"the keys of frames {numbers}"
