"""The number of threads is no part of a picture."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tsn import colour, determinism
from tsn.determinism import apply_elementwise
from tsn.flow.fused import estimate_both
from tsn.flow.nets import occlusion
from tsn.temporal import detail

SIZES = [(181, 199), (151, 333), (113, 301)]  # that split badly, and are large enough to be split
THREADS = (2, 3, 4, 5, 6, 7, 8)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def on(threads: int, made: Callable[[], Tensor]) -> Tensor:
    torch.set_num_threads(threads)
    return made()


def picture(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(height))


@pytest.mark.parametrize("size", SIZES)
def test_torch_alone_shows_its_threads(size: tuple[int, int]) -> None:
    """Should this fail one day, `apply_elementwise` is not needed any longer."""
    x = picture(*size)
    alone = on(1, lambda: x.pow(0.4))
    assert any(not torch.equal(on(n, lambda: x.pow(0.4)), alone) for n in THREADS)


@pytest.mark.parametrize("size", [*SIZES, (170, 157)])
@pytest.mark.parametrize("space", ["lin_rec709", "ACEScg", "cineon"])
@pytest.mark.parametrize("highlights", ["keep", "soft"])
def test_colour(size: tuple[int, int], space: str, highlights: str) -> None:
    codec = colour.codec(space, highlights=highlights)
    plate, paint = picture(*size) * 3 - 0.2, picture(*size).flip(0)

    def there_and_back() -> Tensor:
        style, reference = codec.to_style(plate)
        return torch.cat([style, codec.from_style(paint, reference)])

    alone = on(1, there_and_back)
    assert all(torch.equal(on(n, there_and_back), alone) for n in THREADS)


@pytest.mark.parametrize("size", SIZES)
def test_grain(size: tuple[int, int]) -> None:
    mean = picture(*size)
    target = detail.band_energies(picture(*size).flip(0))
    edges, wanted = picture(*size, 1), torch.tensor([0.02, 0.01], dtype=torch.float64)

    def restored() -> Tensor:
        return detail.restore_detail(mean, target, edges, 1.0, wanted)

    alone = on(1, restored)
    assert all(torch.equal(on(n, restored), alone) for n in THREADS)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_hidden(size: tuple[int, int]) -> None:
    pictures, flows = (picture(*size), picture(*size).flip(0)), (picture(*size, 2) * 4, picture(*size, 2) * -4)

    def seen() -> Tensor:
        return torch.cat(occlusion.estimate_visibility(pictures, flows, [torch.ones(1, *size, dtype=torch.bool)] * 2))

    alone = on(1, seen)
    assert all(torch.equal(on(n, seen), alone) for n in THREADS)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("function", [torch.sigmoid, torch.log, lambda x: x.pow(0.4)])
def test_channels_that_lie_apart(size: tuple[int, int], function: Callable[[Tensor], Tensor]) -> None:
    x = picture(*size)[None].to(memory_format=torch.channels_last)[:, 2:]
    assert x.stride()[-1] == 3
    alone = on(1, lambda: apply_elementwise(function, x))
    assert all(torch.equal(on(n, lambda: apply_elementwise(function, x)), alone) for n in THREADS)


@given(st.integers(0, 300_000), st.integers(1, 24))
def test_all_parts_are_of_whole_vectors(count: int, threads: int) -> None:
    """However torch parts them: into as many as there are threads, or fewer where a thread would get too little."""
    whole = determinism._whole(count, threads)
    assert count <= whole
    for grain in determinism.GRAIN_ELEMENTS:
        parts = max(1, min(threads, -(-whole // grain)))
        assert whole % parts == 0 and whole // parts % determinism.VECTOR_ELEMENTS == 0


@pytest.mark.parametrize("size", [(119, 157), (128, 160)])
def test_motion(size: tuple[int, int]) -> None:
    wide = F.interpolate(picture(24, 32)[None], size=(size[0], size[1] + 8), mode="bicubic")[0].clamp(0, 1)
    first, second = wide[..., :-8].contiguous(), wide[..., 5:-3].contiguous()

    def estimated() -> Tensor:
        return torch.cat(estimate_both(first, second))

    alone = on(1, estimated)
    assert alone.abs().max() > 2
    assert all(torch.equal(on(n, estimated), alone) for n in (3, 6, 7))


def test_shapes_gradients_and_no_elements() -> None:
    x = picture(5, 7).permute(1, 2, 0).requires_grad_()
    y = apply_elementwise(torch.sigmoid, x)
    assert y.shape == x.shape
    torch.testing.assert_close(y, torch.sigmoid(x))
    y.sum().backward()
    assert x.grad is not None and (x.grad > 0).all()
    assert apply_elementwise(torch.exp, torch.zeros(0, 3)).shape == (0, 3)


def test_a_limit_of_openmp_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler may give fewer threads than torch asks for."""
    code = (
        "import torch; from tsn.determinism import apply_elementwise; torch.set_num_threads({});"
        "x = torch.rand(3, 301, 113, generator=torch.Generator().manual_seed(1));"
        "import hashlib; print(hashlib.md5(apply_elementwise(lambda y: y**0.4, x).numpy().tobytes()).hexdigest())"
    )
    monkeypatch.setenv("OMP_THREAD_LIMIT", "3")
    monkeypatch.setenv("OMP_DYNAMIC", "false")
    found = {subprocess.check_output([sys.executable, "-c", code.format(threads)]) for threads in (1, 8)}
    assert len(found) == 1


@pytest.mark.parametrize("limit", ["", " ", "0", "four", "4,2", "-1"])
def test_a_limit_that_is_none_is_passed_over(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setenv("OMP_THREAD_LIMIT", limit)
    code = "import tsn.determinism; print(tsn.determinism.MAX_THREADS)"
    assert int(subprocess.check_output([sys.executable, "-c", code])) == 2**31
