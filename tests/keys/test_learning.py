from __future__ import annotations

import time
from dataclasses import replace

import torch
from pytest import approx, fixture, raises

from tsn.errors import InputError, UsageError
from tsn.keys.frame import Key
from tsn.keys.learning import StartError, learn
from tsn.keys.net import KeyNet, net_from_weights
from tsn.keys.painting import paint_frame


@fixture
def shot(guided, key_of):
    """One key, and two frames that it shows nothing of."""
    frame = guided(0)
    return [(frame, key_of(frame))], [guided(n, confidence=0.0) for n in (4, 8)]


def error(weights, frame):
    return float((paint_frame(net_from_weights(weights), frame) - (1 - frame.picture)).abs().mean())


@fixture
def thin():
    """Weights of a thin net that has learnt nothing; learning goes on from them within milliseconds a step."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return KeyNet(guides=1, widths=(8, 12, 16), blocks=1).state_dict()


def test_it_learns_to_copy_and_to_invent(guided, perceptual):
    def tinted(number, confidence):
        frame = guided(number, size=(32, 40), confidence=confidence)
        return replace(frame, carried=frame.carried * torch.tensor([1, 0.4, 0.1]).view(3, 1, 1))

    frame = tinted(0, 1.0)
    key = Key(number=0, paint=frame.carried, weight=torch.ones_like(frame.confidence))
    others = [tinted(number, 0.0) for number in (4, 8)]
    net = net_from_weights(learn([(frame, key)], others, perceptual=perceptual, steps=30))
    shown, hidden = tinted(8, 1.0), others[1]
    assert float((paint_frame(net, shown) - shown.carried).abs().mean()) < 0.03
    # A net that has learnt nothing paints grey.
    assert float((paint_frame(net, hidden) - hidden.carried).abs().mean()) < 0.75 * float(
        (0.5 - hidden.carried).abs().mean()
    )


def test_the_same_steps_give_the_same_bits(shot, perceptual):
    examples, others = shot
    torch.manual_seed(1)
    one = learn(examples, others, perceptual=perceptual, steps=3)
    torch.manual_seed(2)
    two = learn(examples, others, perceptual=perceptual, steps=3)
    assert all(torch.equal(one[name], two[name]) for name in one)
    three = learn(examples, others, perceptual=perceptual, steps=3, seed=1)
    assert not torch.equal(one["enter.conv.weight"], three["enter.conv.weight"])


def test_frames_made_in_inference_mode_will_do(guided, key_of, perceptual):
    with torch.inference_mode():
        frame = guided(0)
        examples, others = [(frame, key_of(frame))], [guided(4, confidence=0.0)]
    learn(examples, others, perceptual=perceptual, steps=2)


def test_weights_are_float32_on_the_cpu_and_few(shot, perceptual):
    examples, others = shot
    weights = learn(examples, others, perceptual=perceptual, steps=1)
    assert {value.dtype for value in weights.values()} == {torch.float32}
    assert sum(value.numel() for value in weights.values()) < 1_200_000


def test_it_keeps_to_the_seconds(shot, perceptual):
    examples, _ = shot
    reports = []
    begun = time.monotonic()
    learn(examples, [], perceptual=perceptual, seconds=0.5, progress=reports.append)
    assert 0.5 <= time.monotonic() - begun < 10
    assert reports[-1].share == 1 and reports[-1].step > 0
    assert reports[-1].preview.shape == examples[0][0].picture.shape


def test_it_goes_on_from_weights(shot, perceptual, thin):
    examples, others = shot
    reports = []
    start = thin | {"leave.conv.weight": 20 * thin["leave.conv.weight"]}  # paints with contrast
    on = learn(examples, others, perceptual=perceptual, steps=2, start=start, progress=reports.append)
    before, after = (paint_frame(net_from_weights(weights), others[0]) for weights in (start, on))
    assert (after - before).abs().mean() < 0.1 * before.std()
    assert any(not torch.equal(on[name], start[name]) for name in on)
    assert all(torch.equal(reports[-1].weights[name], on[name]) for name in on)


def test_weights_to_go_on_from_that_do_not_fit_are_told_from_other_errors(shot, perceptual, thin):
    frame, key = shot[0][0]
    without_guides = [(replace(frame, guides=frame.guides[:0]), key)]
    broken = thin | {"leave.conv.bias": torch.full((4,), torch.nan)}
    for examples, start in ((without_guides, thin), (shot[0], broken), (shot[0], {}), (shot[0], {"w": key.weight})):
        with raises(StartError):
            learn(examples, [], perceptual=perceptual, steps=1, start=start)


def test_a_step_that_is_not_finite_is_left_out(shot, perceptual, thin):
    examples, others = shot
    calls = []

    def broken_once(x, *, last=None):
        calls.append(1)
        maps = perceptual(x, last=last)
        return {name: part * torch.inf for name, part in maps.items()} if len(calls) == 20 else maps

    weights = learn(examples, others[:0], perceptual=broken_once, steps=12, start=thin)
    assert len(calls) >= 20 and error(weights, examples[0][0]) < 0.2


def test_what_is_not_finite_is_not_handed_back(shot, perceptual, thin):
    frame, key = shot[0][0]
    for broken in (replace(frame, picture=frame.picture * torch.nan), frame):
        paint = replace(key, paint=key.paint * torch.nan) if broken is frame else key
        with raises(InputError, match="not finite"):
            learn([(broken, paint)], [], perceptual=perceptual, steps=2, start=thin)


def test_a_key_of_which_little_is_painted_will_do(guided, key_of, perceptual, thin):
    frame = guided(0)
    corner = torch.zeros_like(frame.confidence)
    corner[:, :7, :7] = 1
    for weight in (corner, torch.full_like(corner, 0.5)):
        examples = [(frame, replace(key_of(frame), weight=weight))]
        learn(examples, [guided(4, confidence=0.0)], perceptual=perceptual, steps=2, start=thin)
    small = [guided(n, size=(8, 60)) for n in (0, 4)]
    learn([(small[0], key_of(small[0]))], small[1:], perceptual=perceptual, steps=2, start=thin)


def test_an_interrupted_learning_ends_where_the_budget_does(shot, perceptual, thin):
    examples, _ = shot
    reports = []
    learn(examples, [], perceptual=perceptual, steps=10, done=0.5, start=thin, progress=reports.append)
    assert reports[-1].step == approx(10)


def test_what_a_key_leaves_unpainted_does_not_count(shot, perceptual):
    (frame, key), *_ = shot[0]
    weight = torch.zeros_like(key.weight)
    weight[:, :, :32] = 1
    other = replace(key, weight=weight, paint=torch.where(weight > 0, key.paint, torch.rand(key.paint.shape)))
    part = replace(key, weight=weight)
    one = learn([(frame, other)], [], perceptual=perceptual, steps=2)
    two = learn([(frame, part)], [], perceptual=perceptual, steps=2)
    # Only through the borders of the perceptual net's filters.
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 0.02


def test_keys_painted_nowhere_are_named(shot, perceptual):
    (frame, key), *_ = shot[0]
    with raises(UsageError, match="no key is painted anywhere"):
        learn([(frame, replace(key, weight=0 * key.weight))], [], perceptual=perceptual, steps=1)
