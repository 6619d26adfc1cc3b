"""The YAML file of a training of the nets beside `dis`; read by `config.load_config`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tsn_training.config import Seed


class FlowConfig(BaseModel):
    """A training of a net beside `dis`.

    Attributes:
        net: which, a key of `flow_tasks.TASKS`.
        pictures: a folder of photos and paintings, to any depth, that surfaces are cut from.
        examples: how many scenes are made for it, once; `held_back` more are never trained on.
        batch: scenes in one step, over all processes and accumulated parts together.
        width: channels, see the net's class.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    net: Literal["repair", "occlusion"]
    pictures: Path
    examples: int = Field(ge=1)
    held_back: int = Field(ge=1)
    seed: Seed
    width: int = Field(ge=8, multiple_of=2)
    batch: int = Field(ge=1)
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    steps: int = Field(ge=1)
    save_every: int = Field(default=200, ge=1)
    workers: int = Field(default=0, ge=0)
