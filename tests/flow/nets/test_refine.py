"""The net that repairs motion: what holds whatever its weights are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tsn.flow.nets.proposals import context_flow
from tsn.flow.nets.refine import CANDIDATE_COUNT, PROPOSAL_RADII, SIDE_MULTIPLE, RefinementNet, refine_flows
from tsn.flow.warp import warp_batch

H, W = 5 * SIDE_MULTIPLE, 7 * SIDE_MULTIPLE


@pytest.fixture
def net() -> RefinementNet:
    """With weights that do something, unlike at the start of a training."""
    torch.manual_seed(1)
    made = RefinementNet(8).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
    return made


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(2)
    return torch.rand(2, 2, 3, H, W, generator=rng), 3 * torch.randn(2, 2, 2, H, W, generator=rng)


@torch.inference_mode()
def test_untrained_it_leaves_motion_about_alone(pair) -> None:
    result = RefinementNet(8)(*pair)
    assert torch.equal(result.candidates[0], pair[1])
    for share in result.weights[1:]:
        assert share.max() < 0.05
    most = max(float((choice - pair[1]).abs().max()) for choice in result.candidates)
    assert (result.flows - pair[1]).abs().max() < 0.1 * most


@pytest.mark.parametrize("offer", range(len(PROPOSAL_RADII)))
@torch.inference_mode()
def test_what_the_surroundings_do_can_be_taken_wholly(pair, offer: int) -> None:
    net = RefinementNet(8)
    net.coarse.bias[2 * CANDIDATE_COUNT + 1 + offer] = 50
    flows = pair[1].flatten(0, 1)
    missed = flows + warp_batch(pair[1].flip(1).flatten(0, 1), flows)
    wanted = context_flow(flows, missed, PROPOSAL_RADII[offer]).view_as(pair[1])
    torch.testing.assert_close(net(*pair).flows, wanted, rtol=0, atol=1e-4)


@torch.inference_mode()
def test_what_is_seen_along_an_offer_counts(pair) -> None:
    torch.manual_seed(3)
    net = RefinementNet(8)
    net.coarse.weight[2 * CANDIDATE_COUNT :].normal_(0, 5)
    before = net(*pair).weights[1]
    net.look_around.weight.zero_()
    assert (net(*pair).weights[1] - before).abs().max() > 0.01


@torch.inference_mode()
def test_shares_make_a_whole(net, pair) -> None:
    result = net(*pair)
    assert len(result.candidates) == len(result.weights) == 3
    torch.testing.assert_close(sum(result.weights), torch.ones(2, 2, 1, H, W))
    assert min(float(share.min()) for share in result.weights) >= 0


@torch.inference_mode()
def test_both_directions_are_treated_alike(net, pair) -> None:
    pictures, flows = pair
    done = net(pictures, flows).flows
    turned = net(pictures.flip(1), flows.flip(1)).flows
    assert not torch.equal(done, flows)
    torch.testing.assert_close(turned.flip(1), done, rtol=0, atol=1e-4)


@torch.inference_mode()
def test_samples_of_a_batch_know_nothing_of_each_other(net, pair) -> None:
    whole = net(*pair).flows
    alone = net(*(x[1:] for x in pair)).flows
    torch.testing.assert_close(alone, whole[1:], rtol=0, atol=1e-4)


def test_looking_up_along_a_whole_shift_is_a_shift() -> None:
    x = torch.rand(1, 2, 9, 12)
    flow = torch.stack([torch.full((9, 12), 3.0), torch.full((9, 12), -2.0)])[None]
    torch.testing.assert_close(warp_batch(x, flow)[..., 2:, :9], x[..., :7, 3:], rtol=0, atol=1e-5)
    gone = warp_batch(torch.ones(1, 1, 9, 12), flow, padding="zeros")
    assert (gone[..., 2:, :9] > 0.99).all() and (gone[..., :1, :] == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (30, 45), (64, 40)])
def test_pictures_of_any_size(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.random((*size, 3), np.float32) for _ in range(2)]
    flows = [rng.normal(0, 2, (*size, 2)).astype(np.float32) for _ in range(2)]
    done = refine_flows(pictures, flows)
    assert [flow.shape for flow in done] == [(*size, 2)] * 2 and all(np.isfinite(flow).all() for flow in done)
