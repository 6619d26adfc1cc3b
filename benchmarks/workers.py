"""Two CPU workers on two cores against one, with one thread each: at least 1.7 times as fast.

    python benchmarks/workers.py [--frames 128] [--json]

Both start cold, with a flow cache of their own, and must write the same bits. The bar is for a machine with nothing
else to do; beside the wall clock, CPU seconds tell how much of the loss is work done twice (handles, the start).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from cost import Scene, choose_style

BAR = 1.7
WIDTH, HEIGHT = 320, 180


@click.command()
@click.option("--frames", default=128, show_default=True, help="Of the shot.")
@click.option("--json", "as_json", is_flag=True)
def main(frames: int, as_json: bool) -> None:
    """Print the time of both, and how they compare."""
    with tempfile.TemporaryDirectory(prefix="tsn-workers-") as name:
        home = Path(name)
        scene = Scene(WIDTH, HEIGHT)
        for number in range(1, frames + 1):
            scene.write(home / f"plate.{number:04}.exr", number)
        shot = home / "shot.yaml"
        shot.write_text(
            json.dumps(
                {
                    "version": 1,
                    "plate": "plate.####.exr",
                    "output": "out/out.####.exr",
                    "colour": {"input": "lin_rec709"},
                    "style": {"model": choose_style(home)[1]},
                    "flow": {"method": "vectors", "vectors": {"layer": "ViewLayer.Vector", "convention": "blender"}},
                    "temporal": {"window": 8, "cuts": []},
                }
            )
        )
        load = os.getloadavg()[0]
        one, first = measured(home, shot, workers=1)
        two, second = measured(home, shot, workers=2)
    if first != second:
        raise click.ClickException("Two workers wrote other bits than one.")
    speed = one["wall"] / two["wall"]
    result = {"frames": frames, "load_before": load, "cores": os.cpu_count(), "one": one, "two": two, "speed": speed}
    if as_json:
        click.echo(json.dumps(result | {"limit": BAR, "met": speed >= BAR}, indent=1))
        return
    click.echo(
        f"{frames} frames of {WIDTH}x{HEIGHT}, {os.cpu_count()} cores, load before {load:.1f}, 1 thread a worker"
    )
    for name, run in (("one worker", one), ("two workers", two)):
        click.echo(f"{name:12} {run['wall']:7.1f} s wall {run['cpu']:7.1f} s CPU")
    click.echo(f"speed {speed:.2f}, at least {BAR}: {'met' if speed >= BAR else 'MISSED'}; the same bits")


def measured(home: Path, shot: Path, *, workers: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Seconds of a whole cold render, and its frames."""
    shutil.rmtree(home / "out", ignore_errors=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    environment["TSN_CACHE"] = str(home / f"cache{workers}")
    command = [sys.executable, "-m", "tsn_batch", "--log-level", "warning", "render", str(shot)]
    command += ["--device", "cpu", "--workers", str(workers)]
    before, started = os.times(), time.monotonic()
    if status := os.spawnve(os.P_WAIT, command[0], command, environment):
        raise click.ClickException(f"The render with {workers} workers ended with {status}.")
    wall, after = time.monotonic() - started, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": wall, "cpu": cpu}, {path.name: path.read_bytes() for path in (home / "out").iterdir()}


if __name__ == "__main__":
    main()
