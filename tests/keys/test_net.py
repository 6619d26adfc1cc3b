from __future__ import annotations

import torch
from pytest import mark, raises

from tsn.errors import InputError
from tsn.keys.net import KeyNet, net_from_weights, net_to_learn
from tsn.keys.painting import paint_frame


def random_net(guides=1, seed=0):
    """A small net whose every layer has an effect."""
    torch.manual_seed(seed)
    net = KeyNet(guides=guides, widths=(4, 6, 8), blocks=2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(0, 0.2)
    return net


def inputs(height, width, guides=1, seed=1):
    torch.manual_seed(seed)
    return torch.rand(1, 3, height, width), torch.rand(1, guides, height, width), torch.rand(1, 3, height, width)


@torch.no_grad()
def test_carried_paint_that_is_not_trusted_does_not_matter():
    net, (picture, guides, carried) = random_net(), inputs(16, 24)
    nothing = torch.zeros(1, 1, 16, 24)
    assert torch.equal(net(picture, guides, carried, nothing), net(picture, guides, torch.zeros_like(carried), nothing))


@torch.no_grad()
def test_a_new_net_copies_what_is_trusted():
    torch.manual_seed(0)
    picture, guides, carried = inputs(16, 24)
    painted = KeyNet(guides=1)(picture, guides, carried, torch.ones(1, 1, 16, 24))
    assert (painted - carried).abs().max() < 0.15
    own, gate = KeyNet(guides=1).parts(picture, guides, carried, torch.full((1, 1, 16, 24), 0.5))
    assert gate.max() <= 0.5 and (own - carried).abs().mean() > 0.1


@torch.no_grad()
def test_nothing_beyond_the_radius_matters_and_the_last_pixel_within_does():
    net = random_net()
    side = 4 * net.radius
    picture, guides, carried = inputs(4, side)
    picture, guides, carried = (x.repeat(1, 1, 2, 1) for x in (picture, guides, carried))
    confidence = torch.ones(1, 1, 8, side)
    before = net.double()(picture.double(), guides.double(), carried.double(), confidence.double())
    reach = set()
    for column in range(side // 2, side // 2 + 4):
        other = picture.clone()
        other[..., column] += 0.5
        after = net(other.double(), guides.double(), carried.double(), confidence.double())
        changed = torch.nonzero((before != after).any(1).any(1)[0])[:, 0]
        reach.add(max(column - int(changed.min()), int(changed.max()) - column))
    assert net.radius - 8 < max(reach) <= net.radius  # the last pixels of the texture guide hardly count


def test_the_net_refuses_sizes_between_strides():
    picture, guides, carried = inputs(18, 24)
    with raises(ValueError, match="multiples of 4"):
        random_net()(picture, guides, carried, torch.ones(1, 1, 18, 24))


@mark.parametrize("size", [(50, 61), (3, 9)])
def test_a_frame_in_tiles_is_the_whole_frame(guided, size):
    net, frame = random_net().eval(), guided(size=size)
    whole = paint_frame(net, frame)
    assert whole.shape == frame.picture.shape
    assert (paint_frame(net, frame, tile=8) - whole).abs().max() < 1e-5


@mark.parametrize("size", [(20, 24), (90, 120), (151, 203)])
def test_the_same_bits_on_any_number_of_threads(guided, threads, size):
    torch.manual_seed(0)
    net, frame = KeyNet(guides=1).eval(), guided(size=size, confidence=0.4)
    painted = []
    for count in (1, 2, 3):
        threads(count)
        painted.append(paint_frame(net, frame))
    assert torch.equal(painted[0], painted[1]) and torch.equal(painted[0], painted[2])


def test_a_net_is_built_again_from_its_weights(guided):
    net = random_net(guides=3).eval()
    again = net_from_weights(net.state_dict())
    frame = guided(guides=3)
    assert torch.equal(paint_frame(net, frame), paint_frame(again, frame))


def test_norms_fold_into_the_convolutions_and_begin_again_as_the_identity():
    torch.manual_seed(0)
    net = KeyNet(guides=1, widths=(4, 6, 8), blocks=2, normed=True)
    arguments = (*inputs(16, 24), torch.full((1, 1, 16, 24), 0.4))
    for _ in range(5):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
        net(*arguments)
    folded = net.folded()
    again = net_to_learn(folded)
    with torch.no_grad():
        expected = net.eval()(*arguments)
        assert torch.allclose(folded(*arguments), expected, atol=1e-5)
        assert torch.allclose(again(*arguments), expected, atol=1e-5)
        assert torch.allclose(again.folded()(*arguments), expected, atol=0.01)
    assert again.training and not list(folded.buffers())


def test_weights_of_something_else_are_named():
    weights = dict(random_net().state_dict())
    with raises(InputError, match="not those of a net of key frames"):
        net_from_weights({"00.mean": torch.zeros(3)})
    with raises(InputError, match="not finite"):
        net_from_weights(weights | {"leave.conv.bias": torch.full((4,), torch.nan)})
