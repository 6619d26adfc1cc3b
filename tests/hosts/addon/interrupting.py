"""A render that is cancelled, or during which something else happens."""

from __future__ import annotations

import os
import time

import bpy
from scene import FOLDER, only, set_up, status


def case_cancel():
    """Cancelled while it paints: the child is gone, nothing half-written stays, what is finished stays."""
    scene, node = set_up(1, 12)
    from tsn_blender import node_render

    work = node_render.NodeRender(node.node_tree.tsn.uid, scene)
    steps = work.steps()
    sentence = None
    try:
        for _ in steps:
            if work.phase == "Painting" and work.done >= 2:
                child = work._process.pid
                os.kill(child, 0)
                bpy.ops.tsn.cancel(uid=node.node_tree.tsn.uid)
            time.sleep(0.01)
    except Exception as failed:
        sentence = str(failed)
    assert sentence is not None and sentence.startswith("Cancelled; "), sentence
    assert not alive(child)
    assert not node_render.running
    names = [path.name for path in (FOLDER / "tsn").rglob("*") if path.name.startswith(".")]
    assert names == [], names
    done = len(list((FOLDER / "tsn/sh010/styled").glob("*.exr")))
    assert 2 <= done < 12, done
    assert status(scene).startswith(f"{done} of 12 frames"), status(scene)


def alive(pid):
    """Whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def painting(scene, node):
    """A job that has come to painting, and the steps that are left of it."""
    from tsn_blender import node_render

    work = node_render.NodeRender(node.node_tree.tsn.uid, scene)
    steps = work.steps()
    while work.phase != "Painting":
        next(steps)
        time.sleep(0.01)
    return work, steps


def case_undo_while_painting():
    """Undo moves every node in memory; the job goes on and finds its own again."""
    scene, node = set_up(1, 6)
    bpy.ops.ed.undo_push(message="set up")
    node.node_tree.tsn.folder = "//elsewhere"
    bpy.ops.ed.undo_push(message="folder")
    only(scene).node_tree.tsn.folder = "//tsn"
    bpy.ops.ed.undo_push(message="folder again")
    _, steps = painting(scene, only(scene))
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    for _ in steps:
        time.sleep(0.01)
    scene = bpy.context.scene
    assert only(scene).node_tree.tsn.shown == "RANGE"
    assert status(scene).startswith(
        "6 of 6 frames"
    )  # what was exported may be what was undone, so it may be out of date


def case_renamed_while_painting():
    """Somebody tidies up meanwhile: the scene has another name, and the node."""
    scene, node = set_up(1, 3)
    _, steps = painting(scene, node)
    scene.name, node.name = "shot 010", "paint"
    for _ in steps:
        time.sleep(0.01)
    assert status(scene).startswith("3 of 3 frames"), status(scene)
    assert node.node_tree.tsn.shown == "RANGE"


def case_open_while_painting():
    """Another file is opened: no child stays, nothing half-written, and no message goes to a node that is gone."""
    scene, node = set_up(1, 12)
    from tsn_blender import node_render

    work, steps = painting(scene, node)
    child = work._process.pid
    assert alive(child)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not alive(child)
    try:
        for _ in steps:
            time.sleep(0.01)
        raise AssertionError("it went on")
    except node_render.PluginError as failed:
        assert str(failed).startswith("Cancelled"), failed
    assert not node_render.running
    assert [path for path in (FOLDER / "tsn").rglob(".*")] == []


def case_quit_while_painting():
    """Blender ends: the child goes with it. Its number is left for the test to look after."""
    work, _ = painting(*set_up(1, 12))
    (FOLDER / "child").write_text(str(work._process.pid))
    import atexit

    atexit._run_exitfuncs()
