#!/usr/bin/env python3
"""Train a feed-forward style net, slim or mobile, on a painting; or several nets together, each on its own.

    python training/gather_images.py --out data
    python training/train_style.py training/configs/great-wave.yaml --out runs/great-wave
    python training/train_style.py training/configs/great-wave.yaml --out runs/try --max-steps 2    # smoke run
    torchrun --nproc-per-node 4 training/train_style.py training/configs/great-wave.yaml --out runs/great-wave
    python training/train_style.py training/configs/together.yaml --out runs/together

One CPU, one GPU or many: the same file trains the same net, to rounding. Every `save_every` steps there is a
checkpoint, from which the next start goes on (also after a kill -9), and a preview of four photos painted; losses go to
log.csv and to TensorBoard. At the end the weights go to OUT/NAME.safetensors in half precision.

First the net learns to copy: the plate in the painting's colours, or the picture that its teacher paints. (A net that
starts from noise under a style loss keeps no structure.) Then come the painting's strokes, with rising weight; then the
temporal loss, if there is one. Styles that train together take the steps in turn, and share most layers. A style that
is finished alone may have a discriminator, which learns to tell the painting's strokes from the net's
(`discriminator.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from tsn.io.atomic import atomic_write
from tsn.style import catalogue as shipped
from tsn.style import loading
from tsn.style.nets.layers import OPTIONAL_INPUTS, StyleNet
from tsn_training import losses, objective, perceptual, photos, records
from tsn_training.adversarial import AdversarialTraining, WeightAverage
from tsn_training.config import StyleConfig, load_styles
from tsn_training.discriminator import ADAM_BETAS, PaintingCrops
from tsn_training.init_weights import load_pretrained
from tsn_training.launch import Run, training_command
from tsn_training.motion import FramePair
from tsn_training.multistyle import MultiStyleNet
from tsn_training.parallel import require_even_shares
from tsn_training.schedule import LAST_BIAS_RATE, LOGGED, SPIKE_WEIGHT, build_net, learning_rate, painting_loss
from tsn_training.step import training_step

LOG_EVERY = 19
"""Steps; prime, so that each of several styles in turn gets its rows."""


def export(net: StyleNet, config: StyleConfig, out: Path, *, trunk: str, step: int) -> Path:
    """Write a net's weights in half precision, with the metadata that tsn loads them by, and return the file.

    Args:
        trunk: the perceptual net's name.
        step: the number of steps that the net was trained for.
    """
    facts = {"family": config.family, "width": str(net.width), "blocks": str(net.blocks), "steps": str(step)}
    facts |= {key: "yes" if getattr(config, key) else "no" for key in OPTIONAL_INPUTS}
    facts |= {"name": config.name, "title": config.title, "licence": config.licence, "trunk": trunk}
    path = out / f"{config.name}.safetensors"
    with atomic_write(path) as temporary:
        records.write_weights(temporary, net, facts)
        # Refuses weights that are not finite, so that none are left behind.
        loading.load_style_net(shipped.describe_weights(temporary))
    return path


def initial_net(config: StyleConfig, start_from: Path | None) -> StyleNet:
    """Return the net before the first step, perhaps with the weights of another."""
    net = build_net(config)
    if start_from:
        load_pretrained(net, start_from)
    return net


@training_command(load_styles, help=__doc__)
def main(styles: tuple[StyleConfig, ...], run: Run) -> list[Path]:
    """Train, or go on training, and return the weights' files in the first process."""
    process, out = run.process, run.out
    config = styles[0]  # samples and schedule are the same in all of them
    require_even_shares(config.batch, world_size=process.world_size, accumulate=config.accumulate)
    torch.manual_seed(config.seed)
    paths, held_back = photos.find_pictures(config.photos, config.held_back)
    samples = photos.Samples(paths, config)
    some = (held_back or paths)[:: max(1, len(held_back or paths) // 4)][:4]
    plates = torch.stack(
        [photos.random_crop(photos.load_image(p), 256, photos.seeded_generator(i)) for i, p in enumerate(some)]
    )
    plates = plates.to(process.device)

    features, trunk = perceptual.load()
    features = features.without_idle_channels(plates.cpu())
    targets = [objective.style_target(style, features, paths).to(process.device) for style in styles]

    nets = MultiStyleNet([initial_net(style, run.start_from) for style in styles])
    for net, target in zip(nets, targets, strict=True):
        if net.palette is not None:
            net.palette.copy_(target.colours)
    nets = process.move(nets)
    teachers = [
        loading.load_style_net(shipped.resolve_style(str(style.teacher))).to(process.device) if style.teacher else None
        for style in styles
    ]
    named = dict(nets.named_parameters())
    last_biases = [named.pop(f"{number}.leave.conv.bias") for number in range(len(nets))]
    groups: list[dict[str, Any]] = [
        {"params": list(named.values())}, {"params": last_biases, "times": LAST_BIAS_RATE}
    ]  # fmt: skip
    optimizer = torch.optim.Adam(groups, lr=config.learning_rate, betas=ADAM_BETAS if config.judge else (0.9, 0.999))
    scaler = torch.amp.GradScaler(process.device.type, enabled=config.precision == "fp16")
    # Keys of the checkpoint, which keep their names.
    state: dict[str, records.Stateful] = {"net": nets, "optimizer": optimizer, "scaler": scaler}
    state["subject"] = records.TrainingIdentity(
        *(f"{s.name} ({s.painting.name}, {s.painting_box}, seed {s.seed})" for s in styles)
    )
    kept: Iterable[StyleNet] = nets
    adversary = average = None
    if config.judge:
        crops = PaintingCrops(
            objective.load_painting(config), largest=max(stage.crop for stage in config.stages), seed=config.seed,
            source=config.painting,
        )  # fmt: skip
        adversary = state["judge"] = AdversarialTraining(config, crops, process, out=out)
        average = state["mean"] = WeightAverage(nets)
        kept = average.module
    first = records.load_checkpoint(out, state, process) if run.resume else 0
    if first and process.is_first:
        click.echo(f"going on from step {first}")

    shared = process.data_parallel(nets, find_unused=len(styles) > 1)
    if adversary:
        adversary.start(first)
    shard = photos.ShardSampler(config, first=first, rank=process.rank, world_size=process.world_size)
    batches = iter(DataLoader(samples, batch_sampler=shard, num_workers=config.workers))
    last = min(config.steps, run.max_steps or config.steps)
    with records.Log(out, start=first) if process.is_first else nullcontext() as log:
        for step in range(first, last):
            turn = step % len(styles)

            def loss(batch: list[Tensor], step: int = step, turn: int = turn) -> tuple[Tensor, dict[str, Tensor]]:
                pair = FramePair(*(x.to(process.device) for x in batch))
                value, parts = painting_loss(
                    partial(shared, style=turn), pair, step, target=targets[turn], teacher=teachers[turn],
                    adversary=adversary.generator_loss if adversary else None,
                )  # fmt: skip
                parts["spikes"] = losses.spike_loss(nets.block_outputs)
                return value + SPIKE_WEIGHT * parts["spikes"], parts

            parts = training_step(
                step, batches, loss, shared=shared, optimizer=optimizer, scaler=scaler, config=config, process=process,
                rate=learning_rate(step, config.steps, config.learning_rate), out=out,
            )  # fmt: skip
            if adversary and average:
                parts |= adversary.train_discriminator(step)
                average.update_parameters(nets)
            done = step + 1
            if log and (done % LOG_EVERY == 0 or done == last):
                log.write_losses(done, parts, columns=LOGGED, prefix=f"{done}/{config.steps} {styles[turn].name}")
            if log and (done % config.save_every == 0 or done == last):
                records.save_checkpoint(out, done, state)
                log.write_image(done, preview(kept, plates))
    if not process.is_first:
        return []
    done = max(first, last)
    return [export(net, style, out, trunk=trunk, step=done) for net, style in zip(kept, styles, strict=True)]


@torch.inference_mode()
def preview(nets: Iterable[torch.nn.Module], plates: Tensor) -> Tensor:
    """Return photos (N, 3, S, S) in a row, and below a row for each net that paints them: (3, H, W) in [0, 1]."""
    from torchvision.utils import make_grid

    return make_grid(torch.cat([plates, *(net(plates).float() for net in nets)]), nrow=len(plates)).cpu()


if __name__ == "__main__":
    main()
