"""Commands of styles and weights: styles, export, fetch."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tsn_batch.cli.group import TsnCommand
from tsn_batch.cli.options import json_option

EXPORTS = {"torchscript": ".pt", "onnx": ".onnx"}
"""Format -> ending of the file."""


@click.command(cls=TsnCommand)
@json_option("Print a list of {name, family, licence, sha256, title, size, path}.")
def styles(as_json: bool) -> None:
    """List the bundled styles, and the presets of brush strokes (family strokes: `style: {strokes: NAME}`)."""
    from tsn.strokes.preset_file import bundled_presets
    from tsn.style.catalogue import bundled_styles

    found = bundled_styles() + bundled_presets()
    if as_json:
        click.echo(json.dumps([info.to_dict() for info in found], indent=2))
        return
    width = max((len(info.name) for info in found), default=0)
    for info in found:
        size = "" if info.family == "strokes" else f", {info.size / 2**20:.1f} MiB"
        click.echo(f"{info.name:{width}}  {info.title}  [{info.licence}, {info.family}{size}]")


@click.command(cls=TsnCommand)
@click.argument("form", metavar="FORMAT", type=click.Choice(tuple(EXPORTS)))
@click.argument("style")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write to this file.  [default: STYLE.pt or STYLE.onnx in the current folder]",
)
def export(form: str, style: str, output: Path | None) -> None:
    """Export a style for other programs: torchscript (for Nuke's CatFileCreator) or onnx.

    The exported net paints each frame by itself, without the passes that make a shot stable: use it for previews.
    """
    from tsn.style.export.exporter import export_style

    path = output or Path(Path(style).stem + EXPORTS[form])
    difference = export_style(form, style, path)
    click.echo(f"{path}: {style} as {form}, differs from the engine by {difference:.1g} at most")


@click.command(cls=TsnCommand)
@click.argument("name")
def fetch(name: str) -> None:
    """Download weights once: raft-large or raft-small for optical flow, vgg16 for painting and learning keys."""
    from tsn.errors import UsageError, near_miss
    from tsn.flow.raft_weights import REGISTRY
    from tsn.io import published

    if name == "vgg16":
        from tsn.style.perceptual_fetch import fetch_perceptual

        click.echo(fetch_perceptual(note=click.echo))
    elif name in REGISTRY:
        click.echo(published.fetch(REGISTRY[name]))
    else:
        known = (*REGISTRY, "vgg16")
        raise UsageError(
            f"No published weights {name!r}: expected one of {', '.join(known)}.", hint=near_miss(name, known)
        )


COMMANDS = (styles, export, fetch)
