"""Peak memory of a render by frame size, window, flow and style, beside what `tsn submit` requests from a farm.

Each render is a process of its own, with one thread and an empty flow cache. The parent stays small on purpose: Linux
hands a parent's peak memory down to its children.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

SIZES = ((640, 360), (1280, 720), (1920, 1080))
RAFT_PIXELS = 10**6
"""The largest frame for RAFT on a CPU; larger ones take an hour."""
VECTORS = {"method": "vectors", "vectors": {"layer": "ViewLayer.Vector", "convention": "blender"}}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is rendered at a size."""

    window: int = 8
    flow: str = "vectors"
    style: str = "great-wave"

    @property
    def frames(self) -> int:
        """Enough that three frames have a full window."""
        return 2 * self.window + 3


CASES = (
    *(Case(window=window) for window in (0, 4, 8, 16)),
    Case(flow="dis"),
    Case(flow="raft", window=1),
    *(Case(style=style) for style in ("great-wave-mobile", "adain")),
)


@click.group(invoke_without_command=True)
@click.option("--size", "sizes", multiple=True, metavar="WxH", help="Instead of 640x360, 1280x720 and 1920x1080.")
@click.option("--device", default="cpu", show_default=True)
@click.pass_context
def cli(ctx: click.Context, sizes: tuple[str, ...], device: str) -> None:
    """Print a line per render, in MiB: peaks on the host and on a GPU, and what is requested from a farm."""
    if ctx.invoked_subcommand is not None:
        return
    chosen = [tuple(map(int, size.split("x"))) for size in sizes] or SIZES
    with tempfile.TemporaryDirectory(prefix="tsn-memory-") as folder:
        for width, height in chosen:
            home = Path(folder) / f"{width}x{height}"
            most = max(case.frames for case in CASES)
            make = [sys.executable, str(Path(__file__).with_name("cost.py")), "plate", str(home)]
            subprocess.run([*make, str(width), str(height), str(most)], check=True, stdout=subprocess.DEVNULL)
            for case in CASES:
                if case.flow == "raft" and width * height > RAFT_PIXELS and device == "cpu":
                    continue
                click.echo(json.dumps({"size": f"{width}x{height}", **vars(case), **measured(home, case, device)}))


def measured(home: Path, case: Case, device: str) -> dict[str, float]:
    """Peaks, and what is requested, in MiB."""
    shot = write_shot(home, case)
    environment = {"OMP_NUM_THREADS": "1", "TSN_CACHE": str(shot.with_suffix(".cache"))}
    command = [sys.executable, "-P", __file__, "render", str(shot), device]
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    answer = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)  # RUSAGE_CHILDREN has the highest of all children so far
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise click.ClickException(f"{shot} ended with {process.returncode}")
    return {"peak": round(used.ru_maxrss / 1024), **json.loads(answer)}


def write_shot(home: Path, case: Case) -> Path:
    """The shot file of a case."""
    name = f"{case.style}-{case.flow}-{case.window}"
    flow = dict(VECTORS) if case.flow == "vectors" else {"method": case.flow}
    if case.flow == "raft":
        flow["weights"] = str(home / "raft.safetensors")
    data = {
        "version": 1,
        "plate": str(home / "plate.####.exr"),
        "frames": f"1-{case.frames}",
        "output": str(home / name / "out.####.exr"),
        "colour": {"input": "lin_rec709"},
        "style": {"adain": str(home / "painting.png")} if case.style == "adain" else {"model": case.style},
        "flow": flow,
        "temporal": {"window": case.window},
    }
    path = home / f"{name}.yaml"
    path.write_text(json.dumps(data))  # JSON is YAML
    return path


@cli.command(hidden=True)
@click.argument("shot", type=click.Path(path_type=Path))
@click.argument("device")
def render(shot: Path, device: str) -> None:
    """Render a whole shot; print the peak of the GPU's memory, and what would be requested from a farm."""
    import torch
    from safetensors.torch import save_file
    from torchvision.models.optical_flow import raft_large

    import tsn
    from tsn import io
    from tsn_batch.farms.memory_need import memory_need
    from tsn_batch.farms.options import FarmOptions
    from tsn_batch.process.memory import keep_freed_pages

    keep_freed_pages()  # as the command does
    weights, painting = shot.with_name("raft.safetensors"), shot.with_name("painting.png")
    if "-raft-" in shot.name and not weights.exists():  # memory does not depend on the weights
        save_file(raft_large().state_dict(), weights)
    if shot.name.startswith("adain"):
        io.write_png(painting, torch.rand(512, 512, 3).numpy())
    tsn.render(shot, device=device, force=True)
    on_gpu = torch.cuda.max_memory_reserved() / 2**20 if torch.cuda.is_available() else 0
    requested = memory_need(tsn.plan(shot), FarmOptions(device=device, threads=1, priority=None, command=["tsn"]))
    click.echo(json.dumps({"gpu": round(on_gpu), "requested": requested.memory, "requested_gpu": requested.gpu_memory}))


if __name__ == "__main__":
    cli()
