"""Small nets with random weights, and pictures with something in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from tsn.style.feedforward import FeedforwardPainter
from tsn.style.nets.johnson import JohnsonNet


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def picture() -> Callable[..., Tensor]:
    """picture(height, width, seed=0): (3, H, W) in [0, 1], soft blobs with noise on them."""

    def make(height: int, width: int, seed: int = 0) -> Tensor:
        random = torch.Generator().manual_seed(seed)
        blobs = torch.rand(1, 3, max(2, height // 16), max(2, width // 16), generator=random)
        blobs = F.interpolate(blobs, size=(height, width), mode="bilinear", align_corners=False)[0]
        return (0.85 * blobs + 0.15 * torch.rand(3, height, width, generator=random)).clamp(0, 1)

    return make


@pytest.fixture
def net() -> JohnsonNet:
    return tiny_net()


def tiny_net(seed: int = 0, *, recolours: bool = False, simplifies: bool = False, seeded: bool = False) -> JohnsonNet:
    torch.manual_seed(seed)
    net = JohnsonNet(width=4, blocks=1, recolours=recolours, simplifies=simplifies, seeded=seeded)
    if net.palette is not None:
        net.palette.copy_(1 - net.palette)
    for name, value in net.named_parameters():
        # Away from the neutral norm of a fresh net, so that a wrong fold would show.
        if name.endswith(".scale"):
            value.data.uniform_(0.5, 1.5)
        if name.endswith(".shift"):
            value.data.uniform_(-0.5, 0.5)
    return net.eval()


@pytest.fixture(scope="session")
def tiny() -> Callable[..., JohnsonNet]:
    """tiny(seed=0, recolours=False, simplifies=False, seeded=False): a net."""
    return tiny_net


@pytest.fixture
def painter(net: JohnsonNet) -> FeedforwardPainter:
    return FeedforwardPainter(net, name="tiny", weights="sha of tiny")


@pytest.fixture
def weights_file(tmp_path: Path) -> Callable[..., Path]:
    """weights_file(name, seed=0, **metadata): a tiny net as train_style.py exports it."""

    def make(name: str = "tiny", seed: int = 0, folder: Path = tmp_path, **metadata: str) -> Path:
        kind = {key: metadata.get(key) == "yes" for key in ("recolours", "simplifies", "seeded")}
        net = tiny_net(seed, **kind)
        facts = {"family": "feedforward", "width": "4", "blocks": "1", "name": name, "title": f"The {name}"}
        facts |= {"licence": "CC0-1.0"} | metadata
        path = folder / f"{name}.safetensors"
        save_file({k: v.half().contiguous() for k, v in net.state_dict().items()}, path, metadata=facts)
        return path

    return make
