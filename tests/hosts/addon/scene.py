"""A scene to paint, and what every case does with it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bpy

ADDONS = Path(os.environ["TSN_ADDONS"])
"""The folder that contains the package tsn_blender, unpacked from its zip."""
FOLDER = Path(sys.argv[2]).resolve()


def enable():
    """Switch the add-on on, and return its package."""
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
    """Add a cube that glows in a colour, at an x."""
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
    """The one TSN node of a scene."""
    from tsn_blender import node_trees

    (node,) = node_trees.nodes_of_scene(scene)
    return node


def picture(name, frame):
    """Render the scene as the artist would, to `name.####.exr` in 32 bits."""
    scene = bpy.context.scene
    scene.frame_set(frame)
    form = scene.render.image_settings
    if hasattr(form, "media_type"):
        form.media_type = "IMAGE"
    form.file_format, form.color_depth, form.color_mode = "OPEN_EXR", "32", "RGBA"
    path = str(FOLDER / f"{name}.{frame:04d}.exr")
    braces = bpy.app.version >= (4, 5, 0)  # they stand for themselves only when they are doubled
    scene.render.filepath = path.replace("{", "{{").replace("}", "}}") if braces else path
    bpy.ops.render.render(write_still=True)


def status(scene):
    """The line that the node shows about its frames."""
    from tsn_blender import frame_status
    from tsn_blender.shared import frame_numbers

    painted, requested, stale = frame_status.frame_sets(only(scene), scene)
    return frame_numbers.status_line(painted=painted, requested=requested, stale=stale)


def curves(tree):
    """The F-curves of a tree."""
    from tsn_blender import compat

    return compat.curves(tree)


def clear_keys(node):
    """Remove the keys of the node's strength, and set it to 1."""
    node.id_data.animation_data_clear()
    node.inputs["Strength"].default_value = 1.0


def refused(operator, **arguments):
    """The one sentence that an operator refuses with; it reports it, which from Python is an exception."""
    try:
        ended = operator(**arguments)
    except RuntimeError as error:
        text = str(error).strip()
        assert text.startswith("Error: ") and "\n" not in text, text
        return text.removeprefix("Error: ")
    raise AssertionError(f"{operator} went well: {ended}")


CLASSES = {"Node": "TSNStylizeNode", "PropertyGroup": "TSNSettings", "AddonPreferences": "TSNPreferences"}


def registered(base):
    """Whether the add-on's class of this kind is registered."""
    return getattr(bpy.types, base).bl_rna_get_subclass_py(CLASSES[base]) is not None
