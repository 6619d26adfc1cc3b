"""Commands of one shot: render, check, explain, plan, chunk, qc."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import click

from tsn.errors import UsageError
from tsn_batch.cli.group import TsnCommand
from tsn_batch.cli.options import CHUNK_SIZE, DEVICE, FORCE, FRAMES, MISSING, OPENJD, SETS, SHOT, json_option
from tsn_batch.cli.planning import load_shot, make_plan, pin_inputs
from tsn_batch.command import CommandSettings

EVENTS_JSON = json_option("Print every event as one JSON object a line.")


@click.command(cls=TsnCommand)
@SHOT
@FRAMES
@DEVICE
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of processes that share the devices.  [default: one for each device]",
)
@CHUNK_SIZE
@SETS
@MISSING
@FORCE
@click.option("--dry-run", is_flag=True, help="Show what would be rendered, and write nothing.")
@click.option(
    "--preview",
    type=int,
    metavar="FRAME",
    help="Only paint this frame, by itself, into a PNG beside the output; in seconds, to look at.",
)
@EVENTS_JSON
@click.pass_obj
def render(
    settings: CommandSettings,
    shot: Path,
    frames: str | None,
    device: str,
    workers: int | None,
    chunk_size: int | None,
    sets: tuple[str, ...],
    missing: str | None,
    force: bool,
    dry_run: bool,
    preview: int | None,
    as_json: bool,
) -> None:
    """Render a shot. Finished frames are verified and skipped.

    Several devices (cuda:0,cuda:1) or --workers render chunks in parallel; the pixels are the same.
    """
    from tsn_batch.local.worker_slots import worker_slots

    slots = worker_slots(device, workers)
    if preview is not None:
        if frames is not None or dry_run or as_json or force:
            raise UsageError(
                "--preview paints one frame into a picture: -F, --dry-run, --json and --force don't go with it."
            )
        from tsn.rendering.preview import render_preview
        from tsn_batch.process.threads import limit_threads

        limit_threads()
        resolved = load_shot(shot, sets, missing)
        click.echo(render_preview(resolved, preview, device=slots[0].device, note=partial(click.echo, err=True)))
        return
    count = len(slots)
    plan = make_plan(load_shot(shot, sets, missing), frames, chunk_size, workers=count)
    if dry_run:
        from tsn_batch.cli import dry_run as report

        click.echo(report.as_json(plan, device) if as_json else report.as_text(plan, device))
        return
    from tsn_batch import progress
    from tsn_batch.local.rendering import render_plan

    display = progress.choose_display(sys.stdout, as_json=as_json, quiet=settings.quiet)
    render_plan(plan, device=device, workers=workers, force=force, display=display)


@click.command(cls=TsnCommand)
@SHOT
@DEVICE
@SETS
@MISSING
def check(shot: Path, device: str, sets: tuple[str, ...], missing: str | None) -> None:
    """Check a shot without rendering it: frames, colour space, layers, matte, weights, output folder."""
    from tsn_batch.cli.plan_report import check_plan

    plan = make_plan(load_shot(shot, sets, missing))
    for subject, finding in check_plan(plan, device=device, note=click.echo):
        click.echo(f"{subject:8}  {finding}")
    click.echo("No fault found.")


@click.command(cls=TsnCommand)
@SHOT
@SETS
@json_option("Print a list of {key, value, origin}.")
def explain(shot: Path, sets: tuple[str, ...], as_json: bool) -> None:
    """Show every value of a shot and where it comes from: file and line, variable, command line or default."""
    from tsn.shot import explain as explaining

    rows = explaining.explain(shot, sets=sets)
    click.echo(explaining.render_json(rows) if as_json else explaining.render_text(rows), nl=False)


@click.command(cls=TsnCommand)
@SHOT
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Write the plan to this file; - is stdout."
)
@CHUNK_SIZE
@FRAMES
@SETS
@MISSING
def plan(
    shot: Path, output: Path, chunk_size: int | None, frames: str | None, sets: tuple[str, ...], missing: str | None
) -> None:
    """Divide a shot into chunks for a farm, and write the plan as JSON."""
    from tsn.rendering import plan_file
    from tsn_batch.wording import frame_count, gaps_text

    made = pin_inputs(make_plan(load_shot(shot, sets, missing), frames, chunk_size))
    if str(output) == "-":
        click.echo(json.dumps(plan_file.to_dict(made), indent=1))
        return
    plan_file.save(made, output, "-o")
    summary = f"{frame_count(len(made.output_frames))} in {len(made.chunks)} chunks, 0 to {len(made.chunks) - 1}"
    click.echo(f"{output}: {summary}{gaps_text(len(made.requested) - len(made.output_frames))}")


@click.command(cls=TsnCommand)
@click.argument("plan", type=click.Path(path_type=Path))
@click.argument("index", type=int)
@DEVICE
@FORCE
@EVENTS_JSON
@OPENJD
@click.option(
    "--record", type=click.Path(path_type=Path), metavar="FILE", help="Write the host and the times to FILE, as JSON."
)
@click.pass_obj
def chunk(
    settings: CommandSettings,
    plan: Path,
    index: int,
    device: str,
    force: bool,
    as_json: bool,
    openjd: bool,
    record: Path | None,
) -> None:
    """Render one chunk of a plan, on any host.

    It is refused where the plate changed after the plan was made, or where this host has other weights.
    """
    from tsn.rendering import plan_file
    from tsn_batch import progress
    from tsn_batch.farms.job import record_of, save_record
    from tsn_batch.local.rendering import render_plan
    from tsn_batch.plan_validity import require_chunk

    loaded = plan_file.load(plan)
    display = "openjd" if openjd else progress.choose_display(sys.stdout, as_json=as_json, quiet=settings.quiet)
    require_chunk(loaded, index)
    stats = render_plan(loaded, chunks=[index], device=device, force=force, display=display)
    if record is not None:
        save_record(record, record_of(stats))


@click.command(cls=TsnCommand)
@SHOT
@FRAMES
@SETS
def qc(shot: Path, frames: str | None, sets: tuple[str, ...]) -> None:
    """Make a contact sheet, plate above result for evenly spaced frames, and print its path."""
    from tsn import frames as ranges
    from tsn.qc.contact_sheet import contact_sheet

    click.echo(contact_sheet(load_shot(shot, sets), frames=ranges.parse(frames) if frames else None))


COMMANDS = (render, check, explain, plan, chunk, qc)
