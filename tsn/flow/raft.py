"""RAFT: the estimator for live plates, if its weights are installed.

Teed, Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020, in torchvision's
implementation. A pair at 640x360 costs about 11 CPU-seconds (raft-large) or 3 (raft-small), so it wants a GPU.
"""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile, ZipFile

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsn.determinism import POINTWISE_DILATION
from tsn.errors import DeviceError, InputError
from tsn.flow.base import View
from tsn.flow.raft_weights import weights_sha256
from tsn.flow.scale import scaled_flow, scaled_image
from tsn.io.safetensors_file import read_header, read_state_dict, require_finite

FLOW_UPDATES = 12
"""Iterations of RAFT's recurrent update."""
MIN_SIDE_PX = 128
"""Shorter sides are padded: the pyramid halves the 1/8 feature map three times, and needs 2 samples at its top."""
MAX_FILE_BYTES = 1 << 28
"""Largest file of weights that is read; raft-large has 21 MB."""
REFETCH_HINT = "Fetch it again: tsn fetch raft-large. Or name another file in flow.weights."


class RaftSource:
    """RAFT, each direction on its own, so that batch size can't change bits.

    The all-pairs volume grows with the fourth power of `scale`: at 1920x1080 and scale 1 it takes 4 GiB (5.2 with
    its pyramid) in single precision, at scale 0.5 a sixteenth. On a CUDA device the network runs in half precision
    under autocast.

    Args:
        weights: a state dict, `.pth` or `.safetensors`; its tensor names show whether it is the large or the small net.
        device: where to run.
        scale: factor by which the image is resized first.

    Raises:
        InputError: the file is missing, damaged, or not RAFT's.
    """

    def __init__(self, weights: Path, *, device: torch.device, scale: float = 1.0) -> None:
        digest = weights_sha256(weights)
        self.name, network = load_network(weights)
        self.network = network.to(device)
        self.device = device
        self.scale = scale
        precision = "half" if device.type == "cuda" else "float"
        self.fingerprint = (
            f"{self.name}-1 {digest[:16]} torch {torch.__version__} {device.type} {precision} "
            f"updates {FLOW_UPDATES} scale {scale:g}"
        )

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        """Flow a->b and b->a, each (2, H, W), pixels, on the image's device.

        Raises:
            DeviceError: out of the device's memory.
        """
        _, height, width = a.image.shape
        first, second = (scaled_image(view.image.to(self.device), self.scale) for view in (a, b))
        try:
            flows = self._estimate(first, second), self._estimate(second, first)
        except torch.cuda.OutOfMemoryError as error:
            raise DeviceError(
                f"frames {a.number}-{b.number}: {self.device} has too little memory for {self.name} at "
                f"{first.shape[2]}x{first.shape[1]}",
                hint=f"Set flow.scale to {self.scale / 2:g}: it needs a sixteenth.",
            ) from error
        forward, backward = (scaled_flow(flow, height, width).to(a.image.device) for flow in flows)
        return forward, backward

    @torch.no_grad()
    def _estimate(self, first: Tensor, second: Tensor) -> Tensor:
        _, height, width = first.shape
        batches = [pad_for_raft(image)[None] * 2 - 1 for image in (first, second)]
        half = torch.autocast("cuda", dtype=torch.float16, enabled=self.device.type == "cuda")
        # Else cuDNN may choose another algorithm, with other bits, in another run.
        with half, torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            flow = self.network(*batches, num_flow_updates=FLOW_UPDATES)[-1][0]
        return flow.float()[:, :height, :width].contiguous()


def pad_for_raft(image: Tensor) -> Tensor:
    """`image` (C, H, W) with its right and bottom border repeated, to multiples of 8 and at least 128 a side."""
    _, height, width = image.shape
    right, bottom = (max(MIN_SIDE_PX, -(-side // 8) * 8) - side for side in (width, height))
    return F.pad(image[None], (0, right, 0, bottom), mode="replicate")[0]


def load_network(path: Path) -> tuple[str, nn.Module]:
    """The architecture's name and the network in eval mode, from a state dict on disk.

    Raises:
        InputError: unreadable, or not a state dict of raft-large or raft-small.
    """
    from torchvision.models.optical_flow import raft_large, raft_small  # 2 CPU-s that most shots don't need

    try:
        state = _pickled(path) if path.suffix != ".safetensors" else None
        names = read_header(path).tensors if state is None else state
        # Only the large one learns its upsampling.
        name = "raft-large" if any(key.startswith("mask_predictor.") for key in names) else "raft-small"
        network = (raft_large if name == "raft-large" else raft_small)(weights=None)
        if state is None:
            state = read_state_dict(path, network.state_dict(), net_name=name, hint=REFETCH_HINT)
        own = network.state_dict()
        if not all(tensor.is_floating_point() == state[key].is_floating_point() for key, tensor in own.items()):
            raise TypeError
        network.load_state_dict(state)
        require_finite(path, own)
    except (RuntimeError, AttributeError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}: expected a state dict of torchvision's raft-large or raft-small, found something else",
            hint=REFETCH_HINT,
        ) from error
    except InputError as error:
        raise InputError(str(error), hint=REFETCH_HINT) from error
    return name, _thread_invariant(network).eval().requires_grad_(False)


def _pickled(path: Path) -> dict[str, Tensor]:
    """The state dict in a `.pth` file."""
    if path.stat().st_size > MAX_FILE_BYTES or _unpacked(path) > MAX_FILE_BYTES:
        raise InputError(f"{path}: expected {MAX_FILE_BYTES >> 20} MiB of weights at most, found more")
    try:
        # weights_only: a pickle from somewhere must not be able to run code on a farm.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types on a damaged file
        first_line = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{path}: not a readable weight file: {first_line}") from error
    return state  # type: ignore[no-any-return]


def _unpacked(path: Path) -> int:
    """Bytes of an archive's contents by its own directory; 0 if the file is no archive."""
    try:
        with ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (BadZipFile, OSError):
        return 0


def _thread_invariant(network: nn.Module) -> nn.Module:
    """The network with the same bits at any number of threads, see `tsn.determinism.POINTWISE_DILATION`."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            module.dilation = (POINTWISE_DILATION, POINTWISE_DILATION)
    return network
