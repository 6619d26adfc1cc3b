"""What the plug-ins do without their hosts; modules are loaded by path, as nothing here could import the packages."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import OpenEXR
import pytest

from tsn.frames import parse as parse_frames
from tsn.shot.load import load as load_shot
from tsn.style.weights import bundled

PLUGINS = Path(__file__).parents[2] / "plugins"
BLENDER, NUKE = PLUGINS / "blender/tsn_blender", PLUGINS / "nuke/tsn_nuke"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"plain_{name}", BLENDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # dataclasses look it up
    spec.loader.exec_module(made)
    return made


command, shotfile, frames, exr = (module(name) for name in ("command", "shotfile", "frames", "exr"))


@pytest.mark.parametrize("name", ["command", "shotfile", "frames"])
def test_both_plug_ins_carry_the_same_plain_modules(name):
    assert (BLENDER / f"{name}.py").read_bytes() == (NUKE / f"{name}.py").read_bytes()


@pytest.mark.parametrize("name", ["command", "shotfile", "frames", "exr"])
def test_plain_modules_need_the_standard_library_only(name):
    import ast

    tree = ast.parse((BLENDER / f"{name}.py").read_text())
    names = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    } | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}  # fmt: skip
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize("file", sorted((PLUGINS / "nuke").rglob("*.py")), ids=lambda file: file.name)
def test_nuke_14_can_read_the_scripts(file):
    import ast

    ast.parse(file.read_text(), feature_version=(3, 9))


def test_every_shipped_style_has_a_thumbnail():
    shipped = {path.stem for path in (BLENDER / "thumbnails").glob("*.png")}
    missing = {info.name for info in bundled() if info.family != "adain"} - shipped
    assert not missing, "run plugins/blender/make_thumbnails.py"


# --- shot files ----------------------------------------------------------------------------------------------------

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
    shotfile.write(shotfile.Shot(**SHOT | changes), tmp_path / "a.yaml")
    return load_shot(tmp_path / "a.yaml", environ={})


def test_a_shot_file_says_what_the_node_asks(tmp_path):
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


def test_what_the_node_shows_is_no_show_files_to_change(tmp_path):
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
    if shotfile.name_fault(name) is None:
        shot = written(tmp_path, plate=f"plate/{name}.####.exr", output=f"styled/{name}.####.exr")
        assert shot.plate == str(tmp_path / f"plate/{name}.####.exr")
    else:
        assert letter in '/\\:*?"<>|#@%${}'


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "has no name"), ("a/b", "'/' has a meaning"), ("a\nb", "'\\n' has a meaning"), (".a", "begins or ends"),
        ("a ", "begins or ends"), ("_show", "tsn would take _show.yaml"), ("_Sequence", "tsn would take"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_used_is_refused_by_name(name, told):
    assert told in shotfile.name_fault(name)


def test_a_folder_that_cannot_be_used_is_refused_by_name(tmp_path):
    assert shotfile.folder_fault(str(tmp_path / "50% of {it} & more")) is None
    assert "does not say where it begins" in shotfile.folder_fault("tsn")
    for bad in ("v#1", "me@studio", "a%04d", "$F4"):
        assert "would be taken for a frame's number" in shotfile.folder_fault(str(tmp_path / bad))


def test_where_nothing_can_be_written_is_told_by_name(tmp_path):
    shotfile.prepare(tmp_path / "a/b")
    assert sorted(path.name for path in (tmp_path / "a/b").iterdir()) == ["plate", "styled"]
    assert list((tmp_path / "a/b/styled").iterdir()) == []
    (tmp_path / "c").mkdir()
    (tmp_path / "c/styled").touch()
    with pytest.raises(OSError, match="styled"):
        shotfile.prepare(tmp_path / "c")
    with pytest.raises(OSError) as refused:
        shotfile.prepare(Path("/sys/tsn"))
    assert refused.value.filename == "/sys/tsn"


def test_a_full_disk_names_no_file():
    told = shotfile.unwritten(OSError(28, "No space left on device"))
    assert told == "Can't write: No space left on device. Choose another folder on the node."


def test_the_file_of_a_style(tmp_path, monkeypatch):
    """A number behind an ONNX file is a style in it; no other colon is, on Windows neither."""
    monkeypatch.chdir(tmp_path)
    for name in ("net.onnx", r"C:\x\net.onnx", "a.SAFETENSORS", "painting:12", "a.txt"):
        Path(name).touch()
    for name in ("net.onnx", "net.onnx:19", r"C:\x\net.onnx:19", r"C:\x\net.onnx", "a.SAFETENSORS"):
        assert shotfile.style_fault(name, painting=False) is None, name
    assert shotfile.style_fault("painting:12", painting=True) is None
    assert shotfile.style_fault("net.onnx:x", painting=False) == "There is no style at net.onnx:x."
    assert shotfile.style_fault("", painting=True) == "There is no painting at an empty path."
    told = shotfile.style_fault("a.txt", painting=False)
    assert told == "a.txt is no style: choose a .safetensors or .onnx file."


def test_one_frame_is_a_range_too(tmp_path):
    assert written(tmp_path, frames="1").frames == "1"


@pytest.mark.parametrize("colours", ["painting", "plate"])
def test_a_painting_is_asked_for_as_adain(tmp_path, colours):
    style = written(tmp_path, style="/a/b.png", painting=True, colours=colours).style
    assert (dict(style.adain), style.colours, style.model) == ({"/a/b.png": 1.0}, colours, None)


# --- frames --------------------------------------------------------------------------------------------------------


def test_runs_and_their_names():
    assert frames.runs([3, 1, 2, 7, 9, 8, 20]) == [(1, 3), (7, 9), (20, 20)]
    assert frames.named([3, 1, 2, 20]) == "1-3, 20"


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ([1, 3, 5, 7], "1-7x2"), ([-5, -1, 3], "-5-3x4"), ([1, 2, 3, 5, 7], "1-3, 5, 7"), ([1, 3], "1, 3"), ([4], "4"),
        ([1, 2], "1-2"), ([1, 5, 6, 7, 20, 30, 40, 41], "1, 5-7, 20-40x10, 41"), ([], ""),
    ],
)  # fmt: skip
def test_a_stepped_range_is_named_as_tsn_reads_it(numbers, told):
    assert frames.named(numbers) == told
    if numbers:
        assert list(parse_frames(told)) == numbers


def test_frames_on_disk(tmp_path):
    for name in ("a.0001.exr", "a.0002.exr", "a.10000.exr", ".a.0003.exr", "a.0004.exr.tmp", "ab.0005.exr", "a.x.exr"):
        (tmp_path / name).touch()
    assert frames.on_disk(tmp_path, "a") == {1, 2, 10000}
    for frame in (-1, -12, -1003):
        (tmp_path / f"b.{frame:04d}.exr").touch()
    assert frames.on_disk(tmp_path, "b") == {-1, -12, -1003}
    assert frames.on_disk(tmp_path / "none", "a") == set()


@pytest.mark.parametrize(
    ("there", "stale", "told"),
    [
        (range(48), [1, 2], "48 of 48 frames, 2 out of date"),
        (range(48), [], "48 of 48 frames"),
        (range(20, 60), [], "28 of 48 frames"),
        ([], [], "Nothing rendered yet"),
    ],
)
def test_status(there, stale, told):
    assert frames.status(there=set(there), wanted=set(range(48)), stale=stale) == told


# --- EXR -----------------------------------------------------------------------------------------------------------


def write(path, value=1.0, *, parts=False, compression=OpenEXR.ZIP_COMPRESSION, **header):
    names = [f"Composite.Combined.{end}" for end in "RGBA"] + ["ViewLayer.Vector.X"]
    channels = {name: np.full((40, 8), value, np.float16) for name in names}
    header = {"compression": compression, "type": OpenEXR.scanlineimage} | header
    if parts:
        made = {"Composite.Combined": {"R": channels[names[0]]}, "other": {"V.X": channels[names[4]]}}
        OpenEXR.File([OpenEXR.Part(dict(header), held, name) for name, held in made.items()]).write(str(path))
    else:
        OpenEXR.File(header, channels).write(str(path))
    return path


def test_channels_of_one_and_of_several_parts(tmp_path):
    assert exr.channels(write(tmp_path / "a.exr"))[:2] == ["Composite.Combined.A", "Composite.Combined.B"]
    assert exr.channels(write(tmp_path / "b.exr", parts=True)) == ["Composite.Combined.R", "V.X"]
    (tmp_path / "c.exr").write_bytes(b"no EXR at all")
    with pytest.raises(ValueError, match="no EXR"):
        exr.channels(tmp_path / "c.exr")


def test_a_header_may_be_long(tmp_path):
    """A Cryptomatte manifest names every object of the scene; some scenes have a hundred thousand."""
    long = write(tmp_path / "a.exr", **{"cryptomatte/1234567/manifest": "a long manifest" * 100_000})
    assert exr.channels(long) == exr.channels(write(tmp_path / "b.exr"))


def test_same_pixels_whatever_the_header_says(tmp_path):
    first = write(tmp_path / "a.exr", RenderTime="00:00.12")
    assert exr.same_pixels(first, write(tmp_path / "b.exr", RenderTime="00:11:00.12 and more"))
    assert not exr.same_pixels(first, write(tmp_path / "c.exr", 1.001))
    assert not exr.same_pixels(first, tmp_path / "none.exr")
    assert not exr.same_pixels(first, write(tmp_path / "d.exr", parts=True))
    piz = OpenEXR.PIZ_COMPRESSION
    assert not exr.same_pixels(write(tmp_path / "e.exr", compression=piz), write(tmp_path / "f.exr", compression=piz))


# --- the command ---------------------------------------------------------------------------------------------------


def script(path, text):
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return str(path)


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_child_has_none_of_the_hosts_python(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    asked = script(tmp_path / "tsn", "import os; print([name for name in os.environ if name.startswith('PYTHON')])")
    assert command.ask(asked).strip() == "[]"


def test_a_missing_command_is_one_sentence(tmp_path):
    with pytest.raises(command.Failed, match=r"'/no/tsn' can't be started\. Set its path"):
        command.ask("/no/tsn", "--version")
    with pytest.raises(command.Failed, match="can't be started"):
        command.Child("/no/tsn", tmp_path / "a.yaml", device="cpu")


@pytest.mark.parametrize("named", ["bin/tsn", "./bin/tsn", "~/bin/tsn"])
def test_a_command_is_found_from_the_folder_the_host_was_started_in(tmp_path, monkeypatch, named):
    """A child runs in the shot's folder, where a relative path would lead elsewhere."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "shot").mkdir()
    script(tmp_path / "bin/tsn", "import os; print(os.getcwd())")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    child = command.Child(named, tmp_path / "shot/a.yaml", device="cpu")
    wait_for(lambda: list(child.events()) or child.ended)
    child.finish()
    assert command.ask(named).strip() == str(tmp_path)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("tsn: a.exr is damaged\n  Copy it again.\n", "a.exr is damaged. Copy it again."),
        ("Warning: x\ntsn: no device 'cuda'.\n", "no device 'cuda'."),
        ("Usage: tsn render\n\nError: No such option: --x\n", "No such option: --x."),
        ("Killed\n", "tsn ended with code 3: Killed"),
        ("", "tsn ended with code 3: it said nothing"),
    ],
)
def test_what_tsn_says_is_passed_on_in_one_line(said, told):
    assert command.explained(said, 3) == told


def test_events_are_heard_while_it_runs(tmp_path):
    text = (
        "import json, sys, time\n"
        "print(json.dumps({'kind': 'start', 'total': 2}), flush=True)\n"
        "print('no event', flush=True)\n"
        "sys.stdin.read(); time.sleep(0.2)\n"
        "print(json.dumps({'kind': 'frame', 'frame': 1, 'done': 1, 'total': 2}), flush=True)"
    )
    child = command.Child(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    heard = []

    def ended():
        heard.extend(event["kind"] for event in child.events())
        return child.ended

    wait_for(ended)
    child.finish()
    assert heard == ["start", "frame"]


def test_a_line_that_cannot_be_read_ends_nothing(tmp_path):
    """Letters of another encoding, and half a line of one that was killed."""
    text = 'import sys; sys.stdout.buffer.write(b\'W\\xfcrfel\\n{"kind": "end"}\\n{"kind": "fra\')'
    child = command.Child(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    heard = []
    wait_for(lambda: heard.extend(event["kind"] for event in child.events()) or child.ended)
    child.finish()
    assert heard == ["end"]
    assert "fel" in command.ask(str(tmp_path / "tsn"))


def test_a_child_that_will_not_end_is_killed_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "GRACE", 0.5)
    text = (
        "import json, os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(json.dumps({'kind': 'note', 'text': str(worker.pid)}), flush=True); time.sleep(60)"
    )
    child = command.Child(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    heard = []
    wait_for(lambda: heard.extend(child.events()) or heard)
    child.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)

    def gone():
        status = Path(f"/proc/{heard[0]['text']}/status")
        return not status.exists() or "State:\tZ" in status.read_text()

    wait_for(gone)
    with pytest.raises(command.Failed, match="Cancelled"):
        child.finish()


def test_sigterm_is_what_it_gets_first(tmp_path):
    text = (
        "import signal, sys, time, json; signal.signal(signal.SIGTERM, lambda *_: (open('told', 'w'), sys.exit(130)))\n"
    )
    text += "print(json.dumps({'kind': 'start'}), flush=True); time.sleep(60)"
    child = command.Child(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    wait_for(lambda: list(child.events()))
    child.cancel()
    assert (tmp_path / "told").exists()


def test_what_it_said_before_it_was_cancelled_is_heard(tmp_path):
    text = (
        "import json, time; print(json.dumps({'kind': 'start'}), flush=True)\n"
        "print(json.dumps({'kind': 'frame', 'frame': 1}), flush=True); open('said', 'w'); time.sleep(60)"
    )
    child = command.Child(script(tmp_path / "tsn", text), tmp_path / "a.yaml", device="cpu")
    wait_for((tmp_path / "said").exists)
    child.cancel()
    assert [event["kind"] for event in child.events()] == ["start", "frame"]
    assert child.ended
