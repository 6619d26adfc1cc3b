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
LEAST_WIDTH = 32
"""Of a painting: at a quarter of the size, VGG's deepest layer for style sees a pixel of it."""
Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""NumPy's generators take no negative one, torch's none beyond this."""
Layer = Literal["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1"]


class Stage(BaseModel):
    """So many steps on crops of so many pixels: small ones learn palette and stroke, large ones composition."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop: int = Field(ge=32, multiple_of=4)
    steps: int = Field(ge=1)


class Temporal(BaseModel):
    """The loss that teaches a net not to boil; see `motion.py`. It starts after `after` of the steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(gt=0)
    after: float = Field(default=0.5, ge=0, le=1)


class DiscriminatorConfig(BaseModel):
    """A net that tells the painting's strokes from ours; see `judge.py`.

    Attributes:
        weight: of its verdict, beside a content weight of 1.
        width: its channels at half size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(gt=0, allow_inf_nan=False)
    width: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=6e-4, gt=0, allow_inf_nan=False)


class PaintingConfig(BaseModel):
    """What every training of a net that paints must be told.

    Attributes:
        photos: a folder with pictures, searched to any depth (COCO: `train2017/`).
        held_back: so many of them are never trained on; evaluate.py measures on those.
        batch: samples in one step, over all processes and accumulated parts together: the same file trains the
            same net on one CPU and on eight GPUs.
        accumulate: parts that a process cuts its share of the batch into, for cards that are short of memory.
        simplifies: the net is shown the plate without texture; see `StyleNet`.
        seeded: the net is shown where strokes may begin; see `StyleNet`.
        judge: none = the painting's statistics alone say what strokes are. With one, the weights that are kept are the
            mean of the last hundred steps or so, since neither side comes to rest.
        copy_steps: the net first learns the plate in the painting's colours.
        style_weight: at the start and after 40% of the steps after copying.
        style_layers: weights of the layers at each scale. The picture is compared with the painting as it is (1) and at
            a fraction of the size (2: half): what a layer sees is then twice as large, and so are the strokes that it
            asks for.
        content_layer: the layer in which the picture is compared with the plate.
        content_scale: the picture is compared with the plate at this fraction of the size: at 2, what is smaller than
            strokes is free, and the full size need be looked at no deeper than its style layers.
        light_weight: of the error in colour of the same place in another light, painted by the statistics of this one,
            as frames of a fade are. Without it a net may paint what is darker than all of a shot's survey in red.
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
    temporal: Temporal | None = None
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
        return sum(stage.steps for stage in self.stages)

    def crop_at(self, step: int) -> int:
        """Side of the crops at a step, pixels."""
        for stage in self.stages:
            if step < stage.steps:
                return stage.crop
            step -= stage.steps
        return self.stages[-1].crop


class StyleConfig(PaintingConfig):
    """A training of one style.

    Attributes:
        recolours: the net is shown the plate in the painting's colours; see `StyleNet`.
        painting_box: the part that is painting, without frame and mount: left, top, right, bottom, pixels.
        painting_height: that part is resized to it, so that its strokes have the size they shall have on a plate
            of 360 to 540 lines.
        teacher: weights of a style to learn to copy first, in the place of the plate in the painting's colours.
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
            if width < LEAST_WIDTH:
                raise ValueError(
                    f"painting_box must be at least {LEAST_WIDTH} px wide at painting_height {self.painting_height},"
                    f" found {width} px"
                )
        return self


def load_config(path: Path, kind: type[Config]) -> Config:
    """Read and check a training's YAML file.

    Raises:
        InputError: the file cannot be read.
        UsageError: it is no YAML, or a value is missing, unknown or impossible; names every such value.
    """
    return checked(path, read(path), kind)


def load_styles(path: Path) -> tuple[StyleConfig, ...]:
    """Read and check the training of one style, or of several together.

    A file with `together: [a.yaml, b.yaml]` names the files of its styles, beside it; every other key in it is put in
    the place of theirs. What says which samples are drawn, and when what is learnt, must then be the same for all.

    Raises:
        InputError, UsageError: as `load_config`.
    """
    raw = read(path)
    if not isinstance(raw, dict) or "together" not in raw:
        return (checked(path, raw, StyleConfig),)
    shared = {key: value for key, value in raw.items() if key != "together"}
    names = raw["together"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{path}: together must be a list of files, got {names!r}.")
    styles = []
    for file in (path.parent / name for name in names):
        own = read(file)
        styles.append(checked(file, own | shared if isinstance(own, dict) else own, StyleConfig))
    if len({style.name for style in styles}) < len(styles):
        raise UsageError(f"{path}: two styles of one name.", hint="Each writes NAME.safetensors.")
    if judged := [style.name for style in styles if style.judge]:
        raise UsageError(
            f"{path}: styles that train together have no judge, found one in {' and '.join(judged)}.",
            hint=f"Give judge: null in {path.name}; each style gets its own when it is finished alone.",
        )
    for key in _SHARED:
        found = {str(getattr(style, key)) for style in styles}
        if len(found) > 1:
            raise UsageError(
                f"{path}: styles that train together must agree on {key}, found {' and '.join(sorted(found))}.",
                hint=f"Give {key} in {path.name}.",
            )
    return tuple(styles)


_SHARED = (
    "family", "width", "blocks", "recolours", "simplifies", "seeded", "photos", "held_back", "seed", "batch",
    "accumulate", "precision", "learning_rate", "copy_steps", "stages", "save_every", "workers",
)  # fmt: skip


def read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read the training file {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} is no YAML: {' '.join(str(error).split())}.") from error


def checked(path: Path, raw: Any, kind: type[Config]) -> Config:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise UsageError(f"{path}: {faults}.", hint="See training/configs for files that work.") from error
