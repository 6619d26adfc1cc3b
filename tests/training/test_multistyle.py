"""Styles that learn together: what they share, what they keep, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from tsn.errors import InputError, UsageError
from tsn.style import catalogue, loading
from tsn.style.nets.johnson import JohnsonNet
from tsn_training.config import load_styles
from tsn_training.multistyle import MultiStyleNet


def three() -> MultiStyleNet:
    torch.manual_seed(0)
    return MultiStyleNet([JohnsonNet(width=2, blocks=1) for _ in range(3)])


def test_they_share_all_convolutions_but_the_last() -> None:
    nets = three()
    own = sum(p.numel() for name, p in nets[0].named_parameters() if "leave" in name or "conv" not in name)
    whole = sum(p.numel() for p in nets[0].parameters())

    assert sum(p.numel() for p in nets.parameters()) == whole + 2 * own
    assert nets[2].enter.conv is nets[0].enter.conv and nets[2].leave.conv is not nets[0].leave.conv


def test_a_step_of_one_style_leaves_the_norms_of_the_others() -> None:
    nets = three()
    nets(torch.rand(1, 3, 16, 16), style=1).mean().backward()

    assert nets[1].enter.scale.grad is not None and nets[0].enter.conv.weight.grad is not None
    assert all(nets[i].enter.scale.grad is None and nets[i].leave.conv.weight.grad is None for i in (0, 2))


def test_what_the_blocks_of_the_last_call_put_out() -> None:
    nets = three()
    for style in (0, 2):
        nets(torch.rand(1, 3, 16, 16), style=style)

    assert [tuple(x.shape) for x in nets.block_outputs] == [(1, 8, 4, 4)]


def written(training: SimpleNamespace, folder: Path, **shared: Any) -> Path:
    """A file of two styles that train together; the second has other weights."""
    training.write(folder / "a.yaml", name="a")
    training.write(folder / "b.yaml", name="b", style_weight=[1.0, 2.0], seed=6)
    file = folder / "both.yaml"
    file.write_text(yaml.safe_dump({"together": ["a.yaml", "b.yaml"], "seed": 7} | shared))
    return file


def test_what_the_file_says_stands_in_the_place_of_what_its_styles_say(
    training: SimpleNamespace, tmp_path: Path
) -> None:
    a, b = load_styles(written(training, tmp_path, temporal=None))

    assert (a.name, a.seed, a.temporal) == ("a", 7, None) and (b.name, b.seed, b.temporal) == ("b", 7, None)
    assert a.style_weight == (0.5, 4.0) and b.style_weight == (1.0, 2.0)


def test_one_style_is_a_file_of_its_own(training: SimpleNamespace) -> None:
    training.write()
    assert [style.name for style in load_styles(training.file)] == ["noise"]


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ({"together": ["a.yaml", "b.yaml"]}, UsageError, "must agree on seed, found 5 and 6"),
        ({"together": ["a.yaml", "a.yaml"]}, UsageError, "two styles of one name"),
        ({"together": []}, UsageError, "must be a list of files"),
        ({"together": ["a.yaml", "c.yaml"]}, InputError, "c.yaml: No such file"),
        ({"together": ["a.yaml"], "widht": 3}, UsageError, "widht: Extra inputs"),
    ],
    ids=str,
)
def test_what_cannot_train_together_is_named(
    training: SimpleNamespace, tmp_path: Path, content: dict[str, Any], error: type[Exception], message: str
) -> None:
    file = written(training, tmp_path)
    file.write_text(yaml.safe_dump(content))

    with pytest.raises(error, match=message):
        load_styles(file)


def test_each_style_leaves_a_whole_net_and_a_killed_run_goes_on(training: SimpleNamespace, tmp_path: Path) -> None:
    file = written(training, tmp_path)
    training.file.unlink(missing_ok=True)
    file.rename(training.file)
    whole = training.run(out=tmp_path / "runs/whole")
    training.run("--max-steps", "4")
    rest = training.run()

    assert whole.exit_code == rest.exit_code == 0, whole.output + rest.output
    assert "going on from step 4" in rest.output
    for name in ("a", "b"):
        net = loading.load_style_net(catalogue.resolve_style(str(training.out / f"{name}.safetensors")))
        assert torch.isfinite(net(torch.rand(1, 3, 16, 16))).all()
        expected = load_file(tmp_path / f"runs/whole/{name}.safetensors")
        found = load_file(training.out / f"{name}.safetensors")
        assert all(torch.equal(value, expected[key]) for key, value in found.items())
    a, b = (load_file(training.out / f"{name}.safetensors") for name in "ab")
    assert torch.equal(a["down.0.conv.weight"], b["down.0.conv.weight"])
    assert not torch.equal(a["down.0.scale"], b["down.0.scale"])


def test_two_processes_train_them_like_one(
    training: SimpleNamespace, ranks: Callable[[int], list[dict[str, str]]], tmp_path: Path
) -> None:
    """Each step leaves parameters out, which DDP must know."""
    file = written(training, tmp_path)
    groups = [
        [training.job(path=file, out=tmp_path / "one")],
        [training.job(path=file, out=tmp_path / "two", variables=variables) for variables in ranks(2)],
    ]
    ended = training.processes(groups)

    assert [[code for code, _ in group] for group in ended] == [[0], [0, 0]], ended
    picture = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    for name in "ab":
        one, two = (
            loading.load_style_net(catalogue.resolve_style(str(tmp_path / f"{folder}/{name}.safetensors")))
            for folder in ("one", "two")
        )
        with torch.no_grad():
            torch.testing.assert_close(two(picture), one(picture), rtol=0, atol=5e-3)  # exported in half precision
