#!/usr/bin/env python3
"""Train a feed-forward style net, slim or mobile, on a painting; or several nets together, each on its own.

    python training/gather_images.py --out data
    python training/train_style.py training/configs/great-wave.yaml --out runs/great-wave
    python training/train_style.py training/configs/great-wave.yaml --out runs/try --max-steps 2    # smoke run
    torchrun --nproc-per-node 4 training/train_style.py training/configs/great-wave.yaml --out runs/great-wave
    python training/train_style.py training/configs/together.yaml --out runs/together

One CPU, one GPU or many: the same file trains the same net, to rounding. Every `save_every` steps there is a
checkpoint, from which the next start goes on (also after a kill -9), and a picture of four photos painted;
losses go to log.csv and to TensorBoard. At the end the weights go to OUT/NAME.safetensors in half precision.

First the net learns to copy: the plate in the painting's colours, or what its teacher makes of it. What starts
from noise under a style loss keeps no structure. Then come the painting's strokes, their weight rising; then,
where asked for, steadiness. Styles that train together take the steps in turn, and share most of what they learn. A
style that is finished alone may have a judge, which learns to tell the painting's strokes from its own (`judge.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import click
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from tsn.io.atomic import atomic_write
from tsn.style import catalogue as shipped
from tsn.style import loading
from tsn.style.nets.layers import OPTIONAL_INPUTS, StyleNet
from tsn_training import losses, objective, perceptual, photos, records
from tsn_training.config import StyleConfig, load_styles
from tsn_training.discriminator import BETAS, Crops
from tsn_training.init_weights import adopt
from tsn_training.judging import Judging, running_mean
from tsn_training.launch import MAX_STEPS, OUT, RESUME, START_FROM, launch, require_weights
from tsn_training.motion import Pair
from tsn_training.multistyle import Together
from tsn_training.parallel import Place, require_even
from tsn_training.schedule import GROUND_RATE, SPIKES, built, learning_rate, loss_of
from tsn_training.step import take

LOG_EVERY = 19  # prime to any number of styles that take turns, so that each gets its rows


def export(net: StyleNet, config: StyleConfig, out: Path, *, trunk: str, step: int) -> Path:
    """Write the weights in half precision, with what tsn must know to load them."""
    facts = {"family": config.family, "width": str(net.width), "blocks": str(net.blocks), "steps": str(step)}
    facts |= {key: "yes" if getattr(config, key) else "no" for key in OPTIONAL_INPUTS}
    facts |= {"name": config.name, "title": config.title, "licence": config.licence, "trunk": trunk}
    path = out / f"{config.name}.safetensors"
    with atomic_write(path) as temporary:
        records.write_weights(temporary, net, facts)
        loading.load_style_net(
            shipped.describe_weights(temporary)
        )  # weights that cannot be read, or hold no numbers, are no result
    return path


def begun(config: StyleConfig, start_from: Path | None) -> StyleNet:
    """A net as it is before the first step."""
    net = built(config)
    if start_from:
        adopt(net, start_from)
    return net


def train(
    styles: Sequence[StyleConfig],
    out: Path,
    here: Place,
    *,
    resume: bool,
    start_from: Path | None,
    max_steps: int | None,
) -> list[Path]:
    """Train, or go on training; the weights' files, in the first process."""
    config = styles[0]  # where they are one: samples and schedule
    require_even(config.batch, world=here.world, accumulate=config.accumulate)
    torch.manual_seed(config.seed)
    paths, held_back = photos.find(config.photos, config.held_back)
    samples = photos.Samples(paths, config)
    shown = (held_back or paths)[:: max(1, len(held_back or paths) // 4)][:4]
    show = torch.stack([photos.crop(photos.load_image(p), 256, photos.generator(i)) for i, p in enumerate(shown)])
    show = show.to(here.device)

    features, trunk = perceptual.load(out.parent)
    features = features.without_idle_channels(show.cpu())
    targets = [objective.target(style, features, paths).to(here.device) for style in styles]

    nets = Together([begun(style, start_from) for style in styles])
    for net, target in zip(nets, targets, strict=True):
        if net.palette is not None:
            net.palette.copy_(target.colours)
    nets = nets.to(here.device, memory_format=torch.channels_last)
    teachers = [
        loading.load_style_net(shipped.resolve_style(str(style.teacher))).to(here.device) if style.teacher else None
        for style in styles
    ]
    named = dict(nets.named_parameters())
    grounds = [named.pop(f"{place}.leave.conv.bias") for place in range(len(nets))]
    groups = [{"params": list(named.values())}, {"params": grounds, "times": GROUND_RATE}]
    optimizer = torch.optim.Adam(groups, lr=config.learning_rate, betas=BETAS if config.judge else (0.9, 0.999))
    scaler = torch.amp.GradScaler(here.device.type, enabled=config.precision == "fp16")
    state: dict[str, records.Stateful] = {"net": nets, "optimizer": optimizer, "scaler": scaler}
    state["subject"] = records.Subject(
        *(f"{s.name} ({s.painting.name}, {s.painting_box}, seed {s.seed})" for s in styles)
    )
    kept: Iterable[StyleNet] = nets
    judging = mean = None
    if config.judge:
        crops = Crops(
            objective.painting(config), largest=max(stage.crop for stage in config.stages), seed=config.seed,
            source=config.painting,
        )  # fmt: skip
        judging = state["judge"] = Judging(config, crops, here, out=out)
        mean = state["mean"] = running_mean(nets)
        kept = mean.module
    first = records.resume(out, state, here) if resume else 0
    if first and here.first:
        click.echo(f"going on from step {first}")

    shared = here.share(nets, in_turn=len(styles) > 1)
    if judging:
        judging.begin(first)
    share = photos.Share(config, first=first, rank=here.rank, world=here.world)
    batches = iter(DataLoader(samples, batch_sampler=share, num_workers=config.workers))
    last = min(config.steps, max_steps or config.steps)
    with records.Log(out, start=first) if here.first else nullcontext() as log:
        for step in range(first, last):
            turn = step % len(styles)

            def loss(batch: list[Tensor], step: int = step, turn: int = turn) -> tuple[Tensor, dict[str, Tensor]]:
                pair = Pair(*(x.to(here.device) for x in batch))
                net = partial(shared, style=turn)
                judged = judging.of if judging else None
                lost, parts = loss_of(net, pair, step, target=targets[turn], teacher=teachers[turn], judged=judged)
                parts["spikes"] = losses.spikes(nets.inner)
                return lost + SPIKES * parts["spikes"], parts

            parts = take(
                step, batches, loss, shared=shared, optimizer=optimizer, scaler=scaler, config=config, here=here,
                rate=learning_rate(step, config.steps, config.learning_rate), out=out,
            )  # fmt: skip
            if judging and mean:
                parts |= judging.learn(step)
                mean.update_parameters(nets)
            done = step + 1
            if log and (done % LOG_EVERY == 0 or done == last):
                log.losses(done, parts, columns=LOGGED, said=f"{done}/{config.steps} {styles[turn].name}")
            if log and (done % config.save_every == 0 or done == last):
                records.save(out, done, state)
                log.picture(done, painted_sheet(kept, show))
    if not here.first:
        return []
    done = max(first, last)
    return [export(net, style, out, trunk=trunk, step=done) for net, style in zip(kept, styles, strict=True)]


LOGGED = ("copy", "content", "style", "colour", "smooth", "temporal", "light", "spikes", "appeal", "judge")


@torch.inference_mode()
def painted_sheet(nets: Iterable[torch.nn.Module], show: Tensor) -> Tensor:
    """Photos above, painted below by one net after another: (3, H, W)."""
    from torchvision.utils import make_grid

    return make_grid(torch.cat([show, *(net(show).float() for net in nets)]), nrow=len(show)).cpu()


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
        styles = load_styles(config)
        require_weights(start_from)
        return partial(train, styles, out, resume=resume == "auto", start_from=start_from, max_steps=max_steps)

    launch(ctx, out, prepare)


if __name__ == "__main__":
    main()
