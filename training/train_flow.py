#!/usr/bin/env python3
"""Train a net beside the flow method `dis`: the one that repairs motion, or the one that predicts occlusion.

    python training/gather_images.py --out data
    python training/train_flow.py training/configs/repair.yaml --out runs/repair
    torchrun --nproc-per-node 2 training/train_flow.py training/configs/occlusion.yaml --out runs/occlusion

First the scenes are made and the motion in them is estimated (OUT/scenes; .1 to .5 CPU-seconds each, shared by the
processes). Then the net learns from them, with checkpoints as in train_style.py. The weights go to OUT/NET.safetensors,
and figures of scenes that it never saw into the log. The estimates for `occlusion` pass through the installed repair.
"""

from __future__ import annotations

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
from tsn_training.launch import Run, training_command
from tsn_training.parallel import Process, require_even_shares
from tsn_training.step import cosine_decay, training_step

LOG_EVERY = 20
"""Steps."""
FLOOR = 0.02
"""Of the learning rate, the share that is left at the end."""


@torch.inference_mode()
def mean_figures(task: Task, net: nn.Module, examples: Examples, process: Process) -> dict[str, Tensor]:
    """Return the task's figures, each the mean over examples that are not augmented."""
    plain = map(examples.plain, examples.numbers)
    rows = [task.loss_of(net, {name: value[None].to(process.device) for name, value in x.items()})[1] for x in plain]
    return {name: torch.stack([figures[name] for figures in rows]).mean() for name in task.logged}


@training_command(partial(load_config, kind=FlowConfig), help=__doc__)
def main(config: FlowConfig, run: Run) -> list[Path]:
    """Train, or go on training, and return the weights' file in the first process."""
    process, out = run.process, run.out
    require_even_shares(config.batch, world_size=process.world_size, accumulate=config.accumulate)
    task = TASKS[config.net]
    last = min(config.steps, run.max_steps or config.steps)
    folder = out / "scenes"
    count = config.examples if run.max_steps is None else min(config.examples, run.max_steps * config.batch)
    ours = range(process.rank, count + config.held_back, process.world_size)
    for made in flow_examples.make_missing(folder, ours, config.seed, config.pictures, whole=task.whole):
        if process.is_first and made % 100 == 0:
            click.echo(f"scene {made} of {count + config.held_back}")
    process.barrier()
    examples = Examples(folder, range(count), config.seed)
    held_back = Examples(folder, range(count, count + config.held_back), config.seed)
    torch.manual_seed(config.seed)
    net = task.build(config.width)
    if run.start_from:
        load_weights(net, run.start_from, hint=f"Start from weights of a net {config.net} of width {config.width}.")
    net = process.move(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=1e-4)
    scaler = torch.amp.GradScaler(process.device.type, enabled=config.precision == "fp16")
    state: dict[str, records.Stateful] = {"net": net, "optimizer": optimizer, "scaler": scaler}
    first = records.load_checkpoint(out, state, process) if run.resume else 0
    if first and process.is_first:
        click.echo(f"going on from step {first}")
    shared = process.data_parallel(net)
    loader = DataLoader(
        examples,
        batch_sampler=photos.ShardSampler(config, first=first, rank=process.rank, world_size=process.world_size),
        num_workers=config.workers,
    )
    batches = iter(loader)
    with records.Log(out, start=first) if process.is_first else nullcontext() as log:

        def loss(x: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
            return task.loss_of(shared, {name: value.to(process.device) for name, value in x.items()})

        for step in range(first, last):
            parts = training_step(
                step, batches, loss, shared=shared, optimizer=optimizer, scaler=scaler, config=config, process=process,
                rate=cosine_decay(step, config.steps, config.learning_rate, floor=FLOOR), out=out,
            )  # fmt: skip
            done = step + 1
            if log and (done % LOG_EVERY == 0 or done == last):
                log.write_losses(done, parts, columns=task.logged, prefix=f"{done}/{config.steps}")
            if log and (done % config.save_every == 0 or done == last):
                records.save_checkpoint(out, done, state)
                figures = mean_figures(task, net, held_back, process)
                click.echo("held back  " + "  ".join(f"{k} {v.item():.4g}" for k, v in figures.items()))
    if not process.is_first:
        return []
    path = out / f"{config.net}.safetensors"
    facts = {"width": str(config.width), "steps": str(max(first, last)), "licence": "MIT", "name": config.net}
    with atomic_write(path) as temporary:
        records.write_weights(temporary, net, facts)
    return [path]


if __name__ == "__main__":
    main()
