"""What is left on disk: the checkpoint that stays when writing fails, and a log without gaps."""

from __future__ import annotations

import csv
import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from tsn.errors import InputError, OutputError
from tsn_training.parallel import Process
from tsn_training.records import CHECKPOINT, Log, Stateful, load_checkpoint, save_checkpoint

ALONE = Process(rank=0, world_size=1, device=torch.device("cpu"))


def parts(width: int = 8, seed: int = 0) -> dict[str, Stateful]:
    """A net and an optimizer that has stepped."""
    torch.manual_seed(seed)
    net = nn.Linear(width, width)
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(1, width)).sum().backward()
    optimizer.step()
    return {"net": net, "optimizer": optimizer}


def numbers(found: dict[str, Stateful]) -> list[torch.Tensor]:
    state = found["optimizer"].state_dict()["state"]
    moments = [value for one in state.values() for value in one.values()]
    return [*found["net"].state_dict().values(), *moments]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The kernel itself refuses to write more; needs no root, unlike a full tmpfs."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# --- checkpoints ---------------------------------------------------------------------------------------------------


def test_without_a_checkpoint_it_starts_at_the_beginning(tmp_path: Path) -> None:
    found = parts()
    before = [value.clone() for value in numbers(found)]

    assert load_checkpoint(tmp_path, found, ALONE) == 0
    assert all(torch.equal(a, b) for a, b in zip(numbers(found), before, strict=True))


def test_a_checkpoint_brings_everything_back(tmp_path: Path) -> None:
    saved, other = parts(seed=1), parts(seed=2)
    save_checkpoint(tmp_path, 42, saved)

    assert load_checkpoint(tmp_path, other, ALONE) == 42
    assert all(torch.equal(a, b) for a, b in zip(numbers(other), numbers(saved), strict=True))
    assert os.listdir(tmp_path) == [CHECKPOINT]


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_damaged_checkpoint_is_an_input_error(tmp_path: Path, keep: float) -> None:
    save_checkpoint(tmp_path, 1, parts())
    data = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(data[: int(keep if keep >= 1 else keep * len(data))])

    with pytest.raises(InputError, match=f"Cannot go on from {tmp_path / CHECKPOINT}") as caught:
        load_checkpoint(tmp_path, parts(), ALONE)
    assert "--resume never" in str(caught.value.hint)


def test_the_checkpoint_of_another_net_is_an_input_error(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, parts(width=8))

    with pytest.raises(InputError, match=r"Cannot go on from .*size mismatch"):
        load_checkpoint(tmp_path, parts(width=9), ALONE)


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"net": Evil(), "step": 1}, tmp_path / CHECKPOINT)

    with pytest.raises(InputError, match="Cannot go on"):
        load_checkpoint(tmp_path, parts(), ALONE)
    assert not (tmp_path / "owned").exists()


def test_when_the_kernel_refuses_the_checkpoint_the_old_one_stays(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, parts(seed=1))
    before = (tmp_path / CHECKPOINT).read_bytes()

    with files_of_at_most(1000), pytest.raises(OutputError, match=r"checkpoint\.pt"):
        save_checkpoint(tmp_path, 2, parts(seed=2))

    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert os.listdir(tmp_path) == [CHECKPOINT]


def test_a_full_disk_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    save_checkpoint(tmp_path, 1, parts())
    monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(OutputError, match="the disk is full"):
        save_checkpoint(tmp_path, 2, parts())
    assert load_checkpoint(tmp_path, parts(), ALONE) == 1


# --- log -----------------------------------------------------------------------------------------------------------


def rows(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_a_log_has_one_header_and_a_row_for_each_call(tmp_path: Path) -> None:
    with Log(tmp_path, start=0) as log:
        log.write_row(20, {"style": 0.123456789, "seconds": 1.0})
        log.write_row(40, {"style": 1e-9, "seconds": 2.0})

    assert rows(tmp_path) == [["step", "style", "seconds"], ["20", "0.12346", "1"], ["40", "1e-09", "2"]]


def test_rows_after_the_checkpoint_go_when_it_goes_on(tmp_path: Path) -> None:
    with Log(tmp_path, start=0) as first:
        for step in (20, 40, 60):
            first.write_row(step, {"style": 1.0})

    with Log(tmp_path, start=40) as second:
        second.write_row(60, {"style": 2.0})

    assert rows(tmp_path) == [["step", "style"], ["20", "1"], ["40", "1"], ["60", "2"]]
    with Log(tmp_path, start=0) as third:
        third.write_row(20, {"style": 3.0})
    assert rows(tmp_path) == [["step", "style"], ["20", "3"]]


def test_half_a_row_of_a_killed_run_goes(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("step,style\r\n20,1\r\n40,1\r\n\r\n")
    with Log(tmp_path, start=40) as log:
        log.write_row(60, {"style": 2.0})

    assert rows(tmp_path) == [["step", "style"], ["20", "1"], ["40", "1"], ["60", "2"]]


def test_a_row_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with Log(tmp_path, start=0) as log:
        log.write_row(20, {"style": 1.0})
        log.board.flush()  # or its thread meets the limit

        with files_of_at_most(5), pytest.raises(OutputError, match=r"log\.csv"):
            log.write_row(40, {"style": 1.0})


def test_curves_and_pictures_go_to_tensorboard(tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with Log(tmp_path, start=0) as log:
        log.write_row(20, {"style": 0.5})
        log.write_image(20, torch.rand(3, 8, 8))

    found = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(event.step, event.value) for event in found.Scalars("style")] == [(20, 0.5)]
    assert [event.step for event in found.Images("painted")] == [20]
    assert (tmp_path / "step_00020.png").stat().st_size > 0
