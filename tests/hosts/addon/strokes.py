"""Brush strokes: the knobs and their keys, what the shot file has of them, and what makes them out of date."""

from __future__ import annotations

import bpy
from layout import Layout
from scene import FOLDER, curves, only, picture, refused, set_up, status

KEYS = ((1, 1.0), (3, 2.0))


def set_up_strokes(*, last=3):
    """The scene of all cases, painted in brush strokes. Returns (scene, node)."""
    scene, node = set_up(1, last)
    node.node_tree.tsn.source = "STROKES"
    return scene, node


def key(node, name, keys, interpolation="LINEAR"):
    """Key a number of the node's strokes."""
    strokes = node.node_tree.tsn.strokes
    for frame, value in keys:
        setattr(strokes, name, value)
        assert strokes.keyframe_insert(name, frame=frame)
    (curve,) = [one for one in curves(node.node_tree) if one.data_path == f"tsn.strokes.{name}"]
    for point in curve.keyframe_points:
        point.interpolation = interpolation


def case_strokes():
    """Every knob, keys and a driver; painted, shown, saved and opened again."""
    scene, node = set_up_strokes()
    paper = bpy.data.images.new("paper", 64, 64)
    paper.pixels[:] = [v for y in range(64) for x in range(64) for v in (0.9, 0.1 + 0.5 * (x // 8 % 2), y / 80, 1)]
    paper.filepath_raw, paper.file_format = str(FOLDER / "palette.png"), "PNG"
    paper.save()
    strokes = node.node_tree.tsn.strokes
    strokes.palette, strokes.ground, strokes.ground_colour = "//palette.png", "COLOUR", (1, 0.5, 0)
    strokes.borders, strokes.surface, strokes.layers = True, "UV", {"stroke_id", "height"}
    strokes.opacity, strokes.own_relief, strokes.light = 0.7, True, 0.5
    key(node, "size", KEYS)
    key(node, "hold", ((1, 1), (3, 2)), "CONSTANT")
    driver = strokes.driver_add("length").driver
    driver.expression = "1 + frame / 4"
    scene.frame_set(2)
    assert round(strokes.size, 5) == 1.5, "the node shows the value at the current frame"
    assert bpy.ops.tsn.render() == {"FINISHED"}
    assert scene.frame_current == 2 and not scene.view_layers[0].use_pass_uv
    assert status(scene) == "3 of 3 frames"
    for frame in (1, 2, 3):
        picture("full", frame)
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    scene = bpy.context.scene
    assert status(scene) == "3 of 3 frames"
    strokes = only(scene).node_tree.tsn.strokes
    assert (strokes.ground, strokes.layers) == ("COLOUR", {"stroke_id", "height"})
    assert [len(curve.keyframe_points) for curve in curves(only(scene).node_tree)] == [2, 2]
    only(scene).mute = True
    picture("input", 1)


def case_strokes_left_alone():
    """Knobs that nobody touched are not in the shot file; a preview has one value of each number."""
    scene, node = set_up_strokes(last=1)
    assert bpy.ops.tsn.render() == {"FINISHED"}
    key(node, "size", KEYS)
    scene.frame_set(2)
    assert bpy.ops.tsn.render(preview=True) == {"FINISHED"}


def case_strokes_out_of_date():
    """What makes strokes out of date: knobs and their keys, not the frame that is shown; nor strokes what is none."""
    scene, node = set_up(1, 3)
    from tsn_blender import frame_status, rna_values

    settings = node.node_tree.tsn
    style = rna_values.file_stamp(settings.file, settings, None)
    before = settings.paint_key("CYCLES")
    assert before == ("FILE", style, "", 1, "", False, 0), "digests in files of before are made so"
    settings.strokes.size, settings.strokes.surface = 2, "UV"
    assert settings.paint_key("CYCLES") == before

    settings.source = "STROKES"
    bpy.context.view_layer.update()
    last = frame_status.paint_digest(node, scene)

    def changes(code):
        nonlocal last
        names = {"s": scene, "strokes": settings.strokes, "bpy": bpy, "settings": settings, "curves": curves}
        exec(code, names | {"inner": only(scene).node_tree, "cube": bpy.data.objects["cube"]})
        bpy.context.view_layer.update()
        then, last = last, frame_status.paint_digest(only(scene), scene)
        return last != then

    for code in (
        "strokes.size = 1.5",
        "strokes.file = '//own.yaml'",
        "strokes.file = ''",
        "strokes.palette = '//palette.png'",
        "strokes.ground = 'COLOUR'",
        "strokes.ground_colour = (1, 0, 0)",
        "strokes.borders = True",
        "strokes.surface = 'POSITION'",
        "strokes.layers = {'normals'}",
        "strokes.own_relief = True",
        "strokes.relief = 0.25",
        "strokes.hold = 2",
        "[(setattr(strokes, 'jitter', v), strokes.keyframe_insert('jitter', frame=f)) for f, v in ((1, 0), (3, 1))]",
        "curves(inner)[0].keyframe_points[1].co.y = 2",
        "curves(inner)[0].keyframe_points[1].interpolation = 'CONSTANT'",
        "inner.driver_add('tsn.strokes.detail').driver.expression = 'frame'",
        "inner.animation_data.drivers[-1].driver.expression = 'frame / 2'",
        "settings.window = 2",
    ):
        assert changes(code), code
    for code in (
        "s.frame_set(2)",
        "s.frame_set(3)",
        "settings.strokes.preset_name = 'oil'",
        "settings.colours = 'PLATE'",
        "settings.file = '//other.safetensors'",
        "s.frame_end = 9",
        "bpy.ops.wm.save_mainfile()",
    ):
        assert not changes(code), code
    driver = only(scene).node_tree.animation_data.drivers[-1].driver
    variable = driver.variables.new()
    variable.name, variable.targets[0].id, variable.targets[0].data_path = "wet", bpy.data.objects["lamp"], '["wet"]'
    bpy.data.objects["lamp"]["wet"] = 1.0
    driver.expression = "wet"
    changes("pass")
    bpy.data.objects["lamp"]["wet"] = 2.0
    assert changes("pass"), "a driver reads it"


def case_strokes_copied():
    """A copy has keys of its own."""
    scene, node = set_up_strokes()
    from tsn_blender import node as node_module

    key(node, "size", KEYS)
    bpy.ops.scene.new(type="FULL_COPY")
    node_module.separate_copies()
    first, second = only(scene).node_tree, only(bpy.context.scene).node_tree
    assert first != second and first.animation_data.action != second.animation_data.action
    curves(second)[0].keyframe_points[1].co.y = 4
    assert [curves(tree)[0].keyframe_points[1].co.y for tree in (first, second)] == [2, 4]


def case_strokes_refused():
    """One sentence each, before the export, or after its first frame."""
    scene, node = set_up_strokes()
    strokes = node.node_tree.tsn.strokes
    strokes.file = "//none.yaml"
    assert refused(bpy.ops.tsn.render) == f"There is no preset of brush strokes at {FOLDER / 'none.yaml'}."
    strokes.file = "//style.safetensors"
    assert "is no preset of brush strokes: choose a .yaml file." in refused(bpy.ops.tsn.render)
    strokes.file, strokes.palette = "", "//none.png"
    assert refused(bpy.ops.tsn.render) == f"There is no painting at {FOLDER / 'none.png'}."
    strokes.palette, strokes.surface = "", "UV"
    assert not (FOLDER / "tsn").exists()
    from faults import Plain

    bpy.utils.register_class(Plain)
    scene.render.engine = "PLAIN"
    sentence = refused(bpy.ops.tsn.render)
    assert sentence == "PLAIN renders no UV pass for the strokes. Render with Cycles, or choose another surface."
    assert Plain.rendered == [1], Plain.rendered
    strokes.surface, strokes.borders = "NONE", True
    assert bpy.ops.tsn.render(preview=True) == {"FINISHED"}  # borders where the scene renders them
    assert "ids" not in (FOLDER / "tsn/sh010/preview/sh010.yaml").read_text()
    tree = node.id_data
    flat = tree.nodes.new("CompositorNodeRGB")
    tree.links.new(flat.outputs[0], node.inputs["Image"])
    strokes.surface = "POSITION"
    assert refused(bpy.ops.tsn.render) == "A surface for the strokes needs a Render Layers node upstream."


def case_strokes_drawn():
    """What the node draws."""
    _, node = set_up_strokes()
    from tsn_blender import styles, ui

    def drawn():
        layout = Layout()
        ui.draw_node(node, bpy.context, layout)
        return set(layout.drawn)

    strokes = node.node_tree.tsn.strokes
    now = drawn()
    assert ("template_icon_view", "preset") in now and ("label", "oil") in now
    numbers = ("size", "detail", "length", "density", "opacity", "jitter", "relief", "light", "hold")
    assert {("prop", name) for name in (*numbers, "ground", "surface", "borders", "layers", "palette")} <= now
    assert ("prop", "file") in now and ("prop", "ground_colour") not in now
    strokes.ground, strokes.file = "COLOUR", "//own.yaml"
    now = drawn()
    assert ("prop", "ground_colour") in now and ("template_icon_view", "preset") not in now
    presets = [one[0] for one in styles.PRESETS.enum_items()]
    assert "oil" in presets and "tarascon" not in presets
    strokes.preset = presets[-1]
    assert strokes.preset_name == presets[-1]
    assert bpy.ops.tsn.check() == {"FINISHED"}
    assert "oil" in [one[0] for one in styles.PRESETS.enum_items()]
    assert "oil" not in [one[0] for one in styles.MODELS.enum_items()]
