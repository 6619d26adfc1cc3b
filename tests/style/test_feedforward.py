"""What the rest relies on in the net: its radius, and that locking changes nothing but the statistics' origin."""

from __future__ import annotations

import pytest
import torch

from tsn.style.feedforward import StyleNet


@pytest.mark.parametrize("blocks", [1, 5])
def test_radius_covers_what_a_pixel_reaches_and_hardly_more(blocks: int) -> None:
    net = StyleNet(width=2, blocks=blocks).double()
    for value in net.parameters():
        value.data.abs_()  # positive weights and inputs: nothing cancels, no ReLU is dead
    norms = [v.numel() for name, v in net.named_parameters() if name.endswith(".scale")]
    with torch.no_grad():
        locked = net.lock([(torch.zeros(n).double(), torch.full((n,), 10.0).double()) for n in norms])
    reached = 0
    size = 8 * (net.radius // 4 + 4)
    for phase in range(4):
        at = size // 2 + phase
        logits = []
        hook = locked.leave.register_forward_hook(lambda _m, _i, out, logits=logits: logits.append(out))
        image = torch.full((1, 3, size, size), 0.9, dtype=torch.float64)
        with torch.no_grad():
            locked(image)
            image[..., at, at] += 0.05
            locked(image)
        hook.remove()
        rows, columns = torch.nonzero((logits[1] != logits[0]).any(1)[0], as_tuple=True)
        reached = max([reached, *((index - at).abs().max().item() for index in (rows, columns))])
    assert reached <= net.radius <= reached + net.stride + 1
