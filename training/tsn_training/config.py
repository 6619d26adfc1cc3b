"""The YAML file of a training, checked before hours are spent on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tsn.errors import InputError, UsageError

Config = TypeVar("Config", bound=BaseModel)
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Scale = Annotated[int, Field(ge=1, le=4)]
MIN_PAINTING_WIDTH_PX = 32
"""Narrower paintings leave no pixel in VGG's deepest style layer at a quarter of the size."""
Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""The seeds that both NumPy's and torch's generators accept."""
Layer = Literal["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1"]


class Stage(BaseModel):
    """A number of steps on crops of one size: small crops teach palette and strokes, large ones composition.

    Attributes:
        crop: side of the crops, pixels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop: int = Field(ge=32, multiple_of=4)
    steps: int = Field(ge=1)


class TemporalConfig(BaseModel):
    """The loss that keeps the paint from boiling; see `motion.py`.

    Attributes:
        after: share of the steps after which it starts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(gt=0)
    after: float = Field(default=0.5, ge=0, le=1)


class DiscriminatorConfig(BaseModel):
    """The discriminator of strokes, under the key `judge`; see `discriminator.py`.

    Attributes:
        weight: of the generator loss, beside a content weight of 1.
        width: its channels at half size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(gt=0, allow_inf_nan=False)
    width: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=6e-4, gt=0, allow_inf_nan=False)


class PaintingConfig(BaseModel):
    """What the trainings of all nets that paint have in common.

    Attributes:
        name: of the exported weights, NAME.safetensors.
        width: channels at full size.
        blocks: residual blocks at a quarter of the size.
        simplifies: the net gets the plate without texture; see `StyleNet`.
        seeded: the net gets the texture guide; see `StyleNet`.
        judge: the discriminator; none = the painting's statistics alone describe its strokes. With a discriminator, the
            weights that are kept are an average over the last hundred steps or so, since neither side comes to rest.
        photos: a folder with pictures, searched to any depth (COCO: `train2017/`).
        held_back: the number of photos that are never trained on; evaluate.py measures on those.
        batch: samples in one step, over all processes and accumulated parts together: the same file trains the
            same net on one CPU and on eight GPUs.
        accumulate: parts that a process cuts its share of the batch into, for cards that are short of memory.
        copy_steps: the number of steps in which the net first learns to copy the plate in the painting's colours.
        style_weight: at the start, and after 40% of the steps after copying.
        style_layers: weights of the layers at each scale. The picture is compared with the painting at full size (1)
            and at a fraction of it (2: half), where the same layer sees twice as far, and asks for larger strokes.
        content_layer: the layer in which the picture is compared with the plate.
        content_scale: the picture is compared with the plate at this fraction of the size: at 2, what is smaller than
            strokes is free, and the full size need be looked at no deeper than its style layers.
        colour_weight: of `losses.colour_loss`.
        smooth_weight: of the total variation.
        light_weight: of the colour error of the same sample in another light, painted with the statistics of this one,
            as frames of a fade are. Without it a net may paint in red what is darker than the whole calibration.
        stages: sizes of crops, in their order.
        save_every: steps from one checkpoint to the next.
        workers: processes that load photos; 0 loads them in the training's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    licence: str
    width: int = Field(ge=2)
    blocks: int = Field(ge=1)
    simplifies: bool = False
    seeded: bool = False
    judge: DiscriminatorConfig | None = None
    photos: Path
    held_back: int = Field(default=20, ge=0)
    seed: Seed
    batch: int = Field(default=2, ge=1)
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    copy_steps: int = Field(ge=0)
    style_weight: tuple[Positive, Positive]
    style_layers: dict[Scale, Annotated[dict[Layer, Positive], Field(min_length=1)]] = Field(min_length=1)
    content_layer: Layer = "3_2"
    content_scale: Scale = 1
    colour_weight: float = Field(ge=0)
    smooth_weight: float = Field(ge=0)
    light_weight: float = Field(default=0, ge=0)
    temporal: TemporalConfig | None = None
    stages: tuple[Stage, ...] = Field(min_length=1)
    save_every: int = Field(default=200, ge=1)
    workers: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _stages_come_after_copying(self) -> Self:
        if self.copy_steps >= self.steps:
            raise ValueError(f"copy_steps ({self.copy_steps}) must be fewer than all steps together ({self.steps})")
        return self

    @property
    def steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def crop_at(self, step: int) -> int:
        """Return the side of the crops at a step, pixels."""
        for stage in self.stages:
            if step < stage.steps:
                return stage.crop
            step -= stage.steps
        return self.stages[-1].crop


class StyleConfig(PaintingConfig):
    """A training of one style.

    Attributes:
        family: the architecture, a key of `NETS`.
        recolours: the net gets the plate in the painting's colours; see `StyleNet`.
        painting_box: the part of the file without frame and mount: left, top, right, bottom, pixels.
        painting_height: lines that this part is resized to, so that its strokes have the right size for a plate of 360
            to 540 lines.
        teacher: weights of a style to copy first, instead of the plate in the painting's colours.
    """

    family: Literal["feedforward", "mobile"] = "feedforward"
    recolours: bool = False
    painting: Path
    painting_box: tuple[int, int, int, int] | None = None
    painting_height: int = Field(ge=64)
    teacher: Path | None = None

    @model_validator(mode="after")
    def _box_holds_something(self) -> Self:
        if self.painting_box:
            left, top, right, bottom = self.painting_box
            if not (0 <= left < right and 0 <= top < bottom):
                raise ValueError(f"painting_box must be left, top, right, bottom in pixels, found {self.painting_box}")
            width = round((right - left) * self.painting_height / (bottom - top))
            if width < MIN_PAINTING_WIDTH_PX:
                raise ValueError(
                    f"painting_box must be at least {MIN_PAINTING_WIDTH_PX} px wide at painting_height"
                    f" {self.painting_height}, found {width} px"
                )
        return self


def load_config(path: Path, kind: type[Config]) -> Config:
    """Read and check a training's YAML file.

    Raises:
        InputError: the file cannot be read.
        UsageError: it is no YAML, or values are missing, unknown or impossible; the message names all of them.
    """
    return validate(path, read_yaml(path), kind)


def load_styles(path: Path) -> tuple[StyleConfig, ...]:
    """Read and check the training of one style, or of several together.

    A file with `together: [a.yaml, b.yaml]` names the files of its styles, in its own folder; its other keys replace
    theirs. The keys that decide on the nets, the samples and the schedule must then be equal in all styles.

    Raises:
        InputError, UsageError: as `load_config`.
    """
    raw = read_yaml(path)
    if not isinstance(raw, dict) or "together" not in raw:
        return (validate(path, raw, StyleConfig),)
    shared = {key: value for key, value in raw.items() if key != "together"}
    names = raw["together"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{path}: together must be a list of files, got {names!r}.")
    styles = []
    for file in (path.parent / name for name in names):
        own = read_yaml(file)
        styles.append(validate(file, own | shared if isinstance(own, dict) else own, StyleConfig))
    if len({style.name for style in styles}) < len(styles):
        raise UsageError(f"{path}: two styles of one name.", hint="Each writes NAME.safetensors.")
    if judged := [style.name for style in styles if style.judge]:
        raise UsageError(
            f"{path}: styles that train together have no discriminator (judge), found one in {' and '.join(judged)}.",
            hint=f"Give judge: null in {path.name}; each style gets its own when it is finished alone.",
        )
    for key in _EQUAL_KEYS:
        found = {str(getattr(style, key)) for style in styles}
        if len(found) > 1:
            raise UsageError(
                f"{path}: styles that train together must agree on {key}, found {' and '.join(sorted(found))}.",
                hint=f"Give {key} in {path.name}.",
            )
    return tuple(styles)


_EQUAL_KEYS = (
    "family", "width", "blocks", "recolours", "simplifies", "seeded", "photos", "held_back", "seed", "batch",
    "accumulate", "precision", "learning_rate", "copy_steps", "stages", "save_every", "workers",
)  # fmt: skip


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        InputError: the file cannot be read.
        UsageError: it is no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read the training file {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} is no YAML: {' '.join(str(error).split())}.") from error


def validate(path: Path, raw: Any, kind: type[Config]) -> Config:
    """Return the content `raw` of a YAML file as a config; a UsageError names every value that is not possible."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise UsageError(f"{path}: {faults}.", hint="See training/configs for files that work.") from error
