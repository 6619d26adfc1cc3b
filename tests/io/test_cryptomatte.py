"""Layers of ids in a file, and where their names stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tsn.errors import InputError
from tsn.io.cryptomatte import find_layer, layer_metadata, read_manifest

NAME = "cryptomatte/abc1234/name"
TEXT = "cryptomatte/abc1234/manifest"
FILE = "cryptomatte/abc1234/manif_file"


def rank(stem: str, words: str = "R G B A") -> list[str]:
    return [f"{stem}.{word}" for word in words.split()]


@pytest.mark.parametrize("words", ["R G B A", "r g b a", "red green blue alpha", "Red Green Blue Alpha", "R g B alpha"])
def test_ranks_of_any_spelling(words: str) -> None:
    r, g, b, a = words.split()
    channels = [*rank("id01", words), *rank("id00", words), "id.R", "R", "G", "B"]
    pairs = [(f"id{n}.{i}", f"id{n}.{c}") for n in ("00", "01") for i, c in ((r, g), (b, a))]
    assert find_layer("id", channels).pairs == tuple(pairs)


def test_a_rank_may_be_one_pair() -> None:
    assert find_layer("id", [*rank("id00"), *rank("id01", "R G")]).pairs[2:] == (("id01.R", "id01.G"),)


def test_as_many_ranks_as_there_are() -> None:
    assert len(find_layer("id", [name for n in range(6) for name in rank(f"id{n:02}")]).pairs) == 12


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("CryptoObject", "ViewLayer.CryptoObject"),
        ("crypto_object", "ViewLayer.CryptoObject"),
        ("ViewLayer.CryptoObject", "ViewLayer_CryptoObject"),
        ("crypto_object00", "crypto_object"),
        ("View Layer.crypto object", "View Layer.Crypto Object"),
        ("Crypto Object", "View Layer.Crypto Object"),
    ],
)
def test_a_layer_by_its_letters(wanted: str, there: str) -> None:
    assert find_layer(wanted, rank(f"{there}00")).name == there


def test_the_layer_itself_goes_before_one_of_the_same_letters() -> None:
    assert find_layer("crypto_object", [*rank("CryptoObject00"), *rank("crypto_object00")]).name == "crypto_object"


def test_what_no_layer_can_be_told_from() -> None:
    with pytest.raises(InputError, match=r"any of A\.CryptoObject, B\.CryptoObject"):
        find_layer("crypto_object", [*rank("A.CryptoObject00"), *rank("B.CryptoObject00")])
    with pytest.raises(
        InputError, match=r"not whole: each rank needs R, G, B, A once, found id00\.R, id00\.G, id00\.B"
    ):
        find_layer("id", rank("id00", "R G B"))
    with pytest.raises(InputError, match="not whole"):
        find_layer("id", rank("id00", "r g b a red"))
    with pytest.raises(InputError, match="has no Cryptomatte layer 'light'"):
        find_layer("light", rank("lights"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ViewLayer.CryptoObject", "ViewLayer.CryptoObject"),
        ("ViewLayer.CryptoObject", "CryptoObject"),
        ("crypto_object", "ViewLayer.CryptoObject"),
        ("ViewLayer_CryptoObject", "ViewLayer.CryptoObject"),
    ],
)
def test_the_attributes_of_a_layer(name: str, said: str) -> None:
    others = {"cryptomatte/9999999/name": "ViewLayer.CryptoMaterial", "cryptomatte/9999999/manifest": "{}"}
    assert layer_metadata(name, {**others, NAME: said, TEXT: "x"}) == {"name": said, "manifest": "x"}


def test_nobody_guesses_between_two_manifests() -> None:
    two = {NAME: "A.CryptoObject", "cryptomatte/9999999/name": "B.CryptoObject"}
    assert layer_metadata("crypto_object", two) == {}
    assert layer_metadata("B.CryptoObject", two) == {"name": "B.CryptoObject"}


@pytest.mark.parametrize("name", ["ids.json", "manifests/ids.json", "manifests\\ids.json", "/elsewhere/ids.json"])
def test_a_manifest_beside_the_frame(tmp_path: Path, name: str) -> None:
    place = tmp_path / ("manifests" if name.startswith("manifests") else "") / "ids.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps({"höhe\\1": "3e1b7a35"}), encoding="utf-8")
    found = read_manifest("id", {NAME: "id", FILE: name}, tmp_path)
    assert (found.names, found.note) == ({"höhe\\1": 0x3E1B7A35}, None)
    place.write_text(json.dumps({"other": "1"}))
    assert read_manifest("id", {NAME: "id", FILE: name}, tmp_path).names == {"other": 1}, "it was written again"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({FILE: "ids.json"}, "the manifest 'ids.json' beside the frame is not there"),
        ({FILE: "bad.json"}, "the manifest 'bad.json' beside the frame is damaged"),
        ({FILE: "a\0b"}, "is not there"),
        ({TEXT: '{"mon'}, "the manifest in the header is damaged"),
        ({TEXT: "[1]"}, "damaged"),
        ({TEXT: '{"a": 5}'}, "damaged"),
        ({TEXT: '{"a": "not hex"}'}, "damaged"),
        ({TEXT: '{"a": "fffffffff"}'}, "damaged"),
        ({TEXT: '{"a": "-1"}'}, "damaged"),
        ({TEXT: "[" * 100_000}, "damaged"),
        ({TEXT: '{"a\\q": "1"}'}, "damaged"),
        ({TEXT: "{", FILE: "ids.json"}, "is damaged and the manifest 'ids.json' beside the frame is not there"),
    ],
)
def test_a_manifest_that_cannot_be_had_is_told(tmp_path: Path, said: dict[str, str], told: str) -> None:
    (tmp_path / "bad.json").write_bytes(b"\xff{")
    found = read_manifest("id", {NAME: "id", **said}, tmp_path)
    assert found.names is None
    assert found.note is not None and told in found.note and "hashed from the names" in found.note


def test_a_whole_manifest_in_the_header_needs_no_file() -> None:
    found = read_manifest("id", {NAME: "id", TEXT: '\ufeff{"a": "0000000a"}', FILE: "ids.json"})
    assert (found.names, found.note) == ({"a": 10}, None)


def test_a_damaged_one_is_made_good_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "ids.json").write_text('{"a": "1"}')
    assert read_manifest("id", {NAME: "id", TEXT: "{", FILE: "ids.json"}, tmp_path).names == {"a": 1}


def test_no_manifest_at_all_is_nothing_odd() -> None:
    assert read_manifest("id", {NAME: "id"}) == read_manifest("id", {}) and read_manifest("id", {}).note is None
