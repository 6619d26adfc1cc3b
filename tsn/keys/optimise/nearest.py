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
MOST_CANDIDATES = 2**14
"""Places of the paintings among which whole columns are matched; of more, a sample. It bounds memory and time."""
PLATE_SHARE = 0.75
"""Of the plate in the features that are matched; the rest is the picture so far, whose strokes then grow together."""
SQUARED = 0.1
CONTENT_ERROR = 0.75
"""Relative error of the plate's features that is aimed at with `content` 1; the colours, put right after each scale,
add a tenth. A bold Gatys has .7 to .8; above .9 objects get lost. How much weight that takes differs from plate to
plate by a factor of ten, so it is found on the way."""
CONTENT_WEIGHT, CONTENT_RANGE = 0.03, (0.01, 5.0)
"""The weight of that error at the beginning, and its bounds."""
CONTENT_GAIN, CONTENT_CHANGE = 2.0, 0.25
"""How much the weight's logarithm changes in a step, as a multiple of the share by which the aim is missed; at most."""
COARSEST_LINES = 120
"""Halved until it has no more lines than this, a picture's coarsest scale settles what of the painting goes where."""
STEPS = (90, 70, 50)
"""From the coarsest scale on; the last number counts for all that follow."""
ALONE_STEPS = 25
"""The last steps of a scale, with each layer by itself."""
REMATCH = 5
ALONE_CANDIDATES, ALONE_PAIRS = (256, 4096), 2**28
"""Of a layer by itself every place is matched, to a sample of candidates that is drawn anew each time: at least and at
most so many, and fewer where a layer has more places. A sample of places instead leaves speckles: Adam moves a pixel
that has a gradient now and then as far as the others."""
LATTICE_PX = 8
"""Period of the net's third pool, in pixels."""
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
            picture = pyramid.collapse(levels)
            if i < count - alone:
                match.backward_together(picture)
            else:
                match.backward_alone(picture, i - (count - alone))
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
        self.net, self.scale = net, scale
        self.aim = CONTENT_ERROR / content if content else math.inf
        self.weight = CONTENT_WEIGHT if content else 0.0
        self.grid = _grid_of(scale.plate)
        plate, so_far = _features(net, scale.plate[None]), _features(net, start[None])
        painted = [_features(net, painting[None]) for painting in scale.paintings]
        self.candidates = {layer: torch.cat([matching.rows(maps[layer]) for maps in painted]) for layer in LAYERS}
        self.rms = {layer: one.float().square().mean().sqrt().clamp_min(1e-6) for layer, one in self.candidates.items()}
        sizes = [math.prod(_grid_of(painting)) for painting in scale.paintings]
        thinned = min(1.0, MOST_CANDIDATES / sum(sizes)) / max(scale.shares)
        kept = [
            _sample(size, share * thinned, scale.index).to(start.device)
            for size, share in zip(sizes, scale.shares, strict=True)
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
        to = torch.cat(columns, 1).float()
        mean = to.mean(0)
        queries = torch.cat(query, 1).float()
        index = matching.nearest(matching.normalise_(queries, queries.mean(0)), matching.normalise_(to, mean))
        self.wanted = [one[index] for one in columns]
        self.means = list(mean.to(columns[0].dtype).split([one.shape[1] for one in columns]))
        self._take_plate(plate)
        self.layer_means = {layer: one.float().mean(0) for layer, one in self.candidates.items()}
        self.single: dict[str, Tensor] = {}

    def backward_together(self, picture: Tensor) -> None:
        """Add the gradient of the distance of whole columns from what they were matched to, and of content."""
        maps = _features(self.net, picture)
        found = [
            matching.rows(matching.resized(maps[layer], self.grid)) / self.rms[layer].to(maps[layer].dtype)
            for layer in LAYERS
        ]
        given, _ = distance.gradients([one.detach() for one in found], self.wanted, self.means, SQUARED)
        torch.autograd.backward([*found, maps[CONTENT_LAYER]], [*given, self._content(maps)])

    def backward_alone(self, picture: Tensor, i: int) -> None:
        """The same with each layer by itself, matched anew every few steps."""
        matched_anew = i % REMATCH == 0
        if matched_anew:
            generator = torch.Generator().manual_seed(1000 * self.scale.index + i)
            # The net's pools see a lattice, which strokes would take on if it always lay at the same pixels.
            top, left = (int(offset) for offset in torch.randint(0, LATTICE_PX, (2,), generator=generator))
            top, left = (min(offset, side // 4) for offset, side in zip((top, left), picture.shape[-2:], strict=True))
            self.window = (..., slice(top, None), slice(left, None))
            with torch.no_grad():
                self._take_plate(_features(self.net, self.scale.plate[None][self.window]))
        maps = _features(self.net, picture[self.window])
        outputs, given = [maps[CONTENT_LAYER]], [self._content(maps)]
        for layer in LAYERS:
            own = matching.rows(maps[layer]).detach()
            if matched_anew:
                self.single[layer] = self._match_alone(layer, own, generator)
            rms = self.rms[layer].to(own.dtype)
            mean = self.layer_means[layer].to(own.dtype) / rms
            (one,), _ = distance.gradients([own / rms], [self.single[layer]], [mean], SQUARED)
            one = one / (len(LAYERS) * rms)
            outputs.append(maps[layer])
            given.append(one.view(1, *maps[layer].shape[-2:], -1).permute(0, 3, 1, 2))
        torch.autograd.backward(outputs, given)

    def _match_alone(self, layer: str, own: Tensor, generator: torch.Generator) -> Tensor:
        """The features that each place of a layer is to have, (places, channels)."""
        least, most = ALONE_CANDIDATES
        count = max(least, min(most, ALONE_PAIRS // len(own)))
        among = torch.randperm(len(self.candidates[layer]), generator=generator)[:count].to(own.device)
        candidates, mean = self.candidates[layer][among], self.layer_means[layer]
        choices = matching.normalise_(candidates.float(), mean)
        index = torch.cat(
            [
                matching.nearest(matching.normalise_(block.to(torch.float32, copy=True), mean), choices)
                for block in own.split(matching.BLOCK_SIMILARITIES // count)
            ]
        )
        return candidates[index] / self.rms[layer].to(own.dtype)

    def _take_plate(self, maps: dict[str, Tensor]) -> None:
        self.plate = maps[CONTENT_LAYER]
        self.plate_energy = float(self.plate.float().square().sum())

    def _content(self, maps: dict[str, Tensor]) -> Tensor:
        """The gradient of the relative error of the plate's features; its weight follows what is aimed at."""
        difference = maps[CONTENT_LAYER].detach() - self.plate
        error = float(difference.float().square().sum()) / self.plate_energy
        low, high = CONTENT_RANGE
        if self.weight:
            change = CONTENT_GAIN * (error / self.aim - 1)
            self.weight *= math.exp(max(-CONTENT_CHANGE, min(CONTENT_CHANGE, change)))
            self.weight = max(low, min(high, self.weight))
        return difference * (2 * self.weight / self.plate_energy)


def _even(maps: Tensor) -> Tensor:
    """Maps divided by their root mean square."""
    return maps / maps.float().square().mean().sqrt().clamp_min(1e-6).to(maps.dtype)
