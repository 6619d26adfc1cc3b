"""What paint a frame without a key should have: by analogy, A : A' :: B : B'.

Hertzmann et al., "Image analogies", SIGGRAPH 2001; with features of a perceptual net, Liao et al., "Visual attribute
transfer through deep image analogy", SIGGRAPH 2017. For each cell of 4x4 pixels of a plate frame the cell of the
keys' plate frames is looked up whose features are most alike; the key's paint there tells what paint belongs here: its
features over a patch give the texture's statistics, its mean colour the colour. Only statistics: a net that had to
reach the features one by one would average contradicting matches, and paint softly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.keys.losses import Maps, Perceptual, gram, gram_distance, pixels_of
from tsn.keys.patches import CELL, Patches

MATCHED_LAYERS = ("3_3", "4_3")
COLOUR_SHARE = 0.5
"""Length of the colour part of a cell's features, against 1 of each layer."""
MARGIN_CELLS = 2
"""Cells at the border of a patch whose features know of the border."""
MAX_CELLS = 4096
"""Cells of a pool: the looking-up costs as much as it has cells."""
PAINTED_SHARE = 0.9
"""A cell is kept if so much of it is painted, against the cell of all patches that is painted most."""
COLOUR_CELLS = 4
"""Colours are compared as means over this many cells along each axis."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Cells of the keys.

    Attributes:
        plate: features to match by, (M, D), each of length 1.
        centre: subtracted from features before they are normalised, by layer, each (1, C).
        paint: features of the paint of each cell, by layer, (M, k, C): all k pixels of the map within the cell.
        colour: mean colour of its paint, (M, 3).
    """

    plate: Tensor
    centre: tuple[Tensor, ...]
    paint: Maps
    colour: Tensor


def make_pool(
    batches: Sequence[Patches], perceptual: Perceptual, layers: tuple[str, ...], generator: torch.Generator
) -> Pool | None:
    """Gather the cells of patches of keys; None where nothing is painted in any of them.

    Args:
        batches: their patches, `target` the key's paint, aligned to cells.
        perceptual: the net.
        layers: whose features of the paint are kept, at most at block 3.
        generator: on the CPU; of more than `MAX_CELLS` cells, it draws which are kept.
    """
    painted = [F.avg_pool2d(batch.weight, CELL) for batch in batches]
    inner = [_without_margin(cells) for cells in painted]
    if any(bool(cells.any()) for cells in inner):  # else all that is painted lies at the frame's border
        painted = inner
    least = PAINTED_SHARE * max(float(cells.max()) for cells in painted)
    if not least:
        return None
    plates, paints, colours = [], [], []
    for batch, cells in zip(batches, painted, strict=True):
        index = torch.nonzero(cells.flatten() > least)[:, 0]
        drawn = torch.randperm(len(index), generator=generator)[: -(-MAX_CELLS // len(batches))]
        index = index[drawn.to(index.device)]
        plates.append([f.flatten(0, 1)[index] for f in _features(batch.picture, perceptual)])
        maps = perceptual(batch.target, last=layers[-1])
        paints.append({layer: _by_cell(maps[layer], batch.target.shape[-1])[index] for layer in layers})
        colours.append(pixels_of(F.avg_pool2d(batch.target, CELL)).flatten(0, 1)[index])
    parts = [torch.cat(part) for part in zip(*plates, strict=True)]
    centre = tuple(part.mean(0, keepdim=True) for part in parts)
    return Pool(
        plate=_normalised(parts, centre),
        centre=centre,
        paint={layer: torch.cat([paint[layer] for paint in paints]) for layer in layers},
        colour=torch.cat(colours),
    )


def nearest(pool: Pool, picture: Tensor, perceptual: Perceptual) -> Tensor:
    """Index of the cell of the pool that is most alike each cell of plate patches, (N, cells)."""
    parts = _features(picture, perceptual)
    query = _normalised([part.flatten(0, 1) for part in parts], pool.centre)
    return (query @ pool.plate.T).argmax(1).view(len(picture), -1)


def analogy_losses(
    painted: Tensor, maps: Maps, pool: Pool, index: Tensor, layers: tuple[str, ...]
) -> tuple[Tensor, Tensor]:
    """Distances of painted patches to the paint that belongs there: of Gram matrices (relative), and of colours.

    Args:
        painted: (N, 3, S, S).
        maps: its feature maps.
        pool: cells of the keys.
        index: from `nearest`.
        layers: those of the pool.
    """
    grams = [
        gram_distance(gram(pixels_of(maps[layer])), gram(pool.paint[layer][index].flatten(1, 2))) for layer in layers
    ]
    cells = painted.shape[-1] // CELL
    wanted = pool.colour[index].view(len(painted), cells, cells, 3).permute(0, 3, 1, 2)
    ours = F.avg_pool2d(painted, CELL)
    size = min(COLOUR_CELLS, cells)
    colour = (F.avg_pool2d(ours, size, 2) - F.avg_pool2d(wanted, size, 2)).abs().mean()
    return torch.stack(grams).mean(), colour


def _without_margin(cells: Tensor) -> Tensor:
    """Cells (N, 1, h, w), 0 in `MARGIN_CELLS` at the border, or fewer where there would be none left."""
    height, width = cells.shape[-2:]
    y, x = min(MARGIN_CELLS, (height - 1) // 2), min(MARGIN_CELLS, (width - 1) // 2)
    return F.pad(cells[..., y : height - y, x : width - x], (x, x, y, y))


def _features(picture: Tensor, perceptual: Perceptual) -> list[Tensor]:
    """Features of each cell to match by: one tensor (N, cells, C) for each layer, and one of colours."""
    maps = perceptual(picture, last=MATCHED_LAYERS[-1])
    size = [side // CELL for side in picture.shape[-2:]]
    parts = [
        F.interpolate(maps[layer].float(), size=size, mode="bilinear", align_corners=False) for layer in MATCHED_LAYERS
    ]
    return [pixels_of(part) for part in (*parts, F.avg_pool2d(picture, CELL))]


def _normalised(parts: Sequence[Tensor], centre: Sequence[Tensor]) -> Tensor:
    """(M, D) of length 1."""
    *layers, colour = (part - middle for part, middle in zip(parts, centre, strict=True))
    scaled = colour / colour.square().sum(1, keepdim=True).add(0.01).sqrt()  # grey is close to every colour
    return F.normalize(torch.cat([*(F.normalize(layer, dim=1) for layer in layers), COLOUR_SHARE * scaled], 1), dim=1)


def _by_cell(maps: Tensor, side: int) -> Tensor:
    """(N, C, h, w) -> (N * cells, k, C), k the pixels of the map within one cell."""
    within = CELL * maps.shape[-1] // side
    count, channels, height, width = maps.shape
    cells = maps.view(count, channels, height // within, within, width // within, within)
    return cells.permute(0, 2, 4, 3, 5, 1).reshape(-1, within * within, channels)
