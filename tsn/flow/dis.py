"""Plain dense inverse search (DIS): fills the background of rendered vectors, and serves to find cuts.

Live plates get the more exact `tsn/flow/fused.py`.

Kroeger, Timofte, Dai, Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016, in OpenCV's
implementation. On the project's CG shots its error is 0.1-0.2 px (median) or 0.6-1.7 px (mean, most of it where
something is occluded). A pair at 640x360 costs 0.06 CPU-seconds.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from tsn.colour import LUMA
from tsn.flow.base import View
from tsn.flow.scale import scaled_flow, scaled_image

MIN_SIDE_PX = 32
"""Shorter sides are padded: below some 20 pixels the coarsest level is smaller than DIS's patches of 8."""


class DisSource:
    """DIS at the medium preset, on the 8-bit luma of the style-space image, each direction on its own.

    The same bits at any number of threads: OpenCV splits the work into strips that don't depend on it.
    """

    name = "plain dis"

    def __init__(self, *, scale: float = 1.0) -> None:
        self.scale = scale
        self.fingerprint = f"dis-medium-1 opencv {cv2.__version__} scale {scale:g}"

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        """Flow a->b and b->a, each (2, H, W), pixels, on the image's device (the work is done on the CPU)."""
        first, second = (luma8(scaled_image(view.image.cpu(), self.scale)) for view in (a, b))
        _, height, width = a.image.shape
        forward, backward = (
            scaled_flow(estimate(one, other), height, width).to(a.image.device)
            for one, other in ((first, second), (second, first))
        )
        return forward, backward


def luma8(image: Tensor) -> np.ndarray:
    """Rec. 709 luma of a display-referred image (3, H, W) in [0, 1], as uint8 (H, W), the only input that DIS takes."""
    red, green, blue = image.float().clamp(0, 1)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return (luma * 255 + 0.5).to(torch.uint8).numpy()


def estimate(first: np.ndarray, second: np.ndarray) -> Tensor:
    """Flow (2, H, W) from `first` to `second`, both uint8 (H, W)."""
    height, width = first.shape
    right, bottom = max(0, MIN_SIDE_PX - width), max(0, MIN_SIDE_PX - height)
    if right or bottom:
        first, second = (
            cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE) for image in (first, second)
        )
    # A new object for each estimate: it owns buffers, which threads that share it would overwrite.
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = np.asarray(method.calc(first, second, np.zeros((*first.shape, 2), np.float32)))
    return torch.from_numpy(flow)[:height, :width].permute(2, 0, 1).contiguous()
