"""Blender's side of test_addon.py: one case a process.

Blender's Python only (bpy)::

    TSN_COMMAND=.venv/bin/tsn python addon_cases.py loop /tmp/folder

A case that fails ends with a traceback and exit code 1. `style.safetensors` lies in the folder.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path

import bpy

ADDONS = Path(__file__).parents[2] / "plugins/blender"
FOLDER = Path()


def enable():
    sys.path.insert(0, str(ADDONS))
    import addon_utils

    addon_utils.enable("tsn_blender", default_set=True)
    import tsn_blender

    return tsn_blender


def set_up(first=1, last=3, *, samples=4):
    """A scene that renders in a blink: a cube that moves before a light of 8, over nothing. Returns (scene, node)."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    enable()
    from tsn_blender import compat

    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling = samples, False, False
    scene.render.resolution_x, scene.render.resolution_y, scene.render.film_transparent = 64, 48, True
    scene.render.use_motion_blur = False
    scene.frame_start, scene.frame_end = first, last
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = (0, 0, 5)
    scene.collection.objects.link(camera)
    scene.camera = camera
    add_cube(scene, "cube", (0.2, 0.5, 0.9), 0.6, -0.8)
    add_cube(scene, "lamp", (1.0, 0.8, 0.5), 8.0, 0.9)
    cube = bpy.data.objects["cube"]
    for frame, x in ((first, -1.2), (last, -0.2)):
        cube.location.x = x
        cube.keyframe_insert("location", index=0, frame=frame)
    tree = compat.new_scene_tree(scene)
    add_node(scene, tree)
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "shot.blend"))
    return scene, only(scene)


def add_cube(scene, name, colour, strength, x):
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    glow, out = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    glow.inputs["Color"].default_value, glow.inputs["Strength"].default_value = (*colour, 1), strength
    material.node_tree.links.new(glow.outputs[0], out.inputs[0])
    points = [(a, b, c) for a in (-0.5, 0.5) for b in (-0.5, 0.5) for c in (-0.5, 0.5)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)])
    mesh.materials.append(material)
    cube = bpy.data.objects.new(name, mesh)
    cube.location.x = x
    scene.collection.objects.link(cube)


def add_node(scene, tree):
    """Render Layers -> TSN Stylize -> output."""
    from tsn_blender import compat

    layers = tree.nodes.new("CompositorNodeRLayers")
    layers.scene = scene
    node = tree.nodes.new("TSNStylizeNode")
    tree.links.new(layers.outputs["Image"], node.inputs["Image"])
    tree.links.new(node.outputs["Image"], compat.final_input(tree))
    settings = node.node_tree.tsn
    settings.source, settings.file = "FILE", "//style.safetensors"
    settings.window, settings.basename = 1, "sh010"
    return node


def only(scene):
    from tsn_blender import tree

    (node,) = tree.of_scene(scene)
    return node


def picture(name, frame):
    """Render the scene as the artist would, to `name.####.exr` in 32 bits."""
    scene = bpy.context.scene
    scene.frame_set(frame)
    form = scene.render.image_settings
    if hasattr(form, "media_type"):
        form.media_type = "IMAGE"
    form.file_format, form.color_depth, form.color_mode = "OPEN_EXR", "32", "RGBA"
    scene.render.filepath = str(FOLDER / f"{name}.{frame:04d}.exr")
    bpy.ops.render.render(write_still=True)


def status(scene):
    from tsn_blender import frames, state

    there, wanted, stale = state.standing(only(scene), scene)
    return frames.status(there=there, wanted=wanted, stale=stale)


def refused(operator, **arguments):
    """The one sentence that an operator refuses with; it reports it, which from Python is an exception."""
    try:
        ended = operator(**arguments)
    except RuntimeError as error:
        text = str(error).strip()
        assert text.startswith("Error: ") and "\n" not in text, text
        return text.removeprefix("Error: ")
    raise AssertionError(f"{operator} went well: {ended}")


# --- cases ---------------------------------------------------------------------------------------------------------


def case_loop():
    """Export, paint, load; then what the artist's own render shows of it."""
    scene, node = set_up(1, 4)
    settings = node.node_tree.tsn
    settings.scene_range, settings.frame_start, settings.frame_end = False, 1, 3
    before = (scene.render.filepath, scene.render.image_settings.file_format, scene.view_layers[0].use_pass_vector)
    assert status(scene) == "Nothing rendered yet"

    assert bpy.ops.tsn.render() == {"FINISHED"}

    assert before == (
        scene.render.filepath,
        scene.render.image_settings.file_format,
        scene.view_layers[0].use_pass_vector,
    )
    assert status(scene) == "3 of 3 frames", status(scene)
    bpy.ops.wm.save_mainfile()
    node = only(scene)
    for frame in (1, 2, 3, 4):
        picture("full", frame)
    strength = node.inputs["Strength"]
    for frame, value in ((1, 0.0), (3, 1.0)):
        strength.default_value = value
        strength.keyframe_insert("default_value", frame=frame)
    for curve in curves(node.id_data):
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"
    assert status(scene) == "3 of 3 frames", "strength is mixed here, so keying it makes nothing out of date"
    bpy.ops.wm.save_mainfile()
    for frame in (1, 2, 3):
        picture("keyed", frame)
    only(scene).mute = True
    for frame in (1, 2, 4):
        picture("input", frame)


def curves(tree):
    from tsn_blender import compat

    return compat.curves(tree)


def case_again():
    """The same pixels exported again leave tsn nothing to do."""
    enable()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    scene = bpy.context.scene
    styled = sorted((FOLDER / "tsn/sh010/styled").glob("*.exr"))
    dates = [path.stat().st_mtime_ns for path in styled]
    assert bpy.ops.tsn.render() == {"FINISHED"}
    assert [path.stat().st_mtime_ns for path in styled] == dates
    assert status(scene) == "3 of 3 frames"


def case_preview():
    scene, _ = set_up()
    scene.frame_set(2)
    assert bpy.ops.tsn.render(preview=True) == {"FINISHED"}
    assert status(scene) == "Nothing rendered yet"
    picture("full", 2)
    picture("full", 3)
    only(scene).mute = True
    picture("input", 3)


def case_matte():
    """A matte by Cryptomatte object; the passes it needs are switched on for the export only."""
    scene, node = set_up()
    settings = node.node_tree.tsn
    settings.matte_object, settings.scene_range, settings.frame_start, settings.frame_end = "cube", False, 1, 1
    assert bpy.ops.tsn.render() == {"FINISHED"}
    assert not scene.view_layers[0].use_pass_cryptomatte_object
    picture("full", 1)
    only(scene).mute = True
    picture("input", 1)


def case_status():
    """What makes a result out of date, and what doesn't. Nothing is painted: the record is written by hand."""
    scene, node = set_up()
    from tsn_blender import state

    settings = node.node_tree.tsn
    styled = state.folder(settings) / "styled"
    styled.mkdir(parents=True)

    def painted():
        state.begin(only(scene).node_tree.tsn)
        for number in (1, 2, 3):
            (styled / f"sh010.{number:04d}.exr").touch()
        state.record(styled.parent / "state.json", dict.fromkeys((1, 2, 3), state.digest(only(scene), scene)))

    def changes(what):
        painted()
        assert status(scene) == "3 of 3 frames", what
        exec(what, {"scene": scene, "node": only(scene), "tree": only(scene).id_data, "bpy": bpy})
        return status(scene) == "3 of 3 frames, 3 out of date"

    for knob in ("window = 2", "matte_object = 'cube'", "file = '//other.safetensors'", "source = 'PAINTING'"):
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
    painted()
    scene.frame_end = 5
    assert status(scene) == "3 of 5 frames", status(scene)
    record = json.loads((styled.parent / "state.json").read_text())
    record["frames"]["2"] = "of another time"
    (styled.parent / "state.json").write_text(json.dumps(record))
    assert status(scene) == "3 of 5 frames, 1 out of date"


def case_cancel():
    """Cancelled while it paints: the child is gone, nothing half-written stays, what is finished stays."""
    scene, node = set_up(1, 12)
    from tsn_blender import job

    work = job.Job(node.node_tree.tsn.uid, scene)
    steps = work.run()
    sentence = None
    try:
        for _ in steps:
            if work.phase == "Painting" and work.done >= 2:
                child = work._child.pid
                os.kill(child, 0)
                bpy.ops.tsn.cancel(uid=node.node_tree.tsn.uid)
            time.sleep(0.01)
    except Exception as failed:
        sentence = str(failed)
    assert sentence is not None and sentence.startswith("Cancelled; "), sentence
    assert not alive(child)
    assert not job.running
    names = [path.name for path in (FOLDER / "tsn").rglob("*") if path.name.startswith(".")]
    assert names == [], names
    done = len(list((FOLDER / "tsn/sh010/styled").glob("*.exr")))
    assert 2 <= done < 12, done
    assert status(scene).startswith(f"{done} of 12 frames"), status(scene)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def case_faults():
    """One sentence each, on the node and as the operator's report; the scene is as it was."""
    scene, node = set_up()
    settings = node.node_tree.tsn

    def told(**arguments):
        sentence = refused(bpy.ops.tsn.render, **arguments)
        assert only(scene).node_tree.tsn.message == sentence, (settings.message, sentence)
        return sentence

    os.environ["TSN_COMMAND"], real = str(FOLDER / "no tsn"), os.environ["TSN_COMMAND"]
    found = [told()]
    assert "can't be started. Set its path in the preferences, or in TSN_COMMAND." in found[-1], found
    assert "can't be started" in refused(bpy.ops.tsn.check)
    os.environ["TSN_COMMAND"] = real
    settings.file = "//none.safetensors"
    found.append(told())
    assert "There is no style at" in found[-1], found
    assert not (FOLDER / "tsn").exists()  # both are said before anything is rendered
    (FOLDER / "damaged.safetensors").write_bytes(b"not weights")
    settings.file = "//damaged.safetensors"
    found.append(told())
    assert "is damaged, or no safetensors file" in found[-1] and "Copy or download it again." in found[-1], found
    settings.file = "//style.safetensors"
    settings.matte_object = "no such thing"
    assert "has no object 'no such thing'" in told()
    settings.matte_object, settings.scene_range, settings.frame_start, settings.frame_end = "", False, 5, 4
    assert "The frame range is empty: 5 to 4." in told()
    settings.scene_range = True
    locked = os.environ["TSN_LOCKED"]
    settings.folder = locked
    found.append(told())
    assert f"Can't write {locked}" in found[-1] and "Choose another folder on the node." in found[-1], found
    settings.folder = "//tsn"
    link = node.inputs["Image"].links[0]
    node.id_data.links.remove(link)
    assert told() == "Nothing is linked to the node's Image."
    assert list((FOLDER / "tsn/sh010/styled").iterdir()) == []
    bpy.ops.wm.read_homefile(use_empty=True)
    assert "no TSN Stylize node" in refused(bpy.ops.tsn.render)
    print("\n".join(found))


def case_missing_frame():
    """After `loop`: a painted frame went away; the artist is told, and sees the input there instead of black."""
    (FOLDER / "tsn/sh010/styled/sh010.0002.exr").unlink()
    enable()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    scene = bpy.context.scene
    node = only(scene)
    assert node.node_tree.tsn.message == "Frame 2 is missing; the input is shown there."
    assert status(scene) == "2 of 3 frames"
    clear_keys(node)
    picture("full", 2)
    picture("full", 3)
    only(scene).mute = True
    picture("input", 2)


def clear_keys(node):
    node.id_data.animation_data_clear()
    node.inputs["Strength"].default_value = 1.0


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


def case_duplicate():
    """After `loop`: a copy has files of its own and shows nothing; the original is as it was."""
    enable()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    scene = bpy.context.scene
    first = only(scene)
    tree, inner = first.id_data, first.node_tree
    copied = tree.copy()
    (second,) = [node for node in copied.nodes if node.bl_idname == first.bl_idname]
    assert second.node_tree != inner and second.node_tree.tsn.uid != inner.tsn.uid
    assert second.node_tree.tsn.basename != "sh010" and second.node_tree.tsn.shown == "NOTHING"
    assert (second.node_tree.tsn.window, second.node_tree.tsn.file) == (inner.tsn.window, inner.tsn.file)
    assert second.node_tree.nodes["Result"].image is None and inner.nodes["Result"].image is not None
    assert inner.tsn.shown == "RANGE" and status(scene) == "3 of 3 frames"


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
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "other.blend"))  # thaws before 4.3, which tells of no append
    from tsn_blender import tree

    for _, node in tree.nodes():
        uids.add(node.node_tree.tsn.uid)
        assert node.inputs["Image"].is_linked
        assert node.node_tree.tsn.window == 1
    assert len(uids) == 2 == len(tree.nodes()), uids


def case_undo():
    """After `loop`: a knob, and removing the node, undone and redone."""
    enable()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    from tsn_blender import tree

    only(bpy.context.scene).node_tree.tsn.window = 1
    bpy.ops.ed.undo_push(message="before")
    only(bpy.context.scene).node_tree.tsn.window = 5
    bpy.ops.ed.undo_push(message="window")
    node = only(bpy.context.scene)
    node.id_data.nodes.remove(node)
    bpy.ops.ed.undo_push(message="removed")
    assert tree.nodes() == []
    bpy.ops.ed.undo()
    assert only(bpy.context.scene).node_tree.tsn.window == 5
    bpy.ops.ed.undo()
    node = only(bpy.context.scene)
    assert (node.node_tree.tsn.window, node.node_tree.tsn.basename) == (1, "sh010")
    assert node.inputs["Image"].is_linked
    assert status(bpy.context.scene) == "3 of 3 frames"
    bpy.ops.ed.redo()
    bpy.ops.ed.redo()
    assert tree.nodes() == []
    bpy.ops.ed.undo()
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "undone.blend"))


def case_autosave():
    """After `loop`: autosave calls no handler, so its file holds the custom node; it opens with everything."""
    enable()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    from tsn_blender import freeze

    bpy.app.handlers.save_pre.remove(freeze._before_saving)
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "auto.blend"), copy=True)
    bpy.app.handlers.save_pre.append(freeze._before_saving)
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "auto.blend"))
    scene = bpy.context.scene
    assert only(scene).node_tree.tsn.basename == "sh010"
    assert status(scene) == "3 of 3 frames"
    assert [len(curve.keyframe_points) for curve in curves(only(scene).id_data)] == [2]


def case_farm_without_the_addon():
    """After `loop`: no add-on here."""
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    assert not registered("Node")
    for frame in (1, 2, 3):
        picture("farm", frame)


def case_farm_renders():
    """Two nodes, one behind the other, rendered by the farm's one line."""
    _, first = set_up(1, 2)
    from tsn_blender import compat

    tree = first.id_data
    second = tree.nodes.new("TSNStylizeNode")
    tree.links.new(first.outputs["Image"], second.inputs["Image"])
    tree.links.new(second.outputs["Image"], compat.final_input(tree))
    settings = second.node_tree.tsn
    settings.source, settings.file, settings.window, settings.basename = "FILE", "//style.safetensors", 0, "second"
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    assert bpy.ops.tsn.render_all() == {"FINISHED"}
    bpy.ops.wm.save_mainfile()
    picture("full", 2)


def case_check():
    """The preferences' button, with the real command."""
    set_up()
    assert bpy.ops.tsn.check() == {"FINISHED"}
    found = bpy.context.preferences.addons["tsn_blender"].preferences.found.splitlines()
    assert found[0].startswith("tsn ") and found[1] == "Device: cpu" and found[2].startswith("Styles: "), found
    assert "tarascon" in found[2]


def case_shot_file():
    set_up()
    assert bpy.ops.tsn.shot_file() == {"FINISHED"}
    assert (FOLDER / "tsn/sh010/sh010.yaml").is_file()


CLASSES = {"Node": "TSNStylizeNode", "PropertyGroup": "TSNSettings", "AddonPreferences": "TSNPreferences"}
OPERATORS = [f"TSN_OT_{name}" for name in ("cancel", "check", "reload", "render", "render_all", "shot_file")]


def registered(base):
    """Whether the add-on's class of this kind is registered."""
    return getattr(bpy.types, base).bl_rna_get_subclass_py(CLASSES[base]) is not None


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
    from tsn_blender import compat, tree

    compat.new_scene_tree(scene).nodes.new("TSNStylizeNode")
    assert len(tree.of_scene(scene)) == 1
    bpy.ops.extensions.package_uninstall(repo_index=repository("user_default"), pkg_id="tsn_blender")
    assert traces() == ({}, [], [], False), traces()


def repository(module):
    repositories = bpy.context.preferences.extensions.repos
    return next(index for index, one in enumerate(repositories) if one.module == module)


def main():
    global FOLDER
    case, FOLDER = sys.argv[1], Path(sys.argv[2]).resolve()
    globals()[f"case_{case}"]()
    print(f"{case}: done", flush=True)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)  # bpy 4.5 can hang while the interpreter shuts down
