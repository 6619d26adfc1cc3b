#!/usr/bin/env python3
"""Gather a licence-clean training set from Debian packages: photos to train on, paintings to learn.

    python training/gather_images.py --out data        # about 45 MB of download, a minute

Takes only pictures whose README in the package says "Public Domain" or "CC0", and lists every one of
them with its licence, source and author in `data/images.csv`; the list goes into each model card.
Needs `apt-get` with Debian's package lists (`apt-get update`).
"""

from __future__ import annotations

import csv
import io
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import click
from PIL import Image

from tsn_training import rcc

PACKAGE = "gcompris-qt-data"
FREE = re.compile(r"public domain|cc0", re.IGNORECASE)
PAINTINGS = re.compile(r"Van.?Gogh|Gogh\d|PereTanguy|Eglise_dAuvers", re.IGNORECASE)
SHORTEST_SIDE = 256


def licences(readme: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(file name, fields) for each file that a GCompris README speaks of, block by block."""
    for block in re.split(r"\n\s*\n", readme):
        fields = {k.lower(): v.strip() for k, v in re.findall(r"^(\w+):[ \t]*(.*)$", block, re.MULTILINE)}
        for file in re.findall(r"[\w/ .-]+\.(?:webp|jpg|png)", block):
            yield file.strip(), fields


def download(into: Path) -> list[Path]:
    """Fetch and unpack the package; returns its resource files."""
    subprocess.run(["apt-get", "download", PACKAGE], cwd=into, check=True, stdout=subprocess.DEVNULL)
    (deb,) = into.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", deb, into / "unpacked"], check=True)
    return sorted((into / "unpacked").rglob("*.rcc"))


def free_pictures(resources: list[Path]) -> Iterator[tuple[PurePosixPath, Image.Image, dict[str, str]]]:
    """Opaque pictures of a useful size under a free licence, as (path, picture, licence fields)."""
    for resource in resources:
        content = dict(rcc.files(resource))
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
            if picture.mode == "RGB" and min(picture.size) >= SHORTEST_SIDE:
                yield path, picture, fields


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
def main(out: Path) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for path, picture, fields in free_pictures(download(Path(scratch))):
            folder = "paintings" if PAINTINGS.search(path.name) else "photos"
            target = out / folder / f"{path.parent.name}-{path.stem}.png"
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
