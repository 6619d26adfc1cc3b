"""DPX files whose headers contradict them, against OpenImageIO where it finds the picture too.

What FFmpeg reads was tried by hand with PyAV 18.1; where a test says "as FFmpeg", its decoder gave these codes.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from tsn.errors import InputError
from tsn.io import dpx, is_complete, probe, read_attributes, read_frame, write_frame

UNDEFINED = 0xFFFFFFFF
# bits a sample, packing: all that is read
PACKINGS = [(8, 0), (10, 1), (10, 2), (12, 0), (12, 1), (12, 2), (16, 0)]


def picture(width: int, height: int = 9, samples: int = 3, bits: int = 10) -> np.ndarray:
    return np.random.default_rng(width).integers(0, 1 << bits, (height, width, samples)).astype(np.uint16)


def packed(codes: np.ndarray, bits: int, packing: int, order: str) -> np.ndarray:
    """Lines as bytes, sample after sample into one long number a word: slow, and not how tsn does it."""
    rows = []
    for line in codes.reshape(len(codes), -1).tolist():
        if bits == 8:
            rows.append(bytes(line))
        elif bits == 16 or (packing and bits == 12):
            shift = 4 if (bits, packing) == (12, 1) else 0
            rows.append(struct.pack(f"{order}{len(line)}H", *(code << shift for code in line)))
        elif bits == 10:
            threes = [[*line[at : at + 3], 0, 0][:3] for at in range(0, len(line), 3)]
            words = [(a << 20 | b << 10 | c) << (2 if packing == 1 else 0) for a, b, c in threes]
            rows.append(struct.pack(f"{order}{len(words)}I", *words))
        else:
            number = sum(code << 12 * at for at, code in enumerate(line))
            words = [number >> 32 * at & UNDEFINED for at in range(-(-12 * len(line) // 32))]
            rows.append(struct.pack(f"{order}{len(words)}I", *words))
    return np.stack([np.frombuffer(row, np.uint8) for row in rows])


def make(
    path: Path,
    codes: np.ndarray,
    bits: int = 10,
    packing: int = 1,
    order: str = ">",
    *,
    start: int = 2048,
    pad: int = 0,
    fill: int = 0,
    tail: bytes = b"",
    user: int | None = None,
    **fields: int,
) -> Path:
    """A DPX by hand; `fields` are what its header says instead of the truth."""
    lines = np.pad(packed(codes, bits, packing, order), ((0, 0), (0, pad)), constant_values=fill).tobytes()
    height, width, samples = codes.shape
    head = bytearray(b"\xff" * max(2048, start))
    head[:4] = b"SDPX" if order == ">" else b"XPDS"
    head[8:16] = b"V2.0\0\0\0\0"
    head[36:660] = bytes(624)
    head[2048:] = bytes(len(head) - 2048)
    said = {"general": start, "element": start, "total": start + len(lines) + len(tail), "elements": 1, "eol": 0}
    said |= {"sign": 0, "orientation": 0, "descriptor": 47 + samples} | fields
    for at, form, *values in (
        (4, "I", said["general"]),
        (16, "I", said["total"]),
        (24, "3I", 1664, 384 if start >= 2048 else 0, max(0, start - 2048) if user is None else user),
        (768, "2H3I", said["orientation"], said["elements"], width, height, said["sign"]),
        (800, "4B2H3I", said["descriptor"], 2, 2, bits, packing, 0, said["element"], said["eol"], 0),
    ):
        struct.pack_into(f"{order}{form}", head, int(at), *values)
    path.write_bytes(bytes(head[:start]) + lines + tail)
    return path


def read(path: Path) -> np.ndarray:
    """Code values as tsn reads them; the picture by `probe` is the same."""
    frame = read_frame(path, 1)
    assert probe(path).data_window == frame.data_window
    handle = frame.handle
    assert isinstance(handle, dpx.DpxFile)
    found = dpx.read_codes(handle.data, handle.layout)
    assert np.array_equal(frame.rgb, (found[..., :3] / handle.layout.white).astype(np.float32))
    return found


def by_openimageio(path: Path, bits: int) -> np.ndarray | None:
    source = oiio.ImageInput.open(str(path))
    if source is None:
        oiio.geterror()
        return None
    pixels = source.read_image("uint8" if bits == 8 else "uint16")
    source.close()
    return pixels if pixels is None or bits not in (10, 12) else pixels >> 16 - bits


def written(path: Path, **attributes: str) -> bytes:
    frame, out = read_frame(path, 1), path.with_name("out.dpx")
    write_frame(frame, frame.rgb, out, attributes=attributes)
    assert np.array_equal(read(out), read(path))
    return out.read_bytes()


def same_but_its_name(one: bytes, other: bytes) -> bool:
    return one[:36] + one[136:] == other[:36] + other[136:]


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize(("bits", "packing"), PACKINGS)
def test_lines_end_on_words_or_not(tmp_path: Path, bits: int, packing: int, samples: int, order: str) -> None:
    """As FFmpeg finds out, from how long the file is; OpenImageIO goes by the end-of-line padding alone."""
    for width in (44, 45, 46, 47):
        codes = picture(width, 9, samples, bits)
        missing = -packed(codes, bits, packing, order).shape[1] % 4
        for pad in {0, missing}:
            for eol in {pad, 0, UNDEFINED}:
                path = make(tmp_path / "a.dpx", codes, bits, packing, order, pad=pad, eol=eol)
                assert np.array_equal(read(path), codes), (width, pad, eol)
                assert same_but_its_name(written(path), path.read_bytes())
                # OpenImageIO reads one word too few of 10-bit RGBA lines whose samples are 3n + 1
                if eol in (pad, UNDEFINED if pad == 0 else pad) and (bits, width * samples % 3) != (10, 1):
                    assert np.array_equal(by_openimageio(path, bits), codes), (width, pad, eol)


def test_padding_that_is_stated_is_believed(tmp_path: Path) -> None:
    for bits in (8, 10, 16):
        codes = picture(45, bits=bits)
        path = make(tmp_path / "a.dpx", codes, bits, pad=8, fill=7, eol=8)
        assert np.array_equal(read(path), codes) and np.array_equal(by_openimageio(path, bits), codes)
        assert same_but_its_name(written(path), path.read_bytes())


@pytest.mark.parametrize("pad", [0, 1])
def test_bytes_behind_lines_that_may_end_on_words(tmp_path: Path, pad: int) -> None:
    codes = picture(45, bits=8)
    for tail, total in ((bytes(5000), None), (b"\xff" * 7, None), (b"text" * 99, 2048 + (135 + pad) * 9)):
        said = {} if total is None else {"total": total}
        path = make(tmp_path / "a.dpx", codes, 8, pad=pad, tail=tail, **said)
        assert np.array_equal(read(path), codes)
        assert same_but_its_name(written(path), path.read_bytes())
        assert written(path, a="b").endswith(path.read_bytes()[2048:])
    path = make(tmp_path / "a.dpx", codes, 8, pad=1, fill=9, tail=b"text" * 99)
    with pytest.raises(InputError, match="can't be told whether its lines of 135 bytes end on 32-bit words"):
        read_frame(path, 1)
    assert not is_complete(path)


def test_a_cut_file_is_not_taken_for_one_of_shorter_lines(tmp_path: Path) -> None:
    for said in ({"eol": 0}, {"eol": 1, "total": UNDEFINED}):
        path = make(tmp_path / "a.dpx", picture(45, bits=8), 8, pad=1, **said)
        path.write_bytes(path.read_bytes()[:-3])  # enough for lines without padding
        with pytest.raises(InputError, match="cut short"):
            read_frame(path, 1)
        assert not is_complete(path)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_no_film_and_television_headers(tmp_path: Path, bits: int) -> None:
    """As FFmpeg writes: the picture at byte 1664, 8 and 16 bit lines on words, and none of it in the header."""
    codes = picture(45, bits=bits)
    pad = {8: 1, 16: 2, 12: 2}.get(bits, 0)
    path = make(tmp_path / "a.dpx", codes, bits, start=1664, pad=pad)
    assert np.array_equal(read(path), codes) and read_attributes(path) == {}
    assert same_but_its_name(written(path), path.read_bytes())
    out = written(path, **{"tsn:plan": "1"})
    assert read_attributes(tmp_path / "out.dpx") == {"tsn:plan": "1"}
    assert out[40:1664][100:] == path.read_bytes()[40:1664][100:].replace(
        struct.pack(">I", 1664), struct.pack(">I", 3072)
    )
    assert out[1664:2048] == b"\xff" * 384 and struct.unpack_from(">2I", out, 24) == (1664, 384)
    assert out.endswith(path.read_bytes()[1664:])
    if bits == 10:
        assert np.array_equal(by_openimageio(path, 10), codes)
        assert np.array_equal(by_openimageio(tmp_path / "out.dpx", 10), codes)
    write_frame(read_frame(tmp_path / "out.dpx", 1), read_frame(path, 1).rgb, tmp_path / "b.dpx", attributes={"x": "2"})
    assert read_attributes(tmp_path / "b.dpx") == {"x": "2"} and np.array_equal(read(tmp_path / "b.dpx"), codes)


def test_a_file_shorter_than_the_whole_header(tmp_path: Path) -> None:
    codes = picture(4, 4)
    path = make(tmp_path / "a.dpx", codes, start=1664)
    assert path.stat().st_size == 1728 and np.array_equal(read(path), codes)
    path.write_bytes(path.read_bytes()[:1727])
    assert not is_complete(path)


ALL_OF_IT = 90 * 45 * 4


@pytest.mark.parametrize("black", [(0, 0), (40, 0), (0, 40), (40, 40)])
@pytest.mark.parametrize(
    ("start", "said", "tail"),
    [
        (2480, {"element": 8192}, b""),  # RAWcooked issue 233
        (2480, {"element": 8192, "total": 8192 + ALL_OF_IT}, b""),
        (2480, {"element": 8192}, bytes(6000)),
        (2480, {"element": 8192}, bytes(5712)),  # the file ends where either says
        (2480, {"general": 8192}, b""),
        (2480, {"general": 8192}, bytes(6000)),
        (8192, {"general": 2048, "user": 0}, b""),  # OpenImageIO reads it, FFmpeg reads it displaced
        (8192, {"element": 2048, "user": 0}, b""),
        (2048, {"general": 0}, b""),
        (2048, {"general": UNDEFINED}, b"end"),
        (2048, {"element": 0}, bytes(99)),
        (2048, {"element": UNDEFINED}, b""),
        (2048, {"element": 1000}, b""),
    ],
)
def test_beginnings_that_disagree(
    tmp_path: Path, start: int, said: dict[str, Any], tail: bytes, black: tuple[int, int]
) -> None:
    """Letterboxes, which look like filler, must not lead astray."""
    codes = picture(45, 90)
    codes[: black[0]] = codes[len(codes) - black[1] :] = 0
    path = make(tmp_path / "a.dpx", codes, start=start, tail=tail, **said)
    assert np.array_equal(read(path), codes)
    written(path)
    out = tmp_path / "out.dpx"  # says it right, for all readers
    assert struct.unpack_from(">I", out.read_bytes(), 4) == struct.unpack_from(">I", out.read_bytes(), 808) == (start,)
    assert np.array_equal(by_openimageio(out, 10), codes)
    assert out.read_bytes()[2048:] == path.read_bytes()[2048:]


def test_user_data_before_the_later_beginning(tmp_path: Path) -> None:
    codes = picture(45, 90)
    codes[-40:] = 0
    path = make(tmp_path / "a.dpx", codes, start=8192, general=2048)
    data = bytearray(path.read_bytes())
    data[2048:8192] = b"a scanner's " * 512
    path.write_bytes(data)
    assert np.array_equal(read(path), codes)


def test_beginnings_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.dpx", picture(45, 90), start=2480, element=8192, user=0, tail=b"text" * 2000)
    for function in (probe, lambda path: read_frame(path, 1)):
        with pytest.raises(InputError, match="at byte 2480 by the general header and at 8192 by the picture element"):
            function(path)


def test_a_cut_file_is_not_taken_for_one_that_begins_earlier(tmp_path: Path) -> None:
    path = make(tmp_path / "a.dpx", picture(45, 90), start=8192, general=2048, user=0)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match="cut short"):
        read_frame(path, 1)
    assert not is_complete(path)


@pytest.mark.parametrize("total", [0, 100, 2048, 2048 + 9 * 45 * 4 + 4096, UNDEFINED - 1, UNDEFINED])
def test_nobody_goes_by_the_size_in_the_header(tmp_path: Path, total: int) -> None:
    codes = picture(45)
    path = make(tmp_path / "a.dpx", codes, total=total)
    assert np.array_equal(read(path), codes) and np.array_equal(by_openimageio(path, 10), codes)
    written(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="cut short"):
        probe(path)


@pytest.mark.parametrize("elements", [0, 0xFFFF])
def test_a_count_of_elements_left_empty(tmp_path: Path, elements: int) -> None:
    codes = picture(45)
    path = make(tmp_path / "a.dpx", codes, elements=elements)
    assert np.array_equal(read(path), codes) and np.array_equal(by_openimageio(path, 10), codes)
    data = bytearray(path.read_bytes())
    data[872] = 4  # alpha
    path.write_bytes(data)
    with pytest.raises(InputError, match="2 picture elements"):
        probe(path)


@pytest.mark.parametrize(
    ("codes", "said", "name"),
    [
        (picture(45), {"sign": 1}, "signed samples"),
        (picture(45), {"descriptor": 52}, "descriptor 52"),
        (picture(45), {"general": 0, "element": 1000}, "inside the header"),
        (picture(45), {"packing": 0}, "packed by method 0, not 1 or 2"),
        (picture(45), {"packing": 5}, "packed by method 5, not 1 or 2"),
        (picture(45), {"packing": 3, "bits": 12}, "packed by method 3, not 0 or 1 or 2"),
    ],
)
def test_what_readers_do_not_agree_on_is_refused_by_name(
    tmp_path: Path, codes: np.ndarray, said: dict[str, int], name: str
) -> None:
    path = make(tmp_path / "a.dpx", codes, said.pop("bits", 10), said.pop("packing", 1), **said)
    with pytest.raises(InputError, match=name):
        probe(path)


@pytest.mark.parametrize("field", [772, 776])
@pytest.mark.parametrize("value", [0, UNDEFINED, UNDEFINED - 1])
def test_windows_that_can_not_be_are_refused_before_memory_goes(tmp_path: Path, field: int, value: int) -> None:
    path = make(tmp_path / "a.dpx", picture(45))
    data = bytearray(path.read_bytes())
    struct.pack_into(">I", data, field, value)
    path.write_bytes(data)
    for function in (probe, lambda path: read_frame(path, 1)):
        with pytest.raises(InputError, match="no size to the picture" if value in (0, UNDEFINED) else "cut short"):
            function(path)


@pytest.mark.parametrize(("at", "text"), [(160, b"Lasergraphics Inc."), (1556, b"Scanity")])
def test_scanners_whose_lines_end_inside_a_word(tmp_path: Path, at: int, text: bytes) -> None:
    for samples, fits in ((3, True), (4, False)):
        codes = picture(46, samples=samples)
        path = make(tmp_path / "a.dpx", codes)
        data = bytearray(path.read_bytes())
        data[at : at + len(text)] = text
        path.write_bytes(data)
        if fits:  # RGB lines end on words by themselves
            assert np.array_equal(read(path), codes)
        else:
            with pytest.raises(InputError, match="end inside a word"):
                probe(path)
