"""Whether a long shot drifts: mean colour and texture of its last ten frames, over the per-frame paint's.

    python benchmarks/drift.py [--frames 200] [--style great-wave]

A shot of moving layers with true vectors (`layered_plate.py`) is rendered per frame and stabilised. A window of frames
does not depend on the length of the shot; this checks that. Texture is gradient energy at the stroke scale (under a
Gaussian of 1 px). It is printed for the first ten whole windows too, to tell a drift from a constant gain.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click
import numpy as np
import torch
from layered_plate import LayeredPlate

import tsn
from tsn import io
from tsn.temporal.filters import blur, luma

WIDTH, HEIGHT, WINDOW = 320, 180, 8
ENDS = 10
"""Frames at each end that are compared."""
LIMIT = 0.02
"""How far colour and energy may be from the per-frame paint's."""


def colour_and_energy(folder: Path, numbers: range) -> tuple[np.ndarray, float]:
    """Mean colour (3,) and stroke energy of some frames, in style space."""
    codec, colours, energies = tsn.codec("lin_rec709"), [], []
    for number in numbers:
        rgb = torch.from_numpy(io.read_frame(folder / f"out.{number:04}.exr", number).rgb.astype(np.float32))
        image = codec.to_style(rgb.permute(2, 0, 1))[0]
        light = blur(luma(image), 1.0)
        colours.append(image.mean((1, 2)).numpy())
        energies.append(float(light.diff(dim=1).square().mean() + light.diff(dim=2).square().mean()))
    return np.mean(colours, 0), float(np.mean(energies))


@click.command(help=__doc__)
@click.option("--frames", default=200, show_default=True)
@click.option("--style", default="great-wave", show_default=True)
def main(frames: int, style: str) -> None:
    """Render, and print colour and energy of the first and last frames."""
    with tempfile.TemporaryDirectory(prefix="tsn-drift-") as name:
        home = Path(name)
        LayeredPlate(WIDTH, HEIGHT).write_frames(home, frames)
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
            (plain, plain_energy), (still, energy) = (
                colour_and_energy(home / f"window{w}", numbers) for w in (0, WINDOW)
            )
            colour = float(np.abs(still / plain - 1).max())
            ratio = energy / plain_energy
            click.echo(
                f"{span} {ENDS} frames, {numbers[0]}-{numbers[-1]}: mean colour off by {colour:.2%}, "
                f"stroke energy {ratio:.3f} of the per-frame paint's"
            )
            if span == "last":
                click.echo(f"colour within {LIMIT:.0%}: {'met' if colour <= LIMIT else 'MISSED'}")
                click.echo(f"energy within {LIMIT:.0%}: {'met' if abs(ratio - 1) <= LIMIT else 'MISSED'}")


if __name__ == "__main__":
    main()
