"""What is refused, in one sentence and before the export."""

from __future__ import annotations

import os
import shutil

import bpy
from scene import FOLDER, add_node, only, refused, set_up


def case_missing_colour_config():
    """$OCIO names a config that is not there."""
    set_up()
    sentence = refused(bpy.ops.tsn.render)
    assert sentence == "$OCIO names /none/show.ocio, which is not there. Correct or unset it, and start Blender again."
    assert not (FOLDER / "tsn").exists()


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
    for file, written in (
        ("//../shared.safetensors", "../../../shared.safetensors"),  # with the project it goes to the farm
        (str(FOLDER / "style.safetensors"), "../../style.safetensors"),
        ("shared.safetensors", str(FOLDER.parent / "shared.safetensors")),
    ):
        only(bpy.context.scene).node_tree.tsn.file = file
        assert bpy.ops.tsn.shot_file() == {"FINISHED"}
        assert f'"{written}"' in (FOLDER / "tsn/sh010/sh010.yaml").read_text(), written


class Plain(bpy.types.RenderEngine):
    """An engine that makes a picture and nothing more."""

    bl_idname = "PLAIN"
    bl_label = "Plain"
    rendered = []  # noqa: RUF012 (the case looks at it)

    def render(self, depsgraph):
        """Called by Blender for each frame."""
        scene = depsgraph.scene
        self.rendered.append(scene.frame_current)
        made = self.begin_result(0, 0, scene.render.resolution_x, scene.render.resolution_y)
        self.end_result(made)


def case_no_cryptomatte():
    """A matte that the engine can't make is reported after the first frame."""
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


def case_faults():
    """One sentence each, on the node and as the operator's report; the scene is as it was."""
    scene, node = set_up()
    settings = node.node_tree.tsn

    def error(**arguments):
        sentence = refused(bpy.ops.tsn.render, **arguments)
        assert only(scene).node_tree.tsn.message == sentence, (settings.message, sentence)
        return sentence

    os.environ["TSN_COMMAND"], real = str(FOLDER / "no tsn"), os.environ["TSN_COMMAND"]
    found = [error()]
    assert "can't be started. Set its path in the preferences, or in TSN_COMMAND." in found[-1], found
    assert "can't be started" in refused(bpy.ops.tsn.check)
    os.environ["TSN_COMMAND"] = real
    settings.file = "//none.safetensors"
    found.append(error())
    assert "There is no style at" in found[-1], found
    (FOLDER / "picture.png").touch()
    settings.file = "//picture.png"
    assert "picture.png is no style: choose a .safetensors or .onnx file." in error()
    settings.file = "//style.safetensors"
    settings.basename = "take/2"
    assert error() == "Files can't be called 'take/2': '/' has a meaning of its own in paths. Change the node's name."
    settings.basename, settings.folder = "sh010", "//take #2"
    assert "'#' in " in error()
    settings.folder = "tsn"
    assert "is not an absolute path" in error()
    settings.folder = "//tsn"
    tree = node.id_data
    other = add_node(scene, tree)
    assert refused(bpy.ops.tsn.render, uid=settings.uid) == (
        f"The node '{other.name}' writes to {FOLDER / 'tsn/sh010'} too. Give one of the two another name."
    )
    tree.nodes.remove(other)
    from tsn_blender import compat

    tree.links.new(node.outputs["Image"], compat.final_input(tree))
    assert not (FOLDER / "tsn").exists()  # all this is reported before anything is rendered
    (FOLDER / "tsn/sh010").mkdir(parents=True)
    (FOLDER / "tsn/sh010/styled").touch()
    assert error().startswith(f"Can't write {FOLDER / 'tsn/sh010/styled'}: ")
    assert list((FOLDER / "tsn/sh010/plate").iterdir()) == []  # and so is this
    (FOLDER / "tsn/sh010/styled").unlink()
    (FOLDER / "damaged.safetensors").write_bytes(b"not weights")
    settings.file = "//damaged.safetensors"
    found.append(error())
    assert "is damaged, or no safetensors file" in found[-1] and "Copy or download it again." in found[-1], found
    settings.file = "//style.safetensors"
    settings.matte_object = "no such thing"
    assert "has no object 'no such thing'" in error()
    settings.matte_object, settings.scene_range, settings.frame_start, settings.frame_end = "", False, 5, 4
    assert "The frame range is empty: 5 to 4." in error()
    settings.scene_range = True
    locked = os.environ["TSN_LOCKED"]
    settings.folder = locked
    found.append(error())
    assert f"Can't write {locked}" in found[-1] and "Choose another folder on the node." in found[-1], found
    settings.folder = "//tsn"
    link = node.inputs["Image"].links[0]
    node.id_data.links.remove(link)
    assert error() == "Nothing is linked to the node's Image."
    node.id_data.links.new(node.id_data.nodes["Render Layers"].outputs["Image"], node.inputs["Image"])
    scene.camera, camera = None, scene.camera
    assert error() == "The scene has no camera."
    scene.camera = camera
    scene.render.use_multiview = True
    assert error().startswith("The scene renders in stereo, a picture for each eye. Switch off")
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
