"""Export, paint, load: the pixels, and the farm."""

from __future__ import annotations

import bpy
from scene import FOLDER, clear_keys, curves, enable, only, picture, refused, registered, set_up, status


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
    """One frame is painted and shown; the range counts as not rendered."""
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
    """After `loop`: a painted frame went away; the node reports it, and shows the input there instead of black."""
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
