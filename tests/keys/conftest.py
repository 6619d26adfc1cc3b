"""A perceptual net of a few random channels, and a small shot: a textured plate that moves to the right."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tsn.keys.frame import GuidedFrame, Key

BLOCKS = ((1, 2, 4), (2, 2, 6), (3, 3, 8), (4, 3, 8))


class TinyPerceptual(torch.nn.Module):
    """Layers of VGG16's names and sizes, with a few random channels."""

    def __init__(self):
        super().__init__()
        convs, cin = {}, 3
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for block, count, channels in BLOCKS:
                for i in range(1, count + 1):
                    convs[f"{block}_{i}"] = torch.nn.Conv2d(cin, channels, 3, padding=1)
                    torch.nn.init.kaiming_normal_(convs[f"{block}_{i}"].weight)
                    torch.nn.init.zeros_(convs[f"{block}_{i}"].bias)
                    cin = channels
        self.convs = torch.nn.ModuleDict(convs).requires_grad_(False)

    def forward(self, x, *, last=None):
        out, block = {}, "1"
        for name, conv in self.convs.items():
            if name[0] != block:
                x, block = F.avg_pool2d(x, 2), name[0]
            x = out[name] = F.relu(conv(x))
            if name == last:
                break
        return out


@pytest.fixture(scope="session")
def perceptual():
    return TinyPerceptual()


def picture_of(number, size):
    """Smooth random colours, moved by 2 pixels a frame."""
    height, width = size
    grid = torch.rand(1, 3, 9, 16, generator=torch.Generator().manual_seed(3))
    wide = F.interpolate(grid, size=(height, width + 40), mode="bicubic")[0].clamp(0, 1)
    return wide[:, :, 2 * number : 2 * number + width].contiguous()


@pytest.fixture
def guided():
    """guided(number, size=(48, 64), guides=1, confidence=1.0): a frame; its paint is the negative of the plate."""

    def make(number=0, size=(48, 64), guides=1, confidence=1.0):
        picture = picture_of(number, size)
        return GuidedFrame(
            number=number,
            picture=picture,
            guides=picture[:1].expand(guides, -1, -1) * 2 - 1,
            carried=1 - picture,
            confidence=torch.full_like(picture[:1], confidence),
        )

    return make


@pytest.fixture
def key_of():
    """key_of(frame): a key of it, the negative of the plate."""
    return lambda frame: Key(number=frame.number, paint=1 - frame.picture, weight=torch.ones_like(frame.picture[:1]))
