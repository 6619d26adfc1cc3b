#!/usr/bin/env python3
"""Train the net that paints after any painting (`style: {adain: painting.png}`).

    python training/gather_images.py --out data
    python training/train_adain.py training/configs/adain.yaml --out runs/adain
    python training/train_adain.py training/configs/adain.yaml --out runs/try --max-steps 2    # smoke run
    torchrun --nproc-per-node 4 training/train_adain.py training/configs/adain.yaml --out runs/adain

Three lessons, one after the other:

see      The encoder learns to tell the principal components of VGG's features. What is matched in its space is
         then matched in VGG's, where statistics are textures; and VGG itself is not shipped.
rebuild  The decoders learn to draw a picture from its features, one decoder a level. Statistics matched at run
         time already make a painting of that.
paint    Photos are painted as at run time, each after another picture, and VGG judges texture and shapes. Only
         now do the decoders meet features that no photo has: halos and mush are what they do with them unasked.

One CPU, one GPU or many: the same file trains the same net, to rounding. Every `save_every` steps there is a
checkpoint, from which the next start goes on (also after a kill -9), and a picture: photos painted after the
paintings that are never trained on. At the end the weights go to OUT/NAME.safetensors in half precision.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import click
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tsn.errors import InputError
from tsn.io.sequence import atomic
from tsn.style import whitening
from tsn.style.adain import FLOOR, LINES
from tsn.style.adain_net import DETAIL, DETAILED, LEVELS, AdainNet, luma
from tsn_training import losses, perceptual, photos, records
from tsn_training.config import load_config
from tsn_training.config_adain import AdainConfig, Name
from tsn_training.launch import MAX_STEPS, OUT, RESUME, launch
from tsn_training.parallel import Place, require_even
from tsn_training.step import decayed, take

ByLevel = dict[int, Tensor]
LAYERS = {1: "1_1", 2: "2_1", 3: "3_1"}  # of VGG, by our level
LOG_EVERY = 20
RIM = 16
"""Pixels at the border that the encoder is not taught: VGG pads with zeros there, and sees a frame."""
STYLES = 320


# --- what is looked at ---------------------------------------------------------------------------------------------


class Sample(NamedTuple):
    """A crop (3, S, S), and the number of the style it is to be painted after."""

    picture: Tensor
    style: int


class Samples(Dataset[Sample]):
    """Sample number n of a run; a pure function of the seed and n.

    Encoder and decoders meet photos and paintings half and half; what is painted is a photo.
    """

    def __init__(self, taken: list[Path], paintings: list[Path], config: AdainConfig) -> None:
        self.taken, self.paintings, self.config = taken, paintings, config
        for path in taken + paintings:
            photos.load_image(path)  # one that cannot be read ends a training before it began
        self._image = lru_cache(maxsize=256)(photos.load_image)

    def __getitem__(self, number: int) -> Sample:
        lesson, _ = self.config.at(number // self.config.batch)
        rng = photos.generator(self.config.seed, number, 1)
        painting = lesson != "paint" and photos.uniform(0, 1, rng) < 0.5
        folder = self.paintings if painting else self.taken
        image = self._image(folder[int(photos.uniform(0, len(folder), rng))])
        style = int(photos.uniform(0, STYLES, rng))
        return Sample(photos.crop(image, self.config.lesson(lesson).crop, rng), style)


class Styles:
    """Pictures to paint after: a painting three times of four, else a photo. A pure function of their number.

    There are `STYLES` of them, so that what is measured on them is measured once. Few paintings have few palettes:
    half of the styles have their colour channels exchanged.
    """

    SIZE = 192

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def picture(self, number: int) -> Tensor:
        """(1, 3, SIZE, SIZE) at the scale at which a painting is looked at."""
        kind, cut = number % 4, number // 4
        paths = self.samples.paintings if kind else self.samples.taken
        image = photos.load_image(paths[cut % len(paths)]).float()[None] / 255
        height = max(LINES, self.SIZE)
        width = max(self.SIZE, round(image.shape[3] * height / image.shape[2]))
        image = F.interpolate(image, size=(height, width), mode="bicubic", antialias=True).clamp(0, 1)
        rng = photos.generator(self.samples.config.seed, cut, 2)
        top = int(photos.uniform(0, height - self.SIZE + 1, rng))
        left = int(photos.uniform(0, width - self.SIZE + 1, rng))
        image = image[:, :, top : top + self.SIZE, left : left + self.SIZE]
        return image[:, torch.randperm(3, generator=rng)] if photos.uniform(0, 1, rng) < 0.5 else image


# --- the nets, as one that DDP can hold ----------------------------------------------------------------------------


class Components(nn.Module):
    """Principal components of VGG's features: the axes of the space that our encoder speaks in.

    They are kept in the checkpoint. Found again on another machine, an axis may point the other way.
    """

    def __init__(self, features: perceptual.Features, width: int) -> None:
        super().__init__()
        for level, layer in LAYERS.items():
            source = features.convs[layer].out_channels
            self.register_buffer(f"axes{level}", torch.zeros(width * 2 ** (level - 1), source))
            self.register_buffer(f"mean{level}", torch.zeros(source))

    @torch.no_grad()
    def find(self, features: perceptual.Features, pictures: Tensor) -> None:
        """From VGG's features of pictures (N, 3, S, S). Scaled so that components vary by 1 in the mean."""
        maps = features(pictures, last=LAYERS[3])
        for level, layer in LAYERS.items():
            mean, second = (part.mean(0) for part in whitening.moments(_inner(maps[layer], level)))
            values, vectors = torch.linalg.eigh(whitening.covariance((mean, second)))
            axes, count = self.get_buffer(f"axes{level}"), len(self.get_buffer(f"axes{level}"))
            axes.copy_(vectors[:, -count:].flip(1).T / values[-count:].mean().sqrt())
            self.get_buffer(f"mean{level}").copy_(mean)

    def forward(self, maps: dict[str, Tensor]) -> dict[int, Tensor]:
        return {
            level: torch.einsum(
                "cv,nvhw->nchw",
                self.get_buffer(f"axes{level}"),
                maps[layer] - self.get_buffer(f"mean{level}")[:, None, None],
            )
            for level, layer in LAYERS.items()
        }


def _inner(maps: Tensor, level: int) -> Tensor:
    rim = RIM >> (level - 1)
    return maps[:, :, rim:-rim, rim:-rim]


class Pupil(nn.Module):
    """What is trained, with one `forward` for all lessons: DDP averages the gradients of that alone."""

    def __init__(self, net: AdainNet) -> None:
        super().__init__()
        self.net = net

    def begin(self, lesson: Name) -> None:
        """Let only the parameters learn that this lesson is about."""
        self.net.requires_grad_(lesson == "see")
        self.net.decoders.requires_grad_(lesson != "see")

    def forward(self, lesson: Name, pictures: Tensor, styles: dict[int, whitening.Moments]) -> ByLevel:
        """By level: features that were seen, pictures that were rebuilt, or pictures on their way to a painting.

        With the last comes, under 10 + level, what each decoder loses of the picture before it: DDP wants it all
        out of one forward pass.
        """
        if lesson == "see":
            return self.net.encode(pictures)
        if lesson == "rebuild":
            with torch.no_grad():
                seen = self.net.encode(pictures)
            return {level: self.net.decode(maps, level) for level, maps in seen.items()}
        out, lost = painted(self.net, pictures, styles)
        return out | {10 + level: difference for level, difference in lost.items()}


def painted(net: AdainNet, pictures: Tensor, styles: dict[int, whitening.Moments]) -> tuple[ByLevel, ByLevel]:
    """What `Chain` does to one frame, for a batch with a style for each of its pictures, each by its own statistics.

    The maps are taken as given: a gradient through eigenvectors has poles where two eigenvalues meet.

    Returns:
        The picture after each level, and what each decoder loses of the picture before it.
    """
    out: ByLevel = {}
    lost: ByLevel = {}
    for level in LEVELS:
        maps = net.encode(pictures, level)[level]
        with torch.no_grad():
            matrix, offset = whitening.transport(whitening.moments(maps), styles[level], floor=FLOOR)
        moved = torch.einsum("ncd,ndhw->nchw", matrix.to(maps), maps) + offset.to(maps)[:, :, None, None]
        out[level] = net.decode(moved, level)
        lost[level] = pictures.detach() - net.decode(maps.detach(), level)
        if level in DETAILED:  # detached, or the decoders learn to lose what shall be put back
            out[level] = out[level] + DETAIL * luma(lost[level].detach())
        pictures = out[level].clamp(0, 1)
    return out, lost


# --- what is to become small ---------------------------------------------------------------------------------------


class Judge:
    """VGG's opinion of a painted picture, and what it has to say of each style, asked once."""

    def __init__(self, net: AdainNet, features: perceptual.Features, styles: Styles, device: torch.device) -> None:
        self.features = features

        @torch.no_grad()
        def of(number: int) -> tuple[dict[int, whitening.Moments], list[dict[str, Tensor]]]:
            picture = styles.picture(number).to(device)
            # The encoder has finished learning when this is first asked.
            return {level: net.moments(picture, level) for level in LEVELS}, self.textures(picture)

        self.of = lru_cache(maxsize=1024)(of)

    def moments(self, numbers: list[int]) -> dict[int, whitening.Moments]:
        """Of a batch of styles, in our encoder's space, by level."""
        found = [self.of(number)[0] for number in numbers]
        return {
            level: tuple(torch.cat(parts) for parts in zip(*(f[level] for f in found), strict=True)) for level in LEVELS
        }

    def textures(self, pictures: Tensor) -> list[dict[str, Tensor]]:
        """Gram matrices at full and half size: what is a brush stroke's grain at one is its shape at the other."""
        return [self._grams(self.features(x, last=LAYERS[3])) for x in (pictures, F.avg_pool2d(pictures, 2))]

    @staticmethod
    def _grams(maps: dict[str, Tensor]) -> dict[str, Tensor]:
        return {layer: losses.gram(maps[layer]) for layer in LAYERS.values()}

    def style_error(self, pictures: Tensor, numbers: list[int], maps: dict[str, Tensor]) -> Tensor:
        """|G - G*|^2 / |G*|^2, mean over samples, layers and both sizes; `maps` are the features of `pictures`."""
        half = self.features(F.avg_pool2d(pictures, 2), last=LAYERS[3])
        terms = []
        for size, grams in enumerate((self._grams(maps), self._grams(half))):
            for layer, ours in grams.items():
                wanted = torch.cat([self.of(number)[1][size][layer] for number in numbers])
                terms.append((((ours - wanted) ** 2).sum((1, 2)) / (wanted**2).sum((1, 2))).mean())
        return torch.stack(terms).mean()


def relative_error(found: Tensor, wanted: Tensor) -> Tensor:
    """|f - f*|^2 / |f*|^2, per sample."""
    return (((found - wanted) ** 2).mean((1, 2, 3)) / (wanted**2).mean((1, 2, 3)).clamp(min=1e-3)).mean()


def normalised(maps: Tensor) -> Tensor:
    """Channels with mean 0 and variance 1: where something is, whatever its colour and contrast."""
    return F.instance_norm(maps, eps=1e-3 * maps.detach().var().item() + 1e-8)


def loss_of(
    pupil: nn.Module, net: AdainNet, lesson: Name, pictures: Tensor, numbers: list[int], *,
    config: AdainConfig, features: perceptual.Features, components: Components, judge: Judge,
) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
    """What is to become small at this step, and its parts for the log."""
    if lesson == "see":
        with torch.no_grad():
            wanted = components(features(pictures, last=LAYERS[3]))
        found = pupil(lesson, pictures, {})
        parts = {
            f"seen{level}": relative_error(_inner(found[level], level), _inner(wanted[level], level))
            for level in wanted
        }
        return torch.stack(list(parts.values())).sum(), parts

    if lesson == "rebuild":
        rebuilt = pupil(lesson, pictures, {})
        with torch.no_grad():
            seen = net.encode(pictures)
        parts = {f"drawn{level}": F.mse_loss(rebuilt[level], pictures) for level in rebuilt}
        loss = 30 * torch.stack(list(parts.values())).sum()
        for level in (2, 3):  # a picture whose features are right looks right; one with the least error is blurred
            again = net.encode(rebuilt[level], level)
            loss = loss + torch.stack([relative_error(again[k], seen[k]) for k in again]).sum() / level
        return loss, parts

    found = pupil(lesson, pictures, judge.moments(numbers))
    out = {level: found[level] for level in LEVELS}
    last = out[LEVELS[-1]]
    maps = features(last, last=LAYERS[3])
    with torch.no_grad():
        wanted_shapes = normalised(features(pictures, last=LAYERS[3])[LAYERS[3]])
    parts = {
        "content": F.mse_loss(normalised(maps[LAYERS[3]]), wanted_shapes),
        "style": judge.style_error(last, numbers, maps),
        # Between two steps a picture is clamped, and what went beyond would be out of a gradient's reach.
        "range": torch.stack([(x - x.clamp(0, 1)).square().mean() for x in out.values()]).sum(),
        "smooth": losses.total_variation(last),
        # A decoder that rebuilds no more ruins the detail that is put back, and within 240 steps every picture.
        **{f"drawn{level}": found[10 + level].square().mean() for level in LEVELS},
    }
    loss = 30 * torch.stack([parts[f"drawn{level}"] for level in LEVELS]).sum()
    loss = loss + parts["content"] + config.style_weight * parts["style"]
    return loss + config.range_weight * parts["range"] + config.smooth_weight * parts["smooth"], parts


LOGGED = ("seen1", "seen2", "seen3", "drawn1", "drawn2", "drawn3", "content", "style", "range", "smooth")


# --- training ------------------------------------------------------------------------------------------------------


def divided(config: AdainConfig) -> tuple[list[Path], list[Path], list[Path]]:
    """Photos, paintings to train on, and paintings that are never trained on.

    Raises:
        InputError: too few, or nothing bears a name in `unseen`.
    """
    taken, _ = photos.find(config.photos, config.held_back)
    every, _ = photos.find(config.paintings, 0)
    unseen = [path for path in every if path.name.startswith(config.unseen)]
    absent = [name for name in config.unseen if not any(path.name.startswith(name) for path in unseen)]
    paintings = [path for path in every if path not in unseen]
    if absent or not paintings:
        raise InputError(
            f"{config.paintings}: expected paintings named {', '.join(config.unseen)} to hold back and others to train"
            f" on, found {', '.join(path.name for path in every)}."
        )
    return taken, paintings, unseen


def train(config: AdainConfig, out: Path, here: Place, *, resume: bool, max_steps: int | None) -> list[Path]:
    """Train, or go on training; the weights' file, in the first process."""
    require_even(config.batch, world=here.world, accumulate=config.accumulate)
    torch.manual_seed(config.seed)
    taken, paintings, unseen = divided(config)
    samples = Samples(taken, paintings, config)
    show = torch.stack([samples[number].picture for number in range(min(24, config.see.steps * config.batch))])

    features, trunk = perceptual.load(out.parent)
    features = features.without_idle_channels(show)
    components = Components(features, config.width)
    components.find(features, show)
    features = features.to(here.device, memory_format=torch.channels_last)
    components = components.to(here.device)

    net = AdainNet(width=config.width)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):  # torch's own start lets a signal die out: no norm lifts it again here
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    net = net.to(here.device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=1.0)
    scaler = torch.amp.GradScaler(here.device.type, enabled=config.precision == "fp16")
    state: dict[str, records.Stateful] = {
        "net": net, "components": components, "optimizer": optimizer, "scaler": scaler
    }  # fmt: skip
    first = records.resume(out, state) if resume else 0
    if first and here.first:
        click.echo(f"going on from step {first}")

    pupil = Pupil(net)
    judge = Judge(net, features, Styles(samples), here.device)
    share = photos.Share(config, first=first, rank=here.rank, world=here.world)
    batches = iter(DataLoader(samples, batch_sampler=share, num_workers=config.workers))
    last = min(config.steps, max_steps or config.steps)
    lesson: Name | None = None
    with records.Log(out, start=first) if here.first else nullcontext() as log:
        for step in range(first, last):
            now, within = config.at(step)
            if now != lesson:
                lesson = now
                pupil.begin(lesson)
                shared = here.share(pupil)
            plan = config.lesson(lesson)

            def loss(
                batch: list[Tensor], shared: nn.Module = shared, lesson: Name = lesson
            ) -> tuple[Tensor, dict[str, Tensor]]:
                pictures, styles = batch
                return loss_of(
                    shared, net, lesson, pictures.to(here.device), styles.tolist(),
                    config=config, features=features, components=components, judge=judge,
                )  # fmt: skip

            parts = take(
                step, batches, loss, shared=shared, optimizer=optimizer, scaler=scaler, config=config, here=here,
                rate=decayed(within, plan.steps, plan.learning_rate, floor=0.02), out=out,
            )  # fmt: skip
            done = step + 1
            if log and (done % LOG_EVERY == 0 or done == last):
                log.losses(done, parts, columns=LOGGED, said=f"{done}/{config.steps} {lesson}")
            if log and (done % config.save_every == 0 or done == last):
                records.save(out, done, state)
                if lesson != "see":
                    log.picture(done, painted_sheet(net, taken, unseen, here.device))
    return [export(net, config, out, trunk=trunk, step=last)] if here.first else []


@torch.inference_mode()
def painted_sheet(net: AdainNet, taken: list[Path], unseen: list[Path], device: torch.device) -> Tensor:
    """A row of photos, and a row of them for each unseen painting, which stands before it: (3, H, W)."""
    from torchvision.utils import make_grid

    def square(path: Path) -> Tensor:
        image = photos.load_image(path).float()[None] / 255
        side = min(image.shape[2:])
        return F.interpolate(image[:, :, :side, :side], size=(256, 256), mode="bicubic", antialias=True).clamp(0, 1)

    show = torch.cat([square(path) for path in taken[:: max(1, len(taken) // 4)][:4]]).to(device)
    rows = [torch.zeros_like(show[:1]), show]
    for path in unseen:
        painting = square(path).to(device)
        styles = {level: net.moments(painting, level) for level in LEVELS}
        rows += [painting, *(painted(net, x[None], styles)[0][LEVELS[-1]].float().clamp(0, 1) for x in show)]
    return make_grid(torch.cat(rows), nrow=len(show) + 1).cpu()


def export(net: AdainNet, config: AdainConfig, out: Path, *, trunk: str, step: int) -> Path:
    """Write the weights in half precision, with what tsn must know to load them."""
    facts = {"family": "adain", "width": str(net.width), "steps": str(step), "trunk": trunk}
    facts |= {"name": config.name, "title": config.title, "licence": config.licence}
    path = out / f"{config.name}.safetensors"
    with atomic(path) as temporary:
        records.write_weights(temporary, net, facts)
    return path


@click.command(help=__doc__)
@click.argument("config", type=click.Path(path_type=Path))
@OUT
@RESUME
@MAX_STEPS
@click.pass_context
def main(ctx: click.Context, config: Path, out: Path, resume: str, max_steps: int | None) -> None:
    def prepare() -> Callable[[Place], list[Path]]:
        return partial(train, load_config(config, AdainConfig), out, resume=resume == "auto", max_steps=max_steps)

    launch(ctx, out, prepare)


if __name__ == "__main__":
    main()
