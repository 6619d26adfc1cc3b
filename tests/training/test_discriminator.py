"""The discriminator of strokes: what it sees, what it learns, and what a style learns from it."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from tsn.errors import InputError, UsageError
from tsn.style import catalogue, loading
from tsn_training.adversarial import AdversarialTraining
from tsn_training.config import StyleConfig, load_styles
from tsn_training.discriminator import (
    MISMATCHED_SHARE,
    PAINTING_SCALES,
    Discriminator,
    PaintingCrops,
    discriminator_loss,
    fine_detail,
    generator_loss,
)
from tsn_training.parallel import Process

ALONE = Process(rank=0, world_size=1, device=torch.device("cpu"))


def stripes(seed: int = 0, *, across: bool, size: int = 64) -> torch.Tensor:
    """Pictures (2, 3, size, size) of lines of 6 px, whose phases differ."""
    x = torch.arange(size) + 6 * torch.rand(2, 1, 1, 1, generator=torch.Generator().manual_seed(seed))
    lines = (0.5 + 0.3 * torch.sin(2 * torch.pi * x / 6)).expand(2, 3, size, size)
    return lines if across else lines.transpose(2, 3)


def test_it_does_not_see_what_is_coarse() -> None:
    lines = stripes(across=True)
    slope = torch.linspace(-0.1, 0.1, 64).view(64, 1)
    torch.testing.assert_close(fine_detail(lines + 0.1), fine_detail(lines), atol=1e-5, rtol=0)
    difference = (fine_detail(lines + slope) - fine_detail(lines))[..., 8:-8, 8:-8]
    assert difference.abs().max() < 0.02 * fine_detail(lines).std()


def test_the_losses_of_both_sides_are_opposite() -> None:
    sure = [torch.tensor([-2.0, 2.0]).view(2, 1, 1, 1)]  # ours, the painting's
    fooled = [torch.tensor([2.0, 2.0]).view(2, 1, 1, 1)]
    assert discriminator_loss(sure) == 0 and discriminator_loss(fooled) == 3
    assert generator_loss([sure[0][:1]]) == 2 and generator_loss([fooled[0][:1]]) == -2
    assert discriminator_loss([torch.zeros(2, 1, 4, 4)]) == 2


def test_it_learns_to_distinguish_strokes() -> None:
    torch.manual_seed(0)
    net = Discriminator(4)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(60):
        lost = discriminator_loss(net(torch.cat([stripes(step, across=True), stripes(step, across=False)])))
        optimizer.zero_grad()
        lost.backward()
        optimizer.step()
        net.update_spectral_norms()
    ours, its = (torch.cat([one.flatten() for one in net(stripes(99, across=across))]) for across in (True, False))
    assert its.mean() > ours.mean() + 0.5


def test_it_learns_which_strokes_are_whose() -> None:
    torch.manual_seed(0)
    net = Discriminator(4, condition_channels=2)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    codes = 4 * torch.eye(2)
    for step in range(120):
        painting = step % 2
        its = stripes(step, across=bool(painting))
        ours = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(step))
        given = codes[[painting, painting, 1 - painting]].repeat_interleave(2, 0)
        lost = discriminator_loss(net(torch.cat([ours, its, its]), given), parts=3)
        optimizer.zero_grad()
        lost.backward()
        optimizer.step()
        net.update_spectral_norms()
    for painting in (0, 1):
        its = stripes(999, across=bool(painting))
        right, wrong = (
            torch.cat([one.flatten() for one in net(its, codes[which].expand(2, -1))]).mean()
            for which in (painting, 1 - painting)
        )
        assert right > wrong + 0.5


def test_a_mismatched_painting_counts_as_a_share_of_what_is_refused() -> None:
    one = [torch.tensor([-2.0, 2.0, 1.0]).view(3, 1, 1, 1)]
    assert discriminator_loss(one, parts=3) == MISMATCHED_SHARE * 2
    assert discriminator_loss([torch.zeros(3, 1, 4, 4)], parts=3) == 2


@pytest.fixture
def crops() -> PaintingCrops:
    painting = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    return PaintingCrops(painting, largest=32, seed=5, source=Path("p.png"))


def test_crops_are_pure_functions_of_their_numbers(crops: PaintingCrops) -> None:
    some = [crops(number, 24) for number in range(12)]
    assert all(torch.equal(crop, crops(number, 24)) for number, crop in enumerate(some))
    assert len({crop.sum().item() for crop in some}) == 12
    assert {tuple(crop.shape) for crop in some} == {(3, 24, 24)}


def test_crops_that_the_painting_is_too_small_for_are_named() -> None:
    with pytest.raises(InputError, match=r"p\.png: at painting_height it has 64x40 pixels, .* crops of 36") as caught:
        PaintingCrops(torch.rand(1, 3, 40, 64), largest=36, seed=0, source=Path("p.png"))
    assert min(PAINTING_SCALES) * 40 < 36 and "painting_height" in (caught.value.hint or "")


def test_a_step_of_the_style_net_teaches_the_discriminator_nothing(
    settings_of: Callable[..., StyleConfig], tmp_path: Path
) -> None:
    config = settings_of(judge={"weight": 1.0, "width": 2})
    adversary = AdversarialTraining(config, lambda number, size: torch.rand(3, size, size), ALONE, out=tmp_path)
    adversary.start(0)
    before = {name: value.clone() for name, value in adversary.net.named_parameters()}
    painted = torch.rand(4, 3, 32, 32, requires_grad=True)
    adversary.generator_loss(painted).backward()
    assert painted.grad is not None and painted.grad.abs().max() > 0
    assert all(value.grad is None for value in adversary.net.parameters())
    assert set(adversary.train_discriminator(0)) == {"judge"}
    assert any(not torch.equal(value, before[name]) for name, value in adversary.net.named_parameters())
    assert adversary.train_discriminator(1) == {}  # nothing was painted for it


def test_an_adversarial_training(training: SimpleNamespace) -> None:
    training.write(judge={"weight": 2.0, "width": 2}, seeded=True, recolours=True)
    result = training.run()

    assert result.exit_code == 0, result.output
    with (training.out / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("appeal", "judge"):
        assert [math.isfinite(float(row[name])) for row in rows] == [False] + 5 * [True]  # copy_steps: 1
    info = catalogue.resolve_style(str(training.out / "noise.safetensors"))
    net = loading.load_style_net(info)
    assert net.seeded and net.palette is not None
    state = torch.load(training.out / "checkpoint.pt")
    for name, value in load_file(info.path).items():  # of the mean, not of the last step
        assert torch.equal(value, state["mean"][f"module.0.{name}"].half())
    assert any(not torch.equal(state["mean"][f"module.{name}"], value) for name, value in state["net"].items())


def test_an_adversarial_training_starts_from_nets_with_fewer_inputs(training: SimpleNamespace, tmp_path: Path) -> None:
    first = training.out / "noise.safetensors"
    before = torch.rand(1, 3, 32, 32)
    for inputs in ({}, {"recolours": True}, {"recolours": True, "seeded": True}):
        training.write(learning_rate=1e-12, **inputs)
        if first.exists():
            start = tmp_path / "start.safetensors"
            first.rename(start)
            expected = loading.load_style_net(catalogue.describe_weights(start)).down[0].conv.weight
            assert training.run("--start-from", str(start), "--max-steps", "1", "--resume", "never").exit_code == 0
            kernel = loading.load_style_net(catalogue.describe_weights(first)).down[0].conv.weight
            assert torch.equal(kernel[:, : expected.shape[1]], expected)
            assert kernel[:, expected.shape[1] :].eq(0).all() and kernel.shape[1] > expected.shape[1]
        else:
            assert training.run("--max-steps", "1").exit_code == 0
    assert torch.isfinite(loading.load_style_net(catalogue.describe_weights(first))(before)).all()


def test_styles_that_train_together_have_no_discriminator(training: SimpleNamespace, tmp_path: Path) -> None:
    training.write(tmp_path / "a.yaml", name="a", judge={"weight": 1.0})
    training.write(tmp_path / "b.yaml", name="b")
    both = tmp_path / "both.yaml"
    both.write_text("together: [a.yaml, b.yaml]\n")
    with pytest.raises(UsageError, match=r"have no discriminator \(judge\), found one in a") as caught:
        load_styles(both)
    assert caught.value.hint and "judge: null" in caught.value.hint
    both.write_text("together: [a.yaml, b.yaml]\njudge: null\n")
    assert [style.judge for style in load_styles(both)] == [None, None]
