"""What a net for any painting is trained on: paintings, what they say, and the net before its first step."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.errors import InputError, UsageError
from tsn.style import catalogue
from tsn.style.loading import load_style_prediction_net
from tsn.style.nets.style_prediction import Encoder, StylePredictionNet
from tsn.style.paintings import PAINTING_LINES, resize_painting
from tsn_training import objective, perceptual, photos
from tsn_training.config_adain import AdainConfig
from tsn_training.discriminator import SIZES
from tsn_training.init_weights import SHOWN, adopt, adopted, widened
from tsn_training.objective import Target

STYLES = 400


class Styles:
    """Pictures to paint after: a painting three times of four, else a photo. A pure function of their number.

    There are `STYLES` of them, so that what is measured on them is measured once. Few paintings have few palettes:
    half of the styles have their colour channels exchanged.
    """

    SIZE = 288

    def __init__(self, taken: list[Path], paintings: list[Path], config: AdainConfig) -> None:
        self.taken, self.paintings, self.config = taken, paintings, config
        most, largest = int(SIZES[0] * self.SIZE), max(stage.crop for stage in config.stages)
        if config.judge and largest > most:
            raise UsageError(f"stages: with a judge, crops have {most} px at most, found {largest}.")
        self.picture = lru_cache(maxsize=2)(self._picture)  # a judge asks for it once a sample
        for path in paintings:
            photos.load_image(path)  # one that cannot be read ends a training before it began

    def _picture(self, number: int) -> Tensor:
        """(1, 3, SIZE, SIZE) at the scale at which a painting is looked at."""
        image = photos.load_image(self._path(number)).float()[None] / 255
        height = max(PAINTING_LINES, self.SIZE)
        width = max(self.SIZE, round(image.shape[3] * height / image.shape[2]))
        image = F.interpolate(image, size=(height, width), mode="bicubic", antialias=True).clamp(0, 1)
        rng = photos.generator(self.config.seed, number, 2)
        top = int(photos.uniform(0, height - self.SIZE + 1, rng))
        left = int(photos.uniform(0, width - self.SIZE + 1, rng))
        image = image[:, :, top : top + self.SIZE, left : left + self.SIZE]
        return image[:, torch.randperm(3, generator=rng)] if photos.uniform(0, 1, rng) < 0.5 else image

    def at(self, step: int) -> int:
        """The number of the style that a step of painting is about, in every process."""
        rng = photos.generator(self.config.seed, step, 3)
        if self.config.judge is None:
            return int(photos.uniform(0, STYLES, rng))
        cut, kind = divmod(int(photos.uniform(0, 3 * STYLES // 4, rng)), 3)
        return 4 * cut + kind + 1  # a painting: what a judge would see in photos is no stroke

    def strange(self, step: int) -> int:
        """The number of a style after another painting than the step is about: of the last step before that has one."""
        meant, before = self._path(self.at(step)), step - 1
        while len(self.paintings) > 1 and self._path(self.at(before)) == meant:
            before -= 1
        return self.at(before)

    def _path(self, number: int) -> Path:
        kind, cut = number % 4, number // 4
        paths = self.paintings if kind else self.taken
        # Three in a row are of three paintings: their numbers run on.
        return paths[(3 * cut + kind if kind else cut) % len(paths)]

    def crop(self, number: int, size: int) -> Tensor:
        """Crop number n (3, size, size) of the painting that sample number n is painted after, for a judge."""
        picture = self.picture(self.at(number // self.config.batch))
        rng = photos.generator(self.config.seed, number, 4)
        cut = int(size / photos.uniform(SIZES[0], SIZES[-1], rng))
        top, left = (int(photos.uniform(0, self.SIZE - cut + 1, rng)) for _ in range(2))
        crop = picture[..., top : top + cut, left : left + cut]
        crop = F.interpolate(crop, size=(size, size), mode="bicubic", antialias=True).clamp(0, 1)[0]
        return crop.flip(-1) if photos.uniform(0, 1, rng) < 0.5 else crop


class Known:
    """What the paintings say, each looked at once."""

    def __init__(self, styles: Styles, encoder: Encoder, features: perceptual.Features, plates: Tensor) -> None:
        device = plates.device

        @torch.no_grad()
        def of(number: int) -> tuple[Tensor, Target]:
            picture = styles.picture(number).to(device)
            target = objective.target_of(picture, styles.config, features, plates.cpu())
            return encoder.style_statistics(picture), target.to(device)

        self.of = lru_cache(maxsize=STYLES)(of)


@torch.no_grad()
def usual(styles: Styles, encoder: Encoder, device: torch.device) -> Tensor:
    """Mean and deviation of the codes of a third of the styles, (2, `told`)."""
    codes = torch.stack([encoder.style_statistics(styles.picture(number).to(device)) for number in range(0, STYLES, 3)])
    return torch.stack([codes.mean(0), codes.std(0).clamp(min=1e-2)])


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


def begun(config: AdainConfig, start_from: Path | None) -> StylePredictionNet:
    """A net as it is before the first step: one for any painting that goes on; or new, its canvas, perhaps, that of a
    style, whose colours it need not know.

    Raises:
        InputError: those are weights of another net.
    """
    shown = {"simplifies": config.simplifies, "seeded": config.seeded}
    net = StylePredictionNet(width=config.width, blocks=config.blocks, encoder_width=config.seen, **shown)
    for module in net.encoder.modules():
        if isinstance(module, nn.Conv2d):  # torch's own start lets a signal die out: no norm lifts it again here
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    if start_from and _can_see(start_from):
        found = load_style_prediction_net(start_from)
        state = found.state_dict()
        state[f"canvas.{SHOWN}"] = widened(state[f"canvas.{SHOWN}"], found.canvas, net.canvas)
        said = f"AdainNet, width {net.width}, {net.blocks} blocks, seen {net.encoder_width}, seeded: {config.seeded}"
        adopted(net, state, start_from, said)
    elif start_from:
        adopt(net.canvas, start_from)
    return net


def _can_see(start_from: Path) -> bool:
    return catalogue.read_metadata(start_from).get("family") == "adain"


def require_sight(config: AdainConfig, start_from: Path | None) -> None:
    """Raise InputError where a training begins with a net that can't see, and nobody teaches it to."""
    if not config.see.steps and not (start_from and _can_see(start_from)):
        raise InputError(
            "see.steps: 0 is for a net that can see already, and this one can't.",
            hint="Start from weights of family adain: --start-from tsn/style/weights/adain.safetensors",
        )


@torch.inference_mode()
def painted_sheet(net: StylePredictionNet, taken: list[Path], unseen: list[Path], device: torch.device) -> Tensor:
    """A row of photos, and a row of them for each unseen painting, which stands before it: (3, H, W)."""
    from torchvision.utils import make_grid

    def square(path: Path) -> Tensor:
        image = photos.load_image(path).float()[None] / 255
        side = min(image.shape[2:])
        return F.interpolate(image[:, :, :side, :side], size=(256, 256), mode="bicubic", antialias=True).clamp(0, 1)

    show = torch.cat([square(path) for path in taken[:: max(1, len(taken) // 4)][:4]]).to(device)
    rows = [torch.zeros_like(show[:1]), show]
    for path in unseen:
        canvas = net.transfer_net_for([resize_painting(photos.load_image(path).float() / 255)], [1.0]).to(device)
        rows += [square(path).to(device), canvas(show).float()]
    return make_grid(torch.cat(rows), nrow=len(show) + 1).cpu()
