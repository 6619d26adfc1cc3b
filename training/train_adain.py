#!/usr/bin/env python3
"""Train the net that paints after any painting (`style: {adain: painting.png}`).

    python training/gather_images.py --out data
    python training/train_adain.py training/configs/adain.yaml --start-from tsn/style/weights/great-wave.safetensors \\
        --out runs/adain
    python training/train_adain.py training/configs/adain.yaml --out runs/try --max-steps 2    # smoke run
    torchrun --nproc-per-node 4 training/train_adain.py training/configs/adain.yaml --out runs/adain

Two stages, one after the other:

see      The encoder learns the principal components of VGG's features. From their statistics a painting is described;
         VGG itself is not shipped.
paint    As in `train_style.py`, but every step has a painting of its own, and the parameters that differ from painting
         to painting are predicted from the encoder's features. A style to start from can draw already. There may be a
         discriminator of strokes, which is given the painting's style statistics too (`discriminator.py`).

One CPU, one GPU or many: the same file trains the same net, to rounding. Every `save_every` steps there is a
checkpoint, from which the next start goes on (also after a kill -9), and a preview: photos painted after the paintings
that are never trained on. At the end the weights go to OUT/NAME.safetensors in half precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.data import DataLoader

from tsn.io.atomic import atomic_write
from tsn.style.loading import load_style_prediction_net
from tsn.style.nets.layers import Normalise, instance_norm
from tsn.style.nets.style_prediction import StylePredictionNet
from tsn_training import losses, objective, perceptual, photos, records, schedule
from tsn_training.adversarial import AdversarialTraining, Conditions, WeightAverage
from tsn_training.any_painting import (
    StylePictures,
    StyleTargets,
    initial_net,
    preview_unseen,
    require_trained_encoder,
    split_pictures,
    statistics_over_pictures,
)
from tsn_training.config import load_config
from tsn_training.config_adain import AdainConfig
from tsn_training.discriminator import ADAM_BETAS
from tsn_training.distill import EncoderCrops, PrincipalComponents, distillation_loss
from tsn_training.launch import Run, training_command
from tsn_training.motion import FramePair
from tsn_training.parallel import require_even_shares
from tsn_training.schedule import LAST_BIAS_RATE, SPIKE_WEIGHT, learning_rate, painting_loss
from tsn_training.step import cosine_decay, training_step

LOG_EVERY = 20
"""Steps."""
PREDICTION_RATE = 0.3
"""Factor on the learning rate of the layers that predict parameters: one step of them moves every norm of the net."""
SEE_FLOOR = 0.02
"""Of the learning rate of the stage `see`, the share that is left at its end."""
LOGGED = ("seen1", "seen2", "seen3", *schedule.LOGGED)
"""Columns of log.csv; the first three are the encoder's errors by level."""


class TrainableNet(nn.Module):
    """The net with one `forward` for both stages: DDP averages the gradients of that alone.

    Attributes:
        block_outputs: the outputs of the residual blocks in the last call, for `losses.spike_loss`.
    """

    def __init__(self, net: StylePredictionNet) -> None:
        super().__init__()
        self.net = net
        self.block_outputs: list[Tensor] = []
        for block in net.canvas.body:
            block.register_forward_hook(lambda _module, _inputs, output: self.block_outputs.append(output))

    def begin_stage(self, *, encoder: bool) -> None:
        """Let only the parameters of a stage learn: the encoder's, or all others."""
        self.net.requires_grad_(not encoder)
        self.net.encoder.requires_grad_(encoder)

    def forward(
        self,
        pictures: Tensor,
        normalise: Normalise = instance_norm,
        *,
        statistics: Tensor | None = None,
        palette: Tensor | None = None,
    ) -> object:
        """Return the encoder's features by level; or, given a painting's statistics and palette, painted pictures."""
        if statistics is None or palette is None:
            return self.net.encoder(pictures)
        self.block_outputs.clear()
        parameters = self.net.transfer_parameters(self.net.predict_parameters(statistics))
        return functional_call(self.net.canvas, parameters | {"palette": palette}, (pictures, normalise))


@training_command(partial(load_config, kind=AdainConfig), help=__doc__)
def main(config: AdainConfig, run: Run) -> list[Path]:
    """Train, or go on training, and return the weights' file in the first process."""
    process, out = run.process, run.out
    require_even_shares(config.batch, world_size=process.world_size, accumulate=config.accumulate)
    torch.manual_seed(config.seed)
    photo_paths, painting_paths, unseen = split_pictures(config)
    crops = EncoderCrops(photo_paths, painting_paths, config)
    styles = StylePictures(photo_paths, painting_paths, config)
    scenes = photos.Samples(photo_paths, config)
    typical = torch.stack([crops[number] for number in range(24)])

    features, trunk = perceptual.load()
    features = features.without_idle_channels(typical)
    components = PrincipalComponents(features, config.seen)
    components.fit(features, typical)
    features = process.move(features)
    components = components.to(process.device)

    net = process.move(initial_net(config, run.start_from))
    net.plates.copy_(objective.plate_colours(photo_paths, config.seed))
    prediction, last_bias = list(net.mind.parameters()), net.canvas.get_parameter("leave.conv.bias")
    others = [p for p in net.parameters() if p is not last_bias and not any(p is other for other in prediction)]
    groups: list[dict[str, Any]] = [
        {"params": others}, {"params": [last_bias], "times": LAST_BIAS_RATE},
        {"params": prediction, "times": PREDICTION_RATE},
    ]  # fmt: skip
    optimizer = torch.optim.Adam(groups, lr=1.0, betas=ADAM_BETAS if config.judge else (0.9, 0.999))
    scaler = torch.amp.GradScaler(process.device.type, enabled=config.precision == "fp16")
    # Keys of the checkpoint, which keep their names.
    state: dict[str, records.Stateful] = {
        "net": net, "components": components, "optimizer": optimizer, "scaler": scaler
    }  # fmt: skip
    state["subject"] = records.TrainingIdentity(f"{config.name} (seed {config.seed})")
    adversary = average = None
    if config.judge:
        adversary = AdversarialTraining(
            config, styles.crop, process, out=out, condition_channels=net.encoder.statistics_size
        )
        average = WeightAverage(net)
        state |= {"judge": adversary, "mean": average}
    first = records.load_checkpoint(out, state, process) if run.resume else 0
    if not first:
        require_trained_encoder(config, run.start_from)
    elif process.is_first:
        click.echo(f"going on from step {first}")

    trained, targets = TrainableNet(net), StyleTargets(styles, net.encoder, features, net.plates)
    see = config.see
    total = see.steps + config.steps
    last = min(total, run.max_steps or total)
    stage = ""
    with records.Log(out, start=first) if process.is_first else nullcontext() as log:
        for step in range(first, last):
            seeing, painted_steps = step < see.steps, step - see.steps
            if stage != (stage := "see" if seeing else "paint"):
                trained.begin_stage(encoder=seeing)
                shared = process.data_parallel(trained)
                shard = partial(photos.ShardSampler, rank=process.rank, world_size=process.world_size)
                batches: Iterator[Any]
                if seeing:
                    plan = photos.Batches(steps=see.steps, batch=config.batch, accumulate=config.accumulate)
                    batches = iter(DataLoader(crops, batch_sampler=shard(plan, first=step), num_workers=config.workers))
                else:
                    sampler = shard(config, first=painted_steps)
                    batches = iter(DataLoader(scenes, batch_sampler=sampler, num_workers=config.workers))
                    if adversary:
                        adversary.start(painted_steps)
                if painted_steps == 0 and see.steps:
                    net.usual.copy_(statistics_over_pictures(styles, net.encoder, process.device))

            conditions = None
            if adversary and not seeing:
                numbers = styles.number_at(painted_steps), styles.mismatched_at(painted_steps)
                conditions = Conditions(*(net.standardise(targets.of(number)[0]) for number in numbers))

            def loss(
                batch: Tensor | list[Tensor],
                shared: nn.Module = shared,
                step: int = painted_steps,
                conditions: Conditions | None = conditions,
            ) -> tuple[Tensor, dict[str, Tensor]]:
                if isinstance(batch, Tensor):
                    return distillation_loss(shared, batch.to(process.device), features, components)
                statistics, target = targets.of(styles.number_at(step))
                pair = FramePair(*(x.to(process.device) for x in batch))
                paint = partial(shared, statistics=statistics, palette=target.colours)
                value, parts = painting_loss(
                    paint, pair, step, target=target, teacher=None,
                    adversary=partial(adversary.generator_loss, conditions=conditions) if adversary else None,
                )  # fmt: skip
                parts["spikes"] = losses.spike_loss(trained.block_outputs)
                return value + SPIKE_WEIGHT * parts["spikes"], parts

            rate = (
                cosine_decay(step, see.steps, see.learning_rate, floor=SEE_FLOOR)
                if seeing
                else learning_rate(painted_steps, config.steps, config.learning_rate)
            )
            parts = training_step(
                step, batches, loss, shared=shared, optimizer=optimizer, scaler=scaler, config=config, process=process,
                rate=rate, out=out,
            )  # fmt: skip
            if adversary and average and not seeing:
                parts |= adversary.train_discriminator(painted_steps, conditions)
                average.update_parameters(net)
            done = step + 1
            if log and (done % LOG_EVERY == 0 or done == last):
                log.write_losses(done, parts, columns=LOGGED, prefix=f"{done}/{total} {stage}")
            if log and (done % config.save_every == 0 or done == last):
                records.save_checkpoint(out, done, state)
                if not seeing:
                    sheet = preview_unseen(average.module if average else net, photo_paths, unseen, process.device)
                    log.write_image(done, sheet)
    kept = average.module if average and average.n_averaged else net  # a run may end before it begins to paint
    return [export(kept, config, out, trunk=trunk, step=max(first, last))] if process.is_first else []


def export(net: StylePredictionNet, config: AdainConfig, out: Path, *, trunk: str, step: int) -> Path:
    """Write the weights in half precision, with the metadata that tsn loads them by, and return the file.

    Args:
        trunk: the perceptual net's name.
        step: the number of steps that the net was trained for.
    """
    facts = {"family": "adain", "width": str(net.width), "blocks": str(net.blocks), "seen": str(net.encoder_width)}
    facts |= {"steps": str(step), "trunk": trunk}
    facts |= {key: "yes" if getattr(net.canvas, key) else "no" for key in ("simplifies", "seeded")}
    facts |= {"name": config.name, "title": config.title, "licence": config.licence}
    path = out / f"{config.name}.safetensors"
    with atomic_write(path) as temporary:
        records.write_weights(temporary, net, facts)
        load_style_prediction_net(temporary)  # refuses weights that are not finite: none are left behind
    return path


if __name__ == "__main__":
    main()
