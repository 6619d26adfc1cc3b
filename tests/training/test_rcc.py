"""Qt resource files, written here after the layout in Qt's rcc.cpp."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image

import gather_images
from tsn_training import rcc

Tree = dict[str, "Tree | bytes"]


def resource(path: Path, tree: Tree, *, version: int = 1, compress: frozenset[str] = frozenset()) -> Path:
    """Writes a resource: nodes breadth first, children of a folder in a row."""
    nodes, names, data = b"", b"", b""
    queue: list[tuple[str, Tree | bytes]] = [("", tree)]
    free = 1  # The next node that is not spoken for.
    while queue:
        name, content = queue.pop(0)
        at = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        if isinstance(content, dict):
            nodes += struct.pack(">IHII", at, 2, len(content), free)
            queue += content.items()
            free += len(content)
        else:
            packed = name in compress
            stored = struct.pack(">I", len(content)) + zlib.compress(content) if packed else content
            nodes += struct.pack(">IHHHI", at, int(packed), 0, 1, len(data))
            data += struct.pack(">I", len(stored)) + stored
        nodes += b"" if version == 1 else bytes(8)
    head = struct.calcsize(">4s4I") + (4 if version >= 3 else 0)
    offsets = (head, head + len(nodes), head + len(nodes) + len(data))
    flags = bytes(4) if version >= 3 else b""
    path.write_bytes(b"qres" + struct.pack(">4I", version, *offsets) + flags + nodes + data + names)
    return path


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_file_comes_out_under_its_path(tmp_path: Path, version: int) -> None:
    tree: Tree = {"gcompris": {"Bäume": {"a.webp": b"\0\1\2", "empty": b""}, "none": {}}, "readme": b"text " * 99}

    found = dict(rcc.read_files(resource(tmp_path / "x.rcc", tree, version=version, compress=frozenset({"readme"}))))

    assert found == {
        PurePosixPath("gcompris/Bäume/a.webp"): b"\0\1\2",
        PurePosixPath("gcompris/Bäume/empty"): b"",
        PurePosixPath("readme"): b"text " * 99,
    }


def test_another_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.rcc").write_bytes(b"PK\3\4 and more of a zip file")

    with pytest.raises(ValueError, match=r"x\.rcc: expected a Qt resource file .* found b'PK"):
        list(rcc.read_files(tmp_path / "x.rcc"))


README = """\
File: free.png
License: Public Domain
Source: a museum

File: paid.png
License: CC-BY-SA 4.0

File: small.png
Licence: CC0
"""


def test_only_pictures_that_are_said_to_be_free_are_taken(tmp_path: Path) -> None:
    def png(side: int, mode: str = "RGB") -> bytes:
        Image.new(mode, (side, side)).save(tmp_path / "x.png")
        return (tmp_path / "x.png").read_bytes()

    large = png(300)
    pictures: Tree = {"README": README.encode(), "unnamed.png": large}
    pictures |= {"free.png": large, "paid.png": large, "small.png": png(100)}
    path = resource(tmp_path / "x.rcc", {"images": pictures})

    taken = {str(path): fields for path, _, fields in gather_images.free_pictures([path])}

    assert taken == {"images/free.png": {"file": "free.png", "license": "Public Domain", "source": "a museum"}}
