"""Paint an image in overlapping tiles, with the same result as painted whole.

That holds for a net of convolutions only (a locked `JohnsonNet`), because an output pixel then depends on
no pixel further away than the net's radius. Three conditions, all of them in `tiles`:

- each tile reads a margin of at least the radius and throws it away;
- tiles begin at multiples of the net's stride, so that its 2x2 averages fall on the same pixels;
- a tile that touches the border of the frame ends there, so that the net's reflection padding happens
  at real borders and nowhere else (elsewhere it falls into the margin).

A net that normalises by the statistics of what it sees (unlocked, most ONNX nets) must not be tiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_WHOLE_PIXELS = 2048 * 2048
"""Pixels up to which a frame is painted whole. A width-16 net takes 0.35 kB a pixel, so 1.5 GB at this
size, which every farm host has for each worker, and HD, 2K and UHD-ish proxies pay for no margins. It is
a constant and not the free memory, because the cut must be the same on every host."""

Window = tuple[slice, slice]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One tile, in rows and columns of the frame: what it reads, and the part of it that it writes."""

    read: Window
    write: Window


def tile_side(height: int, width: int, tile: int) -> int:
    """The longest side of a tile's written part: `tile`, or for 0 (auto) what `WHOLE_LIMIT` asks for."""
    if tile:
        return tile
    return max(height, width) if height * width <= MAX_WHOLE_PIXELS else 2048


def _spans(size: int, tile: int, overlap: int, stride: int) -> list[tuple[slice, slice]]:
    """(read, write) along one axis: as few spans as `tile` allows, and all about as long as each other."""
    count = -(-size // tile)
    step = -(-size // (count * stride)) * stride
    return [
        (slice(max(0, start - overlap), min(size, start + step + overlap)), slice(start, min(size, start + step)))
        for start in range(0, size, step)
    ]


def cut_tiles(height: int, width: int, *, tile: int, overlap: int, stride: int = 4) -> tuple[Tile, ...]:
    """Cut a frame into tiles; a pure function of its arguments.

    Args:
        height: of the padded frame, a multiple of `stride`; `width` too.
        tile: longest side of what one tile writes, pixels; rounded up to a multiple of `stride`.
        overlap: pixels read beyond that to each side; rounded up to a multiple of `stride`.
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
    """Indices 0..target-1 folded back into 0..size-1 without repeating the border: 0 1 2 1 0 1 ..."""
    index = torch.arange(target, device=device)
    if size == 1:
        return torch.zeros_like(index)
    index = index % (2 * size - 2)
    return torch.where(index < size, index, 2 * size - 2 - index)


def pad_to_stride(image: Tensor, stride: int) -> Tensor:
    """Grow (C, H, W) to the right and below, by reflection, to multiples of `stride` and two of them at least.

    Two, because a net's reflection padding needs a second pixel at its coarsest level. Unlike F.pad this
    takes images smaller than the padding.
    """
    height, width = (max(2 * stride, -(-size // stride) * stride) for size in image.shape[-2:])
    if (height, width) == tuple(image.shape[-2:]):
        return image
    rows = _reflected(image.shape[-2], height, image.device)
    columns = _reflected(image.shape[-1], width, image.device)
    return image[:, rows][:, :, columns]


def paint_tiled(net: Callable[[Tensor], Tensor], image: Tensor, plan: Sequence[Tile]) -> Tensor:
    """Run `net`, (1, 3, h, w) -> (1, 3, h, w), over the tiles of a padded image (3, H, W).

    Tiles go through the net one by one, channels last. Memory: two frames and one tile's activations.
    """
    # Made outside inference mode, so that whoever gets the painting may change it in place.
    painted = torch.empty_like(image, memory_format=torch.contiguous_format)
    with torch.inference_mode():
        for tile in plan:
            read = image[:, tile.read[0], tile.read[1]][None].contiguous(memory_format=torch.channels_last)
            inner = tuple(
                slice(w.start - r.start, w.stop - r.start) for r, w in zip(tile.read, tile.write, strict=True)
            )
            painted[:, tile.write[0], tile.write[1]] = net(read)[0][:, inner[0], inner[1]]
    return painted
