"""How still and how sharp: stabilised renders of CG shots against their per-frame paint, by true motion.

Each shot folder holds one multilayer EXR sequence with renderer vectors. It is rendered per frame, stabilised with
the vectors (world background estimated, and still), and stabilised with DIS alone; an independent yardstick
(`measure.py`) then compares what each of them shows. Last, it is rendered in chunks, in shuffled order, each with
caches of its own, as separate hosts would: the files must be the same to the bit.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import cv2
import numpy as np
from torch import Tensor

import tsn
from tsn import io
from tsn.rendering.render import render as render_plan
from tsn.style.painter import Uncalibrated

SHARED = Path(__file__).resolve().parents[2] / "shared"
CHUNK = 5
DEFAULT = "great-wave"
SKY = 6e4
"""Depth of the world: 1e10, or 65504 in half. `measure.py` takes anything under 1e9 for a surface with true vectors,
so that it judges a half-float sky by zero vectors, although the sky moves with the camera."""
NEAR = 5
"""Pixels beside a highlight that the yardstick's Gaussian of 1 px, and the silhouette itself, carry it to."""
VARIANTS: dict[str, dict[str, Any]] = {
    "per frame": {"temporal": {"window": 0}},
    "vectors": {"flow": {"method": "vectors", "vectors": {"background": "estimate"}}},
    "vectors, still sky": {"flow": {"method": "vectors", "vectors": {"background": "still"}}},
    "DIS": {"flow": {"method": "dis"}},
}
CHUNKED = "vectors"


@dataclass(frozen=True, kw_only=True)
class Plate:
    """A CG shot on disk.

    Attributes:
        pattern: with `%04d` for the frame, as `measure.py` takes it.
        vectors: the layer of motion vectors.
    """

    name: str
    pattern: str
    frames: tuple[int, ...]
    vectors: str

    @staticmethod
    def find(folder: Path) -> Plate:
        """The longest EXR sequence of a folder, and the vectors in it."""
        found: dict[tuple[str, int], list[int]] = {}
        for path in folder.glob("*.exr"):
            if match := re.fullmatch(r"(.*?)(\d+)\.exr", path.name):
                found.setdefault((match[1], len(match[2])), []).append(int(match[2]))
        if not found:
            raise click.ClickException(f"{folder}: no numbered EXR frames")
        (stem, digits), frames = max(found.items(), key=lambda item: len(item[1]))
        pattern = str(folder.resolve() / f"{stem}%0{digits}d.exr")
        channels = io.probe(Path(pattern % min(frames))).channels
        layers = [name[:-2] for name in channels if re.search(r"(vector|speed)[^.]*\.x$", name, re.IGNORECASE)]
        if not layers:
            raise click.ClickException(f"{pattern}: no layer of motion vectors")
        return Plate(name=folder.name, pattern=pattern, frames=tuple(sorted(frames)), vectors=layers[0])


@click.command()
@click.argument("shots", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="SHOT_DIR...")
@click.option("--bench", type=click.Path(path_type=Path), default=SHARED / "bench", help="Folder of measure.py.")
@click.option("--style", help="A bundled style or a weights file; by default great-wave.")
@click.option("--painted", metavar="PATTERN", help="Frames painted elsewhere instead; {shot} is the folder's name.")
@click.option("--window", default=8, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Keep renders, PNGs and difference sheets here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cli(
    shots: tuple[Path, ...],
    bench: Path,
    style: str | None,
    painted: str | None,
    window: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Stability and sharpness over the per-frame result, and whether chunks equal the whole.

    By default the shots pan and fast in ../shared/shots.
    """
    shots = shots or tuple(path for name in ("pan", "fast") if (path := SHARED / "shots" / name).is_dir())
    if not shots:
        raise click.UsageError("name folders of CG frames with motion vectors")
    yard = yardstick(bench)
    results = []
    with tempfile.TemporaryDirectory(prefix="tsn-stability-") as temporary:
        home = out.resolve() if out else Path(temporary)
        os.environ["TSN_CACHE"] = str(Path(temporary) / "cache")
        for folder in shots:
            plate = Plate.find(folder)
            source = (
                {"frames": str(Path(painted.replace("{shot}", plate.name)).resolve())}
                if painted
                else {"model": style or DEFAULT}
            )
            result = examine(plate, home / plate.name, yard, {"style": source, "temporal": {"window": window}})
            results.append(result)
            if not as_json:
                click.echo(report(result))
    if as_json:
        click.echo(json.dumps(results, indent=1))


def yardstick(folder: Path) -> ModuleType:
    """`measure.py`, which lies outside the repository so that no change here can soften it."""
    path = folder / "measure.py"
    spec = spec_from_file_location("measure", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise click.UsageError(f"{path} is not there; name its folder with --bench")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def examine(plate: Plate, home: Path, yard: ModuleType, settings: dict[str, Any]) -> dict[str, Any]:
    """Render every variant of a shot, measure each, and check chunks against the whole."""
    shown, cpu = {}, {}
    for name, more in VARIANTS.items():
        click.echo(f"... {plate.name}: {name}", err=True)
        shot = write_shot(plate, home, name, merged(settings, more))
        start = os.times()
        tsn.render(shot, device="cpu", force=True)
        end = os.times()
        cpu[name] = (end.user + end.system - start.user - start.system) / len(plate.frames)
        shown[name] = [display(home, name, frame, yard) for frame in plate.frames]
    click.echo(f"... {plate.name}: measuring", err=True)
    _, forward, backward, info = yard.load_blender_exr(plate.pattern, plate.frames)
    seen = surfaces(plate, yard)
    masks = {"as it is": info["valid"]}
    if seen is not None:
        dim = [~near_highlights(plate, frame) for frame in plate.frames]
        masks |= {"sky masked": seen, "and highlights": [a & b for a, b in zip(seen, dim, strict=True)]}
    rows, bases = [], []
    for mask, valid in masks.items():
        judge = yard.Evaluator(forward, backward, shown["per frame"], valid=valid)
        bases.append(judge(shown["per frame"]))
        rows += [
            {"variant": name, "yardstick": mask, **over(judge(frames), bases[-1])}
            for name, frames in shown.items()
            if name != "per frame"
        ]
    sheet(plate, home, yard, shown, forward, backward)
    click.echo(f"... {plate.name}: chunks", err=True)
    return {
        "shot": plate.name,
        "frames": len(plate.frames),
        "per_frame_stroke_short": bases[0]["stroke_short"],
        "sky": None if seen is None else float(1 - np.mean(seen)),
        "rows": rows,
        "cpu_seconds_a_frame": cpu,
        "chunks_identical": chunks_identical(home, CHUNKED),
    }


def merged(settings: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The settings with a variant's own over them, section by section."""
    return {**settings, **{key: {**settings.get(key, {}), **value} for key, value in more.items()}}


def surfaces(plate: Plate, yard: ModuleType) -> list[np.ndarray] | None:
    """Where each frame shows a surface and no sky, bool (H, W); None where no depth tells."""
    depths = [depth_of(yard.read_exr_layers(plate.pattern % frame)) for frame in plate.frames]
    known = [depth < SKY for depth in depths if depth is not None]
    return known if len(known) == len(depths) else None


def near_highlights(plate: Plate, frame: int) -> np.ndarray:
    """Where the plate is brighter than 1, and around it, bool (H, W).

    tsn keeps that light and a screen clips it: at its silhouettes the yardstick sees steps that no paint has.
    """
    rgb = io.read_frame(Path(plate.pattern % frame), frame).rgb
    bright = (rgb.max(-1) > 1).astype(np.uint8)
    return cv2.dilate(bright, np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)).astype(bool)


def write_shot(plate: Plate, home: Path, name: str, settings: dict[str, Any]) -> Path:
    """The shot file of one variant; its frames go to a folder beside it."""
    folder = home / slug(name)
    folder.mkdir(parents=True, exist_ok=True)
    flow = settings.get("flow", {})
    if "vectors" in flow:
        flow = {**flow, "vectors": {"layer": plate.vectors, "convention": "blender", **flow["vectors"]}}
    data = {
        "version": 1,
        "plate": plate.pattern,
        "output": str(folder / "out.####.exr"),
        "colour": {"input": "lin_rec709"},
        **settings,
        "flow": flow,
    }
    path = home / f"{slug(name)}.yaml"
    path.write_text(json.dumps(data, indent=1))  # JSON is YAML
    return path


def slug(name: str) -> str:
    return re.sub(r"\W+", "_", name)


def display(home: Path, name: str, frame: int, yard: ModuleType) -> np.ndarray:
    """A rendered frame as the yardstick sees it: through a 16-bit PNG beside it, sRGB, float32 (H, W, 3)."""
    path = home / slug(name) / f"out.{frame:04}.exr"
    rgb = io.read_frame(path, frame).rgb.astype(np.float32)
    codes = np.round(yard.lin2srgb(rgb) * 65535).astype(np.uint16)
    png = path.with_suffix(".png")
    if not cv2.imwrite(str(png), codes[..., ::-1]):
        raise click.ClickException(f"can't write {png}")
    shown: np.ndarray = yard.read_img(str(png))
    return shown


def depth_of(channels: dict[str, np.ndarray]) -> np.ndarray | None:
    return next((values for name, values in channels.items() if name.lower().endswith("depth.z")), None)


def over(result: dict[str, Any], base: dict[str, Any]) -> dict[str, float | None]:
    """Errors as a share of the per-frame paint's, the rest as it is. None where the shot is too short."""
    short, long = result["stroke_short"] / base["stroke_short"], result["stroke_long"]
    return {
        "stroke_short": short,
        "stroke_long": None if long is None else long / base["stroke_long"],
        **{key: result[key] for key in ("stroke_g", "sharp_g", "dis_err", "fid")},
    }


def chunks_identical(home: Path, name: str) -> bool:
    """Whether chunks, rendered in shuffled order with caches of their own, give the files of the whole shot.

    They go where the whole went (the header tells the output's path), which is moved aside for it.
    """
    folder, whole = home / slug(name), home / f"{slug(name)}.whole"
    folder.rename(whole)
    folder.mkdir()
    plan = tsn.plan(home / f"{slug(name)}.yaml", chunk_size=CHUNK)
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
    frames = sorted(path.name for path in whole.glob("*.exr"))
    same = frames == sorted(path.name for path in folder.glob("*.exr")) and all(
        (whole / frame).read_bytes() == (folder / frame).read_bytes() for frame in frames
    )
    if same:  # nothing is left to compare
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        whole.rename(folder)
    return same


def sheet(
    plate: Plate,
    home: Path,
    yard: ModuleType,
    shown: dict[str, list[np.ndarray]],
    forward: list[np.ndarray],
    backward: list[np.ndarray],
) -> None:
    """sheet.png: where most is uncovered, three frames at twice their size, then what changes from one to the next.

    A row for each variant; the differences are along true motion, times four.
    """
    middle = len(plate.frames) // 2
    if middle + 2 >= len(plate.frames):
        return
    crop = opening(~yard.visible(backward[middle - 1], forward[middle - 1], False), 240, 180)
    rows = []
    for frames in shown.values():
        times = range(middle, middle + 3)
        pictures = [frames[t] for t in times]
        pictures += [np.abs(yard.warp(frames[t + 1], forward[t]) - frames[t]) * 4 for t in list(times)[:2]]
        rows.append(np.concatenate([p[crop] for p in pictures], 1))
    picture = np.repeat(np.repeat(np.concatenate(rows), 2, 0), 2, 1).clip(0, 1)
    cv2.imwrite(str(home / "sheet.png"), np.round(picture[..., ::-1] * 255).astype(np.uint8))


def opening(uncovered: np.ndarray, width: int, height: int) -> tuple[slice, slice]:
    """The part of a picture, at most so large, where most is uncovered (bool (H, W))."""
    size = min(height, uncovered.shape[0]), min(width, uncovered.shape[1])
    density = cv2.boxFilter(uncovered.astype(np.float32), -1, (size[1] // 2, size[0] // 2))
    places = np.unravel_index(density.argmax(), density.shape)
    starts = [
        int(np.clip(at - length // 2, 0, limit - length))
        for at, length, limit in zip(places, size, uncovered.shape, strict=True)
    ]
    rows, columns = (slice(start, start + length) for start, length in zip(starts, size, strict=True))
    return rows, columns


def frozen(painter: Any, plates: Sequence[Tensor]) -> Any:
    """A style's painter, locked to the survey of five of these plates, as the renderer does; others as they are."""
    if not isinstance(painter, Uncalibrated):
        return painter
    return painter.frozen(painter.calibrate(plates[:: max(1, len(plates) // 5)]))


def report(result: dict[str, Any]) -> str:
    """The figures of a shot as a text for people."""
    columns = ("stroke_short", "stroke_long", "stroke_g", "sharp_g", "dis_err", "fid")
    sky = "" if result["sky"] is None else f", sky {result['sky']:.0%} of the picture"
    lines = [
        f"\n{result['shot']}: {result['frames']} frames{sky}; errors over the per-frame paint's"
        f" (its stroke_short {result['per_frame_stroke_short']:.6f})",
        f"{'render':20}{'yardstick':16}" + "".join(name.rjust(14) for name in columns),
    ]
    for row in result["rows"]:
        figures = "".join(("-" if row[name] is None else f"{row[name]:.4f}").rjust(14) for name in columns)
        lines.append(f"{row['variant']:20}{row['yardstick']:16}{figures}")
    cpu = ", ".join(f"{name} {seconds:.2f}" for name, seconds in result["cpu_seconds_a_frame"].items())
    identical = "yes" if result["chunks_identical"] else f"NO (compare {slug(CHUNKED)} and {slug(CHUNKED)}.whole)"
    lines += [
        f"chunks of {CHUNK}, shuffled, bit-identical to the whole: {identical}",
        f"CPU-seconds a frame, start-up included: {cpu}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(cli())
