"""Two CPU workers on two cores against one, with one thread each: at least 1.7 times as fast.

    python benchmarks/workers.py [--size 640x360] [--frames 128] [--json]

Both start cold, with a flow cache of their own, and must write the same bits. A second render, which finds every frame
finished, tells what the start alone costs. The bar is for a machine with nothing else to do; beside the wall clock,
CPU seconds tell how much of the loss is work done twice.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from cost import Scene, choose_style

BAR = 1.7
SIZES = ("320x180", "640x360")
"""The smaller one is rendered so fast that the start counts; a shot of production size loses less than either."""


@click.command()
@click.option("--size", "sizes", multiple=True, default=SIZES, show_default=True, help="Of a frame. Repeatable.")
@click.option("--frames", default=128, show_default=True, help="Of the shot.")
@click.option("--json", "as_json", is_flag=True)
def main(sizes: tuple[str, ...], frames: int, as_json: bool) -> None:
    """Print the time of both, and how they compare."""
    results = [compared(size, frames) for size in sizes]
    if as_json:
        click.echo(json.dumps({"cores": os.cpu_count(), "frames": frames, "limit": BAR, "sizes": results}, indent=1))
        return
    for result in results:
        load = " to ".join(f"{value:.1f}" for value in result["load"])
        click.echo(f"{frames} frames of {result['size']}, {os.cpu_count()} cores, load {load}, 1 thread a worker")
        for name in ("one", "two"):
            whole, start = result[name], result[f"{name}_start"]
            click.echo(
                f"  {name} worker{'s' * (name == 'two'):1} {whole['wall']:7.1f} s wall {whole['cpu']:7.1f} s CPU,"
                f" of which the start {start['wall']:.1f} s wall {start['cpu']:.1f} s CPU"
            )
        click.echo(
            f"  speed {result['speed']:.2f}, at least {BAR}: {'met' if result['met'] else 'MISSED'}; the same bits"
        )


def compared(size: str, frames: int) -> dict[str, Any]:
    """Times with one worker and with two."""
    width, height = map(int, size.split("x"))
    with tempfile.TemporaryDirectory(prefix="tsn-workers-") as name:
        home = Path(name)
        scene = Scene(width, height)
        for number in range(1, frames + 1):
            scene.write(home / f"plate.{number:04}.exr", number)
        data = {
            "version": 1,
            "plate": "plate.####.exr",
            "output": "out/out.####.exr",
            "colour": {"input": "lin_rec709"},
            "style": {"model": choose_style(home)[1]},
            "flow": {"method": "vectors", "vectors": {"layer": "ViewLayer.Vector", "convention": "blender"}},
            "temporal": {"window": 8, "cuts": []},
        }
        (home / "shot.yaml").write_text(json.dumps(data))
        before, times, bits = os.getloadavg()[0], {}, []
        for name, workers in (("one", 1), ("two", 2)):
            times[name] = rendered(home, workers)
            times[f"{name}_start"] = rendered(home, workers)
            bits.append({path.name: path.read_bytes() for path in (home / "out").iterdir()})
            (home / "out").rename(home / f"out{workers}")
    if bits[0] != bits[1]:
        raise click.ClickException(f"{size}: two workers wrote other bits than one.")
    speed = times["one"]["wall"] / times["two"]["wall"]
    return {"size": size, "load": [before, os.getloadavg()[0]], **times, "speed": speed, "met": speed >= BAR}


def rendered(home: Path, workers: int) -> dict[str, float]:
    """Seconds of a render."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    environment["TSN_CACHE"] = str(home / f"cache{workers}")
    command = [sys.executable, "-m", "tsn_batch", "--log-level", "warning", "render", str(home / "shot.yaml")]
    command += ["--device", "cpu", "--workers", str(workers)]
    before, started = os.times(), time.monotonic()
    if status := os.spawnve(os.P_WAIT, command[0], command, environment):
        raise click.ClickException(f"The render with {workers} workers ended with {status}.")
    wall, after = time.monotonic() - started, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": wall, "cpu": cpu}


if __name__ == "__main__":
    main()
