"""Render two CG shots with surface coordinates, by Blender as a module: for strokes that live on surfaces.

    python3.11 -m venv bpy && bpy/bin/pip install bpy==4.5.15
    bpy/bin/python benchmarks/surface_shots.py OUT [orbit|bend]         # some minutes on two cores

OUT/orbit: a camera circles textured things on a floor and moves in; they cast shadows. OUT/bend: a cloth waves, a tower
twists, a ball rolls through a room whose lamp moves, seen by a still camera. 640x360, 24 frames, with Vector,
Depth, UV, Position, Normal, Cryptomatte of objects and the AOV `Pref`: each point's place in the scene's first pose.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import bpy
import own_shots
from mathutils import Euler, Vector
from own_shots import animate, camera, light, material, shape, sky

own_shots.FRAMES = 24
SAMPLES = 8
"""Of Cycles, per pixel, before denoising."""


def keep_rest_places() -> None:
    """Give every mesh its rest place as an attribute, which its material is textured by and shows in the AOV."""
    for thing in bpy.data.objects:
        if thing.type == "MESH":
            rest = thing.data.attributes.new("rest", "FLOAT_VECTOR", "POINT")
            for vertex, value in zip(thing.data.vertices, rest.data, strict=True):
                value.vector = thing.matrix_world @ vertex.co
    for made in bpy.data.materials:
        nodes, links = made.node_tree.nodes, made.node_tree.links
        rest, out = nodes.new("ShaderNodeAttribute"), nodes.new("ShaderNodeOutputAOV")
        rest.attribute_name, out.aov_name = "rest", "Pref"
        links.new(rest.outputs["Vector"], out.inputs["Color"])
        for texture in nodes:
            if texture.type.startswith("TEX_") and "Vector" in texture.inputs:
                links.new(rest.outputs["Vector"], texture.inputs["Vector"])


def orbit() -> None:
    """Build the scene of the shot `orbit`."""
    dice = random.Random(5)
    tiles = material("tiles", "Voronoi", 2.2, (0.5, 0.36, 0.24), (0.72, 0.65, 0.5))
    bricks = material("bricks", "Brick", 3, (0.35, 0.12, 0.07), (0.6, 0.5, 0.4))
    marble = material("marble", "Wave", 1.6, (0.08, 0.12, 0.3), (0.8, 0.8, 0.75))
    moss = material("moss", "Noise", 3, (0.08, 0.2, 0.06), (0.5, 0.5, 0.16))
    paint = material("paint", "Voronoi", 2, (0.5, 0.09, 0.06), (0.85, 0.6, 0.2))
    shape("plane", tiles, size=40)
    shape("uv_sphere", marble, radius=0.9, segments=96, ring_count=48, location=(-1.3, 0.4, 0.9))
    shape("cylinder", bricks, radius=0.7, depth=2.6, vertices=96, location=(1.2, 0.9, 1.3))
    shape(
        "torus",
        paint,
        major_radius=0.7,
        minor_radius=0.22,
        major_segments=96,
        minor_segments=32,
        location=(0.2, -1.3, 0.22),
    )
    for _ in range(9):
        size, far, turn = dice.uniform(0.4, 1.0), dice.uniform(2.6, 5.5), dice.uniform(0, 6.3)
        place = Vector((far, 0, size / 2))
        place.rotate(Euler((0, 0, turn)))
        shape("cube", dice.choice([moss, bricks, paint]), size=size, location=place, rotation=(0, 0, turn / 2))
    light("SUN", 4, rotation=(0.8, 0.2, 0.5)).data.angle = 0.01
    sky(0.5)

    def at(t: float) -> tuple[Vector, Vector]:
        place = Vector((0, -7.5 + 1.8 * t, 2.4))
        place.rotate(Euler((0, 0, 0.55 * t - 0.2)))
        return place, Vector((0, 0, 0.8))

    camera(at, 36)


def bend() -> None:
    """Build the scene of the shot `bend`."""
    floor = material("floor", "Noise", 2.5, (0.25, 0.15, 0.08), (0.6, 0.45, 0.3))
    wall = material("wall", "Brick", 2, (0.2, 0.3, 0.28), (0.5, 0.55, 0.42))
    stripes = material("stripes", "Wave", 1.2, (0.55, 0.06, 0.05), (0.85, 0.8, 0.65))
    glaze = material("glaze", "Voronoi", 2.4, (0.05, 0.15, 0.35), (0.7, 0.72, 0.6))
    gold = material("gold", "Noise", 4, (0.35, 0.2, 0.03), (0.85, 0.6, 0.2))
    shape("plane", floor, size=16)
    shape("plane", wall, size=16, location=(0, 3.2, 3), rotation=(1.5708, 0, 0))
    cloth = shape("grid", stripes, size=2.6, x_subdivisions=120, y_subdivisions=120, location=(-1.9, 1.2, 1.9))
    tower = shape("cube", glaze, size=1, location=(1.7, 1.0, 1.4), scale=(0.9, 0.9, 2.8))
    ball = shape("uv_sphere", gold, radius=0.55, segments=96, ring_count=48, location=(-2.2, -1.0, 0.55))
    bpy.context.view_layer.update()
    cloth.rotation_euler = (1.45, 0, 0)
    wave = cloth.modifiers.new("wave", "WAVE")
    wave.height, wave.width, wave.narrowness, wave.speed, wave.time_offset = 0.22, 1.0, 1.6, 0.035, -120
    cut = tower.modifiers.new("cut", "SUBSURF")
    cut.subdivision_type, cut.levels, cut.render_levels = "SIMPLE", 6, 6
    twist = tower.modifiers.new("twist", "SIMPLE_DEFORM")
    twist.deform_method, twist.deform_axis = "TWIST", "Z"
    for frame in range(own_shots.FRAMES + 2):
        twist.angle = -0.6 + 1.5 * (frame - 1) / (own_shots.FRAMES - 1)
        twist.keyframe_insert("angle", frame=frame)
    animate(
        ball,
        lambda t: {"location": Vector((-2.2 + 3.2 * t, -1.0, 0.55)), "rotation_euler": Euler((0, 3.2 * t / 0.55, 0))},
    )
    lamp = light("AREA", 420, location=(0, -2, 5))
    lamp.data.size = 0.4
    animate(lamp, lambda t: {"location": Vector((-2.5 + 3.5 * t, -2.4, 5))})
    light("AREA", 160, location=(3, -6, 5)).data.size = 5
    sky(0.15)
    camera(lambda t: (Vector((0, -7.5, 2.0)), Vector((0, 0, 1.4))), 36)


def render(name: str, build: Callable[[], None], out: Path) -> None:
    """Render a scene into the folder OUT/name."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    build()
    keep_rest_places()
    scene, layer = bpy.context.scene, bpy.context.view_layer
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.seed = SAMPLES, True, 0
    scene.cycles.denoiser, scene.cycles.use_adaptive_sampling = "OPENIMAGEDENOISE", False
    scene.cycles.max_bounces = 3
    scene.cycles.use_animated_seed = True
    scene.render.use_persistent_data = True
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 640, 360, 100
    scene.frame_start, scene.frame_end = 1, own_shots.FRAMES
    for wanted in ("vector", "z", "uv", "position", "normal", "cryptomatte_object"):
        setattr(layer, f"use_pass_{wanted}", True)
    layer.pass_cryptomatte_depth = 2
    made = layer.aovs.add()
    made.name, made.type = "Pref", "COLOR"
    scene.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    scene.render.image_settings.color_depth = "32"  # places in half floats are off by pixels in a large scene
    scene.render.image_settings.exr_codec = "ZIP"
    scene.render.filepath = str(out / name / f"{name}.####")
    bpy.ops.render.render(animation=True)


if __name__ == "__main__":
    for name, build in (("orbit", orbit), ("bend", bend)):
        if len(sys.argv) < 3 or name in sys.argv[2:]:
            render(name, build, Path(sys.argv[1]).absolute())
