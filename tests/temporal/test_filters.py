from __future__ import annotations

import pytest
import torch

from tsn.temporal.filters import blur, downsample, gaussian_kernel, local_max, local_min, luma, upsample


@pytest.mark.parametrize("sigma", [0.3, 0.75, 2.0, 6.0])
def test_kernel_is_a_gaussian(sigma: float) -> None:
    kernel = gaussian_kernel(sigma)
    centre = kernel.numel() // 2
    assert kernel.numel() % 2 == 1 and kernel.numel() >= 6 * sigma
    assert kernel.sum().item() == pytest.approx(1, abs=1e-6)
    assert torch.equal(kernel, kernel.flip(0)) and kernel.argmax() == centre
    assert (kernel[centre + 1] / kernel[centre]).item() == pytest.approx(2.718281828 ** (-0.5 / sigma**2), rel=1e-5)


def test_blur_keeps_a_constant_to_the_borders() -> None:
    image = torch.tensor([0.1, 0.5, 0.9]).view(3, 1, 1).expand(3, 9, 13)
    assert torch.allclose(blur(image, 3.0), image, atol=1e-6)


def test_blur_of_a_point_is_the_kernel_both_ways() -> None:
    image = torch.zeros(1, 31, 31)
    image[0, 15, 15] = 1
    kernel = gaussian_kernel(1.5)
    radius = kernel.numel() // 2
    spread = blur(image, 1.5)[0, 15 - radius : 16 + radius, 15 - radius : 16 + radius]
    assert torch.allclose(spread, kernel[:, None] * kernel[None], atol=1e-7)


def test_blur_mixes_no_channels() -> None:
    image = torch.zeros(2, 12, 12)
    image[1] = 1
    assert torch.equal(blur(image, 2.0)[0], torch.zeros(12, 12))


def test_blur_is_wider_than_the_image() -> None:
    assert torch.isfinite(blur(torch.rand(1, 2, 3), 6.0)).all()


def test_reduce_is_the_mean_of_a_block() -> None:
    image = torch.rand(2, 8, 12)
    small = downsample(image, 4)
    assert small.shape == (2, 2, 3)
    assert small[1, 0, 2].item() == pytest.approx(image[1, :4, 8:].mean().item(), abs=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (3, 9), (5, 2)])
def test_there_is_always_a_pixel(size: tuple[int, int]) -> None:
    image = torch.full((1, *size), 0.25)
    assert min(downsample(image, 4).shape) == 1
    assert torch.allclose(upsample(downsample(image, 4), image), image)


def test_enlarge_keeps_a_slope() -> None:
    slope = torch.linspace(0, 1, 64).expand(1, 32, 64)
    again = upsample(downsample(slope, 4), slope)
    assert again.shape == slope.shape and torch.allclose(again[:, :, 4:-4], slope[:, :, 4:-4], atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_same_bits_at_any_number_of_threads(threads, channels: int) -> None:
    """Torch's own bilinear enlargement of three channels has other bits on one thread than on two."""
    image = torch.rand(channels, 180, 320, generator=torch.Generator().manual_seed(0))
    results = []
    for count in (1, 2, 3):
        threads(count)
        results.append((blur(image, 1.5), downsample(image, 2), upsample(downsample(image, 2), image)))
    for result in results[1:]:
        assert all(torch.equal(one, other) for one, other in zip(result, results[0], strict=True))


@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (20, 31)])
def test_highest_and_lowest_are_those_of_the_neighbourhood(side: int, size: tuple[int, int]) -> None:
    image = torch.rand(2, *size, generator=torch.Generator().manual_seed(side))
    pool = torch.nn.MaxPool2d(side, 1, side // 2)
    assert torch.equal(local_max(image, side), pool(image[None])[0])
    assert torch.equal(local_min(image, side), -pool(-image[None])[0])


def test_luma_of_grey_is_grey() -> None:
    grey = torch.full((3, 4, 5), 0.3)
    assert torch.allclose(luma(grey), grey[:1])
    assert luma(torch.eye(3).view(3, 3, 1)).flatten().tolist() == pytest.approx([0.2126, 0.7152, 0.0722])
