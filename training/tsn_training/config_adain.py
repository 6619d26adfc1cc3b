"""The YAML file of a training of the net for any painting; its two stages are described in `train_adain.py`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tsn_training.config import PaintingConfig, StyleConfig, read_yaml, validate

RIM_PX = 16
"""Border of a crop on which the encoder is not trained: VGG pads with zeros there, and sees an edge."""
MIN_CROP_PX = 2 * RIM_PX + 4
"""Leaves one pixel inside the rim at a quarter of the size."""


class ArbitraryStage(BaseModel):
    """The stage in which the encoder learns VGG's features.

    Attributes:
        crop: side of its crops, pixels; the loss leaves their rim out.
        steps: 0 where the training begins with a net whose encoder is trained.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop: int = Field(ge=MIN_CROP_PX, multiple_of=4)
    steps: int = Field(ge=0)
    learning_rate: float = Field(gt=0, allow_inf_nan=False)


class AdainConfig(PaintingConfig):
    """A training of the net that paints after any painting.

    Attributes:
        seen: channels of the encoder at full size, at most as many as VGG has there.
        paintings: a folder of paintings (such as WikiArt), searched as `photos` is.
        unseen: beginnings of file names: such paintings are never trained on, and the net is evaluated on them.
        see: the first stage, about the encoder. All other keys are about the second, painting.
    """

    seen: int = Field(ge=3, le=63, multiple_of=3)
    paintings: Path
    unseen: tuple[str, ...]
    see: ArbitraryStage


def load_painting_config(path: Path) -> StyleConfig | AdainConfig:
    """Read the training of one style, or, where it has the key `see`, of the net for any painting.

    Raises:
        InputError, UsageError: as `load_config`.
    """
    raw = read_yaml(path)
    if isinstance(raw, dict) and "see" in raw:
        return validate(path, raw, AdainConfig)
    return validate(path, raw, StyleConfig)
