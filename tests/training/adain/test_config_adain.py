"""The config of a training of any painting: every fault is named, and the bundled one can be read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tsn.errors import InputError, UsageError
from tsn_training.config import load_config
from tsn_training.config_adain import AdainConfig

TRAINING = str(Path(__file__).parents[3] / "training")


def test_a_config_that_cannot_be_is_told_with_every_fault(training: SimpleNamespace) -> None:
    training.write(seen=4, batches=2, see={"crop": 50, "steps": 2, "learning_rate": 1e-3})
    with pytest.raises(UsageError, match=r"seen: .*see\.crop: |see\.crop: .*seen: ") as caught:
        load_config(training.file, AdainConfig)
    assert "batches" in str(caught.value)
    training.file.write_text("name: [")
    with pytest.raises(UsageError, match="is no YAML"):
        load_config(training.file, AdainConfig)
    with pytest.raises(InputError, match="Cannot read"):
        load_config(training.file.with_name("none.yaml"), AdainConfig)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"see": {"crop": 32, "steps": 2, "learning_rate": 1e-3}}, "see.crop: .* greater than or equal to 36"),
        ({"seen": 66}, "seen: .* less than or equal to 63"),
        ({"seed": -1}, "seed: .* greater than or equal to 0"),
        ({"seed": 2**63}, f"seed: .* less than {2**63}"),
    ],
)
def test_what_would_end_in_a_traceback_is_named(
    training: SimpleNamespace, change: dict[str, Any], message: str
) -> None:
    training.write(**change)
    with pytest.raises(UsageError, match=rf"any\.yaml: {message}"):
        load_config(training.file, AdainConfig)


def test_the_recipe_that_is_shipped_can_be_read() -> None:
    config = load_config(Path(TRAINING) / "configs/adain.yaml", AdainConfig)
    assert config.name == "adain" and len(config.unseen) >= 3
