"""A convolution on cells of 2x2 pixels is the same convolution."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tsn.style.nets.cells import CellConv, kernel_on_cells
from tsn.style.nets.johnson import JohnsonNet
from tsn.style.nets.layers import ConvNorm
from tsn.style.nets.mobile import MobileNet


@pytest.mark.parametrize("kernel", [1, 3, 5, 7, 9])
@pytest.mark.parametrize("size", [(10, 10), (12, 34)])
def test_it_is_the_same_convolution(kernel: int, size: tuple[int, int]) -> None:
    torch.manual_seed(kernel)
    conv = nn.Conv2d(6, 3, kernel, padding=kernel // 2, padding_mode="reflect" if kernel > 1 else "zeros").double()
    x = torch.rand(2, 6, *size, dtype=torch.float64)
    assert conv.bias is not None
    on_cells = CellConv(conv.weight.detach(), conv.bias.detach())
    torch.testing.assert_close(on_cells(x), conv(x).detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", [3, 5, 9])
def test_every_weight_is_there_once_for_each_pixel_of_a_cell(kernel: int) -> None:
    weight = torch.arange(1.0, 1 + 3 * 2 * kernel * kernel).view(3, 2, kernel, kernel)
    cells = kernel_on_cells(weight)
    assert cells.shape == (12, 8, (kernel + 1) // 2, (kernel + 1) // 2)
    found = cells[cells != 0].sort().values
    assert torch.equal(found, weight.flatten().repeat_interleave(4))


@torch.inference_mode()
def test_a_frozen_net_paints_what_it_painted_on_pixels() -> None:
    torch.manual_seed(1)
    net = JohnsonNet(width=4, blocks=1, recolours=True)
    plate = torch.rand(1, 3, 24, 36)
    frozen = net.eval().freeze(net.calibrate([plate]))
    assert isinstance(frozen.leave, CellConv)
    on_cells = frozen(plate)
    frozen.leave = net.leave
    torch.testing.assert_close(on_cells, frozen(plate), rtol=0, atol=1e-5)


def test_a_small_kernel_stays_on_pixels() -> None:
    net = MobileNet(width=4, blocks=1).eval()
    assert isinstance(net.freeze(net.calibrate([torch.rand(1, 3, 16, 16)])).leave, ConvNorm)
