"""The Nuke plug-in renders, paints and submits with the real `tsn`, and reports every error in one sentence."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import OpenEXR
import yaml
from nuke_node import refused, status


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
    message = f"writes to {tmp_path}/tsn/hero too. Give one of the two another name."
    assert refused(second["tsn_render"].execute) == f"The node TSN_Stylize1 {message}"
    assert refused(node["tsn_reload"].execute) == f"The node TSN_Stylize3 {message}"
    assert not (tmp_path / "tsn/hero").exists()


def test_a_preview_paints_the_frame_that_is_shown(node, tmp_path):
    node["tsn_preview"].execute()
    assert [p.name for p in (tmp_path / "tsn/stylize/preview/styled").iterdir()] == ["stylize.1002.exr"]
    assert node.node("TSNMix")["which"]._expression == "parent.tsn_strength * ((frame >= 1002 && frame <= 1002))"


def test_in_a_window_it_runs_beside_nuke_and_can_be_cancelled(nuke, node, tmp_path):
    nuke.GUI = True
    node["tsn_last"].setValue(1030)
    started = time.monotonic()
    node["tsn_render"].execute()
    assert any(thread.name.endswith("(in_thread)") for thread in threading.enumerate())
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
    """The message that a window shows after a call."""
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


def test_every_error_is_one_sentence(nuke, tsn_nuke, node, tmp_path, monkeypatch):
    def error():
        sentence = refused(node["tsn_render"].execute)
        assert status(node) == sentence
        return sentence

    node["tsn_last"].setValue(1000)
    assert error() == "The frame range is empty: 1001 to 1000."
    node["tsn_last"].setValue(1002)
    node["tsn_folder"].setValue("/sys/tsn")
    assert error().startswith("Can't write /sys/tsn: ")
    node["tsn_folder"].setValue(str(tmp_path / "tsn"))
    node["tsn_file"].setValue("/none.safetensors")
    assert error() == "There is no style at /none.safetensors."
    node["tsn_source"].setValue("Shipped")
    node["tsn_basename"].setValue("take {2}")
    assert error() == "Files can't be called 'take {2}': '{' has a meaning of its own in paths. Change the node's name."
    node["tsn_basename"].setValue("stylize")
    node["tsn_folder"].setValue(str(tmp_path / "take #2"))
    assert "'#' in " in error() and "would be taken for a frame's number" in status(node)
    node["tsn_folder"].setValue(str(tmp_path / "tsn"))
    with monkeypatch.context() as without:
        without.setenv("TSN_COMMAND", "/no/tsn")
        assert "can't be started" in error()
    (tmp_path / "tsn/stylize").mkdir(parents=True)
    (tmp_path / "tsn/stylize/styled").touch()
    assert error() == f"Can't write {tmp_path}/tsn/stylize/styled: File exists. Choose another folder on the node."
    (tmp_path / "tsn/stylize/styled").unlink()
    assert not list((tmp_path / "tsn").rglob("*.exr"))  # all this is reported before anything is rendered

    def broken(path, number, write):
        raise RuntimeError("Read1: no such file")

    nuke.writer = broken
    assert error() == "The input could not be rendered: Read1: no such file."
    with monkeypatch.context() as full:
        full.setattr(nuke, "execute", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        assert error() == "Can't write: No space left on device. Choose another folder on the node."
    node.setInput(0, None)
    assert error() == "Nothing is connected to the node's input."
    assert refused(node["tsn_shot_file"].execute) == "Nothing is connected to the node's input."
    nuke.root()["name"].setValue("")
    node["tsn_folder"].setValue("[file dirname [value root.name]]/tsn")
    node.setInput(0, nuke.selected)
    assert error() == "Save the script first, or choose a folder on the node."
