"""The perceptual net that nets are trained against: VGG16, fetched once into tsn's weights folder.

The trunk of HED, used before, had lost its texture to fine-tuning: nets trained against it paint a tinted relief
(docs/research/training.md).
"""

from __future__ import annotations

from tsn.style.nets.vgg import VGGFeatures
from tsn.style.perceptual import load_perceptual, perceptual_name
from tsn.style.perceptual_fetch import fetch_perceptual


def load() -> tuple[VGGFeatures, str]:
    """Return the perceptual net, downloaded if it is not here, and its name for the model card."""
    path = fetch_perceptual(note=print)
    return load_perceptual(), perceptual_name(path)
