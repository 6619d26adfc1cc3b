"""Fixtures of keys painted by machine: a thin perceptual net in place of VGG16, a plate, a painting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def thin_vgg():
    """The perceptual net with random weights and a few channels a layer."""
    import torch

    from tsn.style.nets.vgg import BLOCKS, VGGFeatures

    with torch.random.fork_rng():
        torch.manual_seed(1)
        convs, cin = {}, 3
        for block, count, _ in BLOCKS:
            for i in range(1, count + 1):
                conv = convs[f"{block}_{i}"] = torch.nn.Conv2d(cin, cin := 4 * block, 3, padding=1)
                torch.nn.init.kaiming_normal_(conv.weight)  # by default deep layers would hardly see a picture
        return VGGFeatures(convs, torch.full((3,), 0.5), torch.full((3,), 4.0))


@pytest.fixture
def thin_weights(thin_vgg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The thin net counts as fetched for painting keys; returns its file."""
    from safetensors.torch import save_file

    from tsn.rendering import paint_keys

    file = tmp_path / "weights" / "vgg16.safetensors"
    file.parent.mkdir(exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in thin_vgg.state_dict().items()}
    save_file(state, file, metadata={"source": "random numbers"})
    monkeypatch.setenv("TSN_WEIGHTS", str(file.parent))
    monkeypatch.setattr(paint_keys, "load_perceptual", lambda device: thin_vgg)
    return file


@pytest.fixture
def stripes(tmp_path: Path) -> Callable[..., Path]:
    """stripes(name, colour): a painting on disk of 72x64 pixels, stripes of a colour (red, green, blue) and grey."""

    def write(name: str = "stripes.png", colour: tuple[float, float, float] = (0.9, 0.6, 0.1)) -> Path:
        import numpy as np

        from tsn.io.image import write_png

        bright = (np.arange(64) // 4 % 2).astype(np.float32)[None, :, None] * np.ones((72, 1, 1), np.float32)
        write_png(tmp_path / name, bright * np.array(colour, np.float32) + (1 - bright) * 0.3)
        return tmp_path / name

    return write
