"""Pictures with texture at several scales, and views of one that moves by a known amount."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tsn.flow.base import FlowSource, RenderedVectors, View

HEIGHT, WIDTH = 96, 160


def _texture(seed: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    picture = torch.zeros(3, height, width)
    for cells, weight in ((4, 1.0), (12, 0.6), (40, 0.3)):
        noise = torch.rand(1, 3, cells, cells * 2, generator=generator)
        picture += weight * F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)[0]
    return (picture / 1.9).clamp(0, 1)


@pytest.fixture
def texture() -> Callable[..., Tensor]:
    return _texture


@pytest.fixture
def moving() -> Callable[..., tuple[View, View]]:
    """Frames `number` and `number + step`; all that is seen moves by (dx, dy) pixels between them."""

    def make(
        dx: int = 5,
        dy: int = -3,
        *,
        step: int = 1,
        number: int = 1001,
        vectors: tuple[RenderedVectors | None, RenderedVectors | None] = (None, None),
    ) -> tuple[View, View]:
        pad = 32
        wide = _texture(7, HEIGHT + 2 * pad, WIDTH + 2 * pad)
        a = wide[:, pad : pad + HEIGHT, pad : pad + WIDTH]
        b = wide[:, pad - dy : pad - dy + HEIGHT, pad - dx : pad - dx + WIDTH]
        return (
            View(number=number, image=a.contiguous(), vectors=vectors[0]),
            View(number=number + step, image=b.contiguous(), vectors=vectors[1]),
        )

    return make


class Constant:
    """A flow source that answers with constants and counts how often it is asked."""

    name = "constant"
    fingerprint = "constant-1"

    def __init__(self, forward: float = 9.0, backward: float = -9.0) -> None:
        self.forward, self.backward, self.calls = forward, backward, 0

    def pair(self, a: View, b: View) -> tuple[Tensor, Tensor]:
        self.calls += 1
        shape = (2, *a.image.shape[1:])
        return torch.full(shape, float(self.forward)), torch.full(shape, float(self.backward))


@pytest.fixture
def constant() -> type[Constant]:
    return Constant


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets how many threads OpenCV and torch use, until the test ends."""
    before = cv2.getNumThreads(), torch.get_num_threads()

    def use(count: int) -> None:
        cv2.setNumThreads(count)
        torch.set_num_threads(count)
        assert cv2.getNumThreads() == torch.get_num_threads() == count

    yield use
    cv2.setNumThreads(before[0])
    torch.set_num_threads(before[1])


@pytest.fixture
def require_same_bits(texture: Callable[..., Tensor], threads: Callable[[int], None]) -> Callable[[FlowSource], None]:
    """Asserts that a source estimates the same bits at any number of threads."""

    def require(source: FlowSource) -> None:
        wide = texture(5, 376, 680)
        a, b = (View(number=n, image=wide[:, :360, n * 6 : n * 6 + 640].contiguous()) for n in (1, 2))
        results = []
        for count in (1, 2, 4, 1):
            threads(count)
            results.append(source.pair(a, b))
        for forward, backward in results[1:]:
            assert torch.equal(forward, results[0][0]) and torch.equal(backward, results[0][1])

    return require
