import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsn.errors import InputError, UsageError
from tsn.matte import channel_matte, cryptomatte, cryptomatte_id, dominant_ids, manifest, murmur3

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


def test_channel_matte_in_another_spelling() -> None:
    half, whole = np.full((1, 1), 0.5, np.float32), np.ones((1, 1), np.float32)
    assert channel_matte({"mask.a": half, "A": whole}, "mask.alpha") == 0.5
    assert channel_matte({"L.mask.Alpha": half, "A": whole}, "mask.A") == 0.5
    with pytest.raises(InputError, match=r"'mask\.A' could be any of mask\.a, mask\.alpha"):
        channel_matte({"mask.a": half, "mask.alpha": whole}, "mask.A")


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
    known = manifest(channels, header, layer="CryptoObject").names
    assert known is not None and list(known) == ["monkey", "cup", "floor", "hidden"]
    assert manifest(channels, {}, layer="CryptoObject").names is None
    assert manifest(channels, header | {"cryptomatte/abc1234/manifest": "{}"}, layer="CryptoObject").names == {}
    with pytest.raises(InputError, match="no Cryptomatte layer 'CryptoAsset'"):
        manifest(channels, header, layer="CryptoAsset")


@pytest.mark.parametrize("words", ["red green blue alpha", "Red Green Blue Alpha", "r g b a"])
def test_ranks_in_any_spelling(plate: Callable[..., Plate], words: str) -> None:
    channels, header = plate()
    spelling = dict(zip("RGBA", words.split(), strict=True))
    renamed = {
        name[:-1] + spelling[name[-1]] if "Crypto" in name else name: values for name, values in channels.items()
    }
    assert cryptomatte(renamed, header, layer="CryptoObject", names=["monkey"]).tolist() == [[1, 0.5, 0.125, 0]]


def test_a_damaged_manifest_leaves_the_names(plate: Callable[..., Plate]) -> None:
    channels, header = plate()
    header["cryptomatte/abc1234/manifest"] = '{"monkey": '
    assert cryptomatte(channels, header, layer="CryptoObject", names=["monkey"]).tolist() == [[1, 0.5, 0.125, 0]]
    assert cryptomatte(channels, header, layer="CryptoObject", names=["monkye"]).max() == 0


def test_a_manifest_beside_the_frame(plate: Callable[..., Plate], tmp_path: Path) -> None:
    channels, header = plate()
    del header["cryptomatte/abc1234/manifest"]
    header["cryptomatte/abc1234/manif_file"] = "ids.json"
    (tmp_path / "ids.json").write_text(json.dumps({"renamed": f"{cryptomatte_id('monkey'):08x}"}))
    asked = {"layer": "CryptoObject", "folder": tmp_path}
    assert cryptomatte(channels, header, names=["renamed"], **asked).tolist() == [[1, 0.5, 0.125, 0]]  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", ["Caf\u00e9", "Cafe\u0301"])
@pytest.mark.parametrize("written", ["Caf\u00e9", "Cafe\u0301"])
def test_accents_in_one_character_or_in_two(plate: Callable[..., Plate], asked: str, written: str) -> None:
    channels, header = plate()
    header["cryptomatte/abc1234/manifest"] = json.dumps({written: f"{cryptomatte_id('monkey'):08x}"})
    assert cryptomatte(channels, header, layer="CryptoObject", names=[asked]).max() == 1


def test_ids_without_the_exponent_fix(plate: Callable[..., Plate]) -> None:
    """Some writers leave the bits of a NaN or of a denormal in the pixels."""
    channels, header = plate()
    for bits in (0x7FC01234, 0xFF800001, 0x00001234):
        header["cryptomatte/abc1234/manifest"] = json.dumps({"odd": f"{bits:08x}"})
        channels["ViewLayer.CryptoObject00.R"] = np.array([[bits, 0, bits ^ 1 << 23, 0]], np.uint32).view(np.float32)
        assert cryptomatte(channels, header, layer="CryptoObject", names=["odd"]).tolist() == [[1, 0, 0.75, 0]]


def test_nothing_is_no_object(plate: Callable[..., Plate]) -> None:
    channels, header = plate()
    header["cryptomatte/abc1234/manifest"] = json.dumps({"void": "00000000"})
    channels["ViewLayer.CryptoObject00.G"][0, 3] = 1
    assert cryptomatte(channels, header, layer="CryptoObject", names=["void"]).max() == 0


def test_coverage_never_leaves_0_to_1(plate: Callable[..., Plate]) -> None:
    channels, header = plate()
    channels["ViewLayer.CryptoObject00.G"] = np.array([[1.5, -1, np.nan, 0]], np.float32)
    matte = cryptomatte(channels, header, layer="CryptoObject", names=["monkey", "floor"])
    assert matte.tolist() == [[1, 0, 0, 0]]


def test_the_object_that_covers_most_of_a_pixel(plate: Callable[..., Plate]) -> None:
    channels, _ = plate()
    monkey, cup, floor = (cryptomatte_id(name) for name in ("monkey", "cup", "floor"))
    found = dominant_ids(channels, layer="CryptoObject")
    assert found.dtype == np.uint32 and found.tolist() == [[monkey, monkey, floor, 0]]
    channels["ViewLayer.CryptoObject00.G"] = np.array([[0.4, 0.5, 0.05, 1]], np.float32)  # ranks out of order, too
    channels["ViewLayer.CryptoObject01.G"] = np.array([[0, 0, 0.9, 0]], np.float32)
    assert dominant_ids(channels, layer="CryptoObject").tolist() == [[0, monkey, cup, 0]]
    with pytest.raises(InputError, match="destroys ids"):
        dominant_ids(channels, layer="CryptoObject", lossy={"ViewLayer.CryptoObject01.R"})


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
    with pytest.raises(UsageError, match="no names"):
        cryptomatte(channels, header, layer="CryptoObject", names=[])

    both = channels | plate("Other.CryptoObject")[0]
    with pytest.raises(InputError, match=r"any of ViewLayer\.CryptoObject, Other\.CryptoObject"):
        cryptomatte(both, header, layer="CryptoObject", names=["monkey"])
    channels["ViewLayer.CryptoObject00.R"] = np.zeros((1, 4), np.float16)
    with pytest.raises(InputError, match="found float16, which destroys them"):
        cryptomatte(channels, header, layer="CryptoObject", names=["monkey"])


def test_ids_in_a_lossy_compression(plate: Callable[..., Plate]) -> None:
    channels, header = plate()
    asked = {"layer": "CryptoObject", "names": ["cup"]}
    for channel in ("ViewLayer.CryptoObject00.R", "ViewLayer.CryptoObject01.B"):
        with pytest.raises(InputError, match=f"{channel}: the file's compression is lossy and destroys ids") as caught:
            cryptomatte(channels, header, lossy={channel}, **asked)  # type: ignore[arg-type]
        assert "lossless" in (caught.value.hint or "")
    cryptomatte(channels, header, lossy={"ViewLayer.CryptoObject00.G", "ViewLayer.Depth.Z"}, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(("mask", "told"), [(0x1FFF, "13 zero bits, .* 16 bits"), (0xFF, "8 zero bits, .* 24 bits")])
def test_ids_that_lost_bits_on_the_way_here(plate: Callable[..., Plate], mask: int, told: str) -> None:
    """As float32 again, and in a lossless file: only the ids themselves tell."""
    channels, header = plate()
    for name in [name for name in channels if "CryptoObject" in name and name[-1] in "RB"]:
        channels[name] = (channels[name].view(np.uint32) & ~np.uint32(mask)).view(np.float32)
    for said in (header, {}):
        with pytest.raises(InputError, match=told):
            cryptomatte(channels, said, layer="CryptoObject", names=["monkey"])


def test_one_id_may_end_in_zeros_by_accident(plate: Callable[..., Plate]) -> None:
    channels, header = plate()
    for end in "RB":
        for rank in "01":
            channels[f"ViewLayer.CryptoObject0{rank}.{end}"][:] = 0
    channels["ViewLayer.CryptoObject00.R"] = np.array([[0x3F8E2000, 0, 0x7FC00000, 0]], np.uint32).view(np.float32)
    assert cryptomatte(channels, {}, layer="CryptoObject", names=["monkey"]).max() == 0
    header["cryptomatte/abc1234/manifest"] = json.dumps({"odd": "3f8e2000"})
    assert cryptomatte(channels, header, layer="CryptoObject", names=["odd"]).tolist() == [[1, 0, 0, 0]]
