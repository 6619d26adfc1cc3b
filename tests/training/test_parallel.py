"""Two processes train what one trains: real ones, that gloo joins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tsn.errors import UsageError
from tsn.style.nets.johnson import JohnsonNet
from tsn_training.parallel import process_group, require_even_shares, without_sync

# Notes the gradients of the first step as they are after all of it: averaged, accumulated, not yet clipped.
NOTE_GRADIENTS = """\
import torch.nn.utils as u
clip, rank = u.clip_grad_norm_, os.environ.get("RANK", "0")
def noting(parameters, limit):
    parameters = list(parameters)
    file = Path({folder!r}) / f"gradients_{{rank}}.pt"
    if not file.exists():
        torch.save([p.grad.clone() for p in parameters], file)
    return clip(parameters, limit)
u.clip_grad_norm_ = noting
"""


def painted_by(state: dict[str, torch.Tensor]) -> torch.Tensor:
    net = JohnsonNet(width=2, blocks=1)
    net.load_state_dict({name.removeprefix("0."): value for name, value in state.items()})
    with torch.no_grad():
        return net(torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("judge", [None, {"weight": 1.0, "width": 2}], ids=["", "adversarial"])
def test_two_processes_train_what_one_trains(
    training: SimpleNamespace,
    ranks: Callable[[int], list[dict[str, str]]],
    tmp_path: Path,
    judge: dict[str, float] | None,
) -> None:
    """... whole batches and parts of them, starting what torchrun starts."""
    groups = []
    for name, world_size, accumulate in (("one", 1, 1), ("two", 2, 1), ("parts", 2, 2)):
        (tmp_path / name).mkdir()
        path = tmp_path / f"{name}.yaml"
        training.write(path, batch=4, accumulate=accumulate, judge=judge, light_weight=6.0 if judge else 0)
        note = NOTE_GRADIENTS.format(folder=str(tmp_path / name))
        out = tmp_path / name / "run"
        groups.append([training.job(path=path, out=out, extra=note, variables=each) for each in ranks(world_size)])
    ended = training.processes(groups)
    assert [[code for code, _ in group] for group in ended] == [[0], [0, 0], [0, 0]], ended

    alone = torch.load(tmp_path / "one/gradients_0.pt")
    net = torch.load(tmp_path / "one/run/checkpoint.pt")["net"]
    for name in ("two", "parts"):
        first, second = (torch.load(tmp_path / name / f"gradients_{rank}.pt") for rank in range(2))
        for expected, mine, theirs in zip(alone, first, second, strict=True):
            assert torch.equal(mine, theirs)  # both processes step alike
            torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-6)
        checkpoint = torch.load(tmp_path / name / "run/checkpoint.pt")
        trained = checkpoint["net"]
        if judge:
            for key, value in torch.load(tmp_path / "one/run/checkpoint.pt")["judge"]["net"].items():
                torch.testing.assert_close(checkpoint["judge"]["net"][key], value, rtol=1e-3, atol=1e-4)
        for key, value in net.items():
            # What a residual, or the way across, adds all over is normalised away after it: that shift has no gradient
            # but rounding, of which Adam makes whole steps. It changes no picture.
            if not key.endswith((".b.shift", "across.shift")):
                torch.testing.assert_close(trained[key], value, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(painted_by(trained), painted_by(net), rtol=0, atol=1e-4)
        assert len((tmp_path / name / "run/log.csv").read_text().splitlines()) == 1 + 6
    assert "6/6" in ended[1][0][1] and "6/6" not in ended[1][1][1]  # only the first process speaks


def test_a_host_that_does_not_see_the_checkpoint_goes_on_from_it(
    training: SimpleNamespace, ranks: Callable[[int], list[dict[str, str]]], tmp_path: Path
) -> None:
    """Two processes with a folder each, as on hosts that share none: only the first one's holds a checkpoint."""
    outs = [tmp_path / name / "run" for name in ("whole", "one", "other")]
    groups = [[training.job(out=outs[0], variables=each) for each in ranks(2)]]
    for limit in (["--max-steps", "4"], []):
        groups.append(
            [
                training.job(*limit, out=out, variables=variables)
                for variables, out in zip(ranks(2), outs[1:], strict=True)
            ]
        )
    ended = training.processes(groups)

    assert [[code for code, _ in group] for group in ended] == [[0, 0]] * 3, ended
    assert "going on from step 4" in ended[2][0][1] and not (outs[2] / "checkpoint.pt").exists()
    whole, resumed = (torch.load(out / "checkpoint.pt")["net"] for out in outs[:2])
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())


def test_the_weights_move_by_far_more_than_that_tolerance(training: SimpleNamespace) -> None:
    training.run("--max-steps", "1")
    early = torch.load(training.out / "checkpoint.pt")["net"]
    training.run()
    late = torch.load(training.out / "checkpoint.pt")["net"]

    assert max((late[name] - early[name]).abs().max().item() for name in late) > 5e-3


def test_torchrun_with_a_batch_that_cannot_be_shared_out(training: SimpleNamespace) -> None:
    training.write(batch=3)
    ended = training.torchrun(training.job(), 2)

    assert ended.returncode != 0
    assert "batch: 3 samples cannot be shared out evenly over 2 processes x 1 parts." in ended.stderr
    assert "Make it a multiple of 2." in ended.stderr
    assert "exitcode  : 2" in ended.stderr
    assert not (training.out / "log.csv").exists()


@given(world_size=st.integers(1, 8), accumulate=st.integers(1, 4), times=st.integers(1, 4), over=st.integers(0, 31))
def test_only_even_shares_are_taken(world_size: int, accumulate: int, times: int, over: int) -> None:
    parts = world_size * accumulate
    if over % parts == 0:
        require_even_shares(parts * times, world_size=world_size, accumulate=accumulate)
        return
    with pytest.raises(UsageError, match=f"{world_size} processes x {accumulate} parts") as caught:
        require_even_shares(parts * times + over, world_size=world_size, accumulate=accumulate)
    assert f"a multiple of {parts}" in str(caught.value.hint)


def test_alone_nothing_is_joined_and_the_net_stays_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    net = torch.nn.Linear(2, 2)

    with process_group() as process:
        assert (process.rank, process.world_size, process.is_first) == (0, 1, True)
        assert process.data_parallel(net) is net
        assert not torch.distributed.is_initialized()
    with without_sync(net, last=False):
        pass
