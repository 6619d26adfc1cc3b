"""A small net that tells what of a frame is hidden in its neighbour, from estimated motion.

Going there and back again misses what an estimate gets wrong both ways: it carries the nearer surface's motion over
its silhouette, there and back alike, and what it uncovers passes for seen; and where light moves or motion is a pixel
off, what is seen passes for hidden, and boils. This net is shown all that tells them apart: where there and back miss
each other, how the pictures differ along the motion, steps in the motion, and how many of the neighbour's pixels come
from a place (none does where it is hidden; Wang et al., "Occlusion aware unsupervised learning of optical flow", CVPR
2018). Nothing that it is shown depends on how fast all moves together.

training/train_flow.py trains it; occlusion.md, beside the weights, is its card.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.determinism import apply_elementwise
from tsn.flow.nets.blocks import conv, load_shipped, upsample_2x
from tsn.flow.warp import in_frame, warp_batch

WEIGHTS = Path(__file__).with_name("occlusion.safetensors")
"""Other weights make other frames: `temporal.METHOD` changes with them, so that finished frames are known as stale."""
WIDTH = 32
SIDE_MULTIPLE = 16
"""Sides must be a multiple of this."""
MAX_ERROR_PX, MAX_STEP_PX, MAX_ARRIVALS = 4.0, 4.0, 2
"""Pixels by which there and back miss each other, pixels of a step in the motion, and pixels that arrive at one place:
more says nothing more."""
CONTEXT_PX = 80
"""Pixels around a block that the net's answer for it depends on: 78, rounded up to a multiple of `SIDE_MULTIPLE`."""
SMALL = 20_480 // (2 * WIDTH) * SIDE_MULTIPLE**2
"""Pixels. Up to 20,480 elements torch convolves a batch of one by a library whose sums depend on the number of threads;
at the smallest size, where channels are twice as many as at half the size, these are so many."""
CUE_CHANNELS = 14
VISIBLE_LOGIT = 1.3
"""Logits by which a place must look more seen than hidden to count half. Less is stiller, and leaves more foreign paint
in what has just come into sight; docs/flow.md has the figures."""


class OcclusionNet(nn.Module):
    """What both frames see of each other.

    A U-Net at half the size, over 2x2 pixels at once: what it says is as sharp as the frame.

    Args:
        width: channels at half the size; a quarter has half as many more, the smaller sizes twice as many.
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
        """How surely each place is seen in the other frame.

        Args:
            pictures: (N, 2, 3, H, W) in [0, 1], both frames, sides a multiple of `SIDE_MULTIPLE`.
            flows: (N, 2, 2, H, W), there and back, pixels.

        Returns:
            (N, 2, 1, H, W), logits.
        """
        n, _, _, height, width = pictures.shape
        return self.visibility_logits(cues(pictures, flows)).view(n, 2, 1, height, width)

    def visibility_logits(self, known: Tensor) -> Tensor:
        """Logits (N, 1, H, W) from `cues` (N, CUES, H, W)."""
        x = self.enter(F.pixel_unshuffle(known, 2).contiguous(memory_format=torch.channels_last))
        y = self.down(x)
        z = self.deep(y)
        z = z + upsample_2x(self.deeper(z))
        y = self.up(torch.cat([y, upsample_2x(z)], 1))
        return F.pixel_shuffle(self.tell(torch.cat([x, upsample_2x(self.rise(y))], 1)), 2)


def cues(pictures: Tensor, flows: Tensor) -> Tensor:
    """What tells the hidden from the seen, (2 N, CUES, H, W), a pair's two frames one after the other."""
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
    """How many pixels of the other frame come from each place, by their motion back: (N, 2, H, W) -> (N, 1, H, W)."""
    n, _, height, width = back.shape
    y, x = torch.meshgrid(
        torch.arange(height, device=back.device), torch.arange(width, device=back.device), indexing="ij"
    )
    column, row = (x + back[:, 0]).round().long(), (y + back[:, 1]).round().long()
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    sheet = torch.arange(n, device=back.device).view(-1, 1, 1) * height * width
    # Whole numbers: counted in any order they make the same sum.
    counted = torch.bincount((sheet + row * width + column)[inside], minlength=n * height * width)
    return counted.view(n, 1, height, width).to(back.dtype)


@cache
def shipped_net(device: torch.device) -> OcclusionNet:
    """The net that comes with tsn, ready to use. Raises InputError where its file is damaged."""
    return load_shipped(OcclusionNet(WIDTH), WEIGHTS).to(device)


@torch.inference_mode()
def estimate_visibility(
    pictures: Sequence[Tensor], flows: Sequence[Tensor], asked: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """How surely each place of two frames is seen in the other, each (1, H, W) in [0, 1], where that is asked.

    A renderer's sky is a third of the picture, say: the net runs on the box around it, and `CONTEXT_PX`.

    Args:
        pictures: both frames in style space, (3, H, W) in [0, 1].
        flows: there and back, (2, H, W), pixels.
        asked: of each frame, bool (1, H, W); elsewhere the answer may be anything in range.
    """
    height, width = pictures[0].shape[1:]
    two = (0, int(width < 2), 0, int(height < 2))  # a side of one pixel has no scale to look places up on
    known = cues(*(F.pad(torch.stack(list(pair)), two, mode="replicate")[None] for pair in (pictures, flows)))
    # Padded afterwards: cues of a padded frame would tell of things that come from beyond its border.
    known = F.pad(known, (0, -known.shape[3] % SIDE_MULTIPLE, 0, -known.shape[2] % SIDE_MULTIPLE), mode="replicate")
    telling = shipped_net(known.device)
    answers = []
    # One after the other: at 4K a direction takes a gigabyte.
    for cue, flow, places in zip(known, flows, asked, strict=True):
        logits = cue.new_zeros(1, *cue.shape[1:])
        if places.any():
            rows, columns = (_around(places[0].any(side), cue.shape[2 - side]) for side in (1, 0))
            box = cue[None, :, rows, columns]
            logits[:, rows, columns] = telling.visibility_logits(
                box.expand(2 if box[0, 0].numel() <= SMALL else 1, -1, -1, -1)
            )[0]
        answers.append(apply_elementwise(torch.sigmoid, logits[:, :height, :width] - VISIBLE_LOGIT) * in_frame(flow))
    first, second = answers
    return first, second


def _around(asked: Tensor, length: int) -> slice:
    """The part of a side that the net must see for a mask, bool (length); its ends lie on `SIDE_MULTIPLE`."""
    at = asked.nonzero()
    first, last = int(at[0]), int(at[-1])
    return slice(
        max(0, first // SIDE_MULTIPLE * SIDE_MULTIPLE - CONTEXT_PX),
        min(length, (last // SIDE_MULTIPLE + 1) * SIDE_MULTIPLE + CONTEXT_PX),
    )
