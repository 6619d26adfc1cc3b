"""The training scripts, which are not installed, and something for them to train on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

# Imported here once, so that the tests find them without the folder staying on the path of all other tests.
TRAINING = str(Path(__file__).parents[2] / "training")
sys.path.insert(0, TRAINING)
try:
    import gather_images  # noqa: F401
    import train_style  # noqa: F401
    from tsn_training import losses, perceptual, photos, rcc  # noqa: F401
finally:
    sys.path.remove(TRAINING)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def write_picture(path: Path, width: int = 64, height: int = 48, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def picture() -> Callable[..., Path]:
    """picture(path, width=64, height=48, seed=0): a file of noise, in the format of its ending."""
    return write_picture
