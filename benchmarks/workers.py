"""Two CPU workers on two cores against one, with one thread each: at least 1.7 times as fast.

    python benchmarks/workers.py [--size 640x360] [--frames 128] [--json]

Both start cold, with a flow cache of their own, and must write the same bits. A second render, which finds every frame
finished, tells what the start alone costs. The bar is for a machine with nothing else to do; beside the wall clock,
CPU seconds tell how much of the loss is work done twice. What the machine itself allows, two renders tell that have
nothing to do with each other: cores share their memory and their clock, and a render with one thread reads and writes
on two more.
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
        click.echo(f"  two renders that have nothing to do with each other: {result['allowed']:.2f}")


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
            times[name] = ended([started(home, workers)])
            times[f"{name}_start"] = ended([started(home, workers)])
            bits.append({path.name: path.read_bytes() for path in (home / "out").iterdir()})
            (home / "out").rename(home / f"out{workers}")
        strangers = [home / "stranger 1", home / "stranger 2"]
        for folder in strangers:
            folder.mkdir()
            for plate in home.glob("plate.*.exr"):
                os.link(plate, folder / plate.name)
            (folder / "shot.yaml").write_text(json.dumps(data))
        times["strangers"] = ended([started(folder, 1) for folder in strangers])
    if bits[0] != bits[1]:
        raise click.ClickException(f"{size}: two workers wrote other bits than one.")
    one = times["one"]["wall"]
    speed, allowed = one / times["two"]["wall"], 2 * one / times["strangers"]["wall"]
    load = [before, os.getloadavg()[0]]
    return {"size": size, "load": load, **times, "speed": speed, "allowed": allowed, "met": speed >= BAR}


def started(home: Path, workers: int) -> subprocess.Popen[bytes]:
    """A render on its way."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    environment["TSN_CACHE"] = str(home / f"cache{workers}")
    command = [sys.executable, "-P", "-m", "tsn_batch", "--log-level", "warning", "render", str(home / "shot.yaml")]
    return subprocess.Popen([*command, "--device", "cpu", "--workers", str(workers)], env=environment)


def ended(renders: Sequence[subprocess.Popen[bytes]]) -> dict[str, float]:
    """Seconds from now to the end of the last of them."""
    before, clock = os.times(), time.monotonic()
    for render in renders:
        if status := render.wait():
            raise click.ClickException(f"A render ended with {status}.")
    wall, after = time.monotonic() - clock, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": wall, "cpu": cpu}


if __name__ == "__main__":
    main()
