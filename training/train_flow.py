#!/usr/bin/env python3
"""Train the net that repairs motion: from what tsn finds in two pictures to the motion that surfaces have.

    python training/gather_images.py --out data
    python training/train_flow.py training/configs/flow-repair.yaml --out runs/flow
    torchrun --nproc-per-node 2 training/train_flow.py training/configs/flow-repair.yaml --out runs/flow

First the scenes are made and the motion in them is found (OUT/scenes; half a CPU-second each, shared out over the
processes), then the net learns from them, with checkpoints as train_style.py has them. The weights go to
OUT/repair.safetensors, with errors on scenes that it never saw in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import click
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from tsn.flow.repair import Repair
from tsn.io.sequence import atomic
from tsn_training import flow_examples, photos, records
from tsn_training.config import load_config
from tsn_training.config_flow import FlowConfig
from tsn_training.flow_examples import Examples
from tsn_training.launch import MAX_STEPS, OUT, RESUME, launch
from tsn_training.parallel import Place, require_even
from tsn_training.step import decayed, take

HIDDEN = 0.2
"""Weight of places that the other moment doesn't show: their motion is known, but hardly to be seen."""
MIDWAY = 0.6
SOFTNESS = 4.0
"""Pixels. Below it an error counts as it is; above, ten times the error counts little more than twice: to be right in
most places is worth more than to be less wrong in a few. (At 0.25 nothing is learnt: what is nearly right rules.)"""
LOG_EVERY = 20
LOGGED = ("loss", "error", "before", "off", "off_before")


def errors(flows: Tensor, x: dict[str, Tensor]) -> Tensor:
    """Distance to the true motion, pixels of the half size, (N, 2, h, w)."""
    return ((flows - x["true"]).square().sum(2) + 1e-6).sqrt()


def loss_of(
    net: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], x: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """What is to become small, and figures of what both moments show: mean error in pixels of the half size, and the
    share that is off by over half of one; the same before the repair."""
    done, midway = net(x["pictures"], x["found"])
    weight = HIDDEN + (1 - HIDDEN) * x["seen"]

    def cost(flows: Tensor) -> Tensor:
        return (SOFTNESS * torch.log1p(errors(flows.float(), x) / SOFTNESS) * weight).mean((1, 2, 3)).mean()

    loss = cost(done) + MIDWAY * cost(midway)
    seen = x["seen"] / x["seen"].mean((1, 2, 3), keepdim=True).clamp(min=0.05)
    with torch.no_grad():
        after, before = (errors(flows.float(), x) for flows in (done, x["found"]))
        figures = {
            "loss": loss,
            "error": (after * seen).mean(),
            "before": (before * seen).mean(),
            "off": ((after > 0.5) * seen).mean(),
            "off_before": ((before > 0.5) * seen).mean(),
        }
    return loss, figures


@torch.inference_mode()
def judged(net: Repair, examples: Examples, here: Place) -> dict[str, Tensor]:
    """The figures of `loss_of` over examples as they are."""
    plain = map(examples.plain, examples.numbers)
    found = [loss_of(net, {name: value[None].to(here.device) for name, value in x.items()})[1] for x in plain]
    return {name: torch.stack([figures[name] for figures in found]).mean() for name in LOGGED}


def train(config: FlowConfig, out: Path, here: Place, *, resume: bool, max_steps: int | None) -> list[Path]:
    """Train, or go on training; the weights' file, in the first process."""
    require_even(config.batch, world=here.world, accumulate=config.accumulate)
    last = min(config.steps, max_steps or config.steps)
    folder = out / "scenes"
    count = config.examples if max_steps is None else min(config.examples, max_steps * config.batch)
    total = range(here.rank, count + config.held_back, here.world)
    for made in flow_examples.keep(folder, total, config.seed, config.pictures):
        if here.first and made % 100 == 0:
            click.echo(f"scene {made} of {count + config.held_back}")
    here.meet()
    examples = Examples(folder, range(count), config.seed)
    judges = Examples(folder, range(count, count + config.held_back), config.seed)
    torch.manual_seed(config.seed)
    net = Repair(config.width).to(here.device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=1e-4)
    scaler = torch.amp.GradScaler(here.device.type, enabled=config.precision == "fp16")
    state: dict[str, records.Stateful] = {"net": net, "optimizer": optimizer, "scaler": scaler}
    first = records.resume(out, state) if resume else 0
    if first and here.first:
        click.echo(f"going on from step {first}")
    shared = here.share(net)
    loader = DataLoader(
        examples,
        batch_sampler=photos.Share(config, first=first, rank=here.rank, world=here.world),
        num_workers=config.workers,
    )
    batches = iter(loader)
    with records.Log(out, start=first) if here.first else nullcontext() as log:

        def loss(x: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
            return loss_of(shared, {name: value.to(here.device) for name, value in x.items()})

        for step in range(first, last):
            parts = take(
                step, batches, loss, shared=shared, optimizer=optimizer, scaler=scaler, config=config, here=here,
                rate=decayed(step, config.steps, config.learning_rate, floor=0.02), out=out,
            )  # fmt: skip
            done = step + 1
            if log and (done % LOG_EVERY == 0 or done == last):
                log.losses(done, parts, columns=LOGGED, said=f"{done}/{config.steps}")
            if log and (done % config.save_every == 0 or done == last):
                records.save(out, done, state)
                figures = judged(net, judges, here)
                click.echo("held back  " + "  ".join(f"{k} {v.item():.4g}" for k, v in figures.items()))
    if not here.first:
        return []
    path = out / "repair.safetensors"
    facts = {"width": str(net.width), "steps": str(max(first, last)), "licence": "MIT", "name": "repair"}
    with atomic(path) as temporary:
        records.write_weights(temporary, net, facts)
    return [path]


@click.command(help=__doc__)
@click.argument("config", type=click.Path(path_type=Path))
@OUT
@RESUME
@MAX_STEPS
@click.pass_context
def main(ctx: click.Context, config: Path, out: Path, resume: str, max_steps: int | None) -> None:
    def prepare() -> Callable[[Place], list[Path]]:
        checked = load_config(config, FlowConfig)
        return partial(train, checked, out, resume=resume == "auto", max_steps=max_steps)

    launch(ctx, out, prepare)


if __name__ == "__main__":
    main()
