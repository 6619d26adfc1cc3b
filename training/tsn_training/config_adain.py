"""The YAML file of a training for any painting; see `train_adain.py` for what its three lessons are."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Literal["see", "rebuild", "paint"]
LESSONS: tuple[Name, ...] = ("see", "rebuild", "paint")


class Lesson(BaseModel):
    """So many steps on crops of so many pixels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop: int = Field(ge=32, multiple_of=4)
    steps: int = Field(ge=1)
    learning_rate: float = Field(gt=0)


class AdainConfig(BaseModel):
    """A training of the net that paints after any painting.

    Attributes:
        photos: a folder with pictures, searched to any depth (COCO: `train2017/`).
        paintings: the same, of paintings (WikiArt). `unseen` names those that are never trained on, by the beginning
            of their file names: the net is judged by them.
        batch: samples in one step, over all processes and accumulated parts together.
        accumulate: parts that a process cuts its share of the batch into.
        style_weight, range_weight, smooth_weight: against the content loss, in the last lesson.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    licence: str
    width: int = Field(ge=3, multiple_of=3)
    photos: Path
    held_back: int = Field(default=20, ge=0)
    paintings: Path
    unseen: tuple[str, ...]
    seed: int
    batch: int = Field(default=4, ge=1)
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    see: Lesson
    rebuild: Lesson
    paint: Lesson
    style_weight: float = Field(gt=0)
    range_weight: float = Field(ge=0)
    smooth_weight: float = Field(ge=0)
    save_every: int = Field(default=200, ge=1)
    workers: int = Field(default=0, ge=0)

    def lesson(self, name: Name) -> Lesson:
        found: Lesson = getattr(self, name)
        return found

    @property
    def steps(self) -> int:
        return sum(self.lesson(name).steps for name in LESSONS)

    def at(self, step: int) -> tuple[Name, int]:
        """Which lesson a step belongs to, and the how many-th of it it is."""
        for name in LESSONS:
            if step < self.lesson(name).steps:
                return name, step
            step -= self.lesson(name).steps
        raise ValueError(f"the training has {self.steps} steps")
