"""Whether a long shot drifts: mean colour and texture of its last ten frames, over the per-frame paint's.

    python benchmarks/drift.py [--frames 200] [--style great-wave]

A shot of moving layers with true vectors (that of `cost.py`) is rendered per frame and stabilised. What a window of
frames makes cannot know how long the shot is; this is the check that it does not. Texture is gradient energy at the
scale of strokes (under a Gaussian of 1 px), given for the first ten whole windows too, so that drift is told from a
gain that is there from the start.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click
import numpy as np
import torch
from cost import Scene

import tsn
from tsn import io
from tsn.temporal.filters import blur, luma

WIDTH, HEIGHT, WINDOW, ENDS, BAR = 320, 180, 8, 10, 0.02


def facts(folder: Path, numbers: range) -> tuple[np.ndarray, float]:
    """Mean colour (3,) and stroke energy of some frames, in style space."""
    codec, colours, energies = tsn.codec("lin_rec709"), [], []
    for number in numbers:
        rgb = torch.from_numpy(io.read_frame(folder / f"out.{number:04}.exr", number).rgb.astype(np.float32))
        shown = codec.to_style(rgb.permute(2, 0, 1))[0]
        light = blur(luma(shown), 1.0)
        colours.append(shown.mean((1, 2)).numpy())
        energies.append(float(light.diff(dim=1).square().mean() + light.diff(dim=2).square().mean()))
    return np.mean(colours, 0), float(np.mean(energies))


@click.command(help=__doc__)
@click.option("--frames", default=200, show_default=True)
@click.option("--style", default="great-wave", show_default=True)
def main(frames: int, style: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tsn-drift-") as name:
        home, scene = Path(name), Scene(WIDTH, HEIGHT)
        for number in range(1, frames + 1):
            scene.write(home / f"plate.{number:04}.exr", number)
        for window in (0, WINDOW):
            shot = {
                "version": 1,
                "plate": "plate.####.exr",
                "output": f"window{window}/out.####.exr",
                "colour": {"input": "lin_rec709"},
                "style": {"model": style},
                "flow": {"method": "vectors", "vectors": {"layer": "ViewLayer.Vector", "convention": "blender"}},
                "temporal": {"window": window, "cuts": []},
            }
            path = home / f"window{window}.yaml"
            path.write_text(json.dumps(shot))
            tsn.render(path, device="cpu")
        spans = {"first": range(WINDOW + 1, WINDOW + 1 + ENDS), "last": range(frames - ENDS + 1, frames + 1)}
        for span, numbers in spans.items():
            (plain, plain_energy), (still, energy) = (facts(home / f"window{w}", numbers) for w in (0, WINDOW))
            colour = float(np.abs(still / plain - 1).max())
            ratio = energy / plain_energy
            click.echo(
                f"{span} {ENDS} frames, {numbers[0]}-{numbers[-1]}: mean colour off by {colour:.2%}, "
                f"stroke energy {ratio:.3f} of the per-frame paint's"
            )
            if span == "last":
                click.echo(f"colour within {BAR:.0%}: {'met' if colour <= BAR else 'MISSED'}")
                click.echo(f"energy within {BAR:.0%}: {'met' if abs(ratio - 1) <= BAR else 'MISSED'}")


if __name__ == "__main__":
    main()
