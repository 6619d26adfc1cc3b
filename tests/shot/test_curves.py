"""Keyframes: exact at keys, held outside, between the keys in between."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsn.shot.curves import Curve

values = st.floats(-1e6, 1e6, allow_nan=False)
keys = st.dictionaries(st.integers(-100_000, 100_000), values, min_size=1, max_size=6)
curves = st.builds(
    lambda keys, interp: Curve(keys=tuple(sorted(keys.items())), interp=interp),
    keys,
    st.sampled_from(["linear", "hold", "smooth"]),
)


@given(curves)
def test_it_is_exact_at_its_keys(curve: Curve) -> None:
    assert [curve.at(frame) for frame, _ in curve.keys] == [value for _, value in curve.keys]


@given(curves, st.integers(1, 1000))
def test_it_is_held_outside(curve: Curve, beyond: int) -> None:
    assert curve.at(curve.keys[0][0] - beyond) == curve.keys[0][1]
    assert curve.at(curve.keys[-1][0] + beyond) == curve.keys[-1][1]


@given(curves, st.data())
def test_between_two_keys_it_stays_between_them_and_never_turns(curve: Curve, data: st.DataObject) -> None:
    pairs = list(zip(curve.keys, curve.keys[1:], strict=False))
    if not pairs:
        return
    (start, low), (end, high) = data.draw(st.sampled_from(pairs))
    a, b = sorted((data.draw(st.integers(start, end)), data.draw(st.integers(start, end))))
    if low > high:
        a, b = b, a
    assert min(low, high) <= curve.at(a) <= curve.at(b) <= max(low, high)


@pytest.mark.parametrize(
    ("interp", "expected"),
    [("linear", [0, 1, 2, 3, 4]), ("hold", [0, 0, 0, 0, 4]), ("smooth", [0, 0.625, 2, 3.375, 4])],
)
def test_interpolations(interp: str, expected: list[float]) -> None:
    curve = Curve(keys=((10, 0.0), (14, 4.0)), interp=interp)
    assert [curve.at(frame) for frame in range(10, 15)] == expected


def test_a_constant_is_the_same_everywhere() -> None:
    assert Curve.constant(0.3)(7) == 0.3
    assert {Curve.constant(0.3).at(frame) for frame in (-5, 0, 1001, 10**9)} == {0.3}


@given(curves)
def test_json_keeps_it_exactly(curve: Curve) -> None:
    assert Curve.from_json(json.loads(json.dumps(curve.to_json()))) == curve


def test_it_is_written_as_the_shot_file_writes_it() -> None:
    assert Curve.constant(0.5).to_yaml() == 0.5
    assert Curve(keys=((1, 0.0), (9, 1.0))).to_yaml() == {"1": 0.0, "9": 1.0}
    assert Curve(keys=((1, 0.0), (9, 1.0)), interp="hold").to_yaml() == {"1": 0.0, "9": 1.0, "interp": "hold"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ((), "at least one key"),
        (((2, 0.0), (1, 0.0)), "must rise"),
        (((1, 0.0), (1, 1.0)), "must rise"),
        (((1, float("nan")),), "finite"),
    ],
)
def test_nonsense_is_refused(keys: tuple[tuple[int, float], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Curve(keys=keys)
