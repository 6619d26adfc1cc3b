"""Installing, registering, preferences, and what the node looks like."""

from __future__ import annotations

import os
import shutil
import sys
from types import SimpleNamespace

import bpy
from layout import Layout
from scene import ADDONS, CLASSES, FOLDER, only, refused, registered, set_up, status

KEY_OPERATORS = ("key_add", "key_edit", "key_export", "key_paint", "key_remove", "learn")
OPERATORS = [
    f"TSN_OT_{name}" for name in ("cancel", "check", *KEY_OPERATORS, "reload", "render", "render_all", "shot_file")
]


def traces():
    """All that an add-on could leave behind."""
    handlers = {
        name: [one for one in found if "tsn" in getattr(one, "__module__", "")]
        for name in dir(bpy.app.handlers)
        if isinstance(found := getattr(bpy.app.handlers, name), list)
    }
    menus = [
        one.__name__ for one in bpy.types.NODE_MT_add._dyn_ui_initialize() if "tsn" in getattr(one, "__module__", "")
    ]
    types = [CLASSES[base] for base in CLASSES if registered(base)]
    types += [name for name in dir(bpy.types) if name.startswith("TSN_")]
    return {name: found for name, found in handlers.items() if found}, menus, types, hasattr(bpy.types.NodeTree, "tsn")


def case_registers_twice():
    """Switched on and off twice, the add-on leaves nothing behind."""
    import addon_utils

    sys.path.insert(0, str(ADDONS))
    before = traces()
    assert before == ({}, [], [], False), before
    for _ in range(2):
        addon_utils.enable("tsn_blender", default_set=True)
        assert traces()[1:] == (["_add"], [*CLASSES.values(), *OPERATORS], True), traces()
        addon_utils.disable("tsn_blender", default_set=True)
        assert traces() == before, traces()


def case_installs():
    """The extension's zip, as an artist would install it from disk."""
    archive = next(FOLDER.glob("*.zip"))
    bpy.ops.extensions.package_install_files(filepath=str(archive), repo="user_default", enable_on_install=True)
    assert "bl_ext.user_default.tsn_blender" in bpy.context.preferences.addons
    assert registered("Node")
    scene = bpy.context.scene
    sys.modules["tsn_blender"] = sys.modules["bl_ext.user_default.tsn_blender"]
    from tsn_blender import compat, node_trees

    compat.new_scene_tree(scene).nodes.new("TSNStylizeNode")
    assert len(node_trees.nodes_of_scene(scene)) == 1
    bpy.ops.extensions.package_uninstall(repo_index=repository("user_default"), pkg_id="tsn_blender")
    assert traces() == ({}, [], [], False), traces()


def repository(module):
    """The index of an extensions repository."""
    repositories = bpy.context.preferences.extensions.repos
    return next(index for index, one in enumerate(repositories) if one.module == module)


def case_check():
    """The preferences' button, with the real command, and with what is none."""
    set_up()
    preferences = bpy.context.preferences.addons["tsn_blender"].preferences
    assert bpy.ops.tsn.check() == {"FINISHED"}
    found = preferences.found.splitlines()
    assert found[0].startswith("tsn ") and found[1] == "Device: cpu" and found[2].startswith("Styles: "), found
    assert "tarascon" in found[2] and found[3].startswith("Brush strokes: ") and "oil" in found[3], found
    layout = Layout()
    type(preferences).draw(Drawn(preferences, layout), bpy.context)
    assert layout.drawn[-len(found) :] == [("label", line) for line in found]
    assert ("operator", "Check") in layout.drawn

    os.environ["TSN_COMMAND"] = shutil.which("true")
    assert "true is not the tsn command: it answers 'true (" in refused(bpy.ops.tsn.check)
    del os.environ["TSN_COMMAND"]
    preferences.command = str(FOLDER / "no tsn")
    assert refused(bpy.ops.tsn.check) == preferences.found != ""


class Drawn:
    """Preferences as `draw` sees them, with a layout of ours."""

    def __init__(self, real, layout):
        self.real, self.layout = real, layout

    def __getattr__(self, name):
        return getattr(self.real, name)


def drawn(node):
    """What a node draws now."""
    from tsn_blender import ui

    layout = Layout()
    ui.draw_node(node, bpy.context, layout)
    return layout.drawn


def case_draws():
    """Every state of the node, in this Blender's own layout functions; and the Add menu."""
    scene, node = set_up()
    from tsn_blender import frame_status, node_render, styles, ui

    settings = node.node_tree.tsn
    now = drawn(node)
    assert ("prop", "file") in now and ("label", "Nothing rendered yet") in now
    assert [text for kind, text in now if kind == "operator"] == ["Preview This Frame", "tsn.render", "tsn.shot_file"]

    settings.source = "STYLE"
    now = drawn(node)
    assert ("template_icon_view", "style") in now and ("label", "tarascon") in now
    settings.style = "great-wave"
    assert settings.style_name == "great-wave" and ("label", "great-wave") in drawn(node)
    assert [one[0] for one in styles.MODELS.enum_items()] == sorted(
        path.stem for path in styles.THUMBNAILS.glob("*.png")
    )

    settings.source, settings.painting = "PAINTING", "//none.png"
    now = drawn(node)
    assert ("prop", "painting") in now and ("prop", "colours") in now

    settings.scene_range, settings.matte_object = False, "cube"
    settings.frame_start, settings.frame_end = 1, 2
    now = drawn(node)
    assert {("prop", "frame_start"), ("prop", "frame_end"), ("prop", "matte_invert")} <= set(now)

    work = node_render.NodeRender(settings.uid, scene)
    work.phase, work.done, work.total, work.note = "Painting", 12, 48, "DIS estimates the motion, since there is none."
    node_render.running[settings.uid] = work
    now = drawn(node)
    assert ("operator", "tsn.cancel") in now and ("operator", "tsn.render") not in now
    assert ("progress", str(work)) in now and str(work).startswith("Painting 12 of 48, ")
    node_render.running.clear()

    styled = frame_status.node_folder(settings) / "styled"
    styled.mkdir(parents=True)
    (styled / "sh010.0001.exr").touch()
    settings.shown, settings.shown_frame, settings.message = "PREVIEW", 1, "One sentence. " * 6
    now = drawn(node)
    assert {("label", "1 of 2 frames, 1 out of date"), ("label", "Showing a preview of frame 1")} <= set(now)
    assert ("operator", "tsn.reload") in now
    assert now[-2][0] == now[-1][0] == "label" and "One sentence." in now[-2][1]  # in several lines

    group = bpy.data.node_groups.new("group", "CompositorNodeTree")
    inside = group.nodes.new("TSNStylizeNode")
    assert drawn(inside)[-1] == ("label", "Works in a scene's own tree only")
    inside.node_tree = None
    assert drawn(inside) == [("label", "The inner tree is gone: add a new node")]
    assert only(scene) == node and status(scene) == "1 of 2 frames, 1 out of date"

    menu = SimpleNamespace(layout=Layout())
    ui._add(menu, SimpleNamespace(space_data=SimpleNamespace(tree_type="ShaderNodeTree")))
    assert menu.layout.drawn == []
    ui._add(menu, SimpleNamespace(space_data=SimpleNamespace(tree_type="CompositorNodeTree")))
    assert menu.layout.drawn == [("operator", "TSN Stylize")]
