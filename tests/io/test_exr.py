import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest

from tsn.errors import InputError
from tsn.io import Box, blank_like, exr_container, is_complete, probe, read_attributes, read_frame, write_frame

DATA, DISPLAY = Box(-5, 7, 45, 37), Box(0, 0, 64, 32)


def test_read(tmp_path: Path, plate: SimpleNamespace) -> None:
    frame = read_frame(plate.single(tmp_path / "a.exr"), 1001)
    assert (frame.data_window, frame.display_window, frame.number) == (DATA, DISPLAY, 1001)
    assert frame.rgb.dtype == np.float16 and frame.rgb.shape == (37, 45, 3)
    for index in range(3):
        assert np.array_equal(frame.rgb[..., index], plate.half(index))
    assert frame.alpha is not None and np.array_equal(frame.alpha, plate.half(3))
    assert sorted(frame.channels) == ["A", "B", "G", "R"] and np.array_equal(frame.channels["B"], plate.half(2))


def test_a_part_with_a_data_window_of_its_own_lies_where_it_belongs(tmp_path: Path, plate: SimpleNamespace) -> None:
    """Crop windows of AOVs are smaller than the beauty's, or stick out of it; nothing of them may shift."""
    beauty = {name: plate.half(seed) for seed, name in enumerate("RGB")}
    window = (DATA.x + 10, DATA.y - 2), (DATA.x + 19, DATA.y + 12)  # two lines above the beauty's first
    small = np.arange(15 * 10, dtype=np.float32).reshape(15, 10)
    parts = [
        OpenEXR.Part(plate.header(), beauty, "beauty"),
        OpenEXR.Part(plate.header() | {"dataWindow": window}, {"M": small, "id": small.astype(np.uint32)}, "aov"),
    ]
    OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
    channels = read_frame(tmp_path / "a.exr", 1).channels
    for name, outside in (("M", np.nan), ("id", 0)):
        placed = channels[name]
        assert placed.shape == (DATA.height, DATA.width)
        assert np.array_equal(placed[:13, 10:20], small[2:])
        around = np.ones(placed.shape, bool)
        around[:13, 10:20] = False
        assert np.array_equal(placed[around], np.full(around.sum(), outside, placed.dtype), equal_nan=name == "M")


def test_repainting_a_multipart_file_changes_nothing_but_rgb(tmp_path: Path, plate: SimpleNamespace) -> None:
    source = plate.multipart(tmp_path / "a.exr")
    frame = read_frame(source, 1)
    painted = np.random.default_rng(0).random(frame.rgb.shape).astype(np.float32)
    out = tmp_path / "b.exr"
    write_frame(frame, painted, out, attributes={"tsn:version": "1"})

    before, after = plate.decoded(source), plate.decoded(out)
    assert [part.name() for part in after] == ["beauty", "crypto", "depth", "deep"]
    for index, name in enumerate("RGB"):
        assert np.array_equal(after[0].channels[name].pixels, painted[..., index].astype(np.float16))
    assert np.array_equal(plate.bits(after[0].channels["A"].pixels), plate.bits(plate.half(3)))
    assert np.array_equal(after[1].channels["id"].pixels, plate.ids(5))
    assert np.array_equal(after[1].channels["CryptoObject00.R"].pixels.view(np.uint32), plate.ids(6))
    assert np.array_equal(before[2].channels["Z"].pixels, after[2].channels["Z"].pixels)
    assert after[2].compression() == OpenEXR.DWAA_COMPRESSION  # copied as bytes, so it may stay lossy
    for mine, theirs in zip(before[3].channels["D"].pixels.flat, after[3].channels["D"].pixels.flat, strict=True):
        assert (mine is None and theirs is None) or np.array_equal(mine, theirs)
    for one, other in zip(before, after, strict=True):
        extra = {"tsn:version"} if one.name() == "beauty" else set()
        assert set(other.header) - set(one.header) == extra and set(one.header) <= set(other.header)
        assert repr({**other.header, "tsn:version": 0}) == repr({**one.header, "tsn:version": 0}) or extra
    assert is_complete(out)


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("compression", ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "HTJ2K256", "HTJ2K32", "ZSTD"])
def test_unchanged_rgb_gives_the_same_bits(
    tmp_path: Path, plate: SimpleNamespace, compression: str, tiled: bool
) -> None:
    red = plate.half(0)
    red[0, :4] = np.nan, np.inf, -np.inf, -0.0
    channels = {"R": red, "G": plate.half(1), "B": plate.half(2), "id": plate.ids(3), "f": plate.ids(4).view("f4")}
    more = {"tiles": plate.tiles()} if tiled else {}
    source, out = plate.single(tmp_path / "a.exr", channels, compression, **more), tmp_path / "b.exr"
    frame = read_frame(source, 1)
    write_frame(frame, frame.rgb, out, attributes={})
    assert out.read_bytes() == source.read_bytes()
    found = plate.decoded(out)[0].channels
    for name, pixels in channels.items():
        assert np.array_equal(plate.bits(found[name].pixels), plate.bits(pixels))


@pytest.mark.parametrize("compression", ["PXR24", "B44", "B44A", "DWAA", "DWAB", "LJ2K"])
def test_a_lossy_part_is_written_as_zip_so_that_its_aovs_stay(
    tmp_path: Path, plate: SimpleNamespace, compression: str
) -> None:
    ramp = np.linspace(0, 3, 37 * 45, dtype=np.float32).reshape(37, 45)
    channels = {"R": ramp, "G": ramp / 3, "B": ramp * ramp, "N.X": np.sin(ramp), "M": np.cos(ramp).astype(np.float16)}
    source, out = plate.single(tmp_path / "a.exr", channels, compression), tmp_path / "b.exr"
    frame = read_frame(source, 1)
    write_frame(frame, frame.rgb * 2, out, attributes={})
    assert probe(source).compression == compression.lower() and probe(out).compression == "zip"
    before, after = plate.decoded(source)[0].channels, plate.decoded(out)[0].channels
    for name in ("N.X", "M"):
        assert np.array_equal(before[name].pixels, after[name].pixels)
    assert np.array_equal(after["R"].pixels, before["R"].pixels * 2)


RAW = [
    ("weird", "studioType", b"\x00\xffblob"),
    ("artist", "string", b"caf\xe9"),  # Latin-1
    ("empty", "stringvector", b""),
    ("rate", "rational", struct.pack("<iI", 48, 2)),
    ("deepImageState", "deepImageState", b"\1"),
    ("broken", "float", b"\0"),
    ("chromaticities", "chromaticities", struct.pack("<8f", *range(8))),
    ("keys", "stringvector", struct.pack("<i", 2) + b"hi" + struct.pack("<i", 0)),
]


def test_attributes_of_any_type_survive_as_bytes(tmp_path: Path, plate: SimpleNamespace) -> None:
    source, out = plate.single(tmp_path / "a.exr"), tmp_path / "b.exr"
    plate.add_attributes(source, 3, RAW)
    frame = read_frame(source, 1)
    write_frame(frame, frame.rgb, out, attributes={"tsn:plan": "ü", "tsn:" + "long" * 10: "x"})
    found = plate.attributes(out)
    assert {name: found[name] for name, _, _ in RAW} == {name: (kind, value) for name, kind, value in RAW}
    assert read_attributes(out)["tsn:plan"] == "ü" and read_attributes(out)["tsn:" + "long" * 10] == "x"
    assert struct.unpack_from("<I", out.read_bytes(), 4)[0] & 0x400, "names over 31 bytes need their flag"
    assert frame.header["chromaticities"] == tuple(range(8)) and frame.header["keys"] == ["hi", ""]
    assert frame.header["weird"] == b"\x00\xffblob" and frame.header["rate"] == 24 and frame.header["broken"] == b"\0"


def test_attributes_are_replaced_not_doubled(tmp_path: Path, plate: SimpleNamespace) -> None:
    first, second = tmp_path / "a.exr", tmp_path / "b.exr"
    frame = read_frame(plate.single(tmp_path / "0.exr"), 1)
    write_frame(frame, frame.rgb, first, attributes={"tsn:version": "1"})
    write_frame(read_frame(first, 1), frame.rgb, second, attributes={"tsn:version": "22"})
    assert read_attributes(second)["tsn:version"] == "22"
    assert second.read_bytes().count(b"tsn:version") == 1


def test_layers_are_written_beside_the_others_or_instead(tmp_path: Path, plate: SimpleNamespace) -> None:
    frame = read_frame(plate.single(tmp_path / "0.exr"), 1)
    one = np.random.default_rng(1).random(frame.rgb.shape[:2], dtype=np.float32)
    write_frame(frame, frame.rgb, tmp_path / "a.exr", attributes={}, layers={"strokes.height": one, "a.first": 2 * one})
    found = read_frame(tmp_path / "a.exr", 1)
    assert found.channels.keys() - frame.channels.keys() == {"strokes.height", "a.first"}
    np.testing.assert_array_equal(found.channels["strokes.height"], one)
    np.testing.assert_array_equal(found.channels["a.first"], 2 * one)
    for name in frame.channels:
        assert frame.channels[name].tobytes() == found.channels[name].tobytes()
    write_frame(found, found.rgb, tmp_path / "b.exr", attributes={}, layers={"strokes.height": 3 * one})
    again = read_frame(tmp_path / "b.exr", 1)
    assert again.channels.keys() == found.channels.keys()
    np.testing.assert_array_equal(again.channels["strokes.height"], 3 * one)


def test_half_is_clamped_and_what_is_not_finite_passes(tmp_path: Path, plate: SimpleNamespace) -> None:
    frame = read_frame(plate.single(tmp_path / "a.exr"), 1)
    rgb = np.zeros(frame.rgb.shape, np.float32)
    rgb[0, :5, 0] = 1e9, -1e9, np.inf, -np.inf, np.nan
    write_frame(frame, rgb, tmp_path / "b.exr", attributes={})
    np.testing.assert_array_equal(
        read_frame(tmp_path / "b.exr", 1).rgb[0, :5, 0], [65504, -65504, np.inf, -np.inf, np.nan]
    )


def test_the_layer_is_chosen(tmp_path: Path, plate: SimpleNamespace) -> None:
    def layer(name: str, seed: int, letters: str = "RGBA") -> dict[str, np.ndarray]:
        return {f"{name}.{letter}": plate.half(seed + at) for at, letter in enumerate(letters)}

    blender = {
        **layer("ViewLayer.Combined", 0),
        **layer("ViewLayer.DiffCol", 9, "RGB"),
        "ViewLayer.Vector.X": plate.half(1),
    }
    path = plate.single(tmp_path / "blender.exr", blender)
    assert np.array_equal(read_frame(path, 1).rgb[..., 0], plate.half(0))
    chosen = read_frame(path, 1, layer="ViewLayer.DiffCol")
    assert np.array_equal(chosen.rgb[..., 2], plate.half(11)) and chosen.alpha is None
    with pytest.raises(InputError, match=r"ViewLayer\.Combined, ViewLayer\.DiffCol") as caught:
        read_frame(path, 1, layer="ViewLayer.Combind")
    assert caught.value.hint == "Perhaps you meant 'ViewLayer.Combined'?"
    with pytest.raises(InputError, match="no layer"):
        probe(path, layer="nothing")

    plain = plate.single(
        tmp_path / "plain.exr", {**blender, **{name: plate.half(20 + at) for at, name in enumerate("RGB")}}
    )
    assert np.array_equal(read_frame(plain, 1).rgb[..., 0], plate.half(20))
    crypto = {f"CryptoObject00.{name}": plate.ids(3).view("f4") for name in "RGBA"}
    only = plate.single(tmp_path / "only.exr", {**layer("beauty", 0), **crypto})
    assert np.array_equal(read_frame(only, 1).rgb[..., 1], plate.half(1))
    several = plate.single(tmp_path / "several.exr", {**layer("diffuse", 0), **layer("glossy", 4)})
    with pytest.raises(InputError, match="diffuse, glossy"):
        read_frame(several, 1)
    none = plate.single(tmp_path / "none.exr", {"Z": plate.half(0)})
    with pytest.raises(InputError, match="its channels: Z"):
        read_frame(none, 1)


@pytest.mark.parametrize(
    ("words", "painted"),
    [
        ("R G B r g b", "R G B"),
        ("R G B A red green blue alpha", "R G B A"),
        ("Red Green Blue Alpha", "Red Green Blue Alpha"),
        ("R G b", "R G b"),
        ("R G B alpha", "R G B alpha"),
    ],
)
@pytest.mark.parametrize("layer", ["", "beauty."])
def test_what_viewers_show_is_painted(
    tmp_path: Path, plate: SimpleNamespace, words: str, painted: str, layer: str
) -> None:
    channels = {layer + word: plate.half(at) for at, word in enumerate(words.split())}
    frame = read_frame(plate.single(tmp_path / "a.exr", channels), 1)
    write_frame(frame, frame.rgb * 0, tmp_path / "b.exr", attributes={})
    (part,) = plate.decoded(tmp_path / "b.exr")
    changed = [name for name in channels if not np.array_equal(part.channels[name].pixels, channels[name])]
    assert sorted(changed) == sorted(layer + word for word in painted.split()[:3])
    alpha = painted.split()[3:]
    assert (frame.alpha is None) == (not alpha)
    if frame.alpha is not None:
        assert np.array_equal(frame.alpha, channels[layer + alpha[0]])


@pytest.mark.parametrize("words", ["r g b red green blue", "R G r g b", "R r G B g red B b"])
def test_two_spellings_of_which_nobody_knows_the_picture(tmp_path: Path, plate: SimpleNamespace, words: str) -> None:
    channels = {word: plate.half(at) for at, word in enumerate(words.split())}
    path = plate.single(tmp_path / "a.exr", channels)
    if set("RGB") <= set(channels):
        assert np.array_equal(read_frame(path, 1).rgb[..., 2], channels["B"])
        return
    with pytest.raises(InputError, match=r"spells one channel of the picture twice: [rR] and [rR]") as caught:
        read_frame(path, 1)
    assert "R, G and B" in (caught.value.hint or "")
    others = {f"beauty.{name}": plate.half(9) for name in "RGB"}
    assert read_frame(plate.single(tmp_path / "b.exr", channels | others), 1, layer="beauty").rgb.shape[-1] == 3


def test_two_spellings_in_two_parts(tmp_path: Path, plate: SimpleNamespace) -> None:
    def write(**parts: str | list[str]) -> Path:
        made = [
            OpenEXR.Part(plate.header(), {word: plate.half(at + len(name)) for at, word in enumerate(words)}, name)
            for name, words in parts.items()
        ]
        OpenEXR.File(made).write(str(tmp_path / "a.exr"))
        return tmp_path / "a.exr"

    for parts in ({"one": "RGB", "other": "rgb"}, {"other": "rgb", "one": "RGB"}):
        path = write(**parts)
        assert np.array_equal(read_frame(path, 1).rgb[..., 0], plate.half(3))
        assert np.array_equal(read_frame(path, 1, layer="other").rgb[..., 0], plate.half(5))
    path = write(one="rgb", other=["red", "green", "blue"])
    with pytest.raises(InputError, match=r"two spellings: r, g, b in 'one'; red, green, blue in 'other'") as caught:
        read_frame(path, 1)
    assert "layer:" in (caught.value.hint or "")


@pytest.mark.parametrize("compression", ["NO", "ZIP", "PIZ", "B44", "B44A", "PXR24", "DWAA", "DWAB"])
def test_floats_that_lost_bits_are_known(tmp_path: Path, plate: SimpleNamespace, compression: str) -> None:
    """The library itself is the referee: what it gives back of ids that were written."""
    values = (plate.ids(3) % 0x15000000 + 0x30000000).astype(np.uint32).view(np.float32)
    words = ["crypto00.R", "crypto00.G", "crypto00.B", "crypto00.A", "crypto01.red", "crypto01.r", "crypto01.u", "L.Y"]
    channels = {**{name: plate.half(0) for name in "RGB"}, **{word: values.copy() for word in words}}
    path = plate.single(tmp_path / "a.exr", channels, compression)
    (part,) = plate.decoded(path)
    lost = {word for word in words if not np.array_equal(plate.bits(part.channels[word].pixels), plate.bits(values))}
    assert read_frame(path, 1).lossy == lost


def test_a_lossy_part_beside_the_picture(tmp_path: Path, plate: SimpleNamespace) -> None:
    ids = {f"id00.{name}": plate.ids(1).view(np.float32) for name in "RGBA"}
    parts = [
        OpenEXR.Part(plate.header(), {name: plate.half(0) for name in "RGB"}, "beauty"),
        OpenEXR.Part(plate.header("PXR24"), ids, "ids"),
    ]
    OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
    frame = read_frame(tmp_path / "a.exr", 1)
    assert frame.lossy == {"id00.R", "id00.G", "id00.B", "id00.A"} <= set(frame.channels)


@pytest.mark.parametrize("order", [("key", "fill"), ("fill", "key")])
def test_each_part_keeps_its_own_attributes(tmp_path: Path, plate: SimpleNamespace, order: tuple[str, str]) -> None:
    """Two passes over one file paint a part each."""
    path = tmp_path / "a.exr"
    parts = {
        name: OpenEXR.Part(plate.header(), {c: plate.half(at) for at, c in enumerate("RGB")}, name)
        for name in ("key", "fill")
    }
    OpenEXR.File(list(parts.values())).write(str(path))
    for layer in order:
        frame = read_frame(path, 1, layer=layer)
        path = tmp_path / f"{layer}.exr"
        write_frame(frame, frame.rgb, path, attributes={"tsn:plan": layer})
    assert [read_attributes(path, layer=layer)["tsn:plan"] for layer in order] == list(order)
    with pytest.raises(InputError, match="no layer"):
        read_attributes(path, layer="rim")


def test_parts_named_like_blenders_layers(tmp_path: Path, plate: SimpleNamespace) -> None:
    parts = [
        OpenEXR.Part(plate.header(), {name: plate.half(at) for at, name in enumerate("RGBA")}, "ViewLayer.Combined"),
        OpenEXR.Part(plate.header(), {name: plate.half(9 + at) for at, name in enumerate("XYZW")}, "ViewLayer.Vector"),
        OpenEXR.Part(plate.header(), {"ViewLayer.Depth.V": plate.half(20)}, "ViewLayer.Depth"),
    ]
    path = tmp_path / "a.exr"
    OpenEXR.File(parts).write(str(path))
    for layer in (None, "ViewLayer.Combined"):
        frame = read_frame(path, 1, layer=layer)
        assert np.array_equal(frame.rgb[..., 0], plate.half(0))
    assert {"ViewLayer.Combined.R", "ViewLayer.Vector.X", "ViewLayer.Depth.V"} <= set(frame.channels)
    assert np.array_equal(frame.channels["ViewLayer.Vector.W"], plate.half(12))
    assert set(probe(path).channels) == set(frame.channels)


def test_part_names_only_where_they_are_needed(tmp_path: Path, plate: SimpleNamespace) -> None:
    frame = read_frame(plate.multipart(tmp_path / "a.exr"), 1, layer="beauty")
    assert set(frame.channels) == {"R", "G", "B", "A", "id", "CryptoObject00.R", "Z"}
    assert np.array_equal(frame.channels["crypto.id"], plate.ids(5)), "the long name works too"
    eyes = [
        OpenEXR.Part(plate.header(), {name: plate.half(at + shift) for at, name in enumerate("RGB")}, eye)
        for shift, eye in ((0, "left"), (3, "right"))
    ]
    OpenEXR.File(eyes).write(str(tmp_path / "eyes.exr"))
    with pytest.raises(InputError, match="left, right"):
        read_frame(tmp_path / "eyes.exr", 1)
    right = read_frame(tmp_path / "eyes.exr", 1, layer="right")
    assert np.array_equal(right.rgb[..., 0], plate.half(3)) and "left.R" in right.channels
    write_frame(right, right.rgb * 0, tmp_path / "out.exr", attributes={"tsn:x": "1"})
    left, right = plate.decoded(tmp_path / "out.exr")
    assert np.array_equal(left.channels["R"].pixels, plate.half(0)) and not right.channels["R"].pixels.any()
    assert "tsn:x" in right.header and "tsn:x" not in left.header


def test_manifests_of_other_parts_are_in_the_header(tmp_path: Path, plate: SimpleNamespace) -> None:
    rgb = {name: plate.half(at) for at, name in enumerate("RGB")}
    key = "cryptomatte/1234567/manifest"
    parts = [
        OpenEXR.Part(plate.header(), rgb, "rgba"),
        OpenEXR.Part(plate.header(**{key: "{}", "comments": "no"}), {"CryptoObject00.R": plate.half(3)}, "crypto"),
    ]
    OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
    header = read_frame(tmp_path / "a.exr", 1).header
    assert header[key] == "{}" and "comments" not in header


def test_channels_of_different_types_come_as_float32_and_go_back_exact(tmp_path: Path, plate: SimpleNamespace) -> None:
    channels = {"R": plate.half(0), "G": plate.half(1).astype(np.float32) / 3, "B": plate.half(2)}
    source = plate.single(tmp_path / "a.exr", channels)
    frame = read_frame(source, 1)
    assert frame.rgb.dtype == np.float32
    write_frame(frame, frame.rgb, tmp_path / "b.exr", attributes={})
    assert (tmp_path / "b.exr").read_bytes() == source.read_bytes()


def test_a_blank_frame_is_black_and_transparent_on_disk(tmp_path: Path, plate: SimpleNamespace) -> None:
    blank = blank_like(read_frame(plate.multipart(tmp_path / "a.exr"), 1), 2)
    write_frame(blank, blank.rgb, tmp_path / "b.exr", attributes={})
    again = read_frame(tmp_path / "b.exr", 2)
    assert blank.number == 2 and not again.rgb.any() and again.alpha is not None and not again.alpha.any()
    assert np.array_equal(again.channels["id"], plate.ids(5))


def test_oddities_are_refused_by_name(tmp_path: Path, plate: SimpleNamespace) -> None:
    whole = {name: plate.ids(1) for name in "RGB"}
    with pytest.raises(InputError, match="whole numbers"):
        read_frame(plate.single(tmp_path / "ids.exr", whole), 1)
    OpenEXR.File(plate.header("ZIPS", type=OpenEXR.deepscanline), {name: plate.deep(1) for name in "RGB"}).write(
        str(tmp_path / "deep.exr")
    )
    with pytest.raises(InputError, match="deep samples"):
        read_frame(tmp_path / "deep.exr", 1)
    assert is_complete(tmp_path / "deep.exr")
    path = plate.single(tmp_path / "sub.exr", {name: plate.half(1) for name in "RGB"}, "NO")
    data = bytearray(path.read_bytes())
    data[data.index(b"G\0\1\0\0\0") + 10] = 2
    path.write_bytes(data)
    with pytest.raises(InputError, match="subsampled"):
        read_frame(path, 1)


@pytest.mark.parametrize(
    ("mode", "count"), [(0, 9), (1, 9 + 4 + 4), (2, 9 * 9), (16 + 1, 9 + 4 + 5), (16 + 2, 10 * 10)]
)
def test_tiles_are_counted_by_hand(mode: int, count: int) -> None:
    """45x37 in tiles of 16. Down: 45 22 11 5 2 1 by 37 18 9 4 2 1. Up: 45 23 12 6 3 2 1 by 37 19 10 5 3 2 1."""
    attributes = (
        exr_container.ExrAttribute("dataWindow", "box2i", struct.pack("<4i", 0, 0, 44, 36)),
        exr_container.ExrAttribute("tiles", "tiledesc", struct.pack("<2IB", 16, 16, mode)),
    )
    assert exr_container.ExrPart(attributes=attributes, flags=exr_container.TILED).count_chunks() == count


def test_a_mipmap_is_complete_but_can_not_be_painted(tmp_path: Path) -> None:
    path = str(tmp_path / "a.exr")
    spec = oiio.ImageSpec(45, 37, 3, "half")
    spec.tile_width = spec.tile_height = 16
    spec["textureformat"], spec["openexr:roundingmode"] = "Plain Texture", 0
    out, mode, width, height = oiio.ImageOutput.create(path), "Create", 45, 37
    while width and height:
        spec.width, spec.height = spec.full_width, spec.full_height = width, height
        assert out.open(path, spec, mode) and out.write_image(np.ones((height, width, 3), np.float16)), out.geterror()
        mode, last = "AppendMIPLevel", (width, height) == (1, 1)
        width, height = (0, 0) if last else (max(1, width // 2), max(1, height // 2))
    out.close()
    del out  # only now does OpenImageIO write the tables
    assert is_complete(tmp_path / "a.exr")
    with pytest.raises(InputError, match="mipmapped"):
        read_frame(tmp_path / "a.exr", 1)


def test_every_truncation_is_seen(tmp_path: Path, plate: SimpleNamespace) -> None:
    sources = {
        "multi": plate.multipart(tmp_path / "m.exr"),
        "zip": plate.single(tmp_path / "z.exr"),
        "none": plate.single(tmp_path / "n.exr", compression="NO"),
        "tiled": plate.single(tmp_path / "t.exr", tiles=plate.tiles()),
    }
    broken = tmp_path / "broken.exr"
    for kind, source in sources.items():
        data = source.read_bytes()
        places = {0, 1, 4, 7, 8, 40, 300, 500, 700, len(data) // 3, len(data) // 2, len(data) - 100, len(data) - 1}
        for size in sorted(places):
            broken.write_bytes(data[:size])
            assert not is_complete(broken), (kind, size)
            with pytest.raises(InputError, match="broken"):
                read_frame(broken, 1)
            if size <= len(data) // 2:  # a copy that was preallocated and cut off before its last chunk
                broken.write_bytes(data[:size].ljust(len(data), b"\0"))
                assert not is_complete(broken), (kind, size, "zeros")


def test_a_hole_in_the_chunk_table_is_seen(tmp_path: Path, plate: SimpleNamespace) -> None:
    path = plate.single(tmp_path / "a.exr")
    data = bytearray(path.read_bytes())
    first = next(at for at in range(8, len(data)) if struct.unpack_from("<Q", data, at)[0] == at + 24)  # of 3 chunks
    data[first + 8 : first + 16] = bytes(8)
    path.write_bytes(data)
    with pytest.raises(InputError, match="chunk table"):
        probe(path)


def test_a_flipped_bit_is_seen_when_the_pixels_are_read(tmp_path: Path, plate: SimpleNamespace) -> None:
    path = plate.single(tmp_path / "a.exr", {name: np.ones((37, 45), np.float16) for name in "RGB"})
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="can't be decoded"):
        read_frame(path, 1)


def test_what_is_no_plate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_frame(tmp_path / "gone.exr", 1)
    (tmp_path / "empty.exr").touch()
    with pytest.raises(InputError, match="is empty"):
        read_frame(tmp_path / "empty.exr", 1)
    (tmp_path / "text.exr").write_text("hello there")
    with pytest.raises(InputError, match="neither EXR nor DPX"):
        read_frame(tmp_path / "text.exr", 1)
    with pytest.raises(InputError, match="neither EXR nor DPX"):
        read_attributes(tmp_path / "text.exr")
    (tmp_path / "unknown.exr").write_bytes(b"\x76\x2f\x31\x01\x02\0\0\0" + b"x" * 600)
    with pytest.raises(InputError, match="makes no sense"):
        probe(tmp_path / "unknown.exr")
