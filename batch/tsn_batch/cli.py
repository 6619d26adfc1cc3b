"""The command `tsn`. Nothing heavy is imported up here: `tsn --help` answers at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NoReturn

import click

from tsn import __version__
from tsn_batch import cache_cli, farm_cli
from tsn_batch.asking import DEVICE, FORCE, FRAMES, MISSING, SETS, SHOT, json_option, load, planned, portable
from tsn_batch.group import Tsn
from tsn_batch.guard import Settings
from tsn_batch.threads import sleep_while_waiting

SHELLS = ("bash", "zsh", "fish")
EXPORTS = {"torchscript": ".pt", "onnx": ".onnx"}


@click.group(cls=Tsn, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="tsn %(version)s")
def cli() -> None:
    """Paint a shot in a style that sticks to what moves: EXR in, EXR out.

    A value on the command line counts over TSN_* variables, those over the shot file, and that over its
    show's. Exit codes: 0 done, 2 usage or shot file, 3 missing or damaged input, 4 device or memory,
    5 can't write, 130 cancelled.
    """


for command in (*farm_cli.COMMANDS, cache_cli.cache):
    cli.add_command(command)


@cli.command()
@SHOT
@FRAMES
@DEVICE
@click.option("--workers", type=click.IntRange(min=1), help="Processes that share the devices.  [one a device]")
@click.option("--chunk-size", type=click.IntRange(min=1), metavar="N", help="Frames that a worker takes at a time.")
@SETS
@MISSING
@FORCE
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@json_option("One JSON object a line for every event, on stdout.")
@click.pass_obj
def render(
    settings: Settings,
    shot: Path,
    frames: str | None,
    device: str,
    workers: int | None,
    chunk_size: int | None,
    sets: tuple[str, ...],
    missing: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Render a shot. Finished frames are verified and skipped.

    Several devices (cuda:0,cuda:1) or --workers render chunks side by side; the pixels are the same.
    """
    from tsn_batch.slots import slots

    count = len(slots(device, workers))
    plan = planned(load(shot, sets, missing), frames, chunk_size, workers=count)
    if dry_run:
        from tsn_batch import outline

        click.echo(outline.as_json(plan, device) if as_json else outline.as_text(plan, device))
        return
    from tsn_batch import local, progress

    way = progress.way(sys.stdout, as_json=as_json, quiet=settings.quiet)
    local.render(plan, device=device, workers=workers, force=force, way=way)


@cli.command()
@SHOT
@DEVICE
@SETS
@MISSING
def check(shot: Path, device: str, sets: tuple[str, ...], missing: str | None) -> None:
    """Look for faults without rendering: every frame, colour space, layers, matte, weights, output."""
    from tsn_batch import check as checks

    plan = planned(load(shot, sets, missing))
    for what, found in checks.check(plan, device=device, note=click.echo):
        click.echo(f"{what:8}  {found}")
    click.echo("No fault found.")


@cli.command()
@SHOT
@SETS
@json_option("A list of {key, value, origin}.")
def explain(shot: Path, sets: tuple[str, ...], as_json: bool) -> None:
    """Say where each value of a shot comes from."""
    from tsn.shot import explain as explaining

    rows = explaining.explain(shot, sets=sets)
    click.echo(explaining.render_json(rows) if as_json else explaining.render_text(rows), nl=False)


@cli.command()
@SHOT
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The plan's file; - is stdout.")
@click.option("--chunk-size", type=click.IntRange(min=1), metavar="N", help="Frames a chunk.")
@FRAMES
@SETS
@MISSING
def plan(
    shot: Path, output: Path, chunk_size: int | None, frames: str | None, sets: tuple[str, ...], missing: str | None
) -> None:
    """Cut a shot into chunks for a farm, as JSON."""
    from tsn.rendering import plan_file
    from tsn_batch.progress import count, without_plate

    made = portable(planned(load(shot, sets, missing), frames, chunk_size))
    if str(output) == "-":
        click.echo(json.dumps(plan_file.to_dict(made), indent=1))
        return
    plan_file.save(made, output, "-o")
    told = f"{count(len(made.output_frames))} in {len(made.chunks)} chunks, 0 to {len(made.chunks) - 1}"
    click.echo(f"{output}: {told}{without_plate(len(made.requested) - len(made.output_frames))}")


@cli.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.argument("index", type=int)
@DEVICE
@FORCE
@json_option("One JSON object a line for every event, on stdout.")
@farm_cli.OPENJD
@click.option("--record", type=click.Path(path_type=Path), metavar="FILE", help="Write host and times there, as JSON.")
@click.pass_obj
def chunk(
    settings: Settings,
    plan: Path,
    index: int,
    device: str,
    force: bool,
    as_json: bool,
    openjd: bool,
    record: Path | None,
) -> None:
    """Render one chunk of a plan, on any host.

    Refused where the plate changed since the plan was made, or where this host has other weights.
    """
    from tsn.rendering import plan_file
    from tsn_batch import job, local, progress
    from tsn_batch.check import require_chunk

    loaded = plan_file.load(plan)
    way = "openjd" if openjd else progress.way(sys.stdout, as_json=as_json, quiet=settings.quiet)
    require_chunk(loaded, index)
    tally = local.render(loaded, chunks=[index], device=device, force=force, way=way)
    if record is not None:
        job.save_record(record, job.record_of(tally))


@cli.command()
@json_option("A list of {name, family, licence, sha256, title, size, path}.")
def styles(as_json: bool) -> None:
    """List the styles that come with tsn."""
    from tsn.style.catalogue import bundled_styles

    found = bundled_styles()
    if as_json:
        click.echo(json.dumps([info.to_dict() for info in found], indent=2))
        return
    if not found:
        click.echo("No styles are bundled; a shot file can name a .safetensors or .onnx file.")
    width = max((len(info.name) for info in found), default=0)
    for info in found:
        click.echo(f"{info.name:{width}}  {info.title}  [{info.licence}, {info.family}, {info.size / 2**20:.1f} MiB]")


@cli.command()
@click.argument("form", metavar="FORMAT", type=click.Choice(tuple(EXPORTS)))
@click.argument("style")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file; by default STYLE.pt or .onnx here.")
def export(form: str, style: str, output: Path | None) -> None:
    """Write a style for other programs: torchscript (Nuke's CatFileCreator) or onnx.

    One frame at a time and normalised by itself: for looking, while `tsn render` makes a shot stable.
    """
    from tsn.style.export.exporter import export_style

    path = output or Path(Path(style).stem + EXPORTS[form])
    difference = export_style(form, style, path)
    click.echo(f"{path}: {style} as {form}, differs from the engine by {difference:.1g} at most")


@cli.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Download flow weights once: raft-large or raft-small."""
    from tsn.flow import raft_weights

    click.echo(raft_weights.fetch(raft_weights.published_weights(name)))


@cli.command()
@SHOT
@FRAMES
@SETS
def qc(shot: Path, frames: str | None, sets: tuple[str, ...]) -> None:
    """Make a contact sheet: plate over result, frames evenly spaced; print its path."""
    from tsn import frames as ranges
    from tsn.qc.contact_sheet import contact_sheet

    click.echo(contact_sheet(load(shot, sets), frames=ranges.parse(frames) if frames else None))


@cli.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a completion script, such as for `eval "$(tsn completion bash)"`."""
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(cli, {}, "tsn", "_TSN_COMPLETE").source())


def main() -> NoReturn:
    """The console command."""
    sleep_while_waiting()
    cli.main()
