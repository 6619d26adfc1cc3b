"""Paint an image in overlapping tiles, with the same result as painted whole.

That works for a net of convolutions only (a frozen `StyleNet`), since no output pixel then depends on pixels further
away than the net's radius. `cut_tiles` fulfils three conditions:

- each tile reads a margin of at least the radius, of which nothing is written;
- tiles begin at multiples of the net's stride, so that its 2x2 means fall on the same pixels;
- a tile at the border of the frame ends there, so that the net's reflection padding has an effect at real borders only
  (elsewhere it falls into the margin).

A net that normalises by the statistics of its input (uncalibrated nets, most ONNX nets) must not be tiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_WHOLE_PIXELS = 2048 * 2048
"""Pixels up to which a frame is painted whole. A net of width 16 takes 0.35 kB of memory per pixel: 1.5 GB at this
size, which every farm host has for each worker, and HD and 2K frames cost no margins. It is a constant and does not
follow the free memory, because tiles must be the same on every host."""

Window = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One tile of a frame.

    Attributes:
        read: the part of the frame that the net gets.
        write: the part of it whose result is kept.
    """

    read: Window
    write: Window


def tile_side(height: int, width: int, tile: int) -> int:
    """The longest side of what a tile writes, pixels: `tile`; for 0 (auto) the whole frame up to `MAX_WHOLE_PIXELS`."""
    if tile:
        return tile
    return max(height, width) if height * width <= MAX_WHOLE_PIXELS else 2048


def _spans(size: int, tile: int, overlap: int, stride: int) -> list[tuple[slice, slice]]:
    """(read, write) of tiles along one axis: as few as possible, of about equal length."""
    count = -(-size // tile)
    step = -(-size // (count * stride)) * stride
    return [
        (slice(max(0, start - overlap), min(size, start + step + overlap)), slice(start, min(size, start + step)))
        for start in range(0, size, step)
    ]


def cut_tiles(height: int, width: int, *, tile: int, overlap: int, stride: int = 4) -> tuple[Tile, ...]:
    """Cut a frame into tiles; a pure function of its arguments.

    Args:
        height: of the padded frame, a multiple of `stride`.
        width: the same.
        tile: longest side of what one tile writes, pixels; rounded up to a multiple of `stride`.
        overlap: pixels read beyond that at each side, at least the net's radius; rounded up to a multiple of `stride`.
        stride: of the net.
    """
    if height % stride or width % stride:
        raise ValueError(f"Expected height and width in multiples of {stride}, got {height} x {width}.")
    tile, overlap = (-(-value // stride) * stride for value in (max(tile, stride), overlap))
    return tuple(
        Tile(read=(read_rows, read_columns), write=(rows, columns))
        for read_rows, rows in _spans(height, tile, overlap, stride)
        for read_columns, columns in _spans(width, tile, overlap, stride)
    )


def _reflected(size: int, target: int, device: torch.device) -> Tensor:
    """`target` indices into an axis of `size` pixels, reflected without repeating the border: 0 1 2 1 0 1 ..."""
    index = torch.arange(target, device=device)
    if size == 1:
        return torch.zeros_like(index)
    index = index % (2 * size - 2)
    return torch.where(index < size, index, 2 * size - 2 - index)


def pad_to_stride(image: Tensor, stride: int) -> Tensor:
    """Pad (C, H, W) at the right and below, by reflection, to multiples of `stride` and at least 2 * `stride`.

    At least twice, because a net's reflection padding needs a second pixel at its coarsest level. Unlike `F.pad`, it
    accepts images smaller than the padding.
    """
    height, width = (max(2 * stride, -(-size // stride) * stride) for size in image.shape[-2:])
    if (height, width) == tuple(image.shape[-2:]):
        return image
    rows = _reflected(image.shape[-2], height, image.device)
    columns = _reflected(image.shape[-1], width, image.device)
    return image[:, rows][:, :, columns]


def paint_tiled(net: Callable[[Tensor], Tensor], image: Tensor, plan: Sequence[Tile]) -> Tensor:
    """Paint a padded image tile by tile.

    Memory: two frames and the activations of one tile.

    Args:
        net: (1, 3, h, w) -> (1, 3, h, w), channels last.
        image: (3, H, W).
        plan: from `cut_tiles`.

    Returns:
        (3, H, W).
    """
    # Allocated outside inference mode, so that the caller may change it in place.
    painted = torch.empty_like(image, memory_format=torch.contiguous_format)
    with torch.inference_mode():
        for tile in plan:
            read = image[:, tile.read[0], tile.read[1]][None].contiguous(memory_format=torch.channels_last)
            inner = tuple(
                slice(w.start - r.start, w.stop - r.start) for r, w in zip(tile.read, tile.write, strict=True)
            )
            painted[:, tile.write[0], tile.write[1]] = net(read)[0][:, inner[0], inner[1]]
    return painted
