"""Render two CG shots with true motion, by Blender as a module.

    python3.11 -m venv bpy && bpy/bin/pip install bpy==4.5.15
    bpy/bin/python benchmarks/own_shots.py OUT            # some minutes on two cores
    .venv/bin/python benchmarks/stability.py OUT/posts OUT/table

OUT/posts: a camera passes thin posts, crates and a brick wall under a sky. OUT/table: a camera circles a table on which
a wheel turns and balls roll, under a lamp that moves. 640x360, 16 frames, with Vector and Depth, Cycles without
denoising: the grain is that of its sampling.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable
from pathlib import Path

import bpy
from mathutils import Euler, Vector

FRAMES = 16
SAMPLES = 32
"""Of Cycles, per pixel."""


def material(name: str, kind: str, scale: float, low: tuple[float, ...], high: tuple[float, ...]) -> bpy.types.Material:
    """A procedural surface: `kind` of texture between two colours."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    where, texture, ramp = (nodes.new(n) for n in ("ShaderNodeTexCoord", f"ShaderNodeTex{kind}", "ShaderNodeValToRGB"))
    texture.inputs["Scale"].default_value = scale
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (*low, 1), (*high, 1)
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.3, 0.7
    out = "Distance" if kind == "Voronoi" else "Fac"
    links.new(where.outputs["Object"], texture.inputs["Vector"])
    links.new(texture.outputs[out], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.6
    return made


def shape(kind: str, made: bpy.types.Material, **where: object) -> bpy.types.Object:
    """Add a mesh primitive with a material."""
    getattr(bpy.ops.mesh, f"primitive_{kind}_add")(**where)
    bpy.ops.object.transform_apply(location=False, rotation=False)  # so that the texture is not stretched
    bpy.context.object.data.materials.append(made)
    return bpy.context.object


def animate(thing: bpy.types.Object, at: Callable[[float], dict[str, object]]) -> None:
    """Set keyframes on every frame and one beyond both ends, so that the first and last have vectors.

    Args:
        at: attributes at a time from 0 (first frame) to 1 (last frame).
    """
    for frame in range(FRAMES + 2):
        for name, value in at((frame - 1) / (FRAMES - 1)).items():
            setattr(thing, name, value)
            thing.keyframe_insert(name, frame=frame)


def light(kind: str, energy: float, **where: object) -> bpy.types.Object:
    """Add a lamp."""
    bpy.ops.object.light_add(type=kind, **where)
    bpy.context.object.data.energy = energy
    return bpy.context.object


def camera(at: Callable[[float], tuple[Vector, Vector]], lens: float) -> None:
    """Add a camera by its position and target over time, with a slight shake."""
    bpy.ops.object.camera_add()
    made = bpy.context.object
    made.data.lens = lens
    bpy.context.scene.camera = made
    shake = random.Random(3)

    def pose(t: float) -> dict[str, object]:
        place, aim = at(t)
        turned = (aim - place).to_track_quat("-Z", "Y").to_euler()
        return {
            "location": place,
            "rotation_euler": Euler([turned[i] + shake.gauss(0, 0.0006) for i in range(3)]),
        }

    animate(made, pose)


def sky(strength: float) -> None:
    """Add a world with clouds of noise."""
    world = bpy.data.worlds.new("sky")
    bpy.context.scene.world = world
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    texture, ramp = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeValToRGB")
    texture.inputs["Scale"].default_value, texture.inputs["Detail"].default_value = 4, 6
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (0.12, 0.28, 0.7, 1), (0.9, 0.9, 0.95, 1)
    links.new(nodes.new("ShaderNodeTexCoord").outputs["Generated"], texture.inputs["Vector"])
    links.new(texture.outputs["Fac"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], nodes["Background"].inputs["Color"])
    nodes["Background"].inputs["Strength"].default_value = strength


def posts() -> None:
    """Build the scene of the shot `posts`."""
    dice = random.Random(1)
    bricks = material("bricks", "Brick", 3, (0.35, 0.12, 0.07), (0.6, 0.5, 0.4))
    ground = material("ground", "Noise", 6, (0.1, 0.12, 0.05), (0.35, 0.3, 0.18))
    wood = material("wood", "Wave", 2, (0.12, 0.06, 0.02), (0.5, 0.3, 0.12))
    paint = material("paint", "Voronoi", 4, (0.05, 0.2, 0.3), (0.8, 0.75, 0.5))
    shape("plane", ground, size=60)
    shape("cube", bricks, location=(0, 9, 2), scale=(14, 0.3, 2))
    for x in range(-6, 7, 2):
        shape(
            "cylinder", wood, radius=0.05 + 0.05 * dice.random(), depth=3.4, location=(x * 0.8, 2 + dice.random(), 1.7)
        )
    for _ in range(7):
        side = dice.uniform(0.5, 1.1)
        where = (dice.uniform(-6, 6), dice.uniform(4, 7.5), side / 2)
        shape("cube", dice.choice([wood, paint]), size=side, location=where, rotation=(0, 0, dice.uniform(0, 1.5)))
    walker = shape("uv_sphere", paint, radius=0.6, location=(0, 3.6, 0.6))
    animate(
        walker, lambda t: {"location": Vector((-3 + 5 * t, 3.6, 0.6)), "rotation_euler": Euler((0, 5 * t / 0.6, 0))}
    )
    light("SUN", 4, rotation=(0.7, 0.3, 0.4)).data.angle = 0.01
    sky(0.5)
    camera(lambda t: (Vector((-1.2 + 2.4 * t, -4, 1.6)), Vector((-0.3 + 0.9 * t, 4, 1.5))), 30)


def table() -> None:
    """Build the scene of the shot `table`."""
    dice = random.Random(2)
    cloth = material("cloth", "Checker", 7, (0.5, 0.07, 0.06), (0.75, 0.7, 0.6))
    wall = material("wall", "Noise", 3, (0.2, 0.3, 0.25), (0.5, 0.55, 0.4))
    marble = material("marble", "Wave", 3, (0.08, 0.1, 0.25), (0.8, 0.8, 0.75))
    brass = material("brass", "Voronoi", 9, (0.3, 0.18, 0.03), (0.8, 0.6, 0.2))
    shape("cube", cloth, location=(0, 0, -0.1), scale=(3, 2, 0.1))
    for side in range(4):
        turn = side * math.pi / 2
        shape(
            "plane",
            wall,
            size=16,
            location=(8 * math.cos(turn), 8 * math.sin(turn), 3),
            rotation=(math.pi / 2, 0, turn + math.pi / 2),
        )
    rim = shape(
        "torus", brass, major_radius=0.9, minor_radius=0.07, location=(0.4, 0.5, 1.0), rotation=(math.pi / 2, 0, 0)
    )
    for k in range(6):
        spoke = shape("cube", brass, size=1, location=(0, 0, 0), rotation=(0, 0, k * math.pi / 6))
        spoke.scale = (1.8, 0.05, 0.05)
        spoke.parent = rim
    animate(rim, lambda t: {"rotation_euler": Euler((math.pi / 2, 1.6 * t, 0))})
    for k in range(5):
        radius, lane, start = dice.uniform(0.15, 0.35), -1.4 + 0.55 * k, dice.uniform(-1.5, 0)
        ball = shape("uv_sphere", dice.choice([marble, brass]), radius=radius, segments=48, ring_count=24)
        speed = dice.uniform(0.6, 2.2)

        def at(t: float, r: float = radius, y: float = lane, x: float = start, v: float = speed) -> dict[str, object]:
            return {"location": Vector((x + v * t, y, r)), "rotation_euler": Euler((0, v * t / r, 0))}

        animate(ball, at)
    lamp = light("AREA", 350, location=(0, 0, 4))
    lamp.data.size = 0.3
    animate(lamp, lambda t: {"location": Vector((-1.5 + 2.5 * t, -1, 3.5))})
    light("AREA", 120, location=(4, -4, 5)).data.size = 4
    camera(
        lambda t: (Vector((5 * math.sin(0.5 * t - 0.3), -5 * math.cos(0.5 * t - 0.3), 2.2)), Vector((0, 0.1, 0.5))), 38
    )


def render(name: str, build: Callable[[], None], out: Path) -> None:
    """Render a scene into the folder OUT/name."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    build()
    scene, layer = bpy.context.scene, bpy.context.view_layer
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.seed = SAMPLES, False, 0
    scene.cycles.use_animated_seed = True
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 640, 360, 100
    scene.frame_start, scene.frame_end = 1, FRAMES
    layer.use_pass_vector, layer.use_pass_z = True, True
    scene.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    scene.render.image_settings.color_depth = "16"
    scene.render.filepath = str(out / name / f"{name}.####")
    bpy.ops.render.render(animation=True)


if __name__ == "__main__":
    for name, build in (("posts", posts), ("table", table)):
        render(name, build, Path(sys.argv[1]).absolute())
