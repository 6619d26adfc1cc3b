"""The command that learns key frames: learn."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tsn.errors import UsageError
from tsn_batch.cli.group import TsnCommand
from tsn_batch.cli.options import DEVICE, MISSING, SETS, SHOT, json_option
from tsn_batch.cli.planning import load_shot, make_plan

if TYPE_CHECKING:
    from tsn.keys.learning import Report


@click.command(cls=TsnCommand)
@SHOT
@DEVICE
@SETS
@MISSING
@click.option("--force", is_flag=True, help="Learn again from nothing, also where nothing has changed.")
@json_option("Print the progress as one JSON object a line.")
def learn(shot: Path, device: str, sets: tuple[str, ...], missing: str | None, force: bool, as_json: bool) -> None:
    """Learn the key frames of a shot (style.keys) ahead of its render, which does it where nobody has.

    A picture shows how far it is, from the first minute on. Stopped, it goes on where it was the next time.
    """
    plan = make_plan(load_shot(shot, sets, missing))
    if all(layer.style.keys is None for layer in plan.shot.by_layer):
        raise UsageError(
            f"{plan.shot.file}: there are no keys to learn.", hint="style: {keys: {1001: keys/sh010.1001.png}}"
        )
    from tsn.rendering.key_learning import learnt_keys, preview_file
    from tsn.rendering.layer_engines import make_engines
    from tsn.rendering.output import make_folder
    from tsn_batch.process.threads import limit_threads

    note = partial(click.echo, err=as_json)
    limit_threads()
    make_folder(Path(plan.shot.output).parent)
    engines = make_engines(plan, device=device, note=note, calibrated=False)
    for engine, layer in zip(engines, plan.by_layer, strict=True):
        if layer.shot.style.keys is not None:
            with _shown(preview_file(engine, layer), as_json=as_json) as show:
                learnt_keys(engine, layer, note, force=force, progress=show)
    note(f"Learnt; {plan.shot.file.name} renders with it.")


@contextmanager
def _shown(picture: Path, *, as_json: bool) -> Iterator[Callable[[Report], None]]:
    """Show the progress: a bar on a terminal, a line now and then elsewhere, JSON on request."""
    if as_json:

        def as_line(report: Report) -> None:
            data = {"kind": "learn", "seconds": round(report.seconds, 1), "share": report.share, "loss": report.loss}
            print(json.dumps(data | {"picture": str(picture)}), flush=True)

        yield as_line
    elif sys.stdout.isatty():
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}"),
        )
        with Progress(*columns) as progress:
            task = progress.add_task("learning", total=1.0, text="")

            def in_bar(report: Report) -> None:
                progress.update(task, completed=report.share, text=f"loss {report.loss:.3f}, {picture}")

            yield in_bar
    else:

        def plain(report: Report) -> None:
            print(f"{report.share:.0%}  {report.seconds:.0f} s  loss {report.loss:.3f}  {picture}", flush=True)

        yield plain


COMMANDS = (learn,)
