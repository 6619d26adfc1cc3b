#!/usr/bin/env python3
"""Train the net that paints after any painting (`style: {adain: painting.png}`).

    python training/gather_images.py --out data
    python training/train_adain.py training/configs/adain.yaml --start-from tsn/style/weights/great-wave.safetensors \\
        --out runs/adain
    python training/train_adain.py training/configs/adain.yaml --out runs/try --max-steps 2    # smoke run
    torchrun --nproc-per-node 4 training/train_adain.py training/configs/adain.yaml --out runs/adain

Two lessons, one after the other:

see      The encoder learns to tell the principal components of VGG's features. Statistics of these are what a
         painting is told from; and VGG itself is not shipped.
paint    As in `train_style.py`, but every step has a painting of its own, and what changes from painting to painting
         is foretold from what the encoder sees of it. A style to start from has learnt to draw already. There may be
         a judge of strokes, which is told the painting too (`judge.py`).

One CPU, one GPU or many: the same file trains the same net, to rounding. Every `save_every` steps there is a
checkpoint, from which the next start goes on (also after a kill -9), and a picture: photos painted after the
paintings that are never trained on. At the end the weights go to OUT/NAME.safetensors in half precision.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import click
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.data import DataLoader

from tsn.io.atomic import atomic_write
from tsn.style.loading import load_style_prediction_net
from tsn.style.nets.layers import Normalise, instance_norm
from tsn.style.nets.style_prediction import StylePredictionNet
from tsn_training import losses, objective, perceptual, photos, records
from tsn_training.any_painting import Known, Styles, begun, divided, painted_sheet, require_sight, usual
from tsn_training.config import load_config
from tsn_training.config_adain import AdainConfig
from tsn_training.discriminator import BETAS
from tsn_training.distill import Components, Crops, seeing_loss
from tsn_training.judging import Judging, Told, running_mean
from tsn_training.launch import MAX_STEPS, OUT, RESUME, START_FROM, launch, require_weights
from tsn_training.motion import Pair
from tsn_training.parallel import Place, require_even
from tsn_training.schedule import GROUND_RATE, SPIKES, learning_rate, loss_of
from tsn_training.step import decayed, take

LOG_EVERY = 20
MIND_RATE = 0.3
"""Of the learning rate, for what foretells: a step of it moves every norm of the net."""


class Pupil(nn.Module):
    """What is trained, with one `forward` for both lessons: DDP averages the gradients of that alone.

    Attributes:
        inner: what the residual blocks put out in the last call, for `losses.spikes`.
    """

    def __init__(self, net: StylePredictionNet) -> None:
        super().__init__()
        self.net = net
        self.inner: list[Tensor] = []
        for block in net.canvas.body:
            block.register_forward_hook(lambda _module, _inputs, output: self.inner.append(output))

    def begin(self, *, seeing: bool) -> None:
        """Let only the parameters learn that this lesson is about."""
        self.net.requires_grad_(not seeing)
        self.net.encoder.requires_grad_(seeing)

    def forward(
        self,
        pictures: Tensor,
        normalise: Normalise = instance_norm,
        *,
        code: Tensor | None = None,
        palette: Tensor | None = None,
    ) -> object:
        """Features by level; or, told of a painting, what is painted after it."""
        if code is None or palette is None:
            return self.net.encoder(pictures)
        self.inner.clear()
        changed = self.net.transfer_parameters(self.net.predict_parameters(code))
        return functional_call(self.net.canvas, changed | {"palette": palette}, (pictures, normalise))


LOGGED = (
    "seen1",
    "seen2",
    "seen3",
    "copy",
    "content",
    "style",
    "colour",
    "smooth",
    "temporal",
    "light",
    "spikes",
    "appeal",
    "judge",
)


def train(
    config: AdainConfig, out: Path, here: Place, *, resume: bool, start_from: Path | None, max_steps: int | None
) -> list[Path]:
    """Train, or go on training; the weights' file, in the first process."""
    require_even(config.batch, world=here.world, accumulate=config.accumulate)
    torch.manual_seed(config.seed)
    taken, paintings, unseen = divided(config)
    crops, styles = Crops(taken, paintings, config), Styles(taken, paintings, config)
    scenes = photos.Samples(taken, config)
    show = torch.stack([crops[number] for number in range(24)])

    features, trunk = perceptual.load(out.parent)
    features = features.without_idle_channels(show)
    components = Components(features, config.seen)
    components.find(features, show)
    features = features.to(here.device, memory_format=torch.channels_last)
    components = components.to(here.device)

    net = begun(config, start_from).to(here.device, memory_format=torch.channels_last)
    net.plates.copy_(objective.plate_colours(taken, config.seed))
    mind, ground = list(net.mind.parameters()), net.canvas.leave.conv.bias
    rest = [p for p in net.parameters() if p is not ground and not any(p is other for other in mind)]
    groups = [
        {"params": rest}, {"params": [ground], "times": GROUND_RATE}, {"params": mind, "times": MIND_RATE}
    ]  # fmt: skip
    optimizer = torch.optim.Adam(groups, lr=1.0, betas=BETAS if config.judge else (0.9, 0.999))
    scaler = torch.amp.GradScaler(here.device.type, enabled=config.precision == "fp16")
    state: dict[str, records.Stateful] = {
        "net": net, "components": components, "optimizer": optimizer, "scaler": scaler
    }  # fmt: skip
    state["subject"] = records.Subject(f"{config.name} (seed {config.seed})")
    judging = mean = None
    if config.judge:
        judging = state["judge"] = Judging(config, styles.crop, here, out=out, told=net.encoder.statistics_size)
        mean = state["mean"] = running_mean(net)
    first = records.resume(out, state, here) if resume else 0
    if not first:
        require_sight(config, start_from)
    elif here.first:
        click.echo(f"going on from step {first}")

    pupil, known = Pupil(net), Known(styles, net.encoder, features, net.plates)
    see = config.see
    total = see.steps + config.steps
    last = min(total, max_steps or total)
    lesson = ""
    with records.Log(out, start=first) if here.first else nullcontext() as log:
        for step in range(first, last):
            seeing, within = step < see.steps, step - see.steps
            if lesson != (lesson := "see" if seeing else "paint"):
                pupil.begin(seeing=seeing)
                shared = here.share(pupil)
                begin = partial(DataLoader, num_workers=config.workers)
                ours = {"rank": here.rank, "world": here.world}
                if seeing:
                    plan = photos.Batches(steps=see.steps, batch=config.batch, accumulate=config.accumulate)
                    batches = iter(begin(crops, batch_sampler=photos.Share(plan, first=step, **ours)))
                else:
                    batches = iter(begin(scenes, batch_sampler=photos.Share(config, first=within, **ours)))
                    if judging:
                        judging.begin(within)
                if within == 0 and see.steps:
                    net.usual.copy_(usual(styles, net.encoder, here.device))

            told = None
            if judging and not seeing:
                told = Told(*(net.standardise(known.of(n)[0]) for n in (styles.at(within), styles.strange(within))))

            def loss(
                batch: Tensor | list[Tensor],
                shared: nn.Module = shared,
                within: int = within,
                told: Told | None = told,
            ) -> tuple[Tensor, dict[str, Tensor]]:
                if isinstance(batch, Tensor):
                    return seeing_loss(shared, batch.to(here.device), features, components)
                code, target = known.of(styles.at(within))
                pair = Pair(*(x.to(here.device) for x in batch))
                paint = partial(shared, code=code, palette=target.colours)
                judged = partial(judging.of, told=told) if judging else None
                lost, parts = loss_of(paint, pair, within, target=target, teacher=None, judged=judged)
                parts["spikes"] = losses.spikes(pupil.inner)
                return lost + SPIKES * parts["spikes"], parts

            rate = (
                decayed(step, see.steps, see.learning_rate, floor=0.02)
                if seeing
                else learning_rate(within, config.steps, config.learning_rate)
            )
            parts = take(
                step, batches, loss, shared=shared, optimizer=optimizer, scaler=scaler, config=config, here=here,
                rate=rate, out=out,
            )  # fmt: skip
            if judging and mean and not seeing:
                parts |= judging.learn(within, told)
                mean.update_parameters(net)
            done = step + 1
            if log and (done % LOG_EVERY == 0 or done == last):
                log.losses(done, parts, columns=LOGGED, said=f"{done}/{total} {lesson}")
            if log and (done % config.save_every == 0 or done == last):
                records.save(out, done, state)
                if not seeing:
                    log.picture(done, painted_sheet(mean.module if mean else net, taken, unseen, here.device))
    kept = mean.module if mean and mean.n_averaged else net  # a run may end before it begins to paint
    return [export(kept, config, out, trunk=trunk, step=max(first, last))] if here.first else []


def export(net: StylePredictionNet, config: AdainConfig, out: Path, *, trunk: str, step: int) -> Path:
    """Write the weights in half precision, with what tsn must know to load them."""
    facts = {"family": "adain", "width": str(net.width), "blocks": str(net.blocks), "seen": str(net.encoder_width)}
    facts |= {"steps": str(step), "trunk": trunk}
    facts |= {key: "yes" if getattr(net.canvas, key) else "no" for key in ("simplifies", "seeded")}
    facts |= {"name": config.name, "title": config.title, "licence": config.licence}
    path = out / f"{config.name}.safetensors"
    with atomic_write(path) as temporary:
        records.write_weights(temporary, net, facts)
        load_style_prediction_net(temporary)  # weights that hold no numbers are no result
    return path


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
        checked = load_config(config, AdainConfig)
        require_weights(start_from)
        return partial(train, checked, out, resume=resume == "auto", start_from=start_from, max_steps=max_steps)

    launch(ctx, out, prepare)


if __name__ == "__main__":
    main()
