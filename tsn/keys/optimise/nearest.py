"""Nearest neighbours of features (after Kolkin et al. 2022, "Neural Neighbor Style Transfer").

Each place of the plate takes the features of the painting's place that resembles it most, and the picture is optimised
until it has them: strokes come whole from the painting, at the painting's scale, where Gram matrices give their
statistics only. First all layers together find what belongs where; then each layer by itself makes the strokes crisp.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tsn.keys.optimise import distance, matching, pyramid
from tsn.keys.optimise.base import KeySettings, Scale, Step, fast_type
from tsn.style.nets.vgg import VGGFeatures

LAYERS = ("1_1", "2_1", "3_1", "3_3", "4_1", "4_3")
CONTENT_LAYER = "4_2"
LAST = "4_3"
GRID = 4
"""Places are matched at a fourth of the picture's size, where block 3 lives."""
PLATE_SHARE = 0.75
"""Of the plate in the features that are matched; the rest is the picture so far, whose strokes then grow together."""
SQUARED = 0.1
CONTENT_ERROR = 0.8
"""Relative error of the plate's features that is aimed at with `content` 1. A bold Gatys has .7 to .8; above .9 objects
get lost. How much weight that takes differs from plate to plate by a factor of ten, so it is found on the way."""
CONTENT_WEIGHT, CONTENT_RATE, CONTENT_RANGE = 0.05, 0.1, (0.002, 5.0)
"""The weight of that error at the beginning; how fast it follows; its bounds."""
COARSEST_LINES = 120
"""Halved until it has no more lines than this, a picture's coarsest scale settles what of the painting goes where."""
STEPS = (90, 70, 50)
"""From the coarsest scale on; the last number counts for all that follow."""
ALONE_STEPS = 25
"""The last steps of a scale, with each layer by itself."""
REMATCH = 5
ALONE_PLACES = 4096
"""Places of a layer, and candidates, that are matched by themselves at a time; others at the next match."""
RATE, LAST_RATE = 3e-3, 5e-4


class NearestNeighbours:
    """The method; it has no state."""

    version = "nearest-neighbours-1"

    def divisors(self, lines: int) -> tuple[int, ...]:
        """See `Method.divisors`."""
        divisor = 1
        while lines // divisor > COARSEST_LINES:
            divisor *= 2
        return tuple(2**i for i in range(divisor.bit_length() - 1, -1, -1))

    def precision(self, device: torch.device) -> torch.dtype:
        """See `Method.precision`."""
        return fast_type(device)

    def steps(self, index: int, effort: float) -> int:
        """See `Method.steps`."""
        return max(2, round(STEPS[min(index, len(STEPS) - 1)] * effort))

    def paint(self, scale: Scale, before: Tensor | None, net: VGGFeatures, settings: KeySettings, step: Step) -> Tensor:
        """See `Method.paint`."""
        start = scale.recoloured if before is None else before
        match = _Match(scale, start, net, settings.content)
        levels = pyramid.parameters(start[None])
        optimizer = torch.optim.Adam(levels, lr=RATE)
        count = self.steps(scale.index, settings.effort)
        alone = min(ALONE_STEPS, count // 2)
        for i in range(count):
            for group in optimizer.param_groups:
                group["lr"] = RATE * (LAST_RATE / RATE) ** (i / count)
            optimizer.zero_grad()
            maps = _features(net, pyramid.collapse(levels))
            if i < count - alone:
                match.backward_together(maps)
            else:
                match.backward_alone(maps, i - (count - alone))
            optimizer.step()
            step(i + 1, count)
        with torch.no_grad():
            return pyramid.collapse(levels)[0].clamp(0, 1)


def _features(net: VGGFeatures, picture: Tensor) -> dict[str, Tensor]:
    """Features in the net's own type; channels last, so that a place's channels lie together."""
    x = picture.to(net.mean.dtype).contiguous(memory_format=torch.channels_last)
    return net(x, last=LAST)


def _grid_of(picture: Tensor) -> tuple[int, int]:
    """The size of the grid of places of a picture (3, h, w)."""
    height, width = picture.shape[-2:]
    return max(1, height // GRID), max(1, width // GRID)


def _sample(count: int, share: float, seed: int) -> Tensor:
    """Indices of a share of `count` places, always the same."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[: max(1, round(count * share))]


class _Match:
    """What the places of one scale were matched to."""

    @torch.no_grad()
    def __init__(self, scale: Scale, start: Tensor, net: VGGFeatures, content: float) -> None:
        self.seed = scale.index
        self.aim = CONTENT_ERROR / content if content else math.inf
        self.weight = CONTENT_WEIGHT if content else 0.0
        self.grid = _grid_of(scale.plate)
        plate, so_far = _features(net, scale.plate[None]), _features(net, start[None])
        painted = [_features(net, painting[None]) for painting in scale.paintings]
        self.candidates = {layer: torch.cat([matching.rows(maps[layer]) for maps in painted]) for layer in LAYERS}
        self.rms = {layer: one.float().square().mean().sqrt().clamp_min(1e-6) for layer, one in self.candidates.items()}
        kept = [
            _sample(math.prod(_grid_of(painting)), share / max(scale.shares), scale.index).to(start.device)
            for painting, share in zip(scale.paintings, scale.shares, strict=True)
        ]
        columns = [
            torch.cat(
                [
                    matching.rows(matching.resized(maps[layer], _grid_of(painting)))[places]
                    for maps, painting, places in zip(painted, scale.paintings, kept, strict=True)
                ]
            )
            / self.rms[layer].to(net.mean.dtype)
            for layer in LAYERS
        ]
        query = [
            matching.rows(
                PLATE_SHARE * _even(matching.resized(plate[layer], self.grid))
                + (1 - PLATE_SHARE) * _even(matching.resized(so_far[layer], self.grid))
            )
            for layer in LAYERS
        ]
        from_, to = torch.cat(query, 1).float(), torch.cat(columns, 1).float()
        index = matching.nearest(matching.normalised(from_, from_.mean(0)), matching.normalised(to, mean := to.mean(0)))
        self.used = len(index.unique()) / len(index)
        self.wanted = [one[index] for one in columns]
        self.means = list(mean.to(columns[0].dtype).split([one.shape[1] for one in columns]))
        self.plate = plate[CONTENT_LAYER]
        self.plate_energy = float(self.plate.float().square().sum())
        self.single: dict[str, tuple[Tensor, Tensor]] = {}

    def backward_together(self, maps: dict[str, Tensor]) -> None:
        """Add the gradient of the distance of whole columns from what they were matched to, and of content."""
        found = [
            matching.rows(matching.resized(maps[layer], self.grid)) / self.rms[layer].to(maps[layer].dtype)
            for layer in LAYERS
        ]
        given, _ = distance.gradients([one.detach() for one in found], self.wanted, self.means, SQUARED)
        torch.autograd.backward([*found, maps[CONTENT_LAYER]], [*given, self._content(maps)])

    def backward_alone(self, maps: dict[str, Tensor], i: int) -> None:
        """The same with each layer by itself, at a sample of places that are matched anew every few steps."""
        outputs, given = [maps[CONTENT_LAYER]], [self._content(maps)]
        for layer in LAYERS:
            own = matching.rows(maps[layer]).detach()
            if i % REMATCH == 0:
                self.single[layer] = self._match_alone(layer, own, i)
            places, wanted = self.single[layer]
            rms = self.rms[layer].to(own.dtype)
            mean = self.candidates[layer].float().mean(0).to(own.dtype) / rms
            (one,), _ = distance.gradients([own[places] / rms], [wanted], [mean], SQUARED)
            all_places = torch.zeros_like(own)
            all_places[places] = one / (len(LAYERS) * rms)
            outputs.append(maps[layer])
            given.append(all_places.view(1, *maps[layer].shape[-2:], -1).permute(0, 3, 1, 2))
        torch.autograd.backward(outputs, given)

    def _match_alone(self, layer: str, own: Tensor, i: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(1000 * self.seed + i)
        places = torch.randperm(len(own), generator=generator)[:ALONE_PLACES].to(own.device)
        among = torch.randperm(len(self.candidates[layer]), generator=generator)[:ALONE_PLACES].to(own.device)
        candidates = self.candidates[layer][among]
        mean = self.candidates[layer].float().mean(0)
        index = matching.nearest(
            matching.normalised(own[places].float(), mean), matching.normalised(candidates.float(), mean)
        )
        return places, candidates[index] / self.rms[layer].to(own.dtype)

    def _content(self, maps: dict[str, Tensor]) -> Tensor:
        """The gradient of the relative error of the plate's features; its weight follows what is aimed at."""
        difference = maps[CONTENT_LAYER].detach() - self.plate
        error = float(difference.float().square().sum()) / self.plate_energy
        low, high = CONTENT_RANGE
        if self.weight:
            excess = max(-1.0, min(1.0, error / self.aim - 1))
            self.weight = max(low, min(high, self.weight * math.exp(CONTENT_RATE * excess)))
        return difference * (2 * self.weight / self.plate_energy)


def _even(maps: Tensor) -> Tensor:
    """Maps divided by their root mean square."""
    return maps / maps.float().square().mean().sqrt().clamp_min(1e-6).to(maps.dtype)
