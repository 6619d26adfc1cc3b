"""Key frames: exporting one to paint over, the image editor, the timeline, and what is learnt and rendered."""

from __future__ import annotations

import os
import time

import bpy
from scene import FOLDER, only, refused, set_up, status

EDITOR = f"""#!{os.environ["TSN_PYTHON"]}
import sys
open({str(FOLDER / "opened")!r}, "a").write(sys.argv[1] + "\\n")
"""


def set_up_keys(*, last=3):
    """The scene of all cases, with key frames as its style, and an image editor. Returns (scene, node)."""
    scene, node = set_up(1, last)
    editor = FOLDER / "editor"
    editor.write_text(EDITOR)
    editor.chmod(0o755)
    bpy.context.preferences.filepaths.image_editor = str(editor)
    node.node_tree.tsn.source = "KEYS"
    return scene, node


def opened(count):
    """The files that the editor was called with, once there are so many."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        lines = (FOLDER / "opened").read_text().splitlines() if (FOLDER / "opened").exists() else []
        if len(lines) >= count:
            return lines
        time.sleep(0.1)
    raise AssertionError("the editor was not called")


def markers(scene):
    """(name, frame) of the markers on the timeline."""
    return sorted((marker.name, marker.frame) for marker in scene.timeline_markers)


def case_keys_exported():
    """Export a frame, find it in the list, on the timeline, in the editor; what was painted is never written over."""
    scene, _node = set_up_keys()
    scene.timeline_markers.new("cut", frame=2)
    scene.frame_set(2)
    assert bpy.ops.tsn.key_export() == {"FINISHED"}
    file = FOLDER / "tsn/sh010/keys/sh010.0002.png"
    keys = only(scene).node_tree.tsn.key_frames
    assert [(key.frame, key.file) for key in keys.frames] == [(2, "//tsn/sh010/keys/sh010.0002.png")]
    assert markers(scene) == [("cut", 2), ("key sh010", 2)]
    assert opened(1) == [str(file)] and only(scene).node_tree.tsn.message == ""
    image = bpy.data.images.load(str(file))
    assert tuple(image.size) == (64, 48) and image.channels == 4 and image.depth > 32, image.depth
    pixels = list(image.pixels)
    assert max(pixels[3::4]) == 1 and min(pixels[3::4]) == 0, "the plate's alpha"

    file.write_bytes(b"painted over")
    assert bpy.ops.tsn.key_export() == {"FINISHED"}
    assert file.read_bytes() == b"painted over" and opened(2) == [str(file)] * 2 and len(keys.frames) == 1

    keys.frames[0].frame = 3
    assert markers(scene) == [("cut", 2), ("key sh010", 3)]
    scene.frame_set(1)
    assert bpy.ops.tsn.key_add() == {"FINISHED"}
    assert markers(scene) == [("cut", 2), ("key sh010", 1), ("key sh010", 3)]
    only(scene).node_tree.tsn.source = "FILE"
    assert markers(scene) == [("cut", 2)]
    only(scene).node_tree.tsn.source = "KEYS"
    assert bpy.ops.tsn.key_remove(frame=3) == {"FINISHED"} and file.exists()
    assert markers(scene) == [("cut", 2), ("key sh010", 1)]
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    assert [key.frame for key in only(bpy.context.scene).node_tree.tsn.key_frames.frames] == [1]


def case_keys_learnt():
    """A key is learnt and rendered; one frame of it, and what makes it out of date."""
    scene, _node = set_up_keys()
    scene.frame_set(2)
    assert bpy.ops.tsn.key_export() == {"FINISHED"}
    file = bpy.data.images.load(str(FOLDER / "tsn/sh010/keys/sh010.0002.png"))
    file.pixels[:] = [v for i in range(64 * 48) for v in (0.8, 0.2 + 0.5 * (i // 8 % 2), 0.1, 1.0)]
    file.save()
    assert refused(bpy.ops.tsn.render, preview=True).endswith("Press Learn first.")
    assert bpy.ops.tsn.learn() == {"FINISHED"}
    assert status(scene) == "Nothing rendered yet", status(scene)
    scene.frame_set(3)
    assert bpy.ops.tsn.render(preview=True) == {"FINISHED"}
    assert status(scene) == "1 of 3 frames"
    assert bpy.ops.tsn.render() == {"FINISHED"}
    assert status(scene) == "3 of 3 frames"
    only(scene).node_tree.tsn.key_frames.minutes = 20
    bpy.context.view_layer.update()
    assert "out of date" in status(scene)


def case_keys_refused():
    """What can't be learnt or painted is refused in one sentence."""
    scene, _node = set_up_keys()
    assert refused(bpy.ops.tsn.learn).startswith("The node has no key: ")
    scene.frame_set(1)
    assert bpy.ops.tsn.key_add() == {"FINISHED"}
    assert refused(bpy.ops.tsn.render) == "There is no key at an empty path, for frame 1."
    assert refused(bpy.ops.tsn.key_edit, frame=1) == "There is no key at an empty path, for frame 1."
    keys = only(scene).node_tree.tsn.key_frames
    keys.frames[0].file, keys.frames[0].frame = "//style.safetensors", 9
    assert refused(bpy.ops.tsn.render) == "The key at 9 is outside of the frames 1 to 3."
    keys.frames[0].frame = 1
    assert refused(bpy.ops.tsn.render).endswith("is no picture of a key: choose a PNG, TIFF, JPEG or EXR.")
    assert refused(bpy.ops.tsn.key_paint) == "There is no painting at an empty path."
    bpy.context.preferences.filepaths.image_editor = ""
    assert bpy.ops.tsn.key_export() == {"FINISHED"}
    assert refused(bpy.ops.tsn.key_paint).endswith("Move it away to have another.")
    only(scene).node_tree.tsn.message = ""
    assert bpy.ops.tsn.key_export() == {"FINISHED"}
    assert "choose an image editor in Preferences" in only(scene).node_tree.tsn.message
    bpy.context.preferences.filepaths.image_editor = "/none/editor"
    assert "'/none/editor' can't be started" in refused(bpy.ops.tsn.key_edit, frame=1)


def case_keys_drawn():
    """What the node draws."""
    scene, node = set_up_keys()
    from layout import Layout
    from tsn_blender import node_render, ui

    def drawn():
        layout = Layout()
        ui.draw_node(node, bpy.context, layout)
        return layout.drawn

    assert ("prop", "frame") not in drawn() and ("prop", "painting") in drawn()
    for frame in (3, 1):
        scene.frame_set(frame)
        assert bpy.ops.tsn.key_add() == {"FINISHED"}
    now = drawn()
    assert now.count(("prop", "frame")) == 2 and ("operator", "tsn.key_remove") in now
    for name in ("export", "paint", "add", "edit"):
        assert ("operator", f"tsn.key_{name}") in now
    assert ("operator", "tsn.learn") in now
    node_render.running[node.node_tree.tsn.uid] = node_render.NodeRender(node.node_tree.tsn.uid, scene)
    assert ("operator", "tsn.learn") not in drawn()
