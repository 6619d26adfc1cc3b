"""OpenEXR plates: read any, repaint the RGB of one layer, keep every other bit.

Writing replaces R, G, B and A of the painted part; its other channels are encoded again without loss, and every other
part is copied as bytes. A painted part that was stored with a lossy compression (pxr24, b44, b44a, dwaa, dwab, lj2k) is
written as zip: a second lossy encoding would change the AOVs beside the RGB.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import OpenEXR

from tsn.errors import DeviceError, InputError, OutputError
from tsn.io import exr_container as container
from tsn.io.exr_attributes import header_values
from tsn.io.exr_container import Damaged, ExrAttribute, ExrChunk, ExrContainer, ExrPart, Incomplete
from tsn.io.exr_layers import choose_layer, full_names, lossy_floats
from tsn.io.exr_part import rename_channels
from tsn.io.frame import Box, Frame, Probe, place

# What a part needs to be decoded on its own; no other attribute is given to the decoder.
CODEC_ATTRIBUTES = frozenset(
    {"channels", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio", "tiles"}
    | {"screenWindowCenter", "screenWindowWidth"}
)


@dataclass
class ExrFile:
    """A whole file in memory: its bytes, its headers and chunk tables, and the pixels decoded so far, by part."""

    path: Path
    data: bytes
    structure: ExrContainer
    decoded: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)

    def pixels(self, index: int) -> dict[str, np.ndarray]:
        """Decode the channels of a part, once: (H, W) each, by their names in that part.

        Raises:
            InputError: a chunk is damaged.
        """
        if index not in self.decoded:
            try:
                self.decoded[index] = _decode(self.structure.parts[index], self.structure.chunks(index, self.data))
            except (Damaged, RuntimeError, ValueError) as error:
                _refuse(self.path, error)
            except MemoryError as error:
                window = self.structure.parts[index].window("dataWindow")
                raise DeviceError(
                    f"{self.path}: not enough memory for its {window.width}x{window.height} pixels",
                    hint="Render with fewer workers, or on a host with more memory.",
                ) from error
        return self.decoded[index]


@dataclass(frozen=True, kw_only=True)
class PaintedPart:
    """The `Frame.handle` of an EXR frame: the file, the part to paint, and its names of R, G, B and, if any, A."""

    file: ExrFile
    part: int
    names: tuple[str, ...]


class ExrChannels(Mapping[str, np.ndarray]):
    """Every flat channel by full name, decoded part by part on first use.

    In a multi-part file "part.channel" finds a channel too, even where its name alone is unique. Each part has a data
    window of its own; all channels are given on the one `window`, NaN (integers: 0) where a part has no pixels.
    """

    def __init__(self, file: ExrFile, window: Box) -> None:
        self._file = file
        self._window = window
        self._names = full_names(file.structure.parts)
        self._aliases = dict(self._names)
        if len(file.structure.parts) > 1:
            for index, name in self._names.values():
                self._aliases.setdefault(f"{file.structure.parts[index].name}.{name}", (index, name))

    def __getitem__(self, key: str) -> np.ndarray:
        index, name = self._aliases[key]
        pixels = self._file.pixels(index)[name]
        own = self._file.structure.parts[index].window("dataWindow")
        if own == self._window:
            return pixels
        return place(pixels, own, self._window, fill=np.nan if pixels.dtype.kind == "f" else 0)

    def __contains__(self, key: object) -> bool:
        return key in self._aliases

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def read(path: Path, number: int, layer: str | None = None) -> Frame:
    """Read a frame and choose the RGB to paint.

    Args:
        layer: "ViewLayer.Combined", or None: plain R, G, B; else the one layer that ends in ".Combined";
            else the only layer that has R, G and B.

    Raises:
        InputError: missing, damaged, no such layer, or a layer that can't be painted.
    """
    try:
        data = path.read_bytes()
        structure = container.parse(data, len(data))
        _check_last(structure, data[structure.last()[1] :][:48], len(data))
    except OSError as error:
        raise InputError(f"Can't read {path}: {error.strerror}") from error
    except (Damaged, Incomplete) as error:
        _refuse(path, error)
    index, names = choose_layer(path, structure.parts, layer)
    file, part = ExrFile(path, data, structure), structure.parts[index]
    pixels = file.pixels(index)
    kinds = {channel.name: channel.type for channel in part.channels}
    if any(kinds[name] == 0 for name in names):
        raise InputError(f"{path}: {', '.join(names)} are whole numbers (uint32), not colours")
    return Frame(
        path=path,
        number=number,
        rgb=np.stack([pixels[name] for name in names[:3]], axis=-1),
        alpha=pixels[names[3]] if len(names) > 3 else None,
        data_window=part.window("dataWindow"),
        display_window=part.window("displayWindow"),
        channels=ExrChannels(file, part.window("dataWindow")),
        header=header_values(structure.parts, index),
        lossy=lossy_floats(structure.parts),
        handle=PaintedPart(file=file, part=index, names=names),
    )


def write(
    frame: Frame, rgb: np.ndarray, path: Path, attributes: Mapping[str, str], layers: Mapping[str, np.ndarray]
) -> None:
    """Write a frame's file with new RGB. Not atomic; `tsn.io.write_frame` is.

    Args:
        rgb: (H, W, 3) on the data window, any float dtype. Finite values beyond the stored dtype's range
            (65504 for half) are clamped; NaN and infinity are kept.
        attributes: string attributes for the header of the painted part.
        layers: channels to add to that part by full name, float32 (H, W); one that it has already is replaced, its type
            too.

    Raises:
        OutputError: OpenEXR refuses to encode it; no case is known that `read` does not refuse first.
    """
    handle = frame.handle
    assert isinstance(handle, PaintedPart)
    structure, part = handle.file.structure, handle.file.structure.parts[handle.part]
    pixels = dict(handle.file.pixels(handle.part))
    for plane, name in enumerate(handle.names[:3]):
        pixels[name] = to_dtype(rgb[..., plane], pixels[name].dtype)
    if frame.alpha is not None:
        pixels[handle.names[3]] = to_dtype(frame.alpha, pixels[handle.names[3]].dtype)
    for name, added in layers.items():
        pixels[name] = np.ascontiguousarray(added, np.float32)
    try:
        encoded, chunks = _encode(part, pixels)
    except (RuntimeError, ValueError) as error:
        raise OutputError(
            f"Can't write frame {frame.number}: OpenEXR does not encode the header of {frame.path}: {error}",
            hint="Write the plate anew with the program it came from.",
        ) from error
    names = {utf8: name for name, utf8 in _latin1_names(part).items()}
    changed = {
        "channels": ExrAttribute("channels", "chlist", rename_channels(encoded.value("channels"), names)),
        "compression": encoded.by_name["compression"],
    }
    if "chunkCount" in part.by_name:
        changed["chunkCount"] = ExrAttribute("chunkCount", "int", struct.pack("<i", len(chunks)))
    for name, text in attributes.items():
        changed[name] = ExrAttribute(name, "string", text.encode("utf-8", "surrogateescape"))
    header = [changed.get(item.name, item) for item in part.attributes]  # a header may have an attribute twice
    header += [item for name, item in changed.items() if name not in part.by_name]
    version = structure.version | (container.LONG_NAMES if any(len(item.name) > 31 for item in header) else 0)
    parts = [
        (header, chunks) if index == handle.part else (other.attributes, structure.chunks(index, handle.file.data))
        for index, other in enumerate(structure.parts)
    ]
    with open(path, "wb") as out:
        out.writelines(container.assemble(version, parts))


def probe(path: Path, layer: str | None = None) -> Probe:
    """Read the header and check completeness, in about 0.1 ms: whole chunk tables, the last chunk inside the file.

    Windows and compression are those of the part that `read` would paint; of the first flat part where no layer is
    named and none can be chosen.

    Raises:
        InputError: missing, cut short, not an OpenEXR file, or without the layer named. Flipped bits in the pixels are
            not noticed.
    """
    structure = _read_structure(path, whole=True)
    part = _part_to_paint(path, structure.parts, layer)
    return Probe(
        data_window=part.window("dataWindow"),
        display_window=part.window("displayWindow"),
        channels=tuple(full_names(structure.parts)),
        compression=part.compression,
        format="exr",
    )


def read_attributes(path: Path, layer: str | None = None, *, whole: bool = False) -> dict[str, str]:
    """Read the string attributes of all parts; those of the part that `read` would paint win over others.

    Args:
        whole: check that the file is complete, as `probe` does.

    Raises:
        InputError: missing, without the layer named, or its header or chunk tables are not complete.
    """
    parts = _read_structure(path, whole=whole).parts
    return {
        item.name: item.value.decode("utf-8", "surrogateescape")
        for part in (*reversed(parts), _part_to_paint(path, parts, layer))  # two passes may have painted a part each
        for item in part.attributes
        if item.type == "string"
    }


def to_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert to a float dtype, C-contiguous; finite values stay finite."""
    if values.dtype == dtype:
        return np.ascontiguousarray(values)
    limit = np.finfo(dtype).max
    clamped = np.where(np.isfinite(values), np.clip(values, -limit, limit), values)
    with np.errstate(invalid="ignore"):  # a signalling NaN may pass
        return np.ascontiguousarray(clamped.astype(dtype))


def _part_to_paint(path: Path, parts: Sequence[ExrPart], layer: str | None) -> ExrPart:
    """The part that `read` would paint; the first flat one where no layer is named and none can be chosen."""
    try:
        return parts[choose_layer(path, parts, layer)[0]]
    except InputError:
        if layer is not None:
            raise
        return next((part for part in parts if part.unsupported_reason is None), parts[0])


def _refuse(path: Path, error: Exception) -> NoReturn:
    """Raise InputError for a file that `error` found damaged."""
    if isinstance(error, Incomplete):
        reason = "it ends inside its header"
    else:
        reason = str(error) if isinstance(error, Damaged) else "its pixels can't be decoded"
    raise InputError(
        f"{path} is damaged or no OpenEXR file: {reason}", hint="Render or copy this frame again."
    ) from error


def _check_last(structure: ExrContainer, leader: bytes, room: int) -> None:
    """Raise Damaged unless the last chunk, which begins with `leader`, ends within `room` bytes."""
    index, offset = structure.last()
    if offset + structure.extent(index, leader)[0] > room:
        raise Damaged("it was cut short")


def _read_structure(path: Path, *, whole: bool) -> ExrContainer:
    """Read the headers of a file and no more of it; `whole` checks the last chunk too."""
    try:
        with open(path, "rb", buffering=0) as file:
            size = file.seek(0, io.SEEK_END)
            wanted = 1 << 14  # enough for most headers; it counts over a plate of ten thousand frames
            while True:
                file.seek(0)
                data = file.read(wanted)
                try:
                    structure = container.parse(data, size)
                    break
                except Incomplete:
                    if len(data) >= size:
                        raise
                    wanted *= 8
            if whole:
                file.seek(structure.last()[1])
                _check_last(structure, file.read(48), size)
            return structure
    except OSError as error:
        raise InputError(f"Can't read {path}: {error.strerror}") from error
    except (Damaged, Incomplete) as error:
        _refuse(path, error)


def _decode(part: ExrPart, chunks: Sequence[ExrChunk]) -> dict[str, np.ndarray]:
    """Decode the pixels of a part, wrapped in a single-part file of its own."""
    names = _latin1_names(part)
    header = [item for item in part.attributes if item.name in CODEC_ATTRIBUTES]
    if names:
        channels = ExrAttribute("channels", "chlist", rename_channels(part.value("channels"), names))
        header = [channels if item.name == "channels" else item for item in header]
    version = 2 | (container.TILED if part.tiled else 0) | part.flags & container.LONG_NAMES
    stream = io.BytesIO(b"".join(container.assemble(version, [(header, chunks)])))
    found = OpenEXR.File(stream, separate_channels=True).parts
    if not found:  # the wheel prints a warning and drops a part that it can't decode
        raise Damaged("its pixels can't be decoded")
    pixels = {name: channel.pixels for name, channel in found[0].channels.items()}
    return {channel.name: pixels[names.get(channel.name, channel.name)] for channel in part.channels}


def _latin1_names(part: ExrPart) -> dict[str, str]:
    """Channel names that are not UTF-8, as the wheel requires, -> their bytes read as Latin-1.

    That keeps their order, in which pixels are stored, and the word after the last dot, by which dwaa compresses.
    """
    raw = {channel.name: channel.name.encode("utf-8", "surrogateescape") for channel in part.channels}
    return {name: text.decode("latin-1") for name, text in raw.items() if text.decode("utf-8", "ignore") != name}


def _encode(part: ExrPart, pixels: Mapping[str, np.ndarray]) -> tuple[ExrPart, tuple[ExrChunk, ...]]:
    """Encode pixels as a part like this one, with channels that it has not; zip where its compression is lossy."""

    def corners(name: str) -> tuple[tuple[int, int], tuple[int, int]]:
        box = part.window(name)
        return (box.x, box.y), (box.right - 1, box.bottom - 1)

    code = container.ZIP if part.compression in container.LOSSY_COMPRESSIONS else part.code
    header = {
        "type": OpenEXR.tiledimage if part.tiled else OpenEXR.scanlineimage,
        "compression": OpenEXR.Compression(code),
        "lineOrder": OpenEXR.LineOrder(part.line_order),
        "dataWindow": corners("dataWindow"),
        "displayWindow": corners("displayWindow"),
    }
    if part.tiled:
        tiles = header["tiles"] = OpenEXR.TileDescription()
        tiles.xSize, tiles.ySize, _ = part.tiles
    names = _latin1_names(part)
    channels = {
        name: OpenEXR.Channel(name, pixels[channel.name], 1, 1, channel.linear)
        for channel in part.channels
        for name in (names.get(channel.name, channel.name),)
    }
    added = pixels.keys() - {channel.name for channel in part.channels}
    channels |= {name: OpenEXR.Channel(name, pixels[name], 1, 1, False) for name in added}
    stream = io.BytesIO()
    OpenEXR.File(header, channels).write(stream)
    data = stream.getvalue()
    structure = container.parse(data, len(data))
    return structure.parts[0], structure.chunks(0, data)
