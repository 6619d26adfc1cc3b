"""Paint one frame by the net of its shot."""

from __future__ import annotations

import torch
from torch import Tensor

from tsn.determinism import repeat_small_batch
from tsn.keys.frame import GuidedFrame
from tsn.keys.net import BASE_CHANNELS, KeyNet
from tsn.style.tiles import cut_tiles, pad_to_stride, tile_side


def paint_frame(net: KeyNet, frame: GuidedFrame, *, tile: int = 0) -> Tensor:
    """Paint a frame; large ones in tiles, with the same bits whatever the number of threads.

    Args:
        net: from `net_from_weights`, on the frame's device.
        frame: of any size.
        tile: longest side of a tile, pixels; 0 = auto.

    Returns:
        (3, H, W) in [0, 1].
    """
    channels = torch.cat([frame.picture, frame.guides, frame.carried, frame.confidence])
    padded = pad_to_stride(channels, net.stride)
    height, width = padded.shape[-2:]
    painted = torch.empty_like(padded[:3], memory_format=torch.contiguous_format)
    split = [3, len(channels) - BASE_CHANNELS, 3, 1]
    with torch.inference_mode():
        for one in cut_tiles(height, width, tile=tile_side(height, width, tile), overlap=net.radius, stride=net.stride):
            read = padded[:, one.read[0], one.read[1]][None]
            smallest = read[0, 0].numel() * min(BASE_CHANNELS, net.body_width / net.stride**2)
            read = repeat_small_batch(read, int(smallest)).contiguous(memory_format=torch.channels_last)
            result = net(*read.split(split, dim=1))[0]
            rows, columns = (
                slice(w.start - r.start, w.stop - r.start) for r, w in zip(one.read, one.write, strict=True)
            )
            painted[:, one.write[0], one.write[1]] = result[:, rows, columns]
    return painted[:, : frame.picture.shape[-2], : frame.picture.shape[-1]]
