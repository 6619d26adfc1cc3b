#!/usr/bin/env python3
"""Measure a trained style on the photos that its training held back, beside Gatys and the untrained net.

    python training/evaluate.py training/configs/great-wave.yaml                     # the shipped weights
    python training/evaluate.py training/configs/great-wave.yaml --weights runs/great-wave/great-wave.safetensors
    python training/evaluate.py training/configs/adain.yaml     # after each painting that it was never trained on

Prints a table of the losses as trained on (means over the photos), and writes them as JSON with --json. With
--log it prints the curve of a training too: each row the mean over a tenth of the steps after copying.
Gatys' optimisation minimises the same sum on the picture itself, so it is about what a net could reach. It takes
a hundred times as long, so it gets some of the photos only, and the net's losses on just those stand beside it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from torch import Tensor

from tsn.errors import InputError, UsageError
from tsn.io.atomic import atomic_write
from tsn.style import catalogue as shipped
from tsn.style import loading
from tsn.style.loading import load_style_prediction_net
from tsn.style.nets.layers import StyleNet
from tsn.style.nets.style_prediction import StylePredictionNet
from tsn.style.paintings import resize_painting
from tsn_batch.command import CommandSettings, run_command
from tsn_training import gatys, objective, perceptual, photos
from tsn_training.config import StyleConfig
from tsn_training.config_adain import AdainConfig, load_any
from tsn_training.objective import Target
from tsn_training.schedule import built

SIZE = 192
CURVES = ("content", "style", "colour", "temporal")
"""Columns of a training's log.csv."""


class Judged(NamedTuple):
    """Nets to be judged by one painting."""

    name: str
    target: Target
    untrained: StyleNet
    trained: StyleNet


def judged(config: StyleConfig | AdainConfig, weights: Path | None, features: perceptual.Features) -> Iterator[Judged]:
    """A style; or the net for any painting, after each of those that it was never trained on."""
    if isinstance(config, StyleConfig):
        target = objective.target(config, features, photos.find(config.photos, config.held_back)[0])
        untrained = built(config).eval()
        if untrained.palette is not None:
            untrained.palette.copy_(target.colours)
        name = str(weights) if weights else config.name
        yield Judged(config.name, target, untrained, loading.load_style_net(shipped.resolve_style(name)))
        return
    trained = load_style_prediction_net(weights or shipped.resolve_style(config.name).path)
    shown = {"simplifies": config.simplifies, "seeded": config.seeded}
    untrained = StylePredictionNet(width=config.width, blocks=config.blocks, encoder_width=config.seen, **shown).eval()
    untrained.plates.copy_(trained.plates)
    for path in photos.find(config.paintings, 0)[0]:
        if path.name.startswith(config.unseen):
            painting = resize_painting(photos.load_image(path).float() / 255)
            target = objective.target_of(painting[None], config, features, trained.plates)
            nets = (net.transfer_net_for([painting], [1.0]) for net in (untrained, trained))
            yield Judged(path.stem, target, *nets)


def measure(config_file: Path, weights: Path | None, *, evaluations: int, few: int) -> dict[str, dict[str, float]]:
    """Mean losses of each painter, by its name; on `few` photos the style again, and Gatys."""
    config = load_any(config_file)
    _, held_back = photos.find(config.photos, config.held_back)
    if not held_back:
        raise UsageError(f"{config_file} holds no photos back: there is nothing to measure on.", hint="Set held_back.")
    plates = [
        photos.crop(photos.load_image(path), SIZE, photos.generator(7, i))[None] for i, path in enumerate(held_back)
    ]
    features, _ = perceptual.load(Path("runs"))
    features = features.without_idle_channels(torch.cat(plates[:4]))
    torch.manual_seed(0)
    table = {}
    for name, target, untrained, trained in judged(config, weights, features):
        with torch.no_grad():
            table[f"untrained ({name})"] = mean(untrained, plates, target)
            table[name] = mean(trained, plates, target)
            some = plates[:: max(1, len(plates) // few)][:few]
            if evaluations:
                table[f"{name}, {len(some)} photos"] = mean(trained, some, target)
        if evaluations:
            by_gatys = partial(gatys.optimise, target=target, evaluations=evaluations)
            table[f"Gatys, {name}, the same {len(some)}"] = mean(by_gatys, some, target)
    return table


def mean(paint: Callable[[Tensor], Tensor], plates: Sequence[Tensor], target: Target) -> dict[str, float]:
    """Of the losses of what is painted of the plates."""
    rows = []
    for plate in plates:
        painted = paint(plate)
        with torch.no_grad():
            parts = objective.parts(painted, plate, target)
            parts["sum"] = objective.total(parts, target.config, target.config.style_weight[1])
        rows.append({k: v.item() for k, v in parts.items()})
    return {k: sum(row[k] for row in rows) / len(rows) for k in rows[0]}


def curve(log: Path) -> list[str]:
    """Rows of a table: the losses in a training's log.csv, each the mean over a tenth of its steps."""
    with log.open(newline="") as file:
        reader = csv.DictReader(file)
        if missing := set(CURVES) - set(reader.fieldnames or ()):
            raise InputError(
                f"{log}: expected the log of a net that paints, found no column {', '.join(sorted(missing))}."
            )
        rows = [row for row in reader if row["style"] != "nan"]
    lines = [f"| steps | {' | '.join(CURVES)} |", "|---|" + "---|" * len(CURVES)]
    for part in np.array_split(np.arange(len(rows)), min(10, len(rows))) if rows else ():
        means = [
            np.nanmean(values) if np.isfinite(values := [float(rows[i][name]) for i in part]).any() else np.nan
            for name in CURVES
        ]
        span = f"{rows[part[0]]['step']}-{rows[part[-1]]['step']}"
        lines.append(f"| {span} | " + " | ".join("" if np.isnan(m) else f"{m:.4f}" for m in means) + " |")
    return lines


@click.command(help=__doc__)
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--weights", type=click.Path(path_type=Path), help="Default: the bundled style of that name.")
@click.option(
    "--evaluations",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Of the loss, in Gatys' optimisation; 0 leaves it out.",
)
@click.option("--few", default=4, show_default=True, type=click.IntRange(min=1), help="Photos for Gatys.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the table here too.")
@click.option(
    "--log", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Print the curve of this log.csv too."
)
@click.pass_context
def main(
    ctx: click.Context,
    config: Path,
    weights: Path | None,
    evaluations: int,
    few: int,
    target: Path | None,
    log: Path | None,
) -> None:
    def run() -> None:
        if log:
            click.echo("\n".join(curve(log)) + "\n")
        table = measure(config, weights, evaluations=evaluations, few=few)
        columns = list(next(iter(table.values())))
        click.echo("| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
        for name, row in table.items():
            click.echo(f"| {name} | " + " | ".join(f"{row[c]:.4f}" for c in columns) + " |")
        if target:
            with atomic_write(target) as temporary:
                temporary.write_text(json.dumps(table, indent=1) + "\n")

    ctx.exit(run_command(run, CommandSettings()))


if __name__ == "__main__":
    main()
