"""The YAML of a training: what is impossible in it is named before hours are spent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tsn.errors import InputError, UsageError
from tsn.style.nets.layers import OPTIONAL_INPUTS
from tsn_training.config import StyleConfig, load_config, load_styles

EVERY = sorted((Path(__file__).parents[2] / "training/configs").glob("*.yaml"))
CONFIGS = [path for path in EVERY if "painting" in yaml.safe_load(path.read_text())]  # not those of train_adain.py
JOINT = [path for path in EVERY if path.stem.startswith("together")]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_configs_that_come_along_are_valid(path: Path) -> None:
    config = load_config(path, StyleConfig)
    assert config.name == path.stem.removesuffix("-judged")
    if config.judge:  # it finishes what the file of the same name began
        before = load_config(path.with_name(f"{config.name}.yaml"), StyleConfig)
        same = ("title", "licence", "painting", "painting_box", "painting_height", "family", "width", "blocks")
        assert all(getattr(config, key) == getattr(before, key) for key in same)
        assert all(getattr(config, key) >= getattr(before, key) for key in OPTIONAL_INPUTS), "inputs stay"


@pytest.mark.parametrize("path", JOINT, ids=lambda path: path.stem)
def test_styles_that_come_along_can_train_together(path: Path) -> None:
    assert len(load_styles(path)) > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width: Input should be greater than or equal to 2"),
        ({"widht": 16}, "widht: Extra inputs are not permitted"),
        ({"title": None}, "title: Input should be a valid string"),
        ({"name": "Great Wave"}, "name: String should match pattern"),
        ({"family": "adain"}, "family: Input should be 'feedforward' or 'mobile'"),
        ({"precision": "fp8"}, "precision: Input should be 'fp32', 'bf16' or 'fp16'"),
        ({"learning_rate": 0}, "learning_rate: Input should be greater than 0"),
        ({"style_layers": {1: {"5_2": 1.0}}}, "style_layers.1.5_2"),
        ({"batch": 1.5}, "batch: Input should be a valid integer"),
        ({"painting_box": [300, 300, 100, 400]}, "painting_box must be left, top, right, bottom"),
        ({"painting_box": [-4, 0, 100, 100]}, "painting_box must be left, top, right, bottom"),
        ({"painting_box": [0, 0, 24, 64]}, "painting_box must be at least 32 px wide at painting_height 64, found 24"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0"),
        ({"copy_steps": 6}, r"copy_steps \(6\) must be fewer than"),
        ({"stages": []}, "stages: Tuple should have at least 1 item"),
        ({"stages": [{"crop": 33, "steps": 1}]}, "stages.0.crop: Input should be a multiple of 4"),
        ({"temporal": {"weight": -1}}, "temporal.weight: Input should be greater than 0"),
        ({"style_weight": [1.0]}, "style_weight"),
        # What would end in a division by nothing, hours later:
        ({"style_weight": [0.0, 4.0]}, "style_weight"),
        ({"style_weight": [0.5, -4.0]}, "style_weight"),
        ({"style_layers": {}}, "style_layers"),
        ({"style_layers": {1: {"1_1": -1.0}}}, "style_layers.1.1_1"),
        ({"style_layers": {2: {}}}, "style_layers.2"),
        ({"style_layers": {8: {"1_1": 1.0}}}, "style_layers.8"),
        ({"learning_rate": float("inf")}, "learning_rate"),
    ],
    ids=str,
)
def test_a_bad_value_is_a_usage_error_that_names_it(
    training: SimpleNamespace, change: dict[str, Any], message: str
) -> None:
    training.write(**change)

    with pytest.raises(UsageError, match=f"noise.yaml: .*{message}"):
        load_config(training.file, StyleConfig)


def test_every_bad_value_is_named_at_once(training: SimpleNamespace) -> None:
    training.write(width=1, blocks=0)

    with pytest.raises(UsageError, match=r"width: .*; blocks: "):
        load_config(training.file, StyleConfig)


@pytest.mark.parametrize("content", [b"", b"- a list\n", b"name: [unclosed\n", b"just words", b"\xff\xfe\x00binary"])
def test_a_file_that_is_no_mapping_is_a_usage_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.yaml").write_bytes(content)

    with pytest.raises(UsageError, match=r"x\.yaml"):
        load_config(tmp_path / "x.yaml", StyleConfig)


def test_yaml_cannot_run_code(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: !!python/object/apply:os.getcwd []\n")

    with pytest.raises(UsageError, match="is no YAML"):
        load_config(tmp_path / "x.yaml", StyleConfig)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.yaml: No such file"):
        load_config(tmp_path / "x.yaml", StyleConfig)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_precisions(settings_of: Callable[..., StyleConfig], precision: str) -> None:
    assert settings_of(precision=precision).precision == precision


def test_numbers_survive_yaml(training: SimpleNamespace) -> None:
    """YAML 1.1 takes 2.5e-3 for a number but 25e-4 for a string; both are one here."""
    text = training.file.read_text()
    line = next(line for line in text.splitlines() if line.startswith("learning_rate"))
    training.file.write_text(text.replace(line, "learning_rate: 25e-4"))

    assert load_config(training.file, StyleConfig).learning_rate == 2.5e-3
    assert isinstance(yaml.safe_load("25e-4"), str)


def test_crops_follow_the_stages(settings_of: Callable[..., StyleConfig]) -> None:
    config = settings_of(stages=[{"crop": 32, "steps": 2}, {"crop": 64, "steps": 1}, {"crop": 36, "steps": 3}])

    assert config.steps == 6
    assert [config.crop_at(step) for step in range(8)] == [32, 32, 64, 36, 36, 36, 36, 36]
