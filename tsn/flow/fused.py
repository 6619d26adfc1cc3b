"""Motion of live plates: DIS at half the size, fused with what the other direction and the neighbours say, refined.

DIS (Kroeger et al., ECCV 2016) lets a motion bleed over the edge of what moves, and loses thin and fast things.
The two pictures mostly know better, if only the right motion is offered to them:

1. Half size, each direction: DIS with and without mean-free patches, the reverse flow turned round, and every
   neighbour's motion are candidates; the cheapest by colour and grain stays (`fusion.FlowField`).
2. A small net repairs what pictures get wrong: shadows that were followed, motion that bled (`repair`).
3. Full size: from there, with one level of DIS for the digits behind the point, and the nearest neighbours' motion.
   What leads farther away is believed only where there and back don't meet: pictures would undo the repair.
4. Variational refinement (Brox et al., ECCV 2004) for smooth sub-pixel motion, in OpenCV's implementation.
5. Both directions once more offered to each other, and moved half way towards each other where they nearly meet:
   what does not meet is taken for hidden by the temporal passes, and boils.

docs/flow.md has the figures, and what else was tried. A pair at 640x360 costs .9 CPU-seconds with AVX512.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from tsn.flow import fusion
from tsn.flow.base import View
from tsn.flow.dis import luma8
from tsn.flow.fusion import FlowField
from tsn.flow.nets.refine import fingerprint, refine_flows
from tsn.flow.scale import scaled_flow, scaled_image

MIN_SIDE_PX = 64
"""Shorter sides are padded: DIS needs some 32 pixels, and starts at half the size."""

HALF_SIZE_JUMPS_PX = ((1, 4, 16, 2, 8), (1, 32, 1))
"""Pixels over which motion is offered to neighbours, with the other direction asked after each row."""
FULL_SIZE_JUMPS_PX = (2, 1)

MAX_DIS_STEP_PX = 4.0
"""Pixels: farther than this the last level of DIS doesn't lead where there and back meet to as much."""

SMOOTHNESS = 20.0
REFINEMENT_ITERATIONS = 5
"""Of the variational refinement."""
NEARLY_CONSISTENT_PX2 = 0.5
"""Squared pixels: up to this, a difference between there and back is split in halves; at twice this no more."""


class FusedSource:
    """Fused DIS, both directions together, on colour. The flow.method `dis`.

    A pure function of the two pictures, and the same bits at any number of threads.
    """

    name = "dis"

    def __init__(self, *, scale: float = 1.0) -> None:
        self.scale = scale
        libraries = f"opencv {cv2.__version__} torch {torch.__version__}"
        self.fingerprint = f"dis-fused-4 repair {fingerprint()} {libraries} scale {scale:g}"

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        """Flow a->b and b->a, each (2, H, W), pixels, on the image's device (the work is done on the CPU)."""
        first, second = (scaled_image(view.image.cpu(), self.scale) for view in (a, b))
        _, height, width = a.image.shape
        forward, backward = (
            scaled_flow(flow, height, width).to(a.image.device) for flow in estimate_both(first, second)
        )
        return forward, backward


def estimate_both(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Flow first->second and second->first, each (2, H, W), pixels.

    Args:
        first, second: style space, float32 (3, H, W) in [0, 1], of one size.
    """
    _, height, width = first.shape
    right, bottom = max(0, MIN_SIDE_PX - width), max(0, MIN_SIDE_PX - height)
    pictures = [
        cv2.copyMakeBorder(
            np.ascontiguousarray(image.float().clamp(0, 1).permute(1, 2, 0).numpy()),
            *(0, bottom, 0, right),
            cv2.BORDER_REPLICATE,
        )
        for image in (first, second)
    ]
    lumas = [_luma(picture) for picture in pictures]
    halves = [_half_size(picture) for picture in pictures]
    half = refine_flows(halves, _estimate_half_size(halves, lumas))
    forward, backward = _full_size(pictures, lumas, half)
    flows = _pulled_together(forward, backward), _pulled_together(backward, forward)
    forth, back = (torch.from_numpy(f[:height, :width]).permute(2, 0, 1).contiguous() for f in flows)
    return forth, back


def _estimate_half_size(halves: list[np.ndarray], lumas: list[np.ndarray]) -> list[np.ndarray]:
    """Both directions at half the size, from pictures of that size and full lumas."""
    small = [fusion.features(half) for half in halves]
    first, second = (_half_size(luma) for luma in lumas)
    fields = _fields(small, [_dis(first, second, mean_free=True), _dis(second, first, mean_free=True)])
    # Mean-free patches see through a change of light, and lose what differs from its surroundings by tone alone.
    fields[0].propose(_dis(first, second, mean_free=False))
    fields[1].propose(_dis(second, first, mean_free=False))
    fusion.exchange_proposals(*fields)
    for jumps in HALF_SIZE_JUMPS_PX:
        for field in fields:
            field.propagate(jumps)
        fusion.exchange_proposals(*fields)
    return [fusion.median_flow(field.flow, 5) for field in fields]


def estimate_half_size(pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Both directions at half the size, (h, w, 2) in its pixels, of two pictures, float32 (H, W, 3) in [0, 1]."""
    return _estimate_half_size(list(map(_half_size, pictures)), [_luma(picture) for picture in pictures])


def _full_size(
    pictures: list[np.ndarray], lumas: list[np.ndarray], half: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Both directions at full size, from those at half of it."""
    height, width = lumas[0].shape
    ways, seen = (lumas, lumas[::-1]), [fusion.features(picture) for picture in pictures]
    fields = _fields(seen, [fusion.resize_flow(flow, height, width) for flow in half])
    lost = [
        _squared_length(_forward_backward_error(a.flow, b.flow)) > MAX_DIS_STEP_PX**2 for a, b in (fields, fields[::-1])
    ]
    for field, anything, (here, there) in zip(fields, lost, ways, strict=True):
        offer = _dis_level(here, there, field.flow)
        near = _squared_length(offer - field.flow) <= MAX_DIS_STEP_PX**2
        field.propose(np.where(near | anything, offer, field.flow))
        field.propagate(FULL_SIZE_JUMPS_PX)
    fusion.exchange_proposals(*fields)
    smooth = [
        _refined(here, there, fusion.median_flow(field.flow, 5))
        for field, (here, there) in zip(fields, ways, strict=True)
    ]
    fields = _fields(seen, smooth)  # refinement moves each direction on its own
    fusion.exchange_proposals(*fields)
    forward, backward = (fusion.median_flow(field.flow, 3) for field in fields)
    return forward, backward


def _fields(features: list[np.ndarray], flows: list[np.ndarray]) -> tuple[FlowField, FlowField]:
    first, second = features
    return FlowField(first, second, flows[0]), FlowField(second, first, flows[1])


def _luma(picture: np.ndarray) -> np.ndarray:
    return luma8(torch.from_numpy(picture).permute(2, 0, 1))


def _half_size(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return cv2.resize(picture, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


def _dis(first: np.ndarray, second: np.ndarray, *, mean_free: bool) -> np.ndarray:
    """DIS down to the finest scale, uint8 (H, W) -> float32 (H, W, 2)."""
    # A new object per estimate: it keeps its buffers, and one that threads share would mix them up.
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(0)
    method.setUseMeanNormalization(mean_free)
    return np.asarray(method.calc(first, second, np.zeros((*first.shape, 2), np.float32)))


def _dis_level(first: np.ndarray, second: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The last level of DIS alone, from a flow that is right to a pixel or so."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(0)
    method.setCoarsestScale(0)
    return np.asarray(method.calc(first, second, start.copy()))


def _refined(first: np.ndarray, second: np.ndarray, start: np.ndarray) -> np.ndarray:
    method = cv2.VariationalRefinement.create()
    method.setAlpha(SMOOTHNESS)
    method.setFixedPointIterations(REFINEMENT_ITERATIONS)
    return np.asarray(method.calc(first, second, start.copy()))


def _squared_length(flow: np.ndarray) -> np.ndarray:
    """Squared lengths, (H, W, 1)."""
    return np.asarray(np.square(flow[..., :1]) + np.square(flow[..., 1:]))


def _forward_backward_error(flow: np.ndarray, reverse: np.ndarray) -> np.ndarray:
    """Where going there and back ends, against where it began, (H, W, 2)."""
    return np.asarray(flow + fusion.sample_at(reverse, fusion.pixel_grid(*flow.shape[:2]) + flow))


def _pulled_together(flow: np.ndarray, reverse: np.ndarray) -> np.ndarray:
    """The flow moved half way to what the reverse flow says, where the two nearly agree."""
    apart = _forward_backward_error(flow, reverse)
    return flow - apart * (np.clip(2 - _squared_length(apart) / NEARLY_CONSISTENT_PX2, 0, 1) / 2)
