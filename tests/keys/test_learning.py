from __future__ import annotations

import time
from dataclasses import replace

import torch
from pytest import approx, fixture, raises

from tsn.errors import UsageError
from tsn.keys.learning import learn
from tsn.keys.net import net_from_weights
from tsn.keys.painting import paint_frame


@fixture
def shot(guided, key_of):
    """One key, and two frames that it shows nothing of."""
    frame = guided(0)
    return [(frame, key_of(frame))], [guided(n, confidence=0.0) for n in (4, 8)]


def error(weights, frame):
    return float((paint_frame(net_from_weights(weights), frame) - (1 - frame.picture)).abs().mean())


def test_it_learns_to_copy_and_to_invent(shot, guided, perceptual):
    examples, others = shot
    first = learn(examples, others, perceptual=perceptual, steps=1)
    weights = learn(examples, others, perceptual=perceptual, steps=40)
    assert error(weights, guided(8)) < 0.05  # carried paint, trusted
    assert error(weights, others[1]) < 0.75 * error(first, others[1])


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


def test_it_goes_on_from_weights(shot, perceptual):
    examples, others = shot
    weights = learn(examples, others, perceptual=perceptual, steps=40)
    reports = []
    on = learn(examples, others, perceptual=perceptual, steps=2, start=weights, progress=reports.append)
    assert error(on, others[0]) < 1.3 * error(weights, others[0])
    assert any(not torch.equal(on[name], weights[name]) for name in on)
    assert all(torch.equal(reports[-1].weights[name], on[name]) for name in on)
    with raises(UsageError, match=r"1 channels of guides, this shot has 0"):
        frame, key = examples[0]
        learn([(replace(frame, guides=frame.guides[:0]), key)], [], perceptual=perceptual, steps=1, start=weights)


def test_an_interrupted_learning_ends_where_the_budget_does(shot, perceptual):
    examples, _ = shot
    reports = []
    learn(examples, [], perceptual=perceptual, steps=10, done=0.5, progress=reports.append)
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
