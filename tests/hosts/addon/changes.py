"""What makes a result out of date, and what does not; what an export leaves alone, names or refuses."""

from __future__ import annotations

import bpy
from scene import FOLDER, add_cube, only, picture, refused, set_up, status

V5 = bpy.app.version >= (5, 0, 0)


class Watch:
    """The digest from one change to the next; lines of code see the scene as `s`, its objects' names as variables."""

    def __init__(self):
        self.now = self.read()

    def read(self):
        """The digest now."""
        from tsn_blender import frame_status

        scene = bpy.context.scene
        return frame_status.paint_digest(only(scene), scene)

    def run(self, code):
        """Run a line of code; whether the digest is another one then."""
        s = bpy.context.scene
        tree = only(s).id_data
        names = {one.name.lower(): one for one in bpy.data.objects}
        exec(code, {"bpy": bpy, "s": s, "layer": s.view_layers[0], "tree": tree, "here": tree.nodes, **names})
        bpy.context.view_layer.update()
        before, self.now = self.now, self.read()
        return self.now != before

    def other(self, *lines):
        """Each line must change the digest."""
        for line in lines:
            assert self.run(line), f"not seen: {line}"

    def same(self, *lines):
        """No line may change the digest."""
        for line in lines:
            assert not self.run(line), f"out of date for nothing: {line}"


RICH = """
bpy.ops.mesh.primitive_monkey_add()
head = bpy.context.object
head.modifiers.new("sub", "SUBSURF")
head.shape_key_add(name="Basis")
smile = head.shape_key_add(name="smile")
for frame, value in ((1, 0.3), (2, 0.6)):
    smile.value = value
    smile.keyframe_insert("value", frame=frame)
head.vertex_groups.new(name="g").add([0, 1, 2], 0.5, "REPLACE")
head["wet"] = 1.0
nodes = head.modifiers.new("nodes", "NODES")
nodes.node_group = bpy.data.node_groups.new("nodes", "GeometryNodeTree")
for name, kind, output in (("Geometry", "Geometry", False), ("Amount", "Float", False), ("Geometry", "Geometry", True)):
    nodes.node_group.interface.new_socket(name, in_out="OUTPUT" if output else "INPUT", socket_type="NodeSocket" + kind)
a, b = nodes.node_group.nodes.new("NodeGroupInput"), nodes.node_group.nodes.new("NodeGroupOutput")
nodes.node_group.links.new(a.outputs[0], b.inputs[0])
bpy.ops.object.armature_add()
bone = bpy.context.object.pose.bones[0]
bone.rotation_mode = "XYZ"
for frame in (1, 2):
    bone.rotation_euler.x = frame
    bone.keyframe_insert("rotation_euler", index=0, frame=frame)
bpy.ops.object.light_add(type="AREA")
sun = bpy.context.object
driver = sun.data.driver_add("energy").driver
driver.expression = "frame * 3 + wet"
variable = driver.variables.new()
variable.name, variable.targets[0].id, variable.targets[0].data_path = "wet", head, '["wet"]'
s.world = bpy.data.worlds.new("world")
if bpy.app.version < (5, 0, 0):
    s.world.use_nodes = True
s.collection.children.link(bpy.data.collections.new("set"))
s.view_layers.new("second")
"""


def rich():
    """A scene with something of everything. Returns a watch on it."""
    scene, _ = set_up(1, 2)
    exec(RICH, {"bpy": bpy, "s": scene})
    picture_of(bpy.data.materials["cube"])
    bpy.context.view_layer.update()
    bpy.ops.wm.save_mainfile()
    return Watch()


def picture_of(material):
    """Save a picture, and use it as a texture of a material."""
    image = bpy.data.images.new("made", 4, 4)
    image.filepath_raw, image.file_format = str(FOLDER / "wood.png"), "PNG"
    image.save()
    material.node_tree.nodes.new("ShaderNodeTexImage").image = bpy.data.images.load(str(FOLDER / "wood.png"))
    material.node_tree.nodes.new("ShaderNodeValToRGB")


def case_changes_that_show():
    """Whatever would make another render."""
    watch = rich()
    watch.other(
        "s.render.use_border = True; s.render.border_max_x = 0.5",
        "s.render.border_max_x = 0.6",
        "s.render.resolution_percentage = 50",
        "s.render.use_motion_blur = True",
        "s.render.use_simplify = True",
        "s.render.filter_size = 2",
        "s.render.fps = 30",
        "s.cycles.samples = 9",
        "s.cycles.seed = 9",
        "s.cycles.film_exposure = 3",
        "s.cycles.max_bounces = 1",
        "layer.samples = 3",
        "layer.material_override = bpy.data.materials['lamp']",
        "layer.use = False",
        "layer.layer_collection.children['set'].holdout = True",
        "layer.layer_collection.children['set'].indirect_only = True",
        "layer.layer_collection.children['set'].exclude = True",
        "bpy.data.collections['set'].hide_render = True",
        "lamp.location.y = 0.3",
        "cube.location.y = 0.3",  # beside x, which is keyed
        "cube.visible_camera = False",
        "cube.is_holdout = True",
        "cube.hide_render = True",
        "camera.data.shift_x = 0.1",
        "camera.data.dof.use_dof = True",
        "suzanne.data.vertices[0].co.x += 1",
        "suzanne.data.polygons[0].use_smooth = True",
        "suzanne.data.uv_layers[0].data[0].uv.x += 0.1",
        "suzanne.vertex_groups[0].add([0], 0.7, 'REPLACE')",
        "suzanne.data.shape_keys.key_blocks['smile'].data[3].co.x += 1",
        "suzanne.data.shape_keys.key_blocks['smile'].keyframe_insert('value', frame=9)",
        "suzanne.modifiers['sub'].render_levels = 3",
        "suzanne.modifiers['sub'].show_render = False",
        "suzanne.modifiers['nodes'][next(i for i in suzanne.modifiers['nodes'].node_group.interface.items_tree"
        " if i.name == 'Amount').identifier] = 3.0",
        "suzanne['wet'] = 2.0",  # a driver reads it
        "suzanne.data.materials.append(bpy.data.materials['lamp'])",
        "armature.pose.bones[0].location.x = 1",
        "bpy.context.view_layer.objects.active = armature; bpy.ops.object.mode_set(mode='EDIT');"
        " armature.data.edit_bones[0].tail.x += 1; bpy.ops.object.mode_set(mode='OBJECT')",
        "area.data.size = 7",
        "area.data.animation_data.drivers[0].driver.expression = 'frame * 4'",
        "bpy.data.materials['cube'].node_tree.nodes['Emission'].inputs['Strength'].default_value = 2",
        "bpy.data.materials['cube'].node_tree.nodes['Emission'].inputs['Strength'].keyframe_insert('default_value')",
        "bpy.data.materials['cube'].node_tree.nodes['Color Ramp'].color_ramp.elements[0].position = 0.2",
        "bpy.data.materials['cube'].node_tree.links.remove(bpy.data.materials['cube'].node_tree.links[0])",
        "s.world.node_tree.nodes['Background'].inputs['Strength'].default_value = 3",
        "s.timeline_markers.new('cut', frame=2).camera = camera",
        "bpy.data.images['wood.png'].colorspace_settings.name = 'Non-Color'",
        "bpy.data.images['made'].scale(9, 9); bpy.data.images['made'].save()",  # the texture's file
    )
    # in the compositor
    value = "CompositorNodeValue" if not V5 else "ShaderNodeValue"
    watch.other(
        f"here.new('CompositorNodeExposure'); here.new('{value}');"
        "tree.links.new(here['Render Layers'].outputs[0], here['Exposure'].inputs[0]);"
        "tree.links.new(here['Value'].outputs[0], here['Exposure'].inputs[1]);"
        "tree.links.new(here['Exposure'].outputs[0], here['TSN Stylize'].inputs[0])",
        "here['Value'].outputs[0].default_value = 0.7",
        "here['Value'].outputs[0].keyframe_insert('default_value', frame=1)",
        "here['Value'].outputs[0].default_value = 2;here['Value'].outputs[0].keyframe_insert('default_value', frame=2)",
    )
    watch.other(
        "layer.use_pass_combined = False",
        "layer.use_pass_mist = True; bpy.context.view_layer.update();"
        "tree.links.new(here['Render Layers'].outputs['Mist'], here['Exposure'].inputs[0])",
        "layer.use_pass_mist = False",
    )
    other = bpy.data.scenes.new("other")
    add_cube(other, "beside", (1, 1, 1), 1.0, 0.0)
    other.camera = bpy.context.scene.camera
    watch.other(
        "here.new('CompositorNodeRLayers').scene = bpy.data.scenes['other'];"
        "tree.links.new(here['Render Layers.001'].outputs[0], here['Exposure'].inputs[0])",
        "beside.location.x = 3",
        "bpy.data.scenes['other'].render.use_border = True",
    )


def case_changes_that_do_not_show():
    """How an artist works is no change; neither is another frame, saving, opening, or a look at another layer."""
    watch = rich()
    watch.same(
        "s.frame_set(2)",
        "s.frame_set(1)",
        "bpy.ops.object.select_all(action='SELECT')",
        "bpy.context.view_layer.objects.active = suzanne",
        "bpy.ops.object.mode_set(mode='EDIT'); bpy.ops.mesh.select_all(action='DESELECT');"
        " bpy.ops.object.mode_set(mode='OBJECT')",
        "bpy.context.view_layer.objects.active = armature; bpy.ops.object.mode_set(mode='POSE');"
        " bpy.ops.pose.select_all(action='SELECT'); bpy.ops.object.mode_set(mode='OBJECT')",
        "[setattr(one, 'location', (5, 6)) for one in here]; tree.nodes.active = here[0]",
        "[setattr(one, 'location', (5, 6)) for one in bpy.data.materials['cube'].node_tree.nodes]",
        "bpy.data.materials['cube'].node_tree.nodes['Emission'].select = True",
        "here['TSN Stylize'].inputs['Strength'].keyframe_insert('default_value', frame=1)",
        "here.new('CompositorNodeBlur')",
        "suzanne.hide_viewport = True; lamp.hide_set(True); layer.layer_collection.hide_viewport = True",
        "s.render.filepath = '/x'; s.render.image_settings.file_format = 'PNG'; s.render.threads_mode = 'FIXED'",
        "s.frame_end = 33; s.frame_step = 2; s.use_preview_range = True",
        "s.view_settings.exposure = 2; s.view_settings.view_transform = 'Standard'",
        "s.eevee.taa_render_samples = 3",  # Cycles renders
        "s.cycles.preview_samples = 3",
        "s.view_layers['second'].samples = 4",
        "s.view_layers['second'].update()",
        "layer.use_pass_mist = True",
        "s.tool_settings.use_snap = True; s.cursor.location.x = 3",
        "bpy.data.images['wood.png'].filepath = '//wood.png'",
        "bpy.ops.wm.save_mainfile()",
        "bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)",
        "bpy.context.window.view_layer = s.view_layers['second']",
        "bpy.context.window.view_layer = s.view_layers[0]",
    )
    picture("own", 1)
    watch.same("pass")


def case_remembered():
    """In a window what Blender did not report is not looked at again; what it did, is."""
    watch = rich()
    from tsn_blender import upstream_digest

    upstream_digest.USES_CACHE, upstream_digest.CACHE_SECONDS = True, 1e9
    watch.same("pass", "s.frame_set(2)", "s.frame_set(1)")
    read = []

    class Counted(upstream_digest.DataBlockReader):
        def __init__(self, block, engine):
            read.append(block.name)
            super().__init__(block, engine)

    upstream_digest.DataBlockReader, real = Counted, upstream_digest.DataBlockReader
    watch.same("pass")
    upstream_digest.DataBlockReader = real
    assert len(read) <= 2, read  # the tree, and the scene
    watch.other(
        "lamp.location.z += 0.1",
        "bpy.data.materials['cube'].node_tree.nodes['Emission'].inputs['Strength'].default_value = 5",
        "suzanne.data.vertices[0].co.y += 1; suzanne.data.update()",
        "s.world.node_tree.nodes['Background'].inputs['Strength'].default_value = 4",
        "s.cycles.samples = 77",
        "suzanne.modifiers['sub'].quality = 5",
        "suzanne.data.shape_keys.key_blocks['smile'].slider_max = 2",
    )
    bpy.ops.ed.undo_push(message="before")
    before = watch.now
    bpy.data.objects["lamp"].location.z += 1
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="moved")
    watch.other("pass")
    bpy.ops.ed.undo()
    watch.other("pass")
    assert watch.now == before


def case_region():
    """A region is drawn for speed: the paint is whole, and the node says that the region is another one."""
    scene, _ = set_up(1, 1)
    render = scene.render
    render.use_border, render.border_min_x, render.border_max_x = True, 0.25, 0.5
    render.border_min_y, render.border_max_y = 0.25, 0.5
    assert bpy.ops.tsn.render() == {"FINISHED"}
    assert render.use_border and status(scene) == "1 of 1 frame"
    render.use_border = False
    assert status(scene) == "1 of 1 frame, 1 out of date"
    picture("full", 1)
    only(scene).mute = True
    picture("input", 1)
    render.use_border = render.use_crop_to_border = True
    only(scene).mute = False
    assert bpy.ops.tsn.render(preview=True) == {"FINISHED"}
    picture("cropped", 1)


def deliver(scene, *, name="Deliver"):
    """A group that passes its picture on and writes it to a file, within another group; the inner tree."""
    from tsn_blender import compat

    inner, writer = None, None
    for depth in (1, 2):
        group = bpy.data.node_groups.new(f"{name} {depth}", "CompositorNodeTree")
        compat.new_socket(group, "Image", "NodeSocketColor")
        compat.new_socket(group, "Image", "NodeSocketColor", output=True)
        entry, leave = group.nodes.new("NodeGroupInput"), group.nodes.new("NodeGroupOutput")
        through = group.nodes.new("CompositorNodeOutputFile" if depth == 1 else "CompositorNodeGroup")
        if depth == 1:
            writer = through
            if V5:
                writer.directory, writer.file_name = str(FOLDER / "deliver"), "final_####"
                writer.file_output_items.new("RGBA", "Image")
                writer.format.media_type = "IMAGE"
            else:
                writer.base_path, writer.file_slots[0].path = str(FOLDER / "deliver"), "final_"
            writer.format.file_format = "OPEN_EXR"
            group.links.new(entry.outputs[0], leave.inputs[0])
        else:
            through.node_tree = inner
            group.links.new(through.outputs[0], leave.inputs[0])
        group.links.new(entry.outputs[0], through.inputs[0])
        inner = group
    tree = only(scene).id_data
    node = tree.nodes.new("CompositorNodeGroup")
    node.node_tree = inner
    tree.links.new(only(scene).outputs["Image"], node.inputs[0])
    tree.links.new(node.outputs[0], compat.final_input(tree))
    return writer


def case_files_of_groups():
    """File Output nodes in groups write nothing while the node exports, and all the artist wants afterwards."""
    scene, _ = set_up(1, 2)
    writer = deliver(scene)
    kept = deliver(scene, name="Off")
    kept.mute = True
    from tsn_blender import frame_status, node_render, plate_export
    from tsn_blender.shared import tsn_process

    with frame_status.ignoring_own_changes():
        plate_export.render_frame(only(scene), scene, 1, FOLDER / "plate.exr")
    assert not (FOLDER / "deliver").exists()
    assert [one.mute for one in (writer, kept)] == [False, True]
    try:
        plate_export.render_frame(only(scene), scene, 1, FOLDER / "plate.exr/no folder.exr")
        raise AssertionError("it was written")
    except tsn_process.PluginError:
        pass
    work = node_render.NodeRender(only(scene).node_tree.tsn.uid, scene)
    steps = work.steps()
    next(steps)
    assert [one.mute for one in (writer, kept)] == [False, True]  # between two frames of an export
    work.cancel()
    try:
        next(steps)
        raise AssertionError("it went on")
    except tsn_process.PluginError as failed:
        assert str(failed).startswith("Cancelled")
    assert [one.mute for one in (writer, kept)] == [False, True]
    assert not (FOLDER / "deliver").exists()
    picture("own", 1)
    assert list((FOLDER / "deliver").iterdir())


def case_frames_below_zero():
    """Blender shows no picture with such a number: refused before anything is made."""
    scene, node = set_up(0, 2)
    settings = node.node_tree.tsn
    settings.scene_range, settings.frame_start, settings.frame_end = False, -2, 2
    sentence = refused(bpy.ops.tsn.render)
    assert sentence.startswith("Frame -2 can't be painted: Blender reads no picture whose number is below 0. "), (
        sentence
    )
    scene.frame_set(-1)
    assert refused(bpy.ops.tsn.render, preview=True).startswith("Frame -1 can't be painted")
    assert not (FOLDER / "tsn").exists()
    settings.frame_start, settings.frame_end = 0, 1
    assert bpy.ops.tsn.render() == {"FINISHED"}
    for frame in (0, 1):
        picture("full", frame)


NAMES = ("FG", "FG.001", "BG Composite", "composite", "Composite.Combined", "a.b c", "Vector", "x" * 46)


def case_layer_names():
    """Of two layers whose names begin alike the one upstream gives vectors and matte, and the link what is painted."""
    scene, node = set_up(1, 1)
    from tsn_blender import frame_status, node_trees, plate_export

    own = node.id_data
    dim = own.nodes.new("CompositorNodeExposure")
    dim.inputs["Exposure"].default_value = -3
    layers = own.nodes["Render Layers"]
    own.links.new(layers.outputs["Image"], dim.inputs["Image"])
    own.links.new(dim.outputs["Image"], node.inputs["Image"])
    beside = scene.view_layers.new("beside")
    scene.collection.children.link(bpy.data.collections.new("cubes"))
    cube = bpy.data.objects["cube"]
    bpy.data.collections["cubes"].objects.link(cube)
    scene.collection.objects.unlink(cube)
    beside.layer_collection.children["cubes"].exclude = True  # nothing moves there
    beside.use_pass_vector = beside.use_pass_cryptomatte_object = True
    for index, name in enumerate(NAMES):
        scene.view_layers[0].name, beside.name = name, f"{name}.BG"
        layers.layer = name
        path = FOLDER / f"plate.{index}.exr"
        with frame_status.ignoring_own_changes():
            plate_export.render_frame(only(scene), scene, 1, path)
        found = plate_export.find_layers(path, node_trees.render_layers_node(only(scene), scene))
        assert found == ("Composite.Combined", f"{name}.Vector", f"{name}.CryptoObject"), found
        layers.layer = beside.name
        if len(beside.name) <= 46:
            found = plate_export.find_layers(path, layers)
            assert found == ("Composite.Combined", f"{name}.BG.Vector", f"{name}.BG.CryptoObject"), found
    scene.view_layers[0].name, layers.layer = "FG", "FG"
    beside.name = "Composite"
    assert refused(bpy.ops.tsn.render) == (
        "A view layer is called 'Composite', as Blender calls what the compositor makes. Give it another name."
    )
    beside.name = "BG"
    scene.view_layers[0].use = False
    assert refused(bpy.ops.tsn.render) == "The view layer 'FG' is not rendered. Switch on its Use for Rendering."
    scene.view_layers[0].use = True
    scene.view_layers[0].name = layers.layer = "x" * 47
    assert "is too long for Blender to write all its passes. Give it one of at most 46 letters." in refused(
        bpy.ops.tsn.render
    )
    assert not (FOLDER / "tsn").exists()
