"""Export, paint, load: the pixels, the farm, the faults."""

from __future__ import annotations

import os
import shutil
import time

import bpy
from scene import FOLDER, add_node, clear_keys, curves, enable, only, picture, refused, registered, set_up, status


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


def case_colour_config():
    """A show's own OCIO config."""
    scene, node = set_up()
    scene.frame_set(2)
    assert bpy.ops.tsn.render(preview=True) == {"FINISHED"}
    shown = node.node_tree.nodes["Result"].image.colorspace_settings.name
    assert shown == "ACES - ACEScg", shown
    picture("full", 2)
    trees = [tree.name for tree in bpy.data.node_groups if tree.name.startswith("TSN colour")]
    assert trees == [], trees


def case_every_second():
    """The scene renders every second frame: those are painted, and nothing is lost between them."""
    scene, node = set_up(1, 9)
    scene.frame_step = 2
    scene.frame_set(2, subframe=0.25)
    assert bpy.ops.tsn.render() == {"FINISHED"}
    assert scene.frame_current_final == 2.25, scene.frame_current_final
    assert status(scene) == "5 of 5 frames", status(scene)
    driver = node.node_tree.animation_data.drivers[0].driver
    assert driver.is_simple_expression and driver.expression.startswith("(frame >= 1 and frame <= 9 and "), driver
    for frame in (2, 7):
        picture("full", frame)
    only(scene).mute = True
    for frame in (2, 7):
        picture("input", frame)


def case_missing_colour_config():
    """$OCIO names a config that is not there."""
    set_up()
    sentence = refused(bpy.ops.tsn.render)
    assert sentence == "$OCIO names /none/show.ocio, which is not there. Correct or unset it, and start Blender again."
    assert not (FOLDER / "tsn").exists()


def case_matte():
    """A matte by Cryptomatte object; the passes it needs are switched on for the export only."""
    scene, node = set_up()
    settings = node.node_tree.tsn
    settings.matte_object, settings.scene_range, settings.frame_start, settings.frame_end = "cube", False, 1, 1
    assert bpy.ops.tsn.render() == {"FINISHED"}
    assert not scene.view_layers[0].use_pass_cryptomatte_object
    picture("full", 1)
    settings.matte_invert = True
    assert bpy.ops.tsn.render(preview=True) == {"FINISHED"}
    picture("inverted", 1)
    only(scene).mute = True
    picture("input", 1)


def case_settings():
    """What an export sets is put back; vectors and matte are those of the view layer that is painted."""
    scene, node = set_up()
    other = scene.view_layers.new("A first one")
    other.use_pass_vector = other.use_pass_cryptomatte_object = True
    image = scene.render.image_settings
    image.file_format, image.color_management = "OPEN_EXR", "OVERRIDE"
    image.linear_colorspace_settings.name = "ACEScg"
    scene.render.use_stamp = True
    node.outputs["Image"].links[0].is_muted = True
    settings = node.node_tree.tsn
    settings.matte_object, settings.scene_range, settings.frame_start, settings.frame_end = "cube", False, 1, 1
    assert bpy.ops.tsn.render() == {"FINISHED"}
    assert (image.file_format, image.linear_colorspace_settings.name) == ("OPEN_EXR", "ACEScg")
    assert image.color_management == "OVERRIDE" and scene.render.use_stamp
    assert only(scene).outputs["Image"].links[0].is_muted
    (written,) = FOLDER.glob("tsn/**/sh010.yaml")
    shot = written.read_text()
    assert "ViewLayer.Vector" in shot and "ViewLayer.CryptoObject" in shot and "A first one" not in shot, shot


def case_painting():
    """A painting, in its own colours and in the plate's."""
    scene, node = set_up()
    image = bpy.data.images.new("painting", 64, 64)
    image.pixels[:] = [v for y in range(64) for x in range(64) for v in (0.9, 0.1 + 0.5 * (x // 8 % 2), y / 80, 1)]
    image.filepath_raw, image.file_format = str(FOLDER / "painting.png"), "PNG"
    image.save()
    scene.frame_set(1)
    settings = node.node_tree.tsn
    settings.source, settings.painting = "PAINTING", "//none.png"
    assert "There is no painting at" in refused(bpy.ops.tsn.render, preview=True)
    settings.painting = "//painting.png"
    for colours in ("PAINTING", "PLATE"):
        settings.colours = colours
        assert bpy.ops.tsn.render(preview=True) == {"FINISHED"}
        picture(colours.lower(), 1)
    only(scene).mute = True
    picture("input", 1)


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


def case_shot_file():
    """It speaks of frames that are there, and of their layers: without them it would be a guess."""
    _, node = set_up()
    sentence = refused(bpy.ops.tsn.shot_file)
    plate = FOLDER / "tsn/sh010/plate"
    assert sentence == f"Frames 1-3 are not exported yet to {plate}. Press Render Range first."
    assert node.node_tree.tsn.message == sentence
    assert not (FOLDER / "tsn").exists()
    assert bpy.ops.tsn.render() == {"FINISHED"}
    (FOLDER / "tsn/sh010/sh010.yaml").unlink()
    (plate / "sh010.0002.exr").rename(plate / "other")
    assert "Frame 2 is not exported yet" in refused(bpy.ops.tsn.shot_file)
    (plate / "other").rename(plate / "sh010.0002.exr")
    assert bpy.ops.tsn.shot_file() == {"FINISHED"}
    text = (FOLDER / "tsn/sh010/sh010.yaml").read_text()
    assert '"ViewLayer.Vector"' in text and "matte: null" in text, text
    shutil.copy(FOLDER / "style.safetensors", FOLDER.parent / "shared.safetensors")
    os.chdir(FOLDER.parent)
    for file, told in (
        ("//../shared.safetensors", "../../../shared.safetensors"),  # with the project it goes to the farm
        (str(FOLDER / "style.safetensors"), "../../style.safetensors"),
        ("shared.safetensors", str(FOLDER.parent / "shared.safetensors")),
    ):
        only(bpy.context.scene).node_tree.tsn.file = file
        assert bpy.ops.tsn.shot_file() == {"FINISHED"}
        assert f'"{told}"' in (FOLDER / "tsn/sh010/sh010.yaml").read_text(), told


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


class Plain(bpy.types.RenderEngine):
    """An engine that makes a picture and nothing more."""

    bl_idname = "PLAIN"
    bl_label = "Plain"
    rendered = []  # noqa: RUF012 (the case looks at it)

    def render(self, depsgraph):
        scene = depsgraph.scene
        self.rendered.append(scene.frame_current)
        made = self.begin_result(0, 0, scene.render.resolution_x, scene.render.resolution_y)
        self.end_result(made)


def case_no_cryptomatte():
    """A matte that the engine can't make is told after the first frame."""
    scene, node = set_up(1, 3)
    bpy.utils.register_class(Plain)
    scene.render.engine = "PLAIN"
    node.node_tree.tsn.matte_object = "cube"
    sentence = refused(bpy.ops.tsn.render)
    assert sentence == "PLAIN renders no Cryptomatte for the matte. Render with Cycles or EEVEE.", sentence
    assert Plain.rendered == [1], Plain.rendered
    node.node_tree.tsn.matte_object = ""
    assert bpy.ops.tsn.render() == {"FINISHED"}
    assert "vectors: null" in (FOLDER / "tsn/sh010/sh010.yaml").read_text()


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
    (FOLDER / "picture.png").touch()
    settings.file = "//picture.png"
    assert "picture.png is no style: choose a .safetensors or .onnx file." in told()
    settings.file = "//style.safetensors"
    settings.basename = "take/2"
    assert told() == "Files can't be called 'take/2': '/' has a meaning of its own in paths. Change the node's name."
    settings.basename, settings.folder = "sh010", "//take #2"
    assert "'#' in " in told()
    settings.folder = "tsn"
    assert "does not say where it begins" in told()
    settings.folder = "//tsn"
    tree = node.id_data
    other = add_node(scene, tree)
    assert refused(bpy.ops.tsn.render, uid=settings.uid) == (
        f"The node '{other.name}' writes to {FOLDER / 'tsn/sh010'} too. Give one of the two another name."
    )
    tree.nodes.remove(other)
    from tsn_blender import compat

    tree.links.new(node.outputs["Image"], compat.final_input(tree))
    assert not (FOLDER / "tsn").exists()  # all this is said before anything is rendered
    (FOLDER / "tsn/sh010").mkdir(parents=True)
    (FOLDER / "tsn/sh010/styled").touch()
    assert told().startswith(f"Can't write {FOLDER / 'tsn/sh010/styled'}: ")
    assert list((FOLDER / "tsn/sh010/plate").iterdir()) == []  # so is this
    (FOLDER / "tsn/sh010/styled").unlink()
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
    node.id_data.links.new(node.id_data.nodes["Render Layers"].outputs["Image"], node.inputs["Image"])
    scene.camera, camera = None, scene.camera
    assert told() == "The scene has no camera."
    scene.camera = camera
    scene.render.use_multiview = True
    assert told().startswith("The scene renders in stereo, a picture for each eye. Switch off")
    scene.render.use_multiview = False
    group = bpy.data.node_groups.new("group", "CompositorNodeTree")
    inside = group.nodes.new("TSNStylizeNode").node_tree.tsn
    sentence = refused(bpy.ops.tsn.render, uid=inside.uid)
    assert sentence == "A TSN node works in a scene's own node tree, not inside a group." == inside.message
    assert list((FOLDER / "tsn/sh010/styled").iterdir()) == []
    bpy.ops.wm.read_homefile(use_empty=True)
    assert "no TSN Stylize node" in refused(bpy.ops.tsn.render)
    assert "no TSN Stylize node" in refused(bpy.ops.tsn.render_all)
    add_node(bpy.context.scene, compat.new_scene_tree(bpy.context.scene))
    assert refused(bpy.ops.tsn.render) == "Save the file first: the frames go beside it."
    print("\n".join(found))


def painting(scene, node):
    """A job that has come to painting, and the steps that are left of it."""
    from tsn_blender import job

    work = job.Job(node.node_tree.tsn.uid, scene)
    steps = work.run()
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
    """Another file is opened: no child stays, nothing half-written, and nothing is told to a node that is not there."""
    scene, node = set_up(1, 12)
    from tsn_blender import job

    work, steps = painting(scene, node)
    child = work._child.pid
    assert alive(child)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not alive(child)
    try:
        for _ in steps:
            time.sleep(0.01)
        raise AssertionError("it went on")
    except job.Failed as failed:
        assert str(failed).startswith("Cancelled"), failed
    assert not job.running
    assert [path for path in (FOLDER / "tsn").rglob(".*")] == []


def case_quit_while_painting():
    """Blender ends: the child goes with it. Its number is left for the test to look after."""
    work, _ = painting(*set_up(1, 12))
    (FOLDER / "child").write_text(str(work._child.pid))
    import atexit

    atexit._run_exitfuncs()
