"""The number of threads is no part of a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from tsn import colour
from tsn.elementwise import steadily
from tsn.flow import occlusion
from tsn.temporal import detail

SIZES = [(181, 199), (151, 333), (113, 301)]  # that split badly, and are large enough to be split


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
    """Should this fail one day, `steadily` is not needed any longer."""
    x = picture(*size)
    alone = on(1, lambda: x.pow(0.4))
    assert any(not torch.equal(on(n, lambda: x.pow(0.4)), alone) for n in (2, 3, 4))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("space", ["lin_rec709", "ACEScg", "cineon"])
@pytest.mark.parametrize("highlights", ["keep", "soft"])
def test_colour(size: tuple[int, int], space: str, highlights: str) -> None:
    codec = colour.codec(space, highlights=highlights)
    plate, paint = picture(*size) * 3 - 0.2, picture(*size).flip(0)

    def there_and_back() -> Tensor:
        style, residue = codec.to_style(plate)
        return torch.cat([style, codec.from_style(paint, residue)])

    alone = on(1, there_and_back)
    assert all(torch.equal(on(n, there_and_back), alone) for n in (2, 3, 4))


@pytest.mark.parametrize("size", SIZES)
def test_grain(size: tuple[int, int]) -> None:
    mean = picture(*size)
    target = detail.paint_energies(picture(*size).flip(0))
    edges, wanted = picture(*size, 1), torch.tensor([0.02, 0.01], dtype=torch.float64)

    def restored() -> Tensor:
        return detail.restore(mean, target, edges, 1.0, wanted)

    alone = on(1, restored)
    assert all(torch.equal(on(n, restored), alone) for n in (2, 3, 4))


@pytest.mark.parametrize("size", SIZES)
def test_what_is_hidden(size: tuple[int, int]) -> None:
    pictures, flows = (picture(*size), picture(*size).flip(0)), (picture(*size, 2) * 4, picture(*size, 2) * -4)

    def seen() -> Tensor:
        return torch.cat(occlusion.seen(pictures, flows, [torch.ones(1, *size, dtype=torch.bool)] * 2))

    alone = on(1, seen)
    assert all(torch.equal(on(n, seen), alone) for n in (2, 3, 4))


def test_shapes_gradients_and_no_elements() -> None:
    x = picture(5, 7).permute(1, 2, 0).requires_grad_()
    y = steadily(torch.sigmoid, x)
    assert y.shape == x.shape
    torch.testing.assert_close(y, torch.sigmoid(x))
    y.sum().backward()
    assert x.grad is not None and (x.grad > 0).all()
    assert steadily(torch.exp, torch.zeros(0, 3)).shape == (0, 3)
