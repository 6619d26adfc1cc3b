"""The demo plate: a small harbour at golden hour, built and rendered by Blender from nothing but these scripts.

Nothing is downloaded and no seed is left to chance, so that anyone can render the plate again::

    python3.11 -m venv /opt/bpy45 && /opt/bpy45/bin/pip install bpy==4.5.15
    /opt/bpy45/bin/python shots/demo/make_plate.py --out /tmp/demo_raw     # 16 frames, Cycles on the CPU
    .venv/bin/python shots/demo/pack_plate.py /tmp/demo_raw shots/demo/plate

`--samples 8 --frames 1008` gives a quick look at one frame. `harbour.py` is the scene; here are
the sky, the camera, the render.
"""

from __future__ import annotations

import argparse
import math
import os
import random
from pathlib import Path

import bpy
from harbour import materials, quarter, rowing_boat, sailboat, water
from mathutils import Vector

FIRST, LAST = 1001, 1016
BEFORE, AFTER = FIRST - 1, LAST + 1  # keys lie outside the shot, so that its first and last vectors are no zeros
SUN = Vector((math.sin(0.055), math.cos(0.055), 0.085)).normalized()


def move(obj, path, before, after):
    """Linear motion of a property over the shot."""
    for frame, value in ((BEFORE, before), (AFTER, after)):
        setattr(obj, path, value)
        obj.keyframe_insert(path, frame=frame)
    for curve in obj.animation_data.action.fcurves:
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def sky():
    """World background: a ramp by elevation, the glow and the disc of the sun, long clouds. No geometry."""
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    world.use_nodes = True
    nodes, link = world.node_tree.nodes, world.node_tree.links.new

    def math_node(kind, a, b):
        node = nodes.new("ShaderNodeMath")
        node.operation = kind
        for socket, value in zip(node.inputs, (a, b), strict=False):
            if isinstance(value, (int, float)):
                socket.default_value = value
            else:
                link(value, socket)
        return node.outputs[0]

    def tint(base, amount, colour, blend="ADD"):
        node = nodes.new("ShaderNodeMixRGB")
        node.blend_type = blend
        link(amount, node.inputs[0])
        link(base, node.inputs[1])
        node.inputs[2].default_value = (*colour, 1)
        return node.outputs[0]

    where, split, ramp = (nodes.new(f"ShaderNode{k}") for k in ("TexCoord", "SeparateXYZ", "ValToRGB"))
    link(where.outputs["Generated"], split.inputs[0])
    link(split.outputs["Z"], ramp.inputs["Fac"])
    stops = [(0.0, (1.0, 0.42, 0.14)), (0.06, (0.95, 0.47, 0.22)), (0.16, (0.52, 0.42, 0.42))]
    stops += [(0.30, (0.13, 0.29, 0.46)), (0.6, (0.04, 0.13, 0.34))]
    ramp.color_ramp.elements.remove(ramp.color_ramp.elements[1])
    for position, colour in stops:
        stop = ramp.color_ramp.elements.new(position)
        stop.color = (*colour, 1)
    ramp.color_ramp.elements.remove(ramp.color_ramp.elements[0])
    dot = nodes.new("ShaderNodeVectorMath")
    dot.operation = "DOT_PRODUCT"
    link(where.outputs["Generated"], dot.inputs[0])
    dot.inputs[1].default_value = SUN
    near = math_node("MAXIMUM", dot.outputs["Value"], 0.0)
    stretch, cloud, edge = (nodes.new(f"ShaderNode{k}") for k in ("Mapping", "TexNoise", "ValToRGB"))
    stretch.inputs["Scale"].default_value = (1.6, 1.6, 9.0)
    link(where.outputs["Generated"], stretch.inputs["Vector"])
    link(stretch.outputs["Vector"], cloud.inputs["Vector"])
    cloud.inputs["Scale"].default_value, cloud.inputs["Detail"].default_value = 2.2, 5
    edge.color_ramp.elements[0].position, edge.color_ramp.elements[1].position = 0.50, 0.68
    link(cloud.outputs["Fac"], edge.inputs["Fac"])
    colour = tint(ramp.outputs["Color"], math_node("MULTIPLY", edge.outputs["Color"], 0.75), (1.0, 0.50, 0.36), "MIX")
    colour = tint(colour, math_node("POWER", near, 14), (0.35, 0.17, 0.04))
    colour = tint(colour, math_node("POWER", near, 220), (1.3, 0.65, 0.18))
    disc = math_node("GREATER_THAN", near, math.cos(math.radians(1.3)))
    colour = tint(colour, disc, (40, 24, 9))
    link(colour, nodes["Background"].inputs["Color"])


def shoot():
    """Camera (a dolly to the left with a slow pan) and key light."""
    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera, camera.data.lens = camera, 31
    move(camera, "location", (0.75, 0.0, 2.15), (-0.55, 0.5, 2.05))
    tilt, pan = (math.radians(91.2), math.radians(91.3)), (math.radians(9.0), math.radians(10.5))
    move(camera, "rotation_euler", (tilt[0], 0, pan[0]), (tilt[1], 0, pan[1]))
    key = bpy.data.objects.new("key", bpy.data.lights.new("key", "SUN"))
    scene.collection.objects.link(key)
    key.data.energy, key.data.angle, key.data.color = 5.0, 0.03, (1.0, 0.62, 0.32)
    key.rotation_euler = Vector((0.82, -0.22, 0.36)).to_track_quat("Z", "Y").to_euler()


def settings(samples, threads):
    """Cycles, the passes and the file format."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    scene.render.engine = "CYCLES"
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.resolution_x, scene.render.resolution_y = 480, 270
    scene.render.use_motion_blur = False  # the Vector pass is empty with it
    scene.cycles.samples, scene.cycles.seed, scene.cycles.use_animated_seed = samples, 7, True
    scene.cycles.use_adaptive_sampling, scene.cycles.adaptive_threshold = True, 0.03
    scene.cycles.use_denoising, scene.cycles.denoiser = True, "OPENIMAGEDENOISE"
    scene.cycles.sample_clamp_indirect, scene.cycles.max_bounces = 6.0, 6
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    layer.use_pass_z = layer.use_pass_vector = layer.use_pass_cryptomatte_object = True
    layer.pass_cryptomatte_depth = 4
    image = scene.render.image_settings
    image.file_format, image.color_depth, image.exr_codec = "OPEN_EXR_MULTILAYER", "32", "ZIP"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, nargs="*", default=range(FIRST, LAST + 1))
    args = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    sky()
    mats = materials()
    quarter(random.Random(7), mats)
    water(mats)
    rowing_boat(mats, move)
    sailboat(mats, move)
    shoot()
    settings(args.samples, args.threads)
    for frame in args.frames:
        bpy.context.scene.frame_set(frame)
        bpy.context.scene.render.filepath = str(args.out.resolve() / f"demo.{frame:04d}.exr")
        bpy.ops.render.render(write_still=True)
        print(f"frame {frame}", flush=True)
    os._exit(0)  # bpy 4.5 can hang while the interpreter shuts down


if __name__ == "__main__":
    main()
