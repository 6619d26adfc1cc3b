"""The Nuke plug-in against a strict double of Nuke's documented API, with the real `tsn`."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import yaml

PLUGIN = Path(__file__).parents[2] / "plugins/nuke"


def load_double(monkeypatch):
    spec = importlib.util.spec_from_file_location("nuke", Path(__file__).with_name("nuke_double.py"))
    double = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "nuke", double)
    spec.loader.exec_module(double)
    return double


@pytest.fixture
def nuke(monkeypatch, tmp_path):
    """The double as `nuke`, with a saved script and a plate to render."""
    double = load_double(monkeypatch)
    double.root()["name"].setValue(str(tmp_path / "comp.nk"))
    double.selected = double.nodes.Constant(name="Plate")
    double.writer = write_frame
    return double


@pytest.fixture
def tsn_nuke(nuke, monkeypatch):
    """The package, imported anew."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    for name in [name for name in sys.modules if name.split(".")[0] == "tsn_nuke"]:
        monkeypatch.delitem(sys.modules, name)
    import tsn_nuke

    yield tsn_nuke
    for name in [name for name in sys.modules if name.split(".")[0] == "tsn_nuke"]:
        del sys.modules[name]


@pytest.fixture
def node(tsn_nuke, style):
    """A TSN Stylize group with a small window, that paints in a tiny style."""
    made = tsn_nuke.create()
    made["tsn_source"].setValue("File")
    made["tsn_file"].setValue(str(style))
    made["tsn_window"].setValue(1)
    made["tsn_basename"].setValue("stylize")
    return made


def write_frame(path, number, node):
    rgb = np.random.default_rng(number).uniform(0, 5, (3, 24, 40))
    kind = np.float16 if node["datatype"].value() == "16 bit half" else np.float32
    channels = dict(zip("RGB", rgb.astype(kind), strict=True))
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, channels).write(path)


def status(node):
    return node["tsn_status"].value()


def refused(call, *arguments):
    with pytest.raises(RuntimeError) as caught:
        call(*arguments)
    return str(caught.value)


# --- starting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["init.py", "menu.py"])
def test_nuke_starts_without_its_own_module(file):
    """`import nuke` fails here, as anything could there."""
    done = subprocess.run([sys.executable, PLUGIN / file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "TSN Stylize" in done.stdout and done.stderr == ""


class Broken:
    """Raises whatever is done with it."""

    def __getattribute__(self, name):
        raise RuntimeError(f"broken: {name}")

    def __call__(self, *values, **named):
        raise RuntimeError("broken")


def touched(code):
    """Every global name and every attribute that a script reads, of `try` blocks too."""
    import ast

    nodes = list(ast.walk(ast.parse(code)))
    return {n.attr for n in nodes if isinstance(n, ast.Attribute)} | {
        n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }


@pytest.mark.parametrize("file", ["init.py", "menu.py"])
def test_nuke_starts_whatever_is_broken(nuke, file, monkeypatch, capfd):
    """Each thing that the script touches is broken, one after another, and none gets out."""
    code = (PLUGIN / file).read_text()
    names = touched(code)
    assert {"nuke"} <= names and len(names) >= 4, names
    for name, prints in itertools.product(
        sorted(names - {"Exception", "contextlib", "error", "suppress"}), (print, Broken())
    ):
        with monkeypatch.context() as broken:
            space = {"__file__": str(PLUGIN / file), "print": prints}
            for owner in (nuke, sys, os, os.path, nuke._Menu):
                if hasattr(owner, name):
                    broken.setattr(owner, name, Broken())
            if name in ("nuke", "os", "sys"):
                broken.setitem(sys.modules, name, None)  # its import fails
            if name in space:
                space[name] = Broken()
            exec(compile(code, file, "exec"), space)
    assert "TSN Stylize" in capfd.readouterr().out


def test_the_menu_makes_a_node(nuke, tsn_nuke, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    for file in ("init.py", "menu.py"):
        exec(compile((PLUGIN / file).read_text(), PLUGIN / file, "exec"), {"__file__": str(PLUGIN / file)})
    assert nuke.printed == ["TSN Stylize: ready"]
    (entry,) = nuke.menus["Nodes"].commands.items()
    assert entry[0] == "Filter/TSN Stylize"
    exec(entry[1], {})


def test_a_node_is_made_without_tsn(tsn_nuke, monkeypatch):
    monkeypatch.setenv("TSN_COMMAND", "/no/tsn")
    node = tsn_nuke.create()
    assert node["tsn_style"].values() == ["tarascon"]
    assert (node["tsn_first"].value(), node["tsn_last"].value()) == (1001, 1003)


def test_shipped_styles_are_offered(tsn_nuke):
    assert "tarascon" in tsn_nuke.create()["tsn_style"].values()


def test_the_working_space_of_an_aces_script(nuke, tsn_nuke):
    assert tsn_nuke.create()["tsn_colour"].value() == "lin_rec709"
    nuke.root()["colorManagement"].setValue("OCIO")
    nuke.root()["workingSpaceLUT"].setValue("ACES - ACEScg")
    assert tsn_nuke.create()["tsn_colour"].value() == "ACEScg"


# --- rendering -----------------------------------------------------------------------------------------------------


def test_the_whole_way_with_the_real_tsn(nuke, node, tmp_path):
    node["tsn_render"].execute()
    home = tmp_path / "tsn/stylize"
    assert sorted(path.name for path in (home / "styled").iterdir()) == [f"stylize.{n}.exr" for n in (1001, 1002, 1003)]
    assert status(node) == "3 of 3 frames"
    read, mix = node.node("TSNRead"), node.node("TSNMix")
    assert read["file"].value() == f"{home.as_posix()}/styled/stylize.%04d.exr"
    assert [read[name].value() for name in ("first", "last", "origfirst", "origlast")] == [1001, 1003, 1001, 1003]
    assert read["raw"].value() is True and read["reload"].presses == 1
    assert mix["which"]._expression == "parent.tsn_strength * ((frame >= 1001 && frame <= 1003))"
    plate, styled = (
        OpenEXR.File(str(home / name / "stylize.1002.exr")).channels()["RGB"].pixels for name in ("plate", "styled")
    )
    assert plate.dtype == styled.dtype == np.float16
    assert np.abs(plate.astype(np.float32) - styled).mean() > 0.05
    shot = yaml.safe_load((home / "stylize.yaml").read_text())
    assert shot["temporal"] == {"window": 1} and shot["colour"] == {"input": "lin_rec709"}

    (home / "styled/stylize.1002.exr").unlink()
    node["tsn_reload"].execute()
    assert status(node) == "2 of 3 frames; 1002 missing, the input is shown there"
    assert mix["which"]._expression.endswith("((frame >= 1001 && frame <= 1001) || (frame >= 1003 && frame <= 1003))")


def test_every_node_has_a_folder_of_its_own(nuke, tsn_nuke, node, style, tmp_path):
    """Of two nodes of a script, of two alike in groups, and of two scripts beside each other."""

    def another(**knobs):
        made = tsn_nuke.create()
        for name, value in ({"source": "File", "file": str(style), "window": 0, "last": 1001} | knobs).items():
            made[f"tsn_{name}"].setValue(value)
        return made

    def painted(made):
        made["tsn_render"].execute()
        assert status(made) == "1 of 1 frame"
        return Path(made.node("TSNRead")["file"].value())

    first, second = another(), another()
    assert (first.fullName(), second.fullName()) == ("TSN_Stylize2", "TSN_Stylize3")
    group = nuke.nodes.Group(name="Shot1").begin()
    nuke.selected = None
    inside = another()
    inside.setName("TSN_Stylize2")
    group.end()
    inside.setInput(0, first.input(0))
    places = [painted(first), painted(second), painted(inside)]
    nuke.root()["name"].setValue(str(tmp_path / "other.nk"))
    places.append(painted(first))
    assert places == [tmp_path / "tsn" / one for one in (
        "comp/TSN_Stylize2/styled/TSN_Stylize2.%04d.exr",
        "comp/TSN_Stylize3/styled/TSN_Stylize3.%04d.exr",
        "comp/Shot1.TSN_Stylize2/styled/Shot1.TSN_Stylize2.%04d.exr",
        "other/TSN_Stylize2/styled/TSN_Stylize2.%04d.exr",
    )]  # fmt: skip
    for made in (node, second):  # as after copying one that has a name
        made["tsn_basename"].setValue("hero")
    told = f"writes to {tmp_path}/tsn/hero too. Give one of the two another name."
    assert refused(second["tsn_render"].execute) == f"The node TSN_Stylize1 {told}"
    assert refused(node["tsn_reload"].execute) == f"The node TSN_Stylize3 {told}"
    assert not (tmp_path / "tsn/hero").exists()


def test_a_preview_paints_the_frame_that_is_shown(node, tmp_path):
    node["tsn_preview"].execute()
    assert [p.name for p in (tmp_path / "tsn/stylize/preview/styled").iterdir()] == ["stylize.1002.exr"]
    assert node.node("TSNMix")["which"]._expression == "parent.tsn_strength * ((frame >= 1002 && frame <= 1002))"


@pytest.mark.parametrize(
    ("channels", "told"),
    [(("backward.u", "backward.v"), True), (("forward.u", "forward.v"), True), (("forward.u",), False)],
)
def test_one_direction_of_motion_is_enough(nuke, node, tmp_path, channels, told):
    nuke.selected.extra_channels = channels
    node["tsn_shot_file"].execute()
    shot = yaml.safe_load((tmp_path / "tsn/stylize/stylize.yaml").read_text())
    assert (shot["flow"]["vectors"] is not None) == told


def test_a_style_of_an_onnx_net_with_several(nuke, node, tmp_path):
    (tmp_path / "net.onnx").touch()
    node["tsn_source"].setValue("File")
    node["tsn_file"].setValue(f"{tmp_path}/net.onnx:19")
    node["tsn_shot_file"].execute()
    shot = yaml.safe_load((tmp_path / "tsn/stylize/stylize.yaml").read_text())
    assert shot["style"]["model"].endswith("net.onnx:19")


def test_vectors_and_cryptomatte_go_into_the_shot(nuke, node, tmp_path, monkeypatch):
    nuke.selected.extra_channels = ("forward.u", "forward.v", "backward.u", "backward.v")
    node["tsn_matte_layer"].setValue("crypto_object")
    node["tsn_matte_names"].setValue("boat, monkey")
    node["tsn_matte_invert"].setValue(True)
    node["tsn_shot_file"].execute()
    shot = yaml.safe_load((tmp_path / "tsn/stylize/stylize.yaml").read_text())
    assert shot["flow"]["vectors"] == {"layer": "motion", "convention": "nuke"}
    assert shot["matte"] == {"cryptomatte": "crypto_object", "names": ["boat", "monkey"], "invert": True}
    kinds = []
    nuke.writer = lambda path, number, write: (
        kinds.append(write["datatype"].value()),
        write_frame(path, number, write),
    )
    monkeypatch.setenv("TSN_COMMAND", shutil.which("false"))
    assert refused(node["tsn_render"].execute) == "tsn ended with code 1: it said nothing"
    assert kinds == ["32 bit float"] * 3


def test_in_a_window_it_runs_beside_nuke_and_can_be_cancelled(nuke, node, tmp_path):
    nuke.GUI = True
    node["tsn_last"].setValue(1030)
    started = time.monotonic()
    node["tsn_render"].execute()
    assert any(thread.name.endswith("(beside)") for thread in threading.enumerate())
    until = started + 100
    while not any("frames painted" in text for _, text in nuke.ProgressTask.shown):
        assert time.monotonic() < until, status(node)
        time.sleep(0.05)
    assert "rendered already" in refused_in_window(nuke, node["tsn_render"].execute)
    nuke.ProgressTask.cancel = True
    while status(node) != "Cancelled.":
        assert time.monotonic() < until, status(node)
        time.sleep(0.05)
        nuke.spin()
    assert nuke.messages[-1] == "Cancelled."
    assert not [path for path in (tmp_path / "tsn").rglob(".*")]


def refused_in_window(nuke, call):
    call()
    return nuke.messages[-1]


def test_in_a_window_the_result_is_shown(nuke, node):
    nuke.GUI = True
    node["tsn_last"].setValue(1002)
    node["tsn_render"].execute()
    until = time.monotonic() + 100
    while status(node) != "2 of 2 frames":
        assert time.monotonic() < until and not nuke.messages, (status(node), nuke.messages)
        time.sleep(0.05)
        nuke.spin()
    assert node.node("TSNMix")["which"]._expression


def test_submitting_gives_the_shot_to_the_farm(nuke, node, tmp_path):
    """The real `tsn submit`; a bundle is what Open Job Description gets."""
    node["tsn_farm"].setValue("openjd")
    node["tsn_submit"].execute()
    home = tmp_path / "tsn/stylize"
    assert len(list((home / "plate").iterdir())) == 3
    (template,) = home.rglob("template.*")
    assert str(template.parent) in status(node), status(node)


def test_a_painting_and_whose_colours(node, tmp_path):
    painting = tmp_path / "painting.png"
    painting.touch()
    node["tsn_source"].setValue("Painting")
    node["tsn_file"].setValue(str(painting))
    node["tsn_colours"].setValue("plate")
    node["tsn_shot_file"].execute()
    shot = yaml.safe_load((tmp_path / "tsn/stylize/stylize.yaml").read_text())
    assert shot["style"] == {"adain": str(painting), "colours": "plate", "strength": 1}


def test_a_shot_file_says_what_its_plate_lacks(nuke, node, tmp_path):
    node["tsn_shot_file"].execute()
    written = f"Wrote {tmp_path}/tsn/stylize/stylize.yaml"
    assert status(node) == f"{written}, whose plate lacks 1001-1003: press Render range"
    node["tsn_render"].execute()
    node["tsn_shot_file"].execute()
    assert status(node) == written


def test_every_fault_is_one_sentence(nuke, tsn_nuke, node, tmp_path, monkeypatch):
    def told():
        sentence = refused(node["tsn_render"].execute)
        assert status(node) == sentence
        return sentence

    node["tsn_last"].setValue(1000)
    assert told() == "The frame range is empty: 1001 to 1000."
    node["tsn_last"].setValue(1002)
    node["tsn_folder"].setValue("/sys/tsn")
    assert told().startswith("Can't write /sys/tsn: ")
    node["tsn_folder"].setValue(str(tmp_path / "tsn"))
    node["tsn_file"].setValue("/none.safetensors")
    assert told() == "There is no style at /none.safetensors."
    node["tsn_source"].setValue("Shipped")
    node["tsn_basename"].setValue("take {2}")
    assert told() == "Files can't be called 'take {2}': '{' has a meaning of its own in paths. Change the node's name."
    node["tsn_basename"].setValue("stylize")
    node["tsn_folder"].setValue(str(tmp_path / "take #2"))
    assert "'#' in " in told() and "would be taken for a frame's number" in status(node)
    node["tsn_folder"].setValue(str(tmp_path / "tsn"))
    with monkeypatch.context() as without:
        without.setenv("TSN_COMMAND", "/no/tsn")
        assert "can't be started" in told()
    (tmp_path / "tsn/stylize").mkdir(parents=True)
    (tmp_path / "tsn/stylize/styled").touch()
    assert told() == f"Can't write {tmp_path}/tsn/stylize/styled: File exists. Choose another folder on the node."
    (tmp_path / "tsn/stylize/styled").unlink()
    assert not list((tmp_path / "tsn").rglob("*.exr"))  # all this is said before anything is rendered

    def broken(path, number, write):
        raise RuntimeError("Read1: no such file")

    nuke.writer = broken
    assert told() == "The input could not be rendered: Read1: no such file."
    with monkeypatch.context() as full:
        full.setattr(nuke, "execute", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        assert told() == "Can't write: No space left on device. Choose another folder on the node."
    node.setInput(0, None)
    assert told() == "Nothing is connected to the node's input."
    assert refused(node["tsn_shot_file"].execute) == "Nothing is connected to the node's input."
    nuke.root()["name"].setValue("")
    node["tsn_folder"].setValue("[file dirname [value root.name]]/tsn")
    node.setInput(0, nuke.selected)
    assert told() == "Save the script first, or choose a folder on the node."


def test_the_double_is_strict(nuke):
    with pytest.raises(AttributeError):
        nuke.nodes.Blurr(name="b")
    with pytest.raises(NameError):
        nuke.nodes.Write(name="w")["colour"]
    with pytest.raises(ValueError, match="has no item"):
        nuke.nodes.Write(name="w")["file_type"].setValue("jpeg2000")
    with pytest.raises(NameError):
        nuke.nodes.Write(name="w")["datatype"]  # before the file type was chosen
    with pytest.raises(AttributeError):
        nuke.rendre()
    with pytest.raises(AttributeError):
        nuke.nodes.Write(name="w").writeNow()
    with pytest.raises(TypeError):
        nuke.nodes.Write(name="w", colour="red")
    caught = []

    def touch():
        try:
            nuke.root()["name"].value()
        except AssertionError as error:
            caught.append(str(error))

    thread = threading.Thread(target=touch)
    thread.start()
    thread.join()
    assert len(caught) == 1 and caught[0].endswith("from another thread")
