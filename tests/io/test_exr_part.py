"""EXR headers that contradict their file, against OpenEXR and OpenImageIO: what both open, tsn opens."""

import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest

from tsn.errors import InputError, OutputError
from tsn.io import exr, exr_container, exr_part, is_complete, probe, read_frame, write_frame

Header = list[list[bytes]]
"""Name, type and value of each attribute."""
Edit = Callable[[Header], None]


def ints(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def unpack(data: bytes) -> tuple[int, list[Header], list[int], bytes]:
    """Version, headers, offsets from the first chunk, and all chunks."""
    (version,), at, headers = struct.unpack_from("<I", data, 4), 8, []
    while data[at]:
        header: Header = []
        while data[at]:
            name = data.index(b"\0", at)
            kind = data.index(b"\0", name + 1)
            end = kind + 5 + struct.unpack_from("<i", data, kind + 1)[0]
            header.append([data[at:name], data[name + 1 : kind], data[kind + 5 : end]])
            at = end
        headers.append(header)
        at += 1
        if not version & 0x1000:
            at -= 1
            break
    table = at + 1
    (first,) = struct.unpack_from("<Q", data, table)
    offsets = struct.unpack_from(f"<{(first - table) // 8}Q", data, table)
    return version, headers, [offset - first for offset in offsets], data[first:]


def pack(version: int, headers: list[Header], offsets: list[int], chunks: bytes) -> bytes:
    data = bytearray(b"\x76\x2f\x31\x01" + struct.pack("<I", version))
    for header in headers:
        for name, kind, value in header:
            data += name + b"\0" + kind + b"\0" + ints(len(value)) + value
        data += b"\0"
    data += b"\0" if version & 0x1000 else b""
    first = len(data) + 8 * len(offsets)
    return bytes(data) + struct.pack(f"<{len(offsets)}Q", *(first + offset for offset in offsets)) + chunks


def edit(path: Path, change: Edit, part: int = 0, flags: int = 0) -> Path:
    version, headers, offsets, chunks = unpack(path.read_bytes())
    change(headers[part])
    path.write_bytes(pack(version ^ flags, headers, offsets, chunks))
    return path


def put(name: str, value: bytes, kind: str = "") -> Edit:
    """Another value for an attribute, or one more."""

    def change(header: Header) -> None:
        for item in header:
            if item[0] == name.encode():
                item[1:] = kind.encode() or item[1], value
                return
        header.append([name.encode(), kind.encode(), value])

    return change


def drop(name: str) -> Edit:
    def change(header: Header) -> None:
        header[:] = [item for item in header if item[0] != name.encode()]

    return change


def again(name: str, value: bytes, *, first: bool = False) -> Edit:
    """A second attribute of a name."""

    def change(header: Header) -> None:
        kind = next(item[1] for item in header if item[0] == name.encode())
        header.insert(0 if first else len(header), [name.encode(), kind, value])

    return change


def channels(*rows: tuple[bytes, int, int, int, int]) -> bytes:
    return b"".join(name + b"\0" + struct.pack("<iB3x2i", *row) for name, *row in rows) + b"\0"


RGB = {name: index for index, name in enumerate("RGB")}
B, G, R = ((name, 1, 0, 1, 1) for name in (b"B", b"G", b"R"))


def plain(path: Path, plate: SimpleNamespace, **more: Any) -> Path:
    kept: Path = plate.single(path, {name: plate.half(seed) for name, seed in RGB.items()}, **more)
    return kept


def require_read_by_all(path: Path, plate: SimpleNamespace, *, wheel: bool = True) -> None:
    """By tsn, OpenEXR and OpenImageIO, bit for bit; and what tsn writes of it at strength 0 too."""
    frame, out = read_frame(path, 1), path.with_name("out.exr")
    probe(path)
    for index in RGB.values():
        assert np.array_equal(plate.bits(frame.rgb[..., index]), plate.bits(plate.half(index)))
    write_frame(frame, frame.rgb, out, attributes={})
    assert is_complete(out)
    for file in (path, out):
        found = {} if not wheel else plate.decoded(file)[0].channels
        source = oiio.ImageInput.open(str(file))
        assert source is not None, oiio.geterror()
        pixels = source.read_image("half")
        names = source.spec().channelnames
        source.close()
        for name, seed in RGB.items():
            assert not wheel or np.array_equal(plate.bits(found[name].pixels), plate.bits(plate.half(seed)))
            assert np.array_equal(plate.bits(pixels[..., names.index(name)].copy()), plate.bits(plate.half(seed)))


@pytest.mark.parametrize(
    "change",
    [put("chunkCount", ints(count), "int") for count in (-1, 0, 1, 2, 4, 100, 2**31 - 1)]
    + [put("chunkCount", b"3", "string")]
    + [put("type", text, "string") for text in (b"", b"tiledimage", b"deepscanline", b"deeptile", b"whatever")]
    + [put("lineOrder", bytes([order])) for order in (1, 2, 3, 77)]
    + [drop(name) for name in ("type", "lineOrder", "compression", "displayWindow", "pixelAspectRatio")]
    + [drop("screenWindowCenter"), drop("screenWindowWidth"), put("compression", b"")]
    + [put("tiles", struct.pack("<2IB", 16, 16, 0), "tiledesc"), put("pixelAspectRatio", struct.pack("<f", 2))]
    + [again("dataWindow", ints(0, 0, 9, 9), first=True), again("displayWindow", ints(0, 0, 9, 9))]
    + [again("compression", b"\0", first=True), again("compression", b"\3"), again("lineOrder", b"\1")]
    + [again("type", b"tiledimage")]
    + [put("channels", channels(R, G, B)), put("channels", channels(B, G, R)[:-1])]
    + [put("x" * length, b"v", "string") for length in (31, 32, 255)]
    + [put("displayWindow", ints(0, 0, 16383, 16383)), put("displayWindow", ints(10**9, 0, 10**9 + 9, 9))],
)
@pytest.mark.parametrize("tiled", [False, True])
def test_what_the_others_open(tmp_path: Path, plate: SimpleNamespace, change: Edit, tiled: bool) -> None:
    more = {"tiles": plate.tiles()} if tiled else {}
    path = plain(tmp_path / "a.exr", plate, **more)
    require_read_by_all(edit(path, change), plate)


@pytest.mark.parametrize("order", [(2, 0, 1), (2, 1, 0), (1, 0, 2)])
@pytest.mark.parametrize("said", [0, 1, 2])
def test_chunks_in_any_order_whatever_the_header_says(
    tmp_path: Path, plate: SimpleNamespace, order: tuple[int, ...], said: int
) -> None:
    path = edit(plain(tmp_path / "a.exr", plate), put("lineOrder", bytes([said])))
    version, headers, offsets, data = unpack(path.read_bytes())
    pieces = [data[begin:end] for begin, end in zip(offsets, [*offsets[1:], len(data)], strict=True)]
    places, body = [0] * 3, b""
    for row in order:
        places[row], body = len(body), body + pieces[row]
    path.write_bytes(pack(version, headers, places, body))
    require_read_by_all(path, plate)
    assert plate.attributes(tmp_path / "out.exr")["lineOrder"] == ("lineOrder", bytes([said])), "the header stays"


def test_a_compression_stated_twice_does_not_outlive_the_change_to_zip(tmp_path: Path, plate: SimpleNamespace) -> None:
    path = plain(tmp_path / "a.exr", plate, compression="PXR24")
    edit(path, again("compression", plate.attributes(path)["compression"][1]))
    require_read_by_all(path, plate)
    assert probe(tmp_path / "out.exr").compression == "zip"


def test_data_windows_far_from_the_origin(tmp_path: Path, plate: SimpleNamespace) -> None:
    far = exr_part.MAX_COORDINATE
    for x, y in ((far - 44, far - 36), (-far, -far)):
        path = edit(plain(tmp_path / "a.exr", plate), put("dataWindow", ints(x, y, x + 44, y + 36)))
        version, headers, offsets, data = unpack(path.read_bytes())
        body = bytearray(data)
        for row, offset in enumerate(offsets):
            struct.pack_into("<i", body, offset, y + 16 * row)
        path.write_bytes(pack(version, headers, offsets, bytes(body)))
        require_read_by_all(path, plate)


@pytest.mark.parametrize("compression", ["ZIP", "DWAA"])
def test_channel_names_that_are_no_utf8(tmp_path: Path, plate: SimpleNamespace, compression: str) -> None:
    """OpenImageIO reads them, the OpenEXR wheel does not."""
    pixels = {name: plate.half(seed) for name, seed in {**RGB, "cafX.Z": 3, "zz": 4}.items()}
    path = plate.single(tmp_path / "a.exr", pixels, compression)
    clean = {name: found.pixels for name, found in plate.decoded(path)[0].channels.items()}
    path.write_bytes(path.read_bytes().replace(b"cafX.Z", b"caf\xe9.Z"))
    frame, out = read_frame(path, 1), tmp_path / "out.exr"
    assert list(frame.channels) == ["B", "G", "R", "caf\udce9.Z", "zz"] == list(probe(path).channels)
    for name, found in frame.channels.items():
        assert np.array_equal(plate.bits(found), plate.bits(clean[name.replace("\udce9", "X")]))
    write_frame(frame, frame.rgb, out, attributes={})
    assert plate.attributes(out)["channels"] == plate.attributes(path)["channels"]
    source = oiio.ImageInput.open(str(out))
    theirs = source.read_image("half")
    source.close()
    planes = {plane.tobytes() for plane in np.moveaxis(theirs, -1, 0)}  # in an order of its own
    assert planes == {found.tobytes() for found in frame.channels.values()}


@pytest.mark.parametrize(
    ("change", "name"),
    [(put("pixelAspectRatio", struct.pack("<f", value)), "pixelAspectRatio") for value in (0, -1, 1e9, np.nan, np.inf)]
    + [
        (put("screenWindowWidth", struct.pack("<f", -1)), "screenWindowWidth is negative"),
        (put("displayWindow", ints(0, 0, -1, -1)), "displayWindow .* is empty"),
        (put("displayWindow", ints(0, 0, 2**31 - 2, 2**31 - 2)), "displayWindow .* beyond"),
        (put("dataWindow", ints(-(2**31), 0, 2**31 - 1, 36)), "dataWindow .* beyond"),
        (put("dataWindow", ints(0, 0, 2**30, 36)), "dataWindow .* beyond"),
        (put("channels", channels(B, (b"G", 1, 0, 0, 1), R)), "channel 'G' can't be"),
        (put("channels", channels(B, (b"G", 1, 0, 1, -1), R)), "channel 'G' can't be"),
        (put("channels", channels(B, (b"G", 3, 0, 1, 1), R)), "channel 'G' can't be: type 3"),
        (put("channels", channels(B, (b"G", 1, 7, 1, 1), R)), "channel 'G' can't be"),
        (put("channels", channels(B, (b"G", 1, 0, 2, 2), R)), "does not fit its channel 'G', subsampled by 2x2"),
        (put("channels", channels(B, G, G)), "two channels called 'G'"),
        (put("channels", b"\0"), "no channels"),
        (put("channels", channels(B, G, R)[:-5]), "attribute of its header is broken"),
        (put("compression", bytes([99])), "compression, code 99"),
        (put("x" * 256, b"v", "string"), "makes no sense"),
        (lambda header: header.extend([[b"foo", b"string", b"a"]] * 2), "'foo' twice"),
        (drop("dataWindow"), "has no 'dataWindow'"),
        (drop("channels"), "has no 'channels'"),
    ],
)
def test_what_nobody_opens_is_refused_when_its_header_is_read(
    tmp_path: Path, plate: SimpleNamespace, change: Edit, name: str
) -> None:
    path = edit(plain(tmp_path / "a.exr", plate), change)
    for function in (probe, lambda path: read_frame(path, 1)):
        with pytest.raises(InputError, match=name):
            function(path)


@pytest.mark.parametrize(
    ("width", "height", "mode"), [(0, 16, 0), (16, 0, 0), (2**31 - 1,) * 2 + (0,), (2**20, 2**20, 0), (16, 16, 3)]
)
def test_tiles_that_can_not_be(tmp_path: Path, plate: SimpleNamespace, width: int, height: int, mode: int) -> None:
    tiles = put("tiles", struct.pack("<2IB", width, height, mode))
    path = edit(plain(tmp_path / "a.exr", plate, tiles=plate.tiles(64)), tiles)
    with pytest.raises(InputError, match="its tiles"):
        probe(path)


@pytest.mark.parametrize("flags", [0x200, 0x2000, 0x8000, 0x1200])
def test_flags_of_the_version_that_can_not_be(tmp_path: Path, plate: SimpleNamespace, flags: int) -> None:
    path = plain(tmp_path / "a.exr", plate)
    if flags == 0x1200:
        path, flags = plate.multipart(tmp_path / "a.exr"), 0x200
    edit(path, lambda header: None, flags=flags)
    with pytest.raises(InputError, match=r"version field|no 'tiles'"):
        probe(path)


def test_windows_that_the_file_can_not_hold(tmp_path: Path, plate: SimpleNamespace) -> None:
    """Refused before memory goes, whatever the chunk table says; with one tile or one chunk it can be sound."""
    window = put("dataWindow", ints(0, 0, 16383, 16383))
    one_tile = edit(plain(tmp_path / "t.exr", plate, tiles=plate.tiles(64)), window)
    edit(one_tile, put("tiles", struct.pack("<2IB", 16384, 16384, 0)))
    one_line = edit(plain(tmp_path / "l.exr", plate, compression="DWAB"), put("dataWindow", ints(0, 0, 2**28 - 1, 36)))
    for path in (one_tile, one_line):
        assert len(unpack(path.read_bytes())[2]) == 1
        for function in (probe, lambda path: read_frame(path, 1)):
            with pytest.raises(InputError, match=r"promises (16384x16384|268435456x37) pixels .* can't hold them"):
                function(path)


def part_of(width: int, height: int, compression: str, count: int = 4) -> exr_part.ExrPart:
    code = [name for name, *_ in exr_part.COMPRESSIONS].index(compression)
    rows = [(b"c%d" % index, 1, 0, 1, 1) for index in range(count)]
    values = {
        "channels": channels(*rows),
        "compression": bytes([code]),
        "dataWindow": ints(0, 0, width - 1, height - 1),
    }
    return exr_part.ExrPart(
        attributes=tuple(exr_part.ExrAttribute(name, "", value) for name, value in values.items()), flags=0
    )


def test_plates_of_sixteen_thousand_pixels_are_none_of_those() -> None:
    whole = 16384 * 8640 * 4 * 2
    part_of(16384, 8640, "none").check(whole + 400_000)
    part_of(16384, 8640, "zip").check(whole // 1000)
    part_of(16384, 8640, "htj2k256").check(20_000)
    for name, size in (("none", whole - 1), ("zip", whole // 1040), ("piz", whole // 520), ("dwaa", 5000)):
        with pytest.raises(exr_part.Damaged, match="16384x8640"):
            part_of(16384, 8640, name).check(size)
    with pytest.raises(exr_part.Damaged, match="32769x32768"):
        part_of(32769, 32768, "htj2k256").check(1 << 40)


@pytest.mark.parametrize("compression", [name for name, *_ in exr_part.COMPRESSIONS if name != "lj2k"])
def test_no_compression_holds_more_than_its_bound(tmp_path: Path, plate: SimpleNamespace, compression: str) -> None:
    """A black frame of one tile is what compresses best."""
    method = {"none": "NO"}.get(compression, compression.upper())
    black = {"Y": np.zeros((2048, 2048), np.float32)}
    head = plate.header(method, tiles=plate.tiles(2048)) | {"dataWindow": ((0, 0), (2047, 2047))}
    path = tmp_path / "a.exr"
    OpenEXR.File(head, black).write(str(path))
    assert is_complete(path), path.stat().st_size


def many(path: Path, plate: SimpleNamespace) -> Path:
    parts = [
        OpenEXR.Part(plate.header(), {name: plate.half(seed) for name, seed in RGB.items()}, "rgb"),
        OpenEXR.Part(plate.header(), {"Z": plate.half(3)}, "depth"),
    ]
    OpenEXR.File(parts).write(str(path))
    return path


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize(
    "change",
    [put("chunkCount", ints(count)) for count in (-1, 0, 2, 4, 10_000)]
    + [drop("chunkCount"), put("name", b""), put("name", b"rgb"), put("lineOrder", b"\2")],
)
def test_parts_that_the_others_open(tmp_path: Path, plate: SimpleNamespace, change: Edit, part: int) -> None:
    path = edit(many(tmp_path / "a.exr", plate), change, part)
    require_read_by_all(path, plate)
    for file in (path, tmp_path / "out.exr"):
        assert np.array_equal(plate.decoded(file)[1].channels["Z"].pixels, plate.half(3))
        assert np.array_equal(read_frame(file, 1).channels["Z"], plate.half(3))


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize(
    ("change", "name"),
    [
        (drop("name"), "has no name"),
        (drop("type"), "of type ''"),
        (put("type", b"whatever"), "of type 'whatever'"),
        (put("type", b"tiledimage"), "no 'tiles'"),
        (put("displayWindow", ints(0, 0, 9, 9)), "not the same displayWindow"),
        (put("pixelAspectRatio", struct.pack("<f", 2)), "not the same pixelAspectRatio"),
        (put("pixelAspectRatio", struct.pack("<f", 0)), "pixelAspectRatio is 0"),
        (put("dataWindow", ints(0, 0, -2, -2)), "dataWindow .* is empty"),
    ],
)
def test_parts_that_nobody_opens(tmp_path: Path, plate: SimpleNamespace, change: Edit, name: str, part: int) -> None:
    path = edit(many(tmp_path / "a.exr", plate), change, part)
    for function in (probe, lambda path: read_frame(path, 1)):
        with pytest.raises(InputError, match=name):
            function(path)


def test_a_chunk_table_with_the_same_chunk_twice(tmp_path: Path, plate: SimpleNamespace) -> None:
    path = plain(tmp_path / "a.exr", plate)
    version, headers, offsets, data = unpack(path.read_bytes())
    path.write_bytes(pack(version, headers, [offsets[0], offsets[0], offsets[2]], data))
    with pytest.raises(InputError, match="same chunk twice"):
        probe(path)


def test_what_can_not_be_encoded_is_no_fault_in_tsn(tmp_path: Path, plate: SimpleNamespace) -> None:
    """Nothing is known that is read and not written; were there something, this is what is said."""
    frame = read_frame(plain(tmp_path / "a.exr", plate), 7)
    handle = frame.handle
    assert isinstance(handle, exr.PaintedPart)
    handle.file.pixels(0)["R"] = np.zeros((3, 3), np.float16)  # not the size of the others
    with pytest.raises(OutputError, match="frame 7: OpenEXR does not encode"):
        exr.write(frame, frame.rgb[:3, :3], tmp_path / "b.exr", {}, {})


def test_deep_chunks_are_counted_too(tmp_path: Path, plate: SimpleNamespace) -> None:
    path = tmp_path / "a.exr"
    OpenEXR.File(plate.header("ZIPS", type=OpenEXR.deepscanline), {"D": plate.deep(1)}).write(str(path))
    for count in (5, 37, 1000):
        edit(path, put("chunkCount", ints(count)))
        assert is_complete(path) and plate.decoded(path)[0].channels["D"].pixels.shape == (plate.H, plate.W)
    data = path.read_bytes()
    assert len(exr_container.parse(data, len(data)).parts[0].offsets) == 37
