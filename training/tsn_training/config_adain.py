"""The YAML file of a training for any painting; see `train_adain.py` for what its two lessons are."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tsn_training.config import PaintingConfig, StyleConfig, checked, read

RIM = 16
"""Pixels at the border of a crop that the encoder is not taught: VGG pads with zeros there, and sees a frame."""
LEAST_CROP = 2 * RIM + 4
"""Leaves a pixel within the rim at a quarter of the size."""


class ArbitraryStage(BaseModel):
    """So many steps on crops of so many pixels, without their rim."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop: int = Field(ge=LEAST_CROP, multiple_of=4)
    steps: int = Field(ge=0)
    learning_rate: float = Field(gt=0, allow_inf_nan=False)


class AdainConfig(PaintingConfig):
    """A training of the net that paints after any painting.

    Attributes:
        seen: channels of the encoder at full size, at most as many as VGG has there.
        paintings: a folder of paintings (WikiArt), searched as `photos` is. `unseen` names those that are never
            trained on, by the beginning of their file names: the net is judged by them.
        see: the first lesson. All else is about the second, painting. No steps = it goes on from a net that can see.
    """

    seen: int = Field(ge=3, le=63, multiple_of=3)
    paintings: Path
    unseen: tuple[str, ...]
    see: ArbitraryStage


def load_any(path: Path) -> StyleConfig | AdainConfig:
    """The training of one style, or of the net for any painting, told by its lesson `see`. Raises as `load_config`."""
    raw = read(path)
    return checked(path, raw, AdainConfig if isinstance(raw, dict) and "see" in raw else StyleConfig)
