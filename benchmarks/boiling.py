"""How much a style net boils by itself: every frame painted alone, with frozen statistics, no passes over time.

    python benchmarks/boiling.py great-wave runs/other/other.safetensors [--shot SHOT_DIR]

Absolute errors along true motion at the stroke scale (`yardstick.py`), and gradient energies. The plate's own are in
the first row: no net can be below its errors.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import torch
from cg_shot import CgShot, as_picture, chosen_shots, in_style_space, painted, style_section, true_motion
from yardstick import HEADINGS, Figures, Yardstick


@torch.inference_mode()
def measured(shot: CgShot, styles: tuple[str, ...], scratch: Path) -> dict[str, Figures]:
    """The figures of the plate and of each style."""
    frames = shot.read()
    plates = in_style_space(frames)
    sequences = {"the plate": plates}
    sequences |= {style: painted(plates, shot.frames, style_section(shot, style, None, scratch)) for style in styles}
    pictures = {name: [as_picture(image) for image in images] for name, images in sequences.items()}
    yardstick = Yardstick(true_motion(shot, frames), pictures["the plate"])
    return {name: yardstick.measure(images) for name, images in pictures.items()}


@click.command(help=__doc__)
@click.argument("styles", nargs=-1, required=True)
@click.option("--shot", "folders", multiple=True, type=click.Path(exists=True, path_type=Path), help="Repeatable.")
def main(styles: tuple[str, ...], folders: tuple[Path, ...]) -> None:
    """Print a table for each shot."""
    with tempfile.TemporaryDirectory(prefix="tsn-boiling-") as temporary:
        scratch = Path(temporary)
        for shot in chosen_shots(folders, None, scratch):
            click.echo(f"{shot.name:40}{HEADINGS}")
            for name, figures in measured(shot, styles, scratch).items():
                click.echo(f"  {name:38}{figures.columns(places=6)}")


if __name__ == "__main__":
    main()
