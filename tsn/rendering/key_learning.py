"""Learn the key frames of a shot: gather what the net is to see, learn, and keep the weights for the next render.

What is learnt is the shot's calibration: the plan carries it to the farm, so that all chunks are painted by the same
net. It is looked for in the cache first, by everything that it is made of; the last net of a shot is where the next
learning starts, after a key was added or painted over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from tsn import io
from tsn.errors import InputError, OutputError
from tsn.io.disk_cache import DiskCache
from tsn.keys.frame import Key
from tsn.keys.learning import Report, learn
from tsn.keys.painter import DEVIATION, MEAN, WEIGHTS, KeyPainter, net_weights, painted_frames, painted_mark
from tsn.rendering.engine import Engine
from tsn.rendering.key_files import key_files, key_mattes, painting_of
from tsn.rendering.key_frames import read_keys, require_in_shot
from tsn.rendering.key_lesson import gather
from tsn.rendering.output import cache_folder
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
    """What the net of a shot has learnt, from the cache or learnt now.

    Args:
        engine: with a `KeyPainter` that has learnt nothing yet.
        note: called with a sentence about what takes a while.
        force: learn, whatever is in the cache.
        progress: called while it learns.

    Raises:
        InputError: a key can't be read, or the weights of the perceptual net are not here.
    """
    painter = engine.painter
    assert isinstance(painter, KeyPainter)
    folder = _folder()
    path, last = _file(engine, plan), folder / f"{_shot_key(plan)}.safetensors"
    kept = DiskCache(folder, "learnt")
    if not force and kept.touch(path) and (found := _load(path, note)) is not None and _still_there(plan, found):
        return found
    perceptual = load_perceptual(engine.device)  # a fault shows before anything is painted
    painted = _paint(engine, plan, note)
    keys = read_keys(engine, plan, key_files(plan.shot, painted), key_mattes(plan.shot))
    require_in_shot([key.number for key in keys], plan)
    lesson = gather(engine, plan, keys)
    before = _load(last, note) if last.exists() else None
    seconds, picture = plan.shot.style.learn, preview_file(plan)
    note(f"Learning {_named(keys)} for {seconds / 60:.3g} minutes; how far it is: {picture}")
    marks = {MEAN: lesson.scaling.mean, DEVIATION: lesson.scaling.deviation}
    marks |= dict(painted_mark(number, sha256) for number, sha256 in painted.items())

    def as_learnt(weights: Mapping[str, Tensor]) -> Calibration:
        tensors = {f"{WEIGHTS}{name}": tensor for name, tensor in weights.items()}
        return Calibration(painter_fingerprint=painter.fingerprint, tensors=tensors | marks)

    def keep(learnt: Calibration, files: Sequence[Path]) -> None:
        try:
            if kept.make_room(len(files) * learnt.size):
                folder.mkdir(parents=True, exist_ok=True)
                for file in files:
                    learnt.save(file)
        except (OSError, OutputError) as error:
            note(f"What was learnt can't be kept in {folder} ({error}); going on without.")

    reports: list[Report] = []

    def watch(report: Report) -> None:
        reports[:] = [report]
        folder.mkdir(parents=True, exist_ok=True)
        io.write_png(picture, report.preview.permute(1, 2, 0).cpu().numpy())
        progress(report)

    try:
        weights = learn(
            lesson.examples,
            lesson.others,
            perceptual=perceptual,
            seconds=seconds,
            start=None if before is None else net_weights(before.tensors),
            device=engine.device,
            progress=watch,
        )
    except KeyboardInterrupt:
        if reports:
            keep(as_learnt(reports[0].weights), [last])
        raise
    learnt = as_learnt(weights)
    keep(learnt, [path, last])
    return learnt


def preview_file(plan: Plan) -> Path:
    """The picture that shows how far the learning of a shot is."""
    return _folder() / f"{plan.shot.file.stem}-{_shot_key(plan)[:8]}.png"


def is_learnt(engine: Engine, plan: Plan) -> bool:
    """Whether `learnt_keys` finds what it needs in the cache; a shot without keys needs nothing."""
    return not isinstance(engine.painter, KeyPainter) or _file(engine, plan).exists()


def _file(engine: Engine, plan: Plan) -> Path:
    return _folder() / f"{_key(engine, plan)}.safetensors"


def _folder() -> Path:
    return cache_folder() / "learnt"


def _paint(engine: Engine, plan: Plan, note: Callable[[str], None]) -> dict[int, str]:
    """Paint the keys where the shot names a painting: frame -> SHA-256 of its file."""
    painting = painting_of(plan.shot)
    if painting is None:
        return {}
    from tsn.rendering.key_painting import paint_own_keys

    return paint_own_keys(engine, plan, painting, note)


def _still_there(plan: Plan, learnt: Calibration) -> bool:
    """Whether the keys that tsn painted are still on disk as they were learnt."""
    try:
        key_files(plan.shot, painted_frames(learnt.tensors))
    except InputError:
        return False
    return True


def _load(path: Path, note: Callable[[str], None]) -> Calibration | None:
    try:
        return Calibration.load(path)
    except InputError:
        note(f"{path} is damaged; learning again.")
        return None


def _key(engine: Engine, plan: Plan) -> str:
    """Hash of all that a net is learnt from. Strength, matte and window may change without learning again."""
    shot = to_json(plan.canonical_shot)
    style = {name: shot["style"].get(name) for name in ("keys", "key_mattes", "learn", *GUIDES)}
    frames = [f"{number}:{plan.plate.stamps[number]}" for number in plan.plate.present]
    libraries = [f"{name} {version}" for name, version in sorted(plan.libraries.items())]
    parts = (plan.tsn, str(style), str(shot["flow"]), str(shot["plate"]), str(engine.canvas), *engine.fingerprint)
    return digest(*parts, *libraries, *frames)


GUIDES = ("direction", "ids", "depth", "surface")
"""Keys of `style` that name guides."""


def _shot_key(plan: Plan) -> str:
    """Hash of what a shot's last net is kept under: another key does not change it, other guides do."""
    shot = to_json(plan.canonical_shot)
    guides = (str(shot["style"].get(name)) for name in GUIDES)
    return digest("last", shot["file"], shot["plate"], str(shot["matte"]), *guides)


def _named(keys: Sequence[Key]) -> str:
    numbers = ", ".join(str(key.number) for key in keys)
    return f"the key of frame {numbers}" if len(keys) == 1 else f"the keys of frames {numbers}"
