"""What a render costs: CPU-seconds per frame by stage, the whole over the style net alone, and peak memory.

CPU time, not wall time, so that a busy machine counts like an idle one; waiting threads sleep
(OMP_WAIT_POLICY=PASSIVE), as their spinning would count as work. Every measurement runs in a process of its own, with
an empty flow cache. The parent imports little: on Linux a child's peak memory is never below its parent's.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from tsn_batch.process.memory import keep_freed_pages

WINDOW = 8
SIZES = ((640, 360), (1920, 1080))
QUICK_SIZES = ((320, 180), (640, 360))
SHORT, LONG = 24, 240
"""Numbers of frames whose peak memory is compared, at the smaller size; the larger has many full windows."""
FEW, MORE = WINDOW + 1, WINDOW + 6
"""Numbers of frames whose CPU time is compared at the larger size: start-up, calibration and the ends cancel out.
Beyond WINDOW frames, each frame adds 2 * WINDOW taps: half in its own window, half in those before it."""
SAMPLES = 3
"""Frames with a full window whose stages are timed."""
MAX_RATIO, MAX_MEMORY_RATIO = 3.0, 1.1
"""What the whole over the style net, and the memory of many frames over that of few, should not exceed."""
# What the renderer does per frame. It reads and prepares a plate frame twice: for the window, and for its output.
STAGES = ("read", "prepare", "read again", "prepare again", "cuts", "flow", "style", "temporal", "colour back", "write")
ASIDE = "flow by DIS"
"""A stage that is timed beside those of the render."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """CPU-seconds and peak memory of a child process, and its output."""

    cpu: float
    peak_mb: float
    output: str


@click.group(invoke_without_command=True)
@click.option("--quick", is_flag=True, help="Smaller frames: a fifth of the work.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def cli(ctx: click.Context, quick: bool, as_json: bool) -> None:
    """Print CPU-seconds per frame, peak memory, and whether both ratios are within their limits."""
    if ctx.invoked_subcommand is None:
        with tempfile.TemporaryDirectory(prefix="tsn-cost-") as folder:
            result = measure(Path(folder), QUICK_SIZES if quick else SIZES)
        click.echo(json.dumps({"quick": quick, **result}, indent=1) if as_json else report(result, quick=quick))


def measure(folder: Path, sizes: tuple[tuple[int, int], ...]) -> dict[str, Any]:
    """All figures, smallest size first; memory is compared there."""
    result: dict[str, Any] = {"machine": json.loads(child("machine").output), "window": WINDOW, "sizes": []}
    for index, (width, height) in enumerate(sizes):
        progress(f"{width}x{height}: making a plate")
        home = folder / f"{width}x{height}"
        few, more = (SHORT, LONG) if index == 0 else (FEW, MORE)
        result["style"] = child("plate", home, width, height, max(more, 2 * WINDOW + SAMPLES)).output.strip()
        progress(f"{width}x{height}: stages")
        stages = json.loads(child("stages", home, cache=home / "cache-stages").output)
        runs = []
        for count in (few, more):
            progress(f"{width}x{height}: rendering {count} frames")
            shot = write_shot(home, f"render{count}", frames=count)
            runs.append(child("render", shot, cache=home / f"cache-{count}"))
        whole = (runs[1].cpu - runs[0].cpu) / (more - few)
        result["sizes"].append(
            {
                "width": width,
                "height": height,
                "frames": [few, more],
                "stages": stages,
                "sum": sum(stages[name] for name in STAGES),
                "whole": whole,
                "whole_over_style": whole / stages["style"],
                "startup": runs[0].cpu - whole * few,
                "peak_mb": [run.peak_mb for run in runs],
            }
        )
    ratios = [size["whole_over_style"] for size in result["sizes"]]
    peaks = result["sizes"][0]["peak_mb"]
    result["whole_over_style"] = limited(max(ratios), MAX_RATIO)
    result["memory"] = {"frames": [SHORT, LONG], "peak_mb": peaks, **limited(peaks[1] / peaks[0], MAX_MEMORY_RATIO)}
    return result


def limited(value: float, limit: float) -> dict[str, float | bool]:
    """A figure beside the limit that it should not exceed."""
    return {"value": value, "limit": limit, "met": value <= limit}


def child(*args: object, cache: Path | None = None) -> Usage:
    """Run one of the hidden commands below; one that fails ends the benchmark. Its stderr is shown."""
    env = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    if cache is not None:
        env["TSN_CACHE"] = str(cache)
    command = [sys.executable, __file__, *map(str, args)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    # Not RUSAGE_CHILDREN: its peak is the highest of all children so far.
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        raise click.ClickException(f"{' '.join(map(str, args))} ended with {process.returncode}")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return Usage(cpu=used.ru_utime + used.ru_stime, peak_mb=used.ru_maxrss / unit, output=output)


def progress(text: str) -> None:
    """Print a line of progress on stderr, so that stdout stays JSON."""
    click.echo(f"... {text}", err=True)


def write_shot(home: Path, name: str, *, frames: int) -> Path:
    """A shot file over the first frames of the plate in `home`."""
    data = {
        "version": 1,
        "plate": str(home / "plate.####.exr"),
        "frames": f"1-{frames}",
        "output": str(home / name / "out.####.exr"),
        "colour": {"input": "lin_rec709"},
        "style": {"model": (home / "style").read_text()},
        "flow": {"method": "vectors", "vectors": {"layer": "ViewLayer.Vector", "convention": "blender"}},
        "temporal": {"window": WINDOW},
    }
    path = home / f"{name}.yaml"
    path.write_text(json.dumps(data))  # JSON is YAML
    return path


@cli.command(hidden=True)
def machine() -> None:
    """Print the processor, its load and versions as JSON."""
    import torch

    from tsn import __version__

    model = platform.processor() or platform.machine()
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    facts = {
        "cpu": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "torch_threads": torch.get_num_threads(),
    }
    click.echo(json.dumps({**facts, "torch": torch.__version__, "tsn": __version__}))


@cli.command(hidden=True)
@click.argument("home", type=click.Path(path_type=Path))
@click.argument("width", type=int)
@click.argument("height", type=int)
@click.argument("count", type=int)
def plate(home: Path, width: int, height: int, count: int) -> None:
    """Write a plate with true vectors and choose a style; print the style's name."""
    from layered_plate import LayeredPlate

    home.mkdir(parents=True)
    name, model = choose_style(home)
    (home / "style").write_text(model)
    LayeredPlate(width, height).write_frames(home, count)
    click.echo(name)


def choose_style(home: Path) -> tuple[str, str]:
    """Name of the style to measure, and its name in a shot file: a bundled one, else a net without training."""
    from tsn.style.catalogue import bundled_styles

    names = [info.name for info in bundled_styles()]
    if names:
        name = "tarascon" if "tarascon" in names else names[0]
        return name, name
    import torch
    from safetensors.torch import save_file

    from tsn.style.nets.johnson import JohnsonNet

    torch.manual_seed(1)
    facts = {"family": "feedforward", "name": "untrained", "width": "16", "blocks": "5"}
    facts |= {"recolours": "yes", "simplifies": "yes", "seeded": "yes"}
    path = home / "untrained.safetensors"
    save_file(JohnsonNet(width=16, blocks=5, recolours=True, seeded=True).state_dict(), path, metadata=facts)
    return "an untrained net of width 16 (no style is bundled; it costs the same)", str(path)


@cli.command(hidden=True)
@click.argument("shot", type=click.Path(path_type=Path))
def render(shot: Path) -> None:
    """Render a shot on the CPU."""
    import tsn

    keep_freed_pages()  # as the command does
    tsn.render(shot, device="cpu", force=True)


@cli.command(hidden=True)
@click.argument("home", type=click.Path(path_type=Path))
def stages(home: Path) -> None:
    """Go through the shot as the renderer does, one stage after another; print the median of each as JSON."""
    import torch

    import tsn
    from tsn import io
    from tsn.flow.base import motion_between
    from tsn.flow.fused import FusedSource
    from tsn.rendering.compositing import LayerPaint, composite
    from tsn.rendering.engine import make_engine
    from tsn.rendering.output_frame import provenance
    from tsn.temporal.cuts import is_cut
    from tsn.temporal.disocclusion import derive_step
    from tsn.temporal.pipeline import derive_window_frame, stabilise_paint

    keep_freed_pages()
    count = 2 * WINDOW + SAMPLES
    plan = tsn.plan(write_shot(home, "stages", frames=count))
    engine = make_engine(plan, device="cpu")
    plates, outputs = (io.FrameSequence.parse(text, base=Path()) for text in (plan.shot.plate, plan.shot.output))
    times: dict[str, list[float]] = defaultdict(list)

    def timed(name: str, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        start = time.process_time()
        result = work(*args, **kwargs)
        times[name].append(time.process_time() - start)
        return result

    dis = FusedSource(scale=plan.shot.flow.scale)
    frames: dict[int, Any] = {}
    steps: dict[int, Any] = {}
    (home / "stages").mkdir()
    with torch.inference_mode():
        last = None
        for number in plan.plate.present:
            frame = timed("read", engine.read, plates.path(number), number)
            view = timed("prepare", engine.prepare, frame).view
            paint = timed("style", engine.painter.paint, view.image, number)
            frames[number] = timed("derived", derive_window_frame, view.image, paint)
            if last is not None:
                timed("cuts", is_cut, last.image, view.image)
                motion = timed("flow", motion_between, engine.flow, last, view)
                steps[number - 1] = timed("silhouettes", derive_step, motion)
                timed(ASIDE, motion_between, dis, last, view)
            last = view
        for number in range(WINDOW + 1, WINDOW + 1 + SAMPLES):
            stable = timed(
                "window",
                stabilise_paint,
                [steps[number - k] for k in range(1, WINDOW + 1)],
                [steps[number + k] for k in range(WINDOW)],
                {other - number: frames[other] for other in range(number - WINDOW, number + WINDOW + 1)},
                radius=WINDOW,
                detail=1.0,
            )
            frame = timed("read again", engine.read, plates.path(number), number)
            prepared = timed("prepare again", engine.prepare, frame, motion=False)
            layer = LayerPaint(engine=engine, prepared=prepared, painted=stable, amount=1.0)
            rgb = timed("colour back", composite, [layer]).rgb
            pixels, facts = rgb.permute(1, 2, 0).numpy(), provenance(plan, [engine], number)
            timed("write", io.write_frame, frame, pixels, outputs.path(number), attributes=facts)
    medians = {name: statistics.median(values) for name, values in times.items()}
    medians["temporal"] = sum(medians.pop(name) for name in ("window", "derived", "silhouettes"))
    click.echo(json.dumps(medians))


def report(result: dict[str, Any], *, quick: bool) -> str:
    """The figures as a text for people."""
    facts, sizes, memory = result["machine"], result["sizes"], result["memory"]
    lines = [
        f"{facts['cpu']}, {facts['cores']} cores (load {facts['load']:.1f}), torch {facts['torch']} with"
        f" {facts['torch_threads']} threads, tsn {facts['tsn']}",
        f"style: {result['style']}; window {result['window']}; CPU-seconds a frame",
    ]
    if quick:
        lines.append("QUICK: smaller frames than the limits are meant for.")
    lines += ["", f"{'':24}" + "".join(f"{size['width']}x{size['height']}".rjust(12) for size in sizes)]

    def row(name: str, values: list[str]) -> None:
        lines.append(f"{name:24}" + "".join(value.rjust(12) for value in values))

    for name in STAGES:
        row("flow (vectors)" if name == "flow" else name, [f"{size['stages'][name]:.3f}" for size in sizes])
    row("sum of these", [f"{size['sum']:.3f}" for size in sizes])
    row("whole render", [f"{size['whole']:.3f}" for size in sizes])
    row("sum / style", [f"{size['sum'] / size['stages']['style']:.2f}" for size in sizes])
    row("whole / style alone", [f"{size['whole_over_style']:.2f}" for size in sizes])
    row("(flow by DIS instead)", [f"{size['stages'][ASIDE]:.3f}" for size in sizes])
    row("(start-up and calibration)", [f"{size['startup']:.1f}" for size in sizes])
    low, high = memory["peak_mb"]
    verdicts = {True: "met", False: "MISSED"}
    ratio = result["whole_over_style"]
    lines += [
        "",
        f"whole / style alone  {ratio['value']:.2f}, at most {ratio['limit']}: {verdicts[ratio['met']]}",
        f"peak memory at {sizes[0]['width']}x{sizes[0]['height']}  {SHORT} frames {low:.0f} MB, {LONG} frames"
        f" {high:.0f} MB: ratio {memory['value']:.3f}, at most {memory['limit']}: {verdicts[memory['met']]}",
        f"peak memory at {sizes[-1]['width']}x{sizes[-1]['height']}  {MORE} frames {sizes[-1]['peak_mb'][1]:.0f} MB",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    cli()
