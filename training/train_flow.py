#!/usr/bin/env python3
"""Train a net beside `dis`: the one that repairs motion, or the one that tells what is hidden.

    python training/gather_images.py --out data
    python training/train_flow.py training/configs/repair.yaml --out runs/repair
    torchrun --nproc-per-node 2 training/train_flow.py training/configs/occlusion.yaml --out runs/occlusion

First the scenes are made and the motion in them is found (OUT/scenes; .1 to .5 CPU-seconds each, shared out over the
processes), then the net learns from them, with checkpoints as train_style.py has them. The weights go to
OUT/NET.safetensors, with figures of scenes that it never saw in the log. What is found for `occlusion` has been through
the repair that is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import click
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tsn.flow.nets.blocks import load_weights
from tsn.io.atomic import atomic_write
from tsn_training import flow_examples, photos, records
from tsn_training.config import load_config
from tsn_training.config_flow import FlowConfig
from tsn_training.flow_examples import Examples
from tsn_training.flow_tasks import TASKS, Task
from tsn_training.launch import MAX_STEPS, OUT, RESUME, START_FROM, launch, require_weights
from tsn_training.parallel import Place, require_even
from tsn_training.step import decayed, take

LOG_EVERY = 20


@torch.inference_mode()
def judged(task: Task, net: nn.Module, examples: Examples, here: Place) -> dict[str, Tensor]:
    """The figures of the task over examples as they are."""
    plain = map(examples.plain, examples.numbers)
    found = [task.loss_of(net, {name: value[None].to(here.device) for name, value in x.items()})[1] for x in plain]
    return {name: torch.stack([figures[name] for figures in found]).mean() for name in task.logged}


def train(
    config: FlowConfig, out: Path, here: Place, *, resume: bool, start_from: Path | None, max_steps: int | None
) -> list[Path]:
    """Train, or go on training; the weights' file, in the first process."""
    require_even(config.batch, world=here.world, accumulate=config.accumulate)
    task = TASKS[config.net]
    last = min(config.steps, max_steps or config.steps)
    folder = out / "scenes"
    count = config.examples if max_steps is None else min(config.examples, max_steps * config.batch)
    total = range(here.rank, count + config.held_back, here.world)
    for made in flow_examples.keep(folder, total, config.seed, config.pictures, whole=task.whole):
        if here.first and made % 100 == 0:
            click.echo(f"scene {made} of {count + config.held_back}")
    here.meet()
    examples = Examples(folder, range(count), config.seed)
    judges = Examples(folder, range(count, count + config.held_back), config.seed)
    torch.manual_seed(config.seed)
    net = task.build(config.width)
    if start_from:
        load_weights(net, start_from, hint=f"Start from weights of a net {config.net} of width {config.width}.")
    net = net.to(here.device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=1e-4)
    scaler = torch.amp.GradScaler(here.device.type, enabled=config.precision == "fp16")
    state: dict[str, records.Stateful] = {"net": net, "optimizer": optimizer, "scaler": scaler}
    first = records.resume(out, state, here) if resume else 0
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
            return task.loss_of(shared, {name: value.to(here.device) for name, value in x.items()})

        for step in range(first, last):
            parts = take(
                step, batches, loss, shared=shared, optimizer=optimizer, scaler=scaler, config=config, here=here,
                rate=decayed(step, config.steps, config.learning_rate, floor=0.02), out=out,
            )  # fmt: skip
            done = step + 1
            if log and (done % LOG_EVERY == 0 or done == last):
                log.losses(done, parts, columns=task.logged, said=f"{done}/{config.steps}")
            if log and (done % config.save_every == 0 or done == last):
                records.save(out, done, state)
                figures = judged(task, net, judges, here)
                click.echo("held back  " + "  ".join(f"{k} {v.item():.4g}" for k, v in figures.items()))
    if not here.first:
        return []
    path = out / f"{config.net}.safetensors"
    facts = {"width": str(config.width), "steps": str(max(first, last)), "licence": "MIT", "name": config.net}
    with atomic_write(path) as temporary:
        records.write_weights(temporary, net, facts)
    return [path]


@click.command(help=__doc__)
@click.argument("config", type=click.Path(path_type=Path))
@OUT
@RESUME
@START_FROM
@MAX_STEPS
@click.pass_context
def main(
    ctx: click.Context, config: Path, out: Path, resume: str, start_from: Path | None, max_steps: int | None
) -> None:
    def prepare() -> Callable[[Place], list[Path]]:
        checked = load_config(config, FlowConfig)
        require_weights(start_from)
        return partial(train, checked, out, resume=resume == "auto", start_from=start_from, max_steps=max_steps)

    launch(ctx, out, prepare)


if __name__ == "__main__":
    main()
