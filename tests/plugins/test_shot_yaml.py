"""The shot files that the plug-ins write, and the names and folders they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from plain_modules import shot_yaml

from tsn.shot.load import load as load_shot

SHOT = {
    "plate": "plate/a.####.exr",
    "output": "styled/a.####.exr",
    "frames": "1-3",
    "colour": "lin_rec709",
    "style": "tarascon",
    "painting": False,
    "window": 4,
}


def written(tmp_path, **changes):
    """The shot as tsn loads it from a written shot file."""
    shot_yaml.write(shot_yaml.ShotSettings(**SHOT | changes), tmp_path / "a.yaml")
    return load_shot(tmp_path / "a.yaml", environ={})


def test_a_shot_file_contains_the_nodes_settings(tmp_path):
    shot = written(
        tmp_path, layer="Composite.Combined", vectors=("ViewLayer.Vector", "blender"),
        matte=("ViewLayer.CryptoObject", ["cube", "lamp"]), invert=True,
    )  # fmt: skip
    assert (shot.plate, shot.layer) == (str(tmp_path / "plate/a.####.exr"), "Composite.Combined")
    assert (shot.frames, shot.temporal.window, shot.colour.input) == ("1-3", 4, "lin_rec709")
    assert (shot.style.model, shot.style.strength.at(2)) == ("tarascon", 1)
    assert (shot.flow.vectors.layer, shot.flow.vectors.convention) == ("ViewLayer.Vector", "blender")
    assert (shot.matte.cryptomatte, shot.matte.names, shot.matte.invert) == (
        "ViewLayer.CryptoObject", ("cube", "lamp"), True,
    )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


SHOW = """version: 1
layer: beauty
frames: 1-100
colour: {input: acescct, highlights: soft}
style: {adain: other.png, colours: plate, strength: 0.3, scale: 0.5}
flow: {method: vectors, vectors: {layer: ViewLayer.Vector, convention: nuke}}
temporal: {window: 2, detail: 0.5}
matte: {cryptomatte: CryptoAsset, names: [set], invert: true}
"""


def test_a_show_file_changes_no_setting_of_the_node(tmp_path):
    (tmp_path / "_show.yaml").write_text(SHOW)
    shot = written(tmp_path)
    assert (shot.layer, shot.frames, shot.colour.input, shot.temporal.window) == (None, "1-3", "lin_rec709", 4)
    assert (shot.style.model, shot.style.adain, shot.style.colours) == ("tarascon", None, "painting")
    assert shot.style.strength.at(1) == 1  # the compositor mixes it
    assert (shot.flow.method, shot.flow.vectors, shot.matte) == ("auto", None, None)
    shot = written(tmp_path, matte=("CryptoObject", ["cube"]), vectors=("ViewLayer.Vector", "blender"), invert=False)
    assert (shot.matte.cryptomatte, shot.matte.names, shot.matte.invert) == ("CryptoObject", ("cube",), False)
    assert shot.flow.vectors.convention == "blender"
    assert (shot.style.scale, shot.temporal.detail.at(1), shot.colour.highlights) == (0.5, 0.5, "soft")  # no knobs


@pytest.mark.parametrize(
    "name", ['a "quoted" name', "a: b", "# no comment", "{brace", "Würfel", "back\\slash", "-1", "yes"]
)
def test_no_name_breaks_out_of_its_line(tmp_path, name):
    assert written(tmp_path, matte=("CryptoObject", [name])).matte.names == (name,)


@pytest.mark.parametrize("letter", [chr(code) for code in (*range(32, 127), *map(ord, "äßЖ漢"))])
def test_a_name_that_is_taken_is_read_back_as_it_is(tmp_path, letter):
    name = f"a{letter}b"
    if shot_yaml.name_error(name) is None:
        shot = written(tmp_path, plate=f"plate/{name}.####.exr", output=f"styled/{name}.####.exr")
        assert shot.plate == str(tmp_path / f"plate/{name}.####.exr")
    else:
        assert letter in '/\\:*?"<>|#@%${}'


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "has no name"), ("a/b", "'/' has a meaning"), ("a\nb", "'\\n' has a meaning"), (".a", "begins or ends"),
        ("a ", "begins or ends"), ("_show", "tsn would take _show.yaml"), ("_Sequence", "tsn would take"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_used_is_refused_by_name(name, message):
    assert message in shot_yaml.name_error(name)


def test_a_folder_that_cannot_be_used_is_refused_by_name(tmp_path):
    assert shot_yaml.folder_error(str(tmp_path / "50% of {it} & more")) is None
    assert shot_yaml.folder_error("/home/me@studio.com/tsn") is None
    assert "is not an absolute path" in shot_yaml.folder_error("tsn")
    for bad in ("v#1", "a%04d", "$F4"):
        assert "would be taken for a frame's number" in shot_yaml.folder_error(str(tmp_path / bad))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    shot_yaml.make_folders(tmp_path / "a/b")
    assert sorted(path.name for path in (tmp_path / "a/b").iterdir()) == ["plate", "styled"]
    assert list((tmp_path / "a/b/styled").iterdir()) == []
    (tmp_path / "c").mkdir()
    (tmp_path / "c/styled").touch()
    with pytest.raises(OSError, match="styled"):
        shot_yaml.make_folders(tmp_path / "c")
    with pytest.raises(OSError) as refused:
        shot_yaml.make_folders(Path("/sys/tsn"))
    assert refused.value.filename == "/sys/tsn"


def test_a_full_disk_names_no_file():
    message = shot_yaml.write_error(OSError(28, "No space left on device"))
    assert message == "Can't write: No space left on device. Choose another folder on the node."


def test_the_file_of_a_style(tmp_path, monkeypatch):
    """A number behind an ONNX file is a style in it; no other colon is, on Windows neither."""
    monkeypatch.chdir(tmp_path)
    for name in ("net.onnx", r"C:\x\net.onnx", "a.SAFETENSORS", "painting:12", "a.txt"):
        Path(name).touch()
    for name in ("net.onnx", "net.onnx:19", r"C:\x\net.onnx:19", r"C:\x\net.onnx", "a.SAFETENSORS"):
        assert shot_yaml.style_file_error(name, painting=False) is None, name
    assert shot_yaml.style_file_error("painting:12", painting=True) is None
    assert shot_yaml.style_file_error("net.onnx:x", painting=False) == "There is no style at net.onnx:x."
    assert shot_yaml.style_file_error("", painting=True) == "There is no painting at an empty path."
    message = shot_yaml.style_file_error("a.txt", painting=False)
    assert message == "a.txt is no style: choose a .safetensors or .onnx file."


def test_one_frame_is_a_range_too(tmp_path):
    assert written(tmp_path, frames="1").frames == "1"


@pytest.mark.parametrize("colours", ["painting", "plate"])
def test_a_painting_is_written_as_adain(tmp_path, colours):
    style = written(tmp_path, style="/a/b.png", painting=True, colours=colours).style
    assert (dict(style.adain), style.colours, style.model) == ({"/a/b.png": 1.0}, colours, None)
