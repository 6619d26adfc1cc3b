"""Two CPU workers on two cores against one, with one thread each: they should be at least 1.7 times as fast.

    python benchmarks/workers.py [--size 640x360] [--frames 128] [--json]

Both start with an empty flow cache of their own and must write the same bits. A second render, which finds every frame
finished, measures the start alone. The limit is meant for an idle machine; beside wall time, CPU-seconds show how much
work was done twice. Two independent renders at the same time show what the machine allows at most: cores share their
memory and clock, and a render with one thread reads and writes on two more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from cost import choose_style
from layered_plate import LayeredPlate

MIN_SPEED = 1.7
SIZES = ("320x180", "640x360")
"""At the smaller one the start is a large part; a shot of production size loses less than either."""


@click.command()
@click.option("--size", "sizes", multiple=True, default=SIZES, show_default=True, help="Of a frame. Repeatable.")
@click.option("--frames", default=128, show_default=True, help="Of the shot.")
@click.option("--json", "as_json", is_flag=True)
def main(sizes: tuple[str, ...], frames: int, as_json: bool) -> None:
    """Print the time of both, and how they compare."""
    results = [compared(size, frames) for size in sizes]
    if as_json:
        click.echo(
            json.dumps({"cores": os.cpu_count(), "frames": frames, "limit": MIN_SPEED, "sizes": results}, indent=1)
        )
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
        verdict = "met" if result["met"] else "MISSED"
        click.echo(f"  speed {result['speed']:.2f}, at least {MIN_SPEED}: {verdict}; the same bits")
        click.echo(f"  two independent renders at once: {result['allowed']:.2f}")


def compared(size: str, frames: int) -> dict[str, Any]:
    """Times with one worker and with two."""
    width, height = map(int, size.split("x"))
    with tempfile.TemporaryDirectory(prefix="tsn-workers-") as name:
        home = Path(name)
        LayeredPlate(width, height).write_frames(home, frames)
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
            times[name] = wait_for([start_render(home, workers)])
            times[f"{name}_start"] = wait_for([start_render(home, workers)])
            bits.append({path.name: path.read_bytes() for path in (home / "out").iterdir()})
            (home / "out").rename(home / f"out{workers}")
        independent = [home / "independent 1", home / "independent 2"]
        for folder in independent:
            folder.mkdir()
            for plate in home.glob("plate.*.exr"):
                os.link(plate, folder / plate.name)
            (folder / "shot.yaml").write_text(json.dumps(data))
        times["independent"] = wait_for([start_render(folder, 1) for folder in independent])
    if bits[0] != bits[1]:
        raise click.ClickException(f"{size}: two workers wrote other bits than one.")
    one = times["one"]["wall"]
    speed, allowed = one / times["two"]["wall"], 2 * one / times["independent"]["wall"]
    load = [before, os.getloadavg()[0]]
    return {"size": size, "load": load, **times, "speed": speed, "allowed": allowed, "met": speed >= MIN_SPEED}


def start_render(home: Path, workers: int) -> subprocess.Popen[bytes]:
    """Start a render."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    environment["TSN_CACHE"] = str(home / f"cache{workers}")
    command = [sys.executable, "-P", "-m", "tsn_batch", "--log-level", "warning", "render", str(home / "shot.yaml")]
    return subprocess.Popen([*command, "--device", "cpu", "--workers", str(workers)], env=environment)


def wait_for(renders: Sequence[subprocess.Popen[bytes]]) -> dict[str, float]:
    """Wall and CPU seconds until the last of the renders has ended."""
    before, clock = os.times(), time.monotonic()
    for render in renders:
        if status := render.wait():
            raise click.ClickException(f"A render ended with {status}.")
    wall, after = time.monotonic() - clock, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": wall, "cpu": cpu}


if __name__ == "__main__":
    main()
