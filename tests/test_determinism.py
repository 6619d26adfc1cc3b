"""The number of threads does not show in a picture.

Each trick of `tsn.determinism` has a test here that fails without it, on an x86 CPU at least; then whole steps of the
engine are compared on several numbers of threads.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tsn import colour, determinism
from tsn.determinism import apply_elementwise
from tsn.flow.fused import estimate_both
from tsn.flow.nets import occlusion, refine
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
@pytest.mark.parametrize("highlights", ["paint", "keep", "soft"])
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


def same_on_any_number_of_threads(made: Callable[[], Tensor]) -> bool:
    alone = on(1, made)
    return all(torch.equal(on(n, made), alone) for n in (2, 3, 5))


def test_a_sum_on_one_thread() -> None:
    """Alone, torch sums this on two threads to other bits than on one."""
    x = picture(360, 640)

    def summed() -> Tensor:
        with determinism.one_thread():
            assert torch.get_num_threads() == 1
            return x.sum()

    assert same_on_any_number_of_threads(summed)
    on(3, summed)
    assert torch.get_num_threads() == 3, "the setting from before is back"


@pytest.mark.parametrize("size", [(113, 301), (360, 640)])
def test_a_sum_by_rows(size: tuple[int, int]) -> None:
    x = picture(*size).square()
    assert same_on_any_number_of_threads(lambda: determinism.sum_by_rows(x))
    assert float(determinism.sum_by_rows(x)) == pytest.approx(float(x.double().sum()), rel=1e-12)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_bilinear_resizing(channels: int) -> None:
    x = picture(45, 50, channels)
    resized = determinism.resize_bilinear(x, (181, 199))
    assert same_on_any_number_of_threads(lambda: determinism.resize_bilinear(x, (181, 199)))
    torch.testing.assert_close(resized, F.interpolate(x[None], size=(181, 199), mode="bilinear")[0])


@torch.inference_mode()
def test_pointwise_convolutions() -> None:
    torch.manual_seed(1)
    layer, x = nn.Conv2d(96, 64, 1, dilation=determinism.POINTWISE_DILATION), torch.randn(1, 96, 45, 80)
    assert same_on_any_number_of_threads(lambda: layer(x))


@torch.inference_mode()
def test_pointwise_convolutions_in_channels_last() -> None:
    torch.manual_seed(1)
    channels = determinism.MAX_POINTWISE_CHANNELS
    layer = nn.Conv2d(channels, 64, 1).to(memory_format=torch.channels_last)
    x = torch.randn(2, channels, 45, 80).contiguous(memory_format=torch.channels_last)
    assert same_on_any_number_of_threads(lambda: layer(x))


@pytest.mark.parametrize("net", [refine.shipped_net(), occlusion.shipped_net(torch.device("cpu"))])
def test_the_nets_of_motion_have_no_pointwise_convolution_that_is_too_wide(net: nn.Module) -> None:
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1)]
    assert layers and max(layer.in_channels for layer in layers) <= determinism.MAX_POINTWISE_CHANNELS


@torch.inference_mode()
def test_small_convolutions() -> None:
    torch.manual_seed(1)
    layer = nn.Conv2d(64, 64, 3, stride=2, padding=1).to(memory_format=torch.channels_last)
    x = torch.randn(1, 64, 6, 8).contiguous(memory_format=torch.channels_last)
    assert same_on_any_number_of_threads(lambda: layer(determinism.repeat_small_batch(x, x.numel()))[:1])
    assert len(determinism.repeat_small_batch(x, 20_480)) == 2 and len(determinism.repeat_small_batch(x, 20_481)) == 1


@given(st.integers(0, 300_000), st.integers(1, 24))
def test_all_parts_are_of_whole_vectors(count: int, threads: int) -> None:
    """However torch parts them: into as many as there are threads, or fewer where a thread would get too little."""
    whole = determinism._padded_count(count, threads)
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


def test_a_limit_that_is_none_is_passed_over() -> None:
    limits = ["", " ", "0", "four", "4,2", "-1"]
    code = (
        "import importlib, os; import tsn.determinism as module\n"
        f"for limit in {limits}:\n"
        "    os.environ['OMP_THREAD_LIMIT'] = limit; print(importlib.reload(module).MAX_THREADS)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == [str(2**31)] * len(limits)
