"""Motion of live plates: DIS at half the size, fused with proposals from the reverse flow and the neighbours, refined.

DIS (Kroeger et al., ECCV 2016) lets a motion bleed over the edge of what moves, and loses thin and fast things. The two
pictures mostly show which motion is right, once it is among the proposals:

1. Half size, each direction: proposals are DIS with and without mean-free patches, the inverse of the reverse flow, and
   every neighbour's motion; at each pixel the one that differs least in colour and grain stays (`fusion.FlowField`).
2. A small net refines what comparing pictures gets wrong: shadows that were followed, motion that bled (`nets.refine`).
3. Full size: from there, one level of DIS for sub-pixel motion, and the nearest neighbours' motion. DIS may lead far
   from the refined flow only where that is not forward-backward consistent: the pictures would undo the refinement.
4. Variational refinement (Brox et al., ECCV 2004) for smooth sub-pixel motion, in OpenCV's implementation.
5. Each direction once more proposed to the other, and both moved half way towards each other where they are nearly
   consistent: what is inconsistent counts as occluded in the temporal passes, and boils.

docs/research/flow.md has the figures, and what else was tried. A pair at 640x360 costs .9 CPU-seconds with AVX512.
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
"""Distances over which motion is proposed to neighbours; after each row the directions exchange proposals."""
FULL_SIZE_JUMPS_PX = (2, 1)
"""The same at full size."""

MAX_DIS_STEP_PX = 4.0
"""The last level of DIS changes flow by at most this where the forward-backward error is at most this, too."""

SMOOTHNESS = 20.0
"""Weight alpha of the smoothness term in the variational refinement."""
REFINEMENT_ITERATIONS = 5
"""Fixed-point iterations of the variational refinement."""
NEARLY_CONSISTENT_PX2 = 0.5
"""Squared pixels of forward-backward error up to which it is halved; from twice this on, flow is left alone."""


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
    """Flow of both directions at half size before the net, from pictures of that size and lumas of full size."""
    small = [fusion.features(half) for half in halves]
    first, second = (_half_size(luma) for luma in lumas)
    fields = _fields(small, [_dis(first, second, mean_free=True), _dis(second, first, mean_free=True)])
    # Mean-free patches are robust to a change of light, but miss what differs from its surroundings by tone alone.
    fields[0].propose(_dis(first, second, mean_free=False))
    fields[1].propose(_dis(second, first, mean_free=False))
    fusion.exchange_proposals(*fields)
    for jumps in HALF_SIZE_JUMPS_PX:
        for field in fields:
            field.propagate(jumps)
        fusion.exchange_proposals(*fields)
    return [fusion.median_flow(field.flow, 5) for field in fields]


def estimate_half_size(pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Flow of both directions at half size as it enters the refinement net, which is trained on it.

    Args:
        pictures: both frames, float32 (H, W, 3) in [0, 1].

    Returns:
        (H/2, W/2, 2) each, rounded up, in pixels of that size.
    """
    return _estimate_half_size(list(map(_half_size, pictures)), [_luma(picture) for picture in pictures])


def _full_size(
    pictures: list[np.ndarray], lumas: list[np.ndarray], half: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Flow of both directions at full size, from those at half size."""
    height, width = lumas[0].shape
    ways, features = (lumas, lumas[::-1]), [fusion.features(picture) for picture in pictures]
    fields = _fields(features, [fusion.resize_flow(flow, height, width) for flow in half])
    inconsistent = [
        _squared_length(_forward_backward_error(a.flow, b.flow)) > MAX_DIS_STEP_PX**2 for a, b in (fields, fields[::-1])
    ]
    for field, free, (here, there) in zip(fields, inconsistent, ways, strict=True):
        proposal = _dis_level(here, there, field.flow)
        near = _squared_length(proposal - field.flow) <= MAX_DIS_STEP_PX**2
        field.propose(np.where(near | free, proposal, field.flow))
        field.propagate(FULL_SIZE_JUMPS_PX)
    fusion.exchange_proposals(*fields)
    smooth = [
        _refine_variationally(here, there, fusion.median_flow(field.flow, 5))
        for field, (here, there) in zip(fields, ways, strict=True)
    ]
    fields = _fields(features, smooth)  # refinement moves each direction on its own
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
    # A new object for each estimate: it owns buffers, which threads that share it would overwrite.
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(0)
    method.setUseMeanNormalization(mean_free)
    return np.asarray(method.calc(first, second, np.zeros((*first.shape, 2), np.float32)))


def _dis_level(first: np.ndarray, second: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The finest level of DIS alone, from a flow that is right to about a pixel."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(0)
    method.setCoarsestScale(0)
    return np.asarray(method.calc(first, second, start.copy()))


def _refine_variationally(first: np.ndarray, second: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Variational refinement of a flow, uint8 (H, W) twice and float32 (H, W, 2) -> float32 (H, W, 2)."""
    method = cv2.VariationalRefinement.create()
    method.setAlpha(SMOOTHNESS)
    method.setFixedPointIterations(REFINEMENT_ITERATIONS)
    return np.asarray(method.calc(first, second, start.copy()))


def _squared_length(flow: np.ndarray) -> np.ndarray:
    """Squared lengths, (H, W, 1)."""
    return np.asarray(np.square(flow[..., :1]) + np.square(flow[..., 1:]))


def _forward_backward_error(flow: np.ndarray, reverse: np.ndarray) -> np.ndarray:
    """flow(p) + reverse(p + flow(p)), (H, W, 2): 0 where the two are consistent."""
    return np.asarray(flow + fusion.sample_at(reverse, fusion.pixel_grid(*flow.shape[:2]) + flow))


def _pulled_together(flow: np.ndarray, reverse: np.ndarray) -> np.ndarray:
    """The flow moved half way to the inverse of the reverse flow, where the two are nearly consistent."""
    error = _forward_backward_error(flow, reverse)
    return flow - error * (np.clip(2 - _squared_length(error) / NEARLY_CONSISTENT_PX2, 0, 1) / 2)
