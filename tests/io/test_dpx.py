import struct
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tsn.errors import InputError, OutputError, UsageError
from tsn.io import blank_like, dpx, is_complete, probe, read_attributes, read_frame, write_frame

quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path: Path, codes: np.ndarray, bits: int, endian: str = "big", **attributes: Any) -> Path:
    """A DPX by OpenImageIO, an implementation that is not ours; codes (H, W, C)."""
    spec = oiio.ImageSpec(codes.shape[1], codes.shape[0], codes.shape[2], "uint8" if bits == 8 else "uint16")
    spec["oiio:BitsPerSample"], spec["oiio:Endian"] = bits, endian
    for name, value in attributes.items():
        spec[name.replace("__", ":")] = value
    full = codes.astype(np.uint32)
    full = full << 16 - bits | full >> 2 * bits - 16 if bits in (10, 12) else full
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec) and out.write_image(full.astype("u1" if bits == 8 else "u2")) and out.close()
    return path


def read(path: Path, bits: int) -> np.ndarray:
    source = oiio.ImageInput.open(str(path))
    pixels = source.read_image("uint8" if bits == 8 else "uint16")
    source.close()
    return pixels >> 16 - bits if bits in (10, 12) else pixels


def every_code(bits: int, channels: int, width: int = 45) -> np.ndarray:
    """All codes there are (at 16 bits, many), in an odd-sized picture."""
    count = min(1 << bits, 4096)
    codes = np.linspace(0, (1 << bits) - 1, count).round().astype(np.uint16)
    rows = -(-count // width)
    plane = np.resize(codes, rows * width).reshape(rows, width)
    return np.stack([np.roll(plane, 7 * shift) for shift in range(channels)], axis=-1)


@pytest.mark.parametrize("endian", ["big", "little"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("bits", [8, 10, 16])
def test_every_code_survives(tmp_path: Path, bits: int, channels: int, endian: str) -> None:
    codes = every_code(bits, channels)
    source, out = write(tmp_path / "a.dpx", codes, bits, endian), tmp_path / "b.dpx"
    frame = read_frame(source, 7)
    white = (1 << bits) - 1
    assert frame.rgb.dtype == np.float32
    assert np.array_equal(frame.rgb, (codes[..., :3] / white).astype(np.float32))
    assert (frame.alpha is None) == (channels == 3)
    write_frame(frame, frame.rgb, out, attributes={})
    assert np.array_equal(read(out, bits), codes), "as another program reads it"
    before, after = bytearray(source.read_bytes()), bytearray(out.read_bytes())
    assert after[36:136].rstrip(b"\0") == b"b.dpx", "no temporary name in the header"
    before[36:136] = after[36:136] = bytes(100)
    assert before == after


@quick
@given(
    codes=arrays(np.uint16, st.tuples(st.integers(1, 5), st.integers(1, 7), st.just(3)), elements=st.integers(0, 1023)),
    endian=st.sampled_from(["big", "little"]),
)
def test_painted_codes_arrive(tmp_path: Path, codes: np.ndarray, endian: str) -> None:
    frame = read_frame(write(tmp_path / "a.dpx", np.zeros_like(codes), 10, endian), 1)
    write_frame(frame, codes / np.float32(1023), tmp_path / "b.dpx", attributes={"tsn:version": "1"})
    assert np.array_equal(read(tmp_path / "b.dpx", 10), codes)


def test_twelve_bits_filled(tmp_path: Path) -> None:
    codes = every_code(12, 3)
    path = write(tmp_path / "a.dpx", codes << 4, 16)  # filled by method A is 16 bits with 4 empty ones below
    data = bytearray(path.read_bytes())
    data[803] = 12
    path.write_bytes(data)
    frame = read_frame(path, 1)
    assert np.array_equal(frame.rgb, (codes / 4095).astype(np.float32))
    write_frame(frame, frame.rgb, tmp_path / "b.dpx", attributes={})
    assert (tmp_path / "b.dpx").read_bytes()[2048:] == bytes(data)[2048:]


@pytest.mark.parametrize("endian", ["big", "little"])
@pytest.mark.parametrize(("bits", "channels"), [(8, 3), (10, 3), (10, 4), (12, 3), (16, 4)])
def test_bits_between_the_samples_stay(tmp_path: Path, bits: int, channels: int, endian: str) -> None:
    path = write(tmp_path / "a.dpx", np.zeros((5, 7, channels), np.uint16), 16 if bits == 12 else bits, endian)
    data = bytearray(path.read_bytes())
    data[803] = bits
    start = dpx.read(path, 1).handle.layout.start
    data[start:] = np.random.default_rng(bits).integers(0, 256, len(data) - start, np.uint8).tobytes()
    path.write_bytes(data)
    frame = read_frame(path, 1)
    write_frame(frame, frame.rgb, tmp_path / "b.dpx", attributes={})
    assert (tmp_path / "b.dpx").read_bytes()[start:] == data[start:]

    write_frame(frame, 1 - frame.rgb, tmp_path / "c.dpx", attributes={})
    write_frame(read_frame(tmp_path / "c.dpx", 1), frame.rgb, tmp_path / "d.dpx", attributes={})
    assert np.abs(read_frame(tmp_path / "c.dpx", 1).rgb - (1 - frame.rgb)).max() < 1e-6
    assert (tmp_path / "d.dpx").read_bytes()[start:] == data[start:]


def test_out_of_range_is_clipped(tmp_path: Path) -> None:
    frame = read_frame(write(tmp_path / "a.dpx", every_code(10, 3), 10), 1)
    rgb = np.zeros_like(frame.rgb)
    rgb[0, :3, 0] = -1, 2, np.nan
    write_frame(frame, rgb, tmp_path / "b.dpx", attributes={})
    assert read(tmp_path / "b.dpx", 10)[0, :3, 0].tolist() == [0, 1023, 0]


def test_header_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dpx", every_code(10, 3), 10, dpx__Transfer="Logarithmic", DocumentName="sh010")
    header = read_frame(path, 1).header
    assert header["dpx:Transfer"] == "Logarithmic" and header["oiio:ColorSpace"] == "KodakLog"
    assert header["oiio:BitsPerSample"] == 10 and header["dpx:Project"] == "sh010"


@pytest.mark.parametrize("transfer", range(14))
def test_transfer_is_named_as_openimageio_names_it(tmp_path: Path, transfer: int) -> None:
    path = write(tmp_path / "a.dpx", np.zeros((2, 2, 3), np.uint16), 10)
    data = bytearray(path.read_bytes())
    data[801] = transfer
    path.write_bytes(data)
    source = oiio.ImageInput.open(str(path))
    names = ("dpx:Transfer", "oiio:ColorSpace")
    theirs = {name: source.spec().getattribute(name) for name in names}
    source.close()
    mine = read_frame(path, 1).header
    assert {name: mine.get(name) for name in names} == theirs


@pytest.mark.parametrize("text", ["1", "x" * 9000])
@pytest.mark.parametrize("start", [2048, 8192])
def test_provenance_goes_into_the_user_data(tmp_path: Path, text: str, start: int) -> None:
    codes = every_code(10, 3)
    source = write(tmp_path / "a.dpx", codes, 10)
    if start == 2048:  # as many scanners write: the picture right behind the header
        data = bytearray(source.read_bytes())
        for offset, value in ((4, 2048), (808, 2048), (16, len(data) - 6144)):
            struct.pack_into(">I", data, offset, value)
        source.write_bytes(data[:2048] + data[8192:])
    frame = read_frame(source, 1)
    once, twice = tmp_path / "b.dpx", tmp_path / "c.dpx"
    write_frame(frame, frame.rgb, once, attributes={"tsn:plan": "ü" + text})
    assert read_attributes(once) == {"tsn:plan": "ü" + text} and read_attributes(source) == {}
    assert np.array_equal(read(once, 10), codes) and is_complete(once)
    write_frame(read_frame(once, 1), frame.rgb, twice, attributes={"tsn:plan": "2"})
    assert read_attributes(twice) == {"tsn:plan": "2"}


@pytest.mark.parametrize(("size", "told"), [(100, 100), (6144, 6144), (100, 0), (6144, 0xFFFFFFFF)])
def test_user_data_of_another_program_stays_beside_ours(tmp_path: Path, size: int, told: int) -> None:
    """Whether its header tells of it or not."""
    codes = every_code(10, 3)
    source = write(tmp_path / "a.dpx", codes, 10)
    data = bytearray(source.read_bytes())
    struct.pack_into(">I", data, 32, told)
    data[2048 : 2048 + size] = b"scan!" * (size // 5) + b"!" * (size % 5)
    source.write_bytes(data)
    path = source
    for text in ("1", "2" * 3000, "3"):  # and painted again, it has one mark, the last
        frame = read_frame(path, 1)
        assert path == source or read_attributes(path) != {}
        path = tmp_path / f"{text[0]}.dpx"
        write_frame(frame, frame.rgb, path, attributes={"tsn:plan": text})
        assert read_attributes(path) == {"tsn:plan": text} and is_complete(path)
        after = path.read_bytes()
        assert struct.unpack_from(">I", after, 32) == (told,), "what it says of its own data stays"
        assert after[2048:8192] == data[2048:8192] and after.endswith(data[8192:])
        assert after.count(b"tsn:plan") == 1
        assert np.array_equal(read(path, 10), codes), "as another program reads it"
    assert read_attributes(source) == {}


def test_every_truncation_is_seen(tmp_path: Path) -> None:
    data = write(tmp_path / "a.dpx", every_code(10, 3), 10).read_bytes()
    for size in (0, 3, 4, 100, 2047, 2048, 8191, 9000, len(data) - 1):
        (tmp_path / "b.dpx").write_bytes(data[:size])
        assert not is_complete(tmp_path / "b.dpx"), size
        with pytest.raises(InputError, match="b"):
            read_frame(tmp_path / "b.dpx", 1)


@pytest.mark.parametrize(
    ("offset", "value", "name"),
    [(770, b"\0\2", "2 picture elements"), (800, b"\6", "descriptor 6"), (768, b"\0\1", "orientation 1")]
    + [(806, b"\0\1", "run-length"), (803, b"\1", "1 bits"), (804, b"\0\0", "method 0")],
)
def test_other_kinds_are_refused_by_name(tmp_path: Path, offset: int, value: bytes, name: str) -> None:
    path = write(tmp_path / "a.dpx", every_code(10, 3), 10)
    data = bytearray(path.read_bytes())
    data[offset : offset + len(value)] = value
    path.write_bytes(data)
    for function in (probe, lambda path: read_frame(path, 1)):
        with pytest.raises(InputError, match=name):
            function(path)


def test_no_layers_no_other_suffix_and_blank_frames(tmp_path: Path) -> None:
    frame = read_frame(write(tmp_path / "a.dpx", every_code(10, 4), 10), 1)
    with pytest.raises(InputError, match="no layers"):
        read_frame(tmp_path / "a.dpx", 1, layer="beauty")
    with pytest.raises(InputError, match="no layers"):
        probe(tmp_path / "a.dpx", layer="beauty")
    with pytest.raises(UsageError, match="is DPX"):
        write_frame(frame, frame.rgb, tmp_path / "b.exr", attributes={})
    blank = blank_like(frame, 2)
    write_frame(blank, blank.rgb, tmp_path / "b.dpx", attributes={})
    assert not read(tmp_path / "b.dpx", 10).any()
    assert isinstance(frame.handle, dpx.DpxFile) and probe(tmp_path / "b.dpx").channels == ("R", "G", "B", "A")


@pytest.mark.parametrize(("removed", "told"), [("folder", "the folder does not exist"), ("file", "it came out broken")])
def test_what_goes_away_before_it_is_looked_at_is_told(tmp_path: Path, monkeypatch, removed: str, told: str) -> None:
    frame = read_frame(write(tmp_path / "a.dpx", every_code(10, 3), 10), 7)
    (tmp_path / "out").mkdir()
    written = dpx.write

    def lost(frame: Any, rgb: np.ndarray, path: Path, *rest: Any, **more: Any) -> None:
        written(frame, rgb, path, *rest, **more)
        path.unlink()
        if removed == "folder":
            path.parent.rmdir()

    monkeypatch.setattr(dpx, "write", lost)
    with pytest.raises(OutputError, match=told):
        write_frame(frame, frame.rgb, tmp_path / "out/b.dpx", attributes={})
