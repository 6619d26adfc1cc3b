"""A small net that predicts occlusion: which pixels of a frame are hidden in its neighbour, from estimated motion.

The forward-backward check misses what an estimate gets wrong in both directions. Estimated motion of the nearer surface
reaches over its silhouette, forward and backward alike, so that what the surface uncovers passes for visible; and where
light moves or motion is a pixel off, what is visible passes for hidden, and boils. The net's input contains what tells
these cases apart: the forward-backward error, the difference of the pictures along the motion, steps in the motion, and
how many of the neighbour's pixels arrive at a place (none where it is hidden; Wang et al., "Occlusion aware
unsupervised learning of optical flow", CVPR 2018). No input changes when everything moves faster by the same vector.

training/train_flow.py trains the net; occlusion.md, beside the weights, is its model card.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.determinism import apply_elementwise, repeat_small_batch
from tsn.flow.nets.blocks import conv, load_shipped, upsample_2x
from tsn.flow.warp import in_frame, warp_batch

WEIGHTS = Path(__file__).with_name("occlusion.safetensors")
"""`temporal.METHOD` must change with the weights, so that frames finished with older ones are known to be stale."""
WIDTH = 32
"""Channels of the shipped net at half size."""
SIDE_MULTIPLE = 16
"""Height and width of the net's input must be multiples of this."""
MAX_ERROR_PX, MAX_STEP_PX, MAX_ARRIVALS = 4.0, 4.0, 2
"""Cues are clipped here, since larger values mean the same: forward-backward error and step in the motion, in pixels,
and the number of pixels that arrive at one place."""
CONTEXT_PX = 80
"""Pixels around a block on which the net's answer depends: 78, rounded up to a multiple of `SIDE_MULTIPLE`."""
CUE_CHANNELS = 14
VISIBLE_LOGIT = 1.3
"""Logit at which a pixel counts as half visible. A lower threshold gives stiller paint, but leaves more foreign paint
in what has just been uncovered; docs/research/flow.md has the figures."""


class OcclusionNet(nn.Module):
    """Visibility of two frames in each other.

    A U-Net (Ronneberger et al. 2015) at half size that reads and writes blocks of 2x2 pixels (Shi et al., sub-pixel
    convolution, 2016), so that its output is as sharp as the frame.

    Args:
        width: channels at half size; 1.5 times as many at a quarter, twice as many at an eighth and a sixteenth.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        half_more = width * 3 // 2
        self.enter = nn.Sequential(conv(4 * CUE_CHANNELS, width), conv(width, width))
        self.down = nn.Sequential(conv(width, half_more, stride=2), conv(half_more, half_more))
        self.deep = nn.Sequential(conv(half_more, 2 * width, stride=2), conv(2 * width, 2 * width))
        self.deeper = nn.Sequential(conv(2 * width, 2 * width, stride=2), nn.Conv2d(2 * width, 2 * width, 3, padding=1))
        self.up = conv(2 * width + half_more, half_more)
        self.rise = conv(half_more, width, 1)
        self.tell = nn.Sequential(conv(2 * width, width), nn.Conv2d(width, 4, 3, padding=1))

    def forward(self, pictures: Tensor, flows: Tensor) -> Tensor:
        """Logits of visibility, (N, 2, 1, H, W): positive where a pixel is visible in the other frame.

        Args:
            pictures: both frames, (N, 2, 3, H, W) in [0, 1], sides a multiple of `SIDE_MULTIPLE`.
            flows: forward and backward, (N, 2, 2, H, W), pixels.
        """
        n, _, _, height, width = pictures.shape
        return self.visibility_logits(cues(pictures, flows)).view(n, 2, 1, height, width)

    def visibility_logits(self, cues: Tensor) -> Tensor:
        """Logits (N, 1, H, W) from `cues` (N, `CUE_CHANNELS`, H, W)."""
        x = self.enter(F.pixel_unshuffle(cues, 2).contiguous(memory_format=torch.channels_last))
        y = self.down(x)
        z = self.deep(y)
        z = z + upsample_2x(self.deeper(z))
        y = self.up(torch.cat([y, upsample_2x(z)], 1))
        return F.pixel_shuffle(self.tell(torch.cat([x, upsample_2x(self.rise(y))], 1)), 2)


def cues(pictures: Tensor, flows: Tensor) -> Tensor:
    """The net's input, (2 N, `CUE_CHANNELS`, H, W): for each pair, the first frame's cues and then the second's.

    Args:
        pictures: (N, 2, 3, H, W) in [0, 1].
        flows: forward and backward, (N, 2, 2, H, W), pixels.
    """
    here, there = pictures.flatten(0, 1), pictures.flip(1).flatten(0, 1)
    flow, back = flows.flatten(0, 1), flows.flip(1).flatten(0, 1)
    across = F.pad(flow[..., 1:] - flow[..., :-1], (0, 1))
    down = F.pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1))
    return torch.cat(
        [
            here - 0.5,
            warp_batch(there, flow) - here,
            ((flow + warp_batch(back, flow)) / MAX_ERROR_PX).clamp(-1, 1),
            (across / MAX_STEP_PX).clamp(-1, 1),
            (down / MAX_STEP_PX).clamp(-1, 1),
            arrival_counts(back).clamp(max=MAX_ARRIVALS) / MAX_ARRIVALS,
            warp_batch(torch.ones_like(flow[:, :1]), flow, padding="zeros"),
        ],
        1,
    )


def arrival_counts(back: Tensor) -> Tensor:
    """How many pixels of the other frame their backward flow leads to each place: (N, 2, H, W) -> (N, 1, H, W)."""
    n, _, height, width = back.shape
    y, x = torch.meshgrid(
        torch.arange(height, device=back.device), torch.arange(width, device=back.device), indexing="ij"
    )
    column, row = (x + back[:, 0]).round().long(), (y + back[:, 1]).round().long()
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    first_index = torch.arange(n, device=back.device).view(-1, 1, 1) * height * width
    # A count of whole numbers is the same in any order, so on any number of threads.
    counted = torch.bincount((first_index + row * width + column)[inside], minlength=n * height * width)
    return counted.view(n, 1, height, width).to(back.dtype)


@cache
def shipped_net(device: torch.device) -> OcclusionNet:
    """The net with the weights that come with tsn, in eval mode. Raises InputError if the file is damaged."""
    return load_shipped(OcclusionNet(WIDTH), WEIGHTS).to(device)


@torch.inference_mode()
def estimate_visibility(
    pictures: Sequence[Tensor], flows: Sequence[Tensor], masks: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Visibility of each of two frames in the other, each (1, H, W) in [0, 1], where its mask is set.

    The net runs only on the box around the mask and `CONTEXT_PX` more: a renderer's sky may be a third of the picture.

    Args:
        pictures: both frames in style space, (3, H, W) in [0, 1].
        flows: forward and backward, (2, H, W), pixels.
        masks: bool (1, H, W) for each frame; elsewhere the result may be any value in [0, 1].
    """
    height, width = pictures[0].shape[1:]
    to_two = (0, int(width < 2), 0, int(height < 2))  # `warp_batch` has no scale on a side of one pixel
    both = cues(*(F.pad(torch.stack(list(pair)), to_two, mode="replicate")[None] for pair in (pictures, flows)))
    # Padded after the cues: the cues of a padded frame would contain motion from beyond its border.
    both = F.pad(both, (0, -both.shape[3] % SIDE_MULTIPLE, 0, -both.shape[2] % SIDE_MULTIPLE), mode="replicate")
    net = shipped_net(both.device)
    results = []
    # One direction after the other: at 4K each takes a gigabyte.
    for own, flow, mask in zip(both, flows, masks, strict=True):
        logits = own.new_zeros(1, *own.shape[1:])
        if mask.any():
            rows, columns = (_box_side(mask[0].any(axis), own.shape[2 - axis]) for axis in (1, 0))
            box = own[None, :, rows, columns]
            deepest = box[0, 0].numel() // SIDE_MULTIPLE**2 * 2 * WIDTH  # elements where the net has the fewest
            logits[:, rows, columns] = net.visibility_logits(repeat_small_batch(box, deepest))[0]
        results.append(apply_elementwise(torch.sigmoid, logits[:, :height, :width] - VISIBLE_LOGIT) * in_frame(flow))
    first, second = results
    return first, second


def _box_side(mask: Tensor, length: int) -> slice:
    """The part of a side that the net must see for a mask, bool (length); its ends lie on `SIDE_MULTIPLE`."""
    at = mask.nonzero()
    first, last = int(at[0]), int(at[-1])
    return slice(
        max(0, first // SIDE_MULTIPLE * SIDE_MULTIPLE - CONTEXT_PX),
        min(length, (last // SIDE_MULTIPLE + 1) * SIDE_MULTIPLE + CONTEXT_PX),
    )
