"""Other ways to make painted frames stable, written again from their papers: what ours is measured against.

Each takes the paint of every frame, (3, H, W) in [0, 1], and the motion between neighbours, and returns as many frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from tsn.flow.base import Motion
from tsn.flow.warp import compose, warp
from tsn.temporal.filters import blur
from tsn.temporal.window import weighted_mean, window_taps

Scheme = Callable[[Sequence[Tensor], Sequence[Motion]], list[Tensor]]
RADIUS = 8
"""Frames to each side in a window."""


def per_frame(paint: Sequence[Tensor], motions: Sequence[Motion]) -> list[Tensor]:
    """The paint as it is."""
    return list(paint)


def smoothing(paint: Sequence[Tensor], motions: Sequence[Motion]) -> list[Tensor]:
    """Exponential smoothing in place, 0.3 of the new frame: what a compositor's frame blend does."""
    made = [paint[0]]
    for frame in paint[1:]:
        made.append(0.3 * frame + 0.7 * made[-1])
    return made


def causal(paint: Sequence[Tensor], motions: Sequence[Motion], *, kept: float = 0.8) -> list[Tensor]:
    """Each frame blended with the one before, carried along the motion, where it is seen there."""
    made = [paint[0]]
    for frame, motion in zip(paint[1:], motions, strict=True):
        carried = warp(made[-1], motion.backward, mode="bicubic")
        weight = kept * motion.visibility_backward
        made.append(frame + weight * (carried - frame))
    return made


def multipass(paint: Sequence[Tensor], motions: Sequence[Motion], *, passes: int = 4) -> list[Tensor]:
    """Ruder, Dosovitskiy, Brox, "Artistic style transfer for videos", GCPR 2016, section 5.2, in image space.

    Odd passes go forward, even ones backward; each frame is blended with its neighbours of the pass before and of
    this one. The paper then paints again from there, which frames of another tool do not allow.
    """
    made = list(paint)
    for number in range(passes):
        order = range(len(made)) if number % 2 == 0 else reversed(range(len(made)))
        for t in order:
            total, weight = made[t].clone(), torch.ones_like(made[t][:1])
            if t > 0:
                seen = motions[t - 1].visibility_backward
                total += seen * warp(made[t - 1], motions[t - 1].backward, mode="bicubic")
                weight += seen
            if t < len(made) - 1:
                seen = motions[t].visibility_forward
                total += seen * warp(made[t + 1], motions[t].forward, mode="bicubic")
                weight += seen
            made[t] = total / weight
    return made


def keyframes(paint: Sequence[Tensor], motions: Sequence[Motion], *, every: int = 8) -> list[Tensor]:
    """Keyframes carried both ways along composed flow and cross-faded at kept energy (EbSynth's way of working)."""
    made = []
    for t in range(len(paint)):
        first = t - t % every
        last = min(first + every, len(paint) - 1)
        back = _carried(paint, motions, t, first)
        forth = _carried(paint, motions, t, last)
        share = 0.0 if last == first else (t - first) / (last - first)
        a, b = (1 - share) * back[1], share * forth[1]
        both = (a + b).clamp(min=1e-3)
        a, b = a / both, b / both
        soft = [blur(picture, 6.0) for picture in (back[0], forth[0])]
        grain = (a * (back[0] - soft[0]) + b * (forth[0] - soft[1])) / (a * a + b * b).sqrt().clamp(min=0.5)
        mixed = a * soft[0] + b * soft[1] + grain
        known = (both > 1e-2).float()
        made.append((known * mixed + (1 - known) * paint[t]).clamp(0, 1))
    return made


def _carried(paint: Sequence[Tensor], motions: Sequence[Motion], t: int, key: int) -> tuple[Tensor, Tensor]:
    """Paint of a keyframe at frame t, and where it is seen there."""
    flow, seen = torch.zeros_like(paint[t][:2]), torch.ones_like(paint[t][:1])
    for at in range(t, key, 1 if key > t else -1):
        motion = motions[at] if key > t else motions[at - 1]
        step, visible = (
            (motion.forward, motion.visibility_forward) if key > t else (motion.backward, motion.visibility_backward)
        )
        seen = seen * warp(visible, flow)
        flow = compose(flow, step)
    return warp(paint[key], flow, mode="bicubic"), seen


def blind(paint: Sequence[Tensor], motions: Sequence[Motion], *, strength: float = 0.3) -> list[Tensor]:
    """Bonneel et al., "Blind video temporal consistency", SIGGRAPH Asia 2015, which Lai et al. 2018 train a net to do.

    Frame by frame, the picture whose gradients are the paint's and whose values are those of the frame before, carried
    along the motion: a screened Poisson equation, solved by FFT on the mirrored picture.
    """
    made = [paint[0]]
    for frame, motion in zip(paint[1:], motions, strict=True):
        carried = warp(made[-1], motion.backward, mode="bicubic")
        target = motion.visibility_backward * carried + (1 - motion.visibility_backward) * frame
        made.append(_screened(frame, target, strength).clamp(0, 1))
    return made


def _screened(gradients_of: Tensor, values_of: Tensor, weight: float) -> Tensor:
    """argmin |grad x - grad g|^2 + weight |x - v|^2."""

    def mirrored(x: Tensor) -> Tensor:
        wide = torch.cat([x, x.flip(-1)], -1)
        return torch.cat([wide, wide.flip(-2)], -2)

    _, height, width = gradients_of.shape
    y = torch.fft.fftfreq(2 * height).view(-1, 1) * 2 * torch.pi
    x = torch.fft.rfftfreq(2 * width).view(1, -1) * 2 * torch.pi
    laplace = 4 - 2 * torch.cos(x) - 2 * torch.cos(y)
    gradients, values = (torch.fft.rfft2(mirrored(image)) for image in (gradients_of, values_of))
    solved = (laplace * gradients + weight * values) / (laplace + weight)
    return torch.fft.irfft2(solved, s=(2 * height, 2 * width))[:, :height, :width]


def window_mean(paint: Sequence[Tensor], motions: Sequence[Motion]) -> list[Tensor]:
    """The mean over a window, along composed flow, and nothing else: what ours starts from."""
    made = []
    for t in range(len(paint)):
        around = window_taps(motions[max(0, t - RADIUS) : t][::-1], motions[t : t + RADIUS], 0.75 * RADIUS)
        made.append(weighted_mean(torch.ones_like(paint[t][:1]), paint[t], around, partial(_neighbour, paint, t)))
    return made


def _neighbour(paint: Sequence[Tensor], t: int, offset: int) -> Tensor:
    return paint[t + offset]


PEERS: dict[str, Scheme] = {
    "per frame": per_frame,
    "frame blend": smoothing,
    "causal blend": causal,
    "Ruder, 4 passes": multipass,
    "keyframes, every 8": keyframes,
    "Bonneel, blind": blind,
    "window mean": window_mean,
}
