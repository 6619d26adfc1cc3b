import json
from collections.abc import Callable
from typing import NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsn.errors import InputError, UsageError
from tsn.matte import channel_matte, cryptomatte, cryptomatte_id, manifest, murmur3

# --- channels ---


def test_channel_matte() -> None:
    channels: dict[str, np.ndarray] = {
        "ViewLayer.roto.A": np.array([[-1, 0.5, 2, np.nan]], np.float16),
        "A": np.ones((1, 4), np.float32),
    }
    for name in ("ViewLayer.roto.A", "roto.A"):
        matte = channel_matte(channels, name)
        assert matte.dtype == np.float32 and matte.tolist() == [[0, 0.5, 1, 0]]
    assert channel_matte(channels, "A").tolist() == [[1, 1, 1, 1]], "the exact name wins over an ending"
    with pytest.raises(InputError, match=r"no matte channel 'roto\.B'") as caught:
        channel_matte(channels, "roto.B")
    assert "roto.A" in (caught.value.hint or "")
    with pytest.raises(InputError, match="any of"):
        channel_matte({"left.matte": channels["A"], "right.matte": channels["A"]}, "matte")


# --- Cryptomatte ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("test", 0xBA6BD213),
        ("hello", 0x248BFA47),
        ("Hello, world!", 0xC0363E43),
        ("The quick brown fox jumps over the lazy dog", 0x2E4FF723),
    ],
)
def test_murmur3_known_answers(text: str, expected: int) -> None:
    assert murmur3(text.encode()) == expected


@given(st.integers(0, 10**6))
def test_ids_are_normal_floats(number: int) -> None:
    value = np.array([cryptomatte_id(f"Café.{number:03}")], np.uint32).view(np.float32)[0]
    assert np.isfinite(value) and abs(value) >= np.finfo(np.float32).tiny


def test_exponent_fix() -> None:
    """The empty name hashes to 0, a zero exponent: one bit makes it a normal float."""
    assert cryptomatte_id("") == 1 << 23


Plate = tuple[dict[str, np.ndarray], dict[str, object]]


@pytest.fixture
def plate() -> Callable[..., Plate]:
    """Makes channels and header of a 1x4 frame: monkey alone, half monkey half cup, cup in rank 2, nothing."""

    def make(layer: str = "ViewLayer.CryptoObject", *, manifest: bool = True, lower: bool = False) -> Plate:
        monkey, cup, floor = (
            np.array([cryptomatte_id(name)], np.uint32).view(np.float32)[0] for name in ("monkey", "cup", "floor")
        )
        pairs = [
            ([monkey, monkey, floor, 0], [1, 0.5, 0.75, 0]),
            ([0, cup, monkey, 0], [0, 0.5, 0.125, 0]),
            ([0, 0, cup, 0], [0, 0, 0.0625, 0]),
            ([0, 0, 0, 0], [0, 0, 0, 0]),
        ]
        channels = {}
        for rank in (0, 1):
            for ends, (ids, coverage) in zip(("RG", "BA"), pairs[2 * rank : 2 * rank + 2], strict=True):
                for end, values in zip(ends, (ids, coverage), strict=True):
                    end = end.lower() if lower else end
                    channels[f"{layer}{rank:02d}.{end}"] = np.array([values], dtype=np.float32)
        channels |= {f"ViewLayer.Combined.{end}": np.ones((1, 4), np.float16) for end in "RGBA"}
        header: dict[str, object] = {"compression": "zip"}
        if manifest:
            names = {name: f"{cryptomatte_id(name):08x}" for name in ("monkey", "cup", "floor", "hidden")}
            header |= {
                "cryptomatte/abc1234/name": layer,
                "cryptomatte/abc1234/hash": "MurmurHash3_32",
                "cryptomatte/abc1234/conversion": "uint32_to_float32",
                "cryptomatte/abc1234/manifest": json.dumps(names),
                "cryptomatte/9999999/name": "ViewLayer.CryptoMaterial",
                "cryptomatte/9999999/manifest": "{}",
            }
        return channels, header

    return make


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("manifest", [False, True])
@pytest.mark.parametrize("layer", ["CryptoObject", "ViewLayer.CryptoObject"])
def test_coverage_is_summed_over_ranks(plate: Callable[..., Plate], layer: str, manifest: bool, lower: bool) -> None:
    channels, header = plate(manifest=manifest, lower=lower)
    matte = cryptomatte(channels, header, layer=layer, names=["monkey"])
    assert matte.dtype == np.float32 and matte.tolist() == [[1, 0.5, 0.125, 0]]
    assert cryptomatte(channels, header, layer=layer, names=["monkey", "cup"]).tolist() == [[1, 1, 0.1875, 0]]
    if manifest:
        assert cryptomatte(channels, header, layer=layer, names=["hidden"]).tolist() == [[0, 0, 0, 0]]


def test_a_name_that_this_frame_lacks_covers_nothing(plate: Callable[..., Plate]) -> None:
    channels, header = plate()
    assert cryptomatte(channels, header, layer="CryptoObject", names=["gone"]).tolist() == [[0, 0, 0, 0]]
    assert cryptomatte(channels, header, layer="CryptoObject", names=["gone", "cup"]).tolist() == [[0, 0.5, 0.0625, 0]]


def test_what_a_frames_manifest_knows(plate: Callable[..., Plate]) -> None:
    channels, header = plate()
    known = manifest(channels, header, layer="CryptoObject")
    assert known is not None and list(known) == ["monkey", "cup", "floor", "hidden"]
    assert manifest(channels, {}, layer="CryptoObject") is None
    assert manifest(channels, header | {"cryptomatte/abc1234/manifest": "{}"}, layer="CryptoObject") == {}
    with pytest.raises(InputError, match="no Cryptomatte layer 'CryptoAsset'"):
        manifest(channels, header, layer="CryptoAsset")


def test_coverage_never_leaves_0_to_1(plate: Callable[..., Plate]) -> None:
    channels, header = plate()
    channels["ViewLayer.CryptoObject00.G"] = np.array([[1.5, -1, np.nan, 0]], np.float32)
    matte = cryptomatte(channels, header, layer="CryptoObject", names=["monkey", "floor"])
    assert matte.tolist() == [[1, 0, 0, 0]]


def test_only_the_layer_asked_for_is_decoded(plate: Callable[..., Plate]) -> None:
    class Lazy(dict[str, np.ndarray]):
        def __getitem__(self, name: str) -> np.ndarray:
            assert name.startswith("ViewLayer.CryptoObject0"), name
            return super().__getitem__(name)

        def items(self) -> NoReturn:
            raise AssertionError("decodes every channel")

        values = items

    channels, header = plate()
    assert cryptomatte(Lazy(channels), header, layer="CryptoObject", names=["cup"]).max() == 0.5


def test_plain_hash_in_the_manifest_gets_the_exponent_fix(plate: Callable[..., Plate]) -> None:
    """Blender's manifest has the hash as it is; a zero exponent there is 0x00800000 in the pixels."""
    channels, header = plate()
    header["cryptomatte/abc1234/manifest"] = json.dumps({"odd": "00000001"})
    channels["ViewLayer.CryptoObject00.R"] = np.array([[0x00800001, 0, 0, 0]], np.uint32).view(np.float32)
    assert cryptomatte(channels, header, layer="CryptoObject", names=["odd"]).tolist() == [[1, 0, 0, 0]]


def test_cryptomatte_errors_say_what_to_do(plate: Callable[..., Plate]) -> None:
    channels, header = plate()

    def fails(match: str, *, layer: str = "CryptoObject", names: tuple[str, ...] = ("monkey",), **changed: str) -> str:
        said = header | {f"cryptomatte/abc1234/{key}": value for key, value in changed.items()}
        with pytest.raises(InputError, match=match) as caught:
            cryptomatte(channels, said, layer=layer, names=names)
        return caught.value.hint or ""

    assert "CryptoObject" in fails("no Cryptomatte layer", layer="CryptObject")
    fails("hash is 'SHA'", hash="SHA")
    fails("conversion is", conversion="none")
    fails("damaged", manifest='{"monkey": ')
    with pytest.raises(UsageError, match="no names"):
        cryptomatte(channels, header, layer="CryptoObject", names=[])

    both = channels | plate("Other.CryptoObject")[0]
    with pytest.raises(InputError, match=r"any of ViewLayer\.CryptoObject, Other\.CryptoObject"):
        cryptomatte(both, header, layer="CryptoObject", names=["monkey"])
    channels["ViewLayer.CryptoObject00.R"] = np.zeros((1, 4), np.float16)
    with pytest.raises(InputError, match="found float16, which destroys them"):
        cryptomatte(channels, header, layer="CryptoObject", names=["monkey"])
    del header["cryptomatte/abc1234/manifest"]
    assert "embedded" in fails("sidecar 'ids.json'", manif_file="ids.json")
