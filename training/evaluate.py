#!/usr/bin/env python3
"""Measure a trained style on the photos that its training held back, beside Gatys and the untrained net.

    python training/evaluate.py training/configs/great-wave.yaml                     # the bundled weights
    python training/evaluate.py training/configs/great-wave.yaml --weights runs/great-wave/great-wave.safetensors
    python training/evaluate.py training/configs/adain.yaml     # after each painting that it was never trained on

Prints a table of the losses that the training minimised, each the mean over the photos, and writes them as JSON with
--json. With --log it also prints the curve of a training: each row the mean over a tenth of the steps after copying.
Gatys' optimisation minimises the same sum on the picture itself, so it is about the best that a net could do. It takes
a hundred times as long, so it gets only some of the photos, and the net's losses on just those stand beside it.
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
from tsn.style.nets.vgg import VGGFeatures
from tsn.style.paintings import resize_painting
from tsn_training import gatys, objective, perceptual, photos
from tsn_training.config import StyleConfig
from tsn_training.config_adain import AdainConfig, load_painting_config
from tsn_training.launch import ends_like_tsn
from tsn_training.objective import StyleTarget
from tsn_training.schedule import build_net

CROP_PX = 192
CURVES = ("content", "style", "colour", "temporal")
"""Columns of a training's log.csv."""


class Comparison(NamedTuple):
    """Two nets to be measured against one painting.

    Attributes:
        name: of the style, or of the painting's file.
    """

    name: str
    target: StyleTarget
    untrained: StyleNet
    trained: StyleNet


def comparisons(config: StyleConfig | AdainConfig, weights: Path | None, features: VGGFeatures) -> Iterator[Comparison]:
    """Yield a style; or the net for any painting, after each of those that it was never trained on.

    Args:
        weights: None for the bundled ones.
    """
    if isinstance(config, StyleConfig):
        target = objective.style_target(config, features, photos.find_pictures(config.photos, config.held_back)[0])
        untrained = build_net(config).eval()
        if untrained.palette is not None:
            untrained.palette.copy_(target.colours)
        name = str(weights) if weights else config.name
        yield Comparison(config.name, target, untrained, loading.load_style_net(shipped.resolve_style(name)))
        return
    trained = load_style_prediction_net(weights or shipped.resolve_style(config.name).path)
    inputs = {"simplifies": config.simplifies, "seeded": config.seeded}
    random = StylePredictionNet(width=config.width, blocks=config.blocks, encoder_width=config.seen, **inputs).eval()
    random.plates.copy_(trained.plates)
    for path in photos.find_pictures(config.paintings, 0)[0]:
        if path.name.startswith(config.unseen):
            painting = resize_painting(photos.load_image(path).float() / 255)
            target = objective.target_from_painting(painting[None], config, features, trained.plates)
            nets = (net.transfer_net_for([painting], [1.0]) for net in (random, trained))
            yield Comparison(path.stem, target, *nets)


def measure(config_file: Path, weights: Path | None, *, evaluations: int, few: int) -> dict[str, dict[str, float]]:
    """Return the mean losses of each net by its name, and of Gatys on `few` photos, beside the net on the same ones.

    Args:
        weights: None for the bundled ones.
        evaluations: of the loss, in Gatys' optimisation; 0 leaves it out.

    Raises:
        UsageError: the training held no photos back.
    """
    config = load_painting_config(config_file)
    _, held_back = photos.find_pictures(config.photos, config.held_back)
    if not held_back:
        raise UsageError(f"{config_file} holds no photos back: there is nothing to measure on.", hint="Set held_back.")
    plates = [
        photos.random_crop(photos.load_image(path), CROP_PX, photos.seeded_generator(7, i))[None]
        for i, path in enumerate(held_back)
    ]
    features, _ = perceptual.load()
    features = features.without_idle_channels(torch.cat(plates[:4]))
    torch.manual_seed(0)
    table = {}
    for name, target, untrained, trained in comparisons(config, weights, features):
        with torch.no_grad():
            table[f"untrained ({name})"] = mean_losses(untrained, plates, target)
            table[name] = mean_losses(trained, plates, target)
            some = plates[:: max(1, len(plates) // few)][:few]
            if evaluations:
                table[f"{name}, {len(some)} photos"] = mean_losses(trained, some, target)
        if evaluations:
            by_gatys = partial(gatys.optimise, target=target, evaluations=evaluations)
            table[f"Gatys, {name}, the same {len(some)}"] = mean_losses(by_gatys, some, target)
    return table


def mean_losses(paint: Callable[[Tensor], Tensor], plates: Sequence[Tensor], target: StyleTarget) -> dict[str, float]:
    """Return the losses of painted plates, (1, 3, H, W) each, and their weighted sum, as means over the plates."""
    rows = []
    for plate in plates:
        painted = paint(plate)
        with torch.no_grad():
            parts = objective.loss_parts(painted, plate, target)
            parts["sum"] = objective.weighted_sum(parts, target.config, target.config.style_weight[1])
        rows.append({k: v.item() for k, v in parts.items()})
    return {k: sum(row[k] for row in rows) / len(rows) for k in rows[0]}


def curve(log: Path) -> list[str]:
    """Return the lines of a table: the losses in a training's log.csv, each the mean over a tenth of its steps.

    Raises:
        InputError: it is the log of another kind of net.
    """
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
    help="Evaluations of the loss in Gatys' optimisation; 0 leaves it out.",
)
@click.option("--few", default=4, show_default=True, type=click.IntRange(min=1), help="Photos for Gatys.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the table here too.")
@click.option(
    "--log", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Print the curve of this log.csv too."
)
@ends_like_tsn
def main(
    config: Path,
    weights: Path | None,
    evaluations: int,
    few: int,
    target: Path | None,
    log: Path | None,
) -> None:
    """Print the table, and write it where it is to be kept."""
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


if __name__ == "__main__":
    main()
