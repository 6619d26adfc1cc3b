"""Who renders what on one machine."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsn.errors import UsageError
from tsn_batch.local.chunk_queue import ChunkQueue
from tsn_batch.local.worker_slots import balanced_chunk_size, worker_slots


@pytest.mark.parametrize(
    ("device", "workers", "names"),
    [
        ("auto", None, ["auto"]),
        ("cuda:0,cuda:1", None, ["cuda:0", "cuda:1"]),
        ("cpu", 3, ["cpu 1", "cpu 2", "cpu 3"]),
        ("cuda:0, cpu", 3, ["cuda:0 1", "cpu", "cuda:0 2"]),
    ],
)
def test_slots(device: str, workers: int | None, names: list[str]) -> None:
    assert [slot.name for slot in worker_slots(device, workers)] == names


def test_threads_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    assert [worker_slots("cpu", count)[0].threads for count in (1, 2, 3, 20)] == [8, 4, 2, 1]


@pytest.mark.parametrize(("device", "workers"), [("cpu,", None), ("", None), ("cuda:0,cuda:1", 1)])
def test_slots_that_cant_be(device: str, workers: int | None) -> None:
    with pytest.raises(UsageError):
        worker_slots(device, workers)


@given(st.integers(1, 3000), st.integers(2, 16), st.integers(0, 16))
def test_balanced_chunks_end_together(frames: int, workers: int, window: int) -> None:
    size = balanced_chunk_size(frames, workers=workers, window=window)
    assert 1 <= size <= max(16, 4 * window)
    rounds = -(-frames // (size * workers))
    assert rounds <= -(-frames // (workers * max(16, 4 * window))) + 1, "no more chunks than that takes"


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32))
def test_every_chunk_is_handed_out_once_however_fast_the_workers_are(count: int, workers: int, seed: int) -> None:
    chance, workers = random.Random(seed), min(count, workers)
    shares = ChunkQueue(range(count), workers)
    done: list[int] = []
    while shares:
        worker = chance.randrange(workers)
        chunk = shares.take(worker)
        assert chunk is not None, "there is one for whoever asks"
        if chance.random() < 0.1:
            shares.give_back(worker, chunk)
        else:
            done.append(chunk)
    assert sorted(done) == list(range(count))
    assert [shares.take(worker) for worker in range(workers)] == [None] * workers


@given(st.integers(1, 10), st.integers(1, 6))
def test_equal_workers_take_neighbours(each: int, workers: int) -> None:
    shares = ChunkQueue(range(each * workers), workers)
    assert shares.runs() == tuple(tuple(range(each * w, each * (w + 1))) for w in range(workers))
    taken = [[shares.take(worker) for worker in range(workers)] for _ in range(each)]
    assert [list(run) for run in zip(*taken, strict=True)] == [
        list(range(each * worker, each * (worker + 1))) for worker in range(workers)
    ]


def test_the_idle_take_over_the_rear_half() -> None:
    shares = ChunkQueue(range(10), 2)
    assert [shares.take(1) for _ in range(5)] == [5, 6, 7, 8, 9]
    assert shares.take(0) == 0
    assert [shares.take(1), shares.take(1)] == [3, 4]
    assert [shares.take(0), shares.take(0)] == [1, 2]
