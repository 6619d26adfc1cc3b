"""Save, reopen, copy, append, undo; and what makes a result out of date."""

from __future__ import annotations

import json

import bpy
from scene import FOLDER, clear_keys, curves, enable, only, picture, refused, set_up, status


def case_status():
    """What makes a result out of date, and what doesn't. Nothing is painted: the record is written by hand."""
    scene, node = set_up()
    from tsn_blender import frame_status

    settings = node.node_tree.tsn
    styled = frame_status.node_folder(settings) / "styled"
    styled.mkdir(parents=True)

    def painted():
        frame_status.start_export(only(scene).node_tree.tsn)
        for number in (1, 2, 3):
            (styled / f"sh010.{number:04d}.exr").touch()
        digest = frame_status.paint_digest(only(scene), scene)
        frame_status.record_painted(styled.parent / "state.json", dict.fromkeys((1, 2, 3), digest))

    def changes(what):
        painted()
        assert status(scene) == "3 of 3 frames", what
        exec(what, {"scene": scene, "node": only(scene), "tree": only(scene).id_data, "bpy": bpy})
        return status(scene) == "3 of 3 frames, 3 out of date"

    for knob in (
        "window = 2",
        "matte_object = 'cube'",
        "file = '//other.safetensors'",
        "source = 'PAINTING'",
        "colours = 'PLATE'",
    ):
        assert changes(f"node.node_tree.tsn.{knob}"), knob
    tree = node.id_data
    blur = tree.nodes.new("CompositorNodeBlur")
    tree.links.new(tree.nodes["Render Layers"].outputs["Image"], blur.inputs[0])
    assert changes("tree.links.new(tree.nodes['Blur'].outputs[0], node.inputs['Image'])")
    assert changes("tree.nodes['Blur'].mute = True")
    assert changes("scene.render.resolution_x = 32")
    assert not changes("tree.nodes['Blur'].location = (9, 9)")
    assert not changes("node.inputs['Strength'].default_value = 0.3")
    assert not changes("scene.frame_set(2)")
    bpy.context.view_layer.update()
    painted()
    scene.frame_set(3)
    bpy.context.view_layer.update()
    assert status(scene) == "3 of 3 frames", "an animated object moved, the scene did not change"
    bpy.data.objects["lamp"].location.x += 0.1
    bpy.context.view_layer.update()
    assert status(scene) == "3 of 3 frames, 3 out of date"
    assert changes("scene.render.film_transparent = False")
    painted()
    scene.frame_end = 5
    assert status(scene) == "3 of 5 frames", status(scene)
    record = json.loads((styled.parent / "state.json").read_text())
    record["frames"]["2"] = "of another time"
    (styled.parent / "state.json").write_text(json.dumps(record))
    assert status(scene) == "3 of 5 frames, 1 out of date"


def case_reopen():
    """After `loop`: settings, links, keys and the result survive saving and opening, twice."""
    enable()
    for _ in range(2):
        bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
        scene = bpy.context.scene
        node = only(scene)
        settings = node.node_tree.tsn
        assert (settings.basename, settings.window, settings.shown, settings.message) == ("sh010", 1, "RANGE", "")
        assert node.inputs["Image"].is_linked and node.outputs["Image"].is_linked
        assert [len(curve.keyframe_points) for curve in curves(node.id_data)] == [2]
        assert status(scene) == "3 of 3 frames"
        assert node.name == "TSN Stylize" and len(node.id_data.nodes) == 3
        bpy.ops.wm.save_mainfile()
    node = only(scene)
    clear_keys(node)
    driver = node.inputs["Strength"].driver_add("default_value").driver
    driver.type, driver.expression = "SCRIPTED", "frame / 4"
    other = node.id_data.nodes.new("CompositorNodeBlur")
    value = other.inputs[1] if bpy.app.version >= (5, 0, 0) else other
    path = "default_value" if bpy.app.version >= (5, 0, 0) else "size_x"
    value.keyframe_insert(path, frame=3)
    assert len(curves(node.id_data)) >= 1
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "driven.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "driven.blend"))
    node = only(bpy.context.scene)
    assert [d.driver.expression for d in node.id_data.animation_data.drivers] == ["frame / 4"]
    assert len(curves(node.id_data)) >= 1
    assert [tree.name for tree in bpy.data.node_groups if tree.name.startswith("TSN drivers")] == []
    picture("full", 2)


def case_toggled():
    """After `loop`: switched off, the node is a group that shows the result all the same; switched on, a node again."""
    enable()
    import addon_utils

    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    scene = bpy.context.scene
    addon_utils.disable("tsn_blender", default_set=True)
    from tsn_blender import compat

    (group,) = [node for node in compat.scene_tree(scene).nodes if node.bl_idname == "CompositorNodeGroup"]
    assert group.inputs["Image"].is_linked and group.node_tree.nodes["Result"].image is not None
    addon_utils.enable("tsn_blender", default_set=True)
    assert only(scene).node_tree.tsn.basename == "sh010" and only(scene).inputs["Image"].is_linked
    assert status(scene) == "3 of 3 frames"


def case_append():
    """After `loop`: a scene appended to another file brings a working node; twice, and each has its own files."""
    enable()
    uids = set()
    for _ in range(2):
        with bpy.data.libraries.load(str(FOLDER / "shot.blend")) as (there, here):
            here.scenes = list(there.scenes)
    if bpy.app.version < (4, 3, 0):  # tells of no append, so that nodes come to life when the file is saved
        bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "other.blend"))
    from tsn_blender import node_trees

    for _, node in node_trees.tsn_nodes():
        uids.add(node.node_tree.tsn.uid)
        assert node.inputs["Image"].is_linked
        assert node.node_tree.tsn.window == 1
    assert len(uids) == 2 == len(node_trees.tsn_nodes()), uids


def case_undo():
    """After `loop`: a knob, and removing the node, undone and redone."""
    enable()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    from tsn_blender import node_trees

    only(bpy.context.scene).node_tree.tsn.window = 1
    bpy.ops.ed.undo_push(message="before")
    only(bpy.context.scene).node_tree.tsn.window = 5
    bpy.ops.ed.undo_push(message="window")
    node = only(bpy.context.scene)
    node.id_data.nodes.remove(node)
    bpy.ops.ed.undo_push(message="removed")
    assert node_trees.tsn_nodes() == []
    bpy.ops.ed.undo()
    assert only(bpy.context.scene).node_tree.tsn.window == 5
    bpy.ops.ed.undo()
    node = only(bpy.context.scene)
    assert (node.node_tree.tsn.window, node.node_tree.tsn.basename) == (1, "sh010")
    assert node.inputs["Image"].is_linked
    assert status(bpy.context.scene) == "3 of 3 frames"
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "between.blend"))  # and so with a save between two steps
    bpy.ops.ed.redo()
    bpy.ops.ed.redo()
    assert node_trees.tsn_nodes() == []
    bpy.ops.ed.undo()
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "undone.blend"))


def case_undo_after_a_render():
    """After `loop`: what came after a render is undone, and the result stays; then the render itself."""
    enable()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    scene = bpy.context.scene
    scene.frame_set(2)
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.tsn.render("EXEC_DEFAULT", True, preview=True) == {"FINISHED"}
    assert bpy.ops.tsn.reload("EXEC_DEFAULT", True) == {"FINISHED"}
    only(bpy.context.scene).node_tree.tsn.window = 7
    bpy.ops.ed.undo_push(message="window")
    for shown, window in (("RANGE", 1), ("PREVIEW", 1), ("RANGE", 1)):
        bpy.ops.ed.undo()
        settings = only(bpy.context.scene).node_tree.tsn
        assert (settings.shown, settings.window) == (shown, window), (settings.shown, settings.window, shown)
    assert settings.shown_frame == 0


def case_autosave():
    """After `loop`: autosave calls no handler, so its file holds the custom node; it opens with everything."""
    enable()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    from tsn_blender import saved_groups

    bpy.app.handlers.save_pre.remove(saved_groups._before_saving)
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "auto.blend"), copy=True)
    bpy.app.handlers.save_pre.append(saved_groups._before_saving)
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "auto.blend"))
    scene = bpy.context.scene
    assert only(scene).node_tree.tsn.basename == "sh010"
    assert status(scene) == "3 of 3 frames"
    assert [len(curve.keyframe_points) for curve in curves(only(scene).id_data)] == [2]


def case_duplicate():
    """After `loop`: a copy has files of its own and shows nothing; the original is as it was, after saving too."""
    enable()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    from tsn_blender import node

    scene = bpy.context.scene
    bpy.ops.scene.new(type="FULL_COPY")
    other = bpy.context.scene
    node.separate_copies()
    settings, theirs = only(scene).node_tree.tsn, only(other).node_tree.tsn
    assert settings.uid != theirs.uid and only(scene).node_tree != only(other).node_tree
    assert settings.basename == "sh010" != theirs.basename and theirs.shown == "NOTHING"
    assert (theirs.window, theirs.file) == (settings.window, settings.file)
    assert only(other).node_tree.nodes["Result"].image is None

    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "copies.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "copies.blend"))
    scene, other = bpy.data.scenes["Scene"], bpy.data.scenes["Scene.001"]
    first = only(scene).node_tree
    assert first.tsn.basename == "sh010" and first.tsn.shown == "RANGE" and first.nodes["Result"].image is not None
    assert status(scene) == "3 of 3 frames"
    assert only(other).node_tree.tsn.basename not in ("", "sh010")


def case_nodes_switched_off():
    """After `loop`: a tree that its scene does not use is saved without custom nodes too: a farm may switch it on."""
    enable()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    scene = bpy.context.scene
    node = only(scene)
    scene.use_nodes = False
    if bpy.app.version < (5, 0, 0):  # 5.0 knows no such switch
        sentence = refused(bpy.ops.tsn.render, uid=node.node_tree.tsn.uid)
        assert sentence == "The scene does not use its nodes. Switch on Use Nodes in the compositor."
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "off.blend"))
    from tsn_blender import compat, saved_groups

    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "off.blend"))
    (ours,) = [one for one in compat.own_tree(bpy.context.scene).nodes if one.bl_idname == "TSNStylizeNode"]
    assert ours.node_tree.tsn.basename == "sh010"
    bpy.app.handlers.load_post.remove(saved_groups._after_loading)
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "off.blend"))
    bpy.app.handlers.load_post.append(saved_groups._after_loading)
    kinds = [one.bl_idname for one in compat.own_tree(bpy.context.scene).nodes]
    assert "CompositorNodeGroup" in kinds and "TSNStylizeNode" not in kinds, kinds


def case_cut_and_paste():
    """After `loop`: the only copy of what is gone takes over its files, and its result."""
    enable()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    from tsn_blender import node, node_trees

    scene = bpy.context.scene
    bpy.ops.scene.new(type="FULL_COPY")
    only(scene).id_data.nodes.remove(only(scene))
    node.separate_copies()
    ((_, pasted),) = node_trees.tsn_nodes()
    inner = pasted.node_tree
    assert inner.tsn.basename == "sh010" and inner.tsn.shown == "RANGE" and inner.nodes["Result"].image is not None


def case_node_appearance():
    """How an artist arranged the node outlives saving: its frame, its place in there, hidden sockets, properties."""
    scene, node = set_up()
    frame = node.id_data.nodes.new("NodeFrame")
    frame.location = (100, 200)
    node.parent, node.location, node.width, node.label = frame, (30, 40), 333, "paint"
    node.inputs["Strength"].hide, node["ticket"], node.show_options = True, 7, False
    node.inputs["Image"].links[0].is_muted = node.outputs["Image"].links[0].is_muted = True
    node.id_data.nodes.active = node
    for _ in range(2):
        bpy.ops.wm.save_mainfile()
        node = only(scene)
        assert (tuple(node.location), node.parent.name, node.width, node.label) == ((30, 40), "Frame", 333, "paint")
        assert node.inputs["Strength"].hide and node["ticket"] == 7 and not node.show_options
        assert node.inputs["Image"].links[0].is_muted and node.outputs["Image"].links[0].is_muted
        assert node.id_data.nodes.active == node
