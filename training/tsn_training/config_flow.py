"""The YAML file of a training of the nets beside the flow method `dis`; read by `config.load_config`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tsn_training.config import Seed


class FlowConfig(BaseModel):
    """A training of a net beside `dis`.

    Attributes:
        net: which one, a key of `flow_tasks.TASKS`.
        pictures: a folder of photos and paintings, at any depth, from which the surfaces of scenes are cut.
        examples: the number of scenes, made once before the training.
        held_back: the number of further scenes that are never trained on.
        width: channels, see the net's class.
        batch: scenes in one step, over all processes and accumulated parts together.
        accumulate: parts that a process cuts its share of the batch into, for cards that are short of memory.
        save_every: steps from one checkpoint to the next.
        workers: processes that load examples; 0 loads them in the training's own.
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
