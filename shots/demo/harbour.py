"""The scene of the demo plate: a quay with houses, lamps and flags, a lighthouse, the sea, and two boats that move.

X points right, Y away from the camera, Z up; metres. Blender's Python only (bpy); `make_plate.py` imports it.
"""

from __future__ import annotations

import math
from itertools import pairwise

import bpy
from mathutils import Vector, noise
from shapes import Shape, material

LAMPS = (7.5, 14.5, 23.0, 33.0)  # Y of the lamp posts along the quay
PAINTS = [  # of the houses from near to far: wall, and its second colour
    ((0.42, 0.16, 0.08), (0.30, 0.16, 0.10)),
    ((0.62, 0.36, 0.08), (0.46, 0.24, 0.05)),
    ((0.10, 0.30, 0.34), (0.06, 0.20, 0.26)),
    ((0.72, 0.56, 0.36), (0.55, 0.38, 0.24)),
    ((0.58, 0.22, 0.20), (0.44, 0.14, 0.15)),
    ((0.12, 0.18, 0.38), (0.08, 0.11, 0.26)),
    ((0.68, 0.42, 0.12), (0.52, 0.28, 0.08)),
    ((0.46, 0.12, 0.07), (0.33, 0.08, 0.05)),
]


def materials():
    """The surfaces that several objects share, by name."""
    shared = {
        "brick": material("brick", (0.33, 0.12, 0.07), (0.45, 0.38, 0.30), "brick", 1.6, bump=0.5),
        "wall": material("quay_wall", (0.36, 0.28, 0.21), (0.10, 0.09, 0.08), "brick", 1.1, bump=0.8),
        "cobble": material("cobble", (0.16, 0.13, 0.12), (0.42, 0.33, 0.26), "cells", 3.2, bump=0.8),
        "stone": material("stone", (0.30, 0.27, 0.25), (0.14, 0.13, 0.13), scale=4),
        "wood": material("wood", (0.20, 0.10, 0.05), (0.07, 0.04, 0.03), "wave", 2.2, bump=0.5, stretch=(3, 0.4)),
        "white": material("white", (0.75, 0.70, 0.62), rough=0.5),
        "door": material("door", (0.05, 0.16, 0.14), (0.03, 0.09, 0.09), "wave", 3),
        "iron": material("iron", (0.03, 0.035, 0.04), rough=0.35),
        "lit": material("window_lit", (1.0, 0.50, 0.14), glow=1.5),
        "glass": material("window_dark", (0.05, 0.08, 0.11), rough=0.06),
        "lamp": material("lamp", (1.0, 0.62, 0.25), glow=20),
    }
    tiles = [((0.42, 0.13, 0.06), (0.12, 0.05, 0.04)), ((0.16, 0.17, 0.22), (0.05, 0.05, 0.07))]
    tiles += [((0.36, 0.18, 0.10), (0.10, 0.06, 0.05))]
    shutters = [(0.05, 0.22, 0.22), (0.35, 0.06, 0.05), (0.06, 0.12, 0.28)]
    flags = [(0.7, 0.5, 0.08), (0.6, 0.07, 0.05), (0.7, 0.66, 0.6), (0.05, 0.25, 0.4)]
    shared["roof"] = [material(f"roof_{i}", a, b, "brick", 2.4, bump=0.9) for i, (a, b) in enumerate(tiles)]
    shared["shutter"] = [material(f"shutter_{i}", colour) for i, colour in enumerate(shutters)]
    shared["flag"] = [material(f"flag_{i}", colour) for i, colour in enumerate(flags)]
    return shared


def house(index, y, width, height, rise, wall, shade, rng, mats):
    """A house with its gable to the water."""
    shape, front, back, base = Shape(), -6.2 - rng.uniform(0, 0.5), -12.0, 1.0
    if index % 4 == 0:
        walls = material(f"wall_{index}", wall, [0.8 * c + 0.12 for c in shade], "brick", 2.0, bump=0.5)
    else:
        walls = material(f"wall_{index}", wall, shade, scale=1.6, bump=0.4)
    shape.box((back, y, base), (front, y + width, base + height), walls)
    shape.gable((back, y), (front, y + width), base + height, rise, walls, mats["roof"][index % 3])
    shape.box((front, y + 0.04, base), (front + 0.06, y + width - 0.04, base + 0.5), mats["stone"])
    columns = 3 if width > 3.9 else 2
    storeys = int(height // 2.1)
    for storey in range(storeys + 1):
        for column in range(columns if storey < storeys else 1):
            lane = (column + 0.5) / columns if storey < storeys else 0.5
            cy, cz = y + width * lane, base + 0.75 + storey * 2.1
            if storey == 0 and column == index % columns:
                shape.box((front, cy - 0.5, base), (front + 0.08, cy + 0.5, base + 2.0), mats["door"])
                continue
            glass = mats["lit"] if rng.random() < 0.42 else mats["glass"]
            shape.box((front, cy - 0.45, cz), (front + 0.07, cy + 0.45, cz + 1.25), mats["white"])
            for pane in (-0.38, 0.03):
                for low in (0.08, 0.68):
                    shape.box((front, cy + pane, cz + low), (front + 0.09, cy + pane + 0.35, cz + low + 0.5), glass)
            shape.box((front, cy - 0.55, cz - 0.1), (front + 0.16, cy + 0.55, cz), mats["white"])
            for side in (-0.85, 0.47):
                low, high = (front, cy + side, cz), (front + 0.06, cy + side + 0.38, cz + 1.25)
                shape.box(low, high, mats["shutter"][(index + 2) % 3])
    shape.box((-9, y + 0.5, base + height), (-8.3, y + 1.2, base + height + rise + 0.7), mats["brick"])
    shape.build(f"house_{index}")


def quarter(rng, mats):
    """The quay with its houses, and what stands on it."""
    quay = Shape()
    quay.box((-30, -6, -1.5), (-3.9, 47, 0.9), mats["wall"])
    quay.box((-30, -6, 0.9), (-3.7, 47, 1.0), mats["cobble"])
    quay.box((-4, 42, -1.5), (15.5, 47, 0.7), mats["wall"])
    quay.build("quay")
    y = 3.6
    for index, (wall, shade) in enumerate(PAINTS):
        width, height = rng.choice([3.4, 4.0, 4.4]), rng.uniform(4.3, 6.4)
        house(index, y, width, height, width * rng.uniform(0.45, 0.75), wall, shade, rng, mats)
        y += width + rng.choice([0.05, 0.05, 0.6])
    for k, y in enumerate(LAMPS):
        lamp = Shape()
        lamp.lathe([(0.11, 0), (0.10, 0.3), (0.05, 0.4), (0.045, 2.7), (0.1, 2.75)], mats["iron"], (-4.2, y, 1))
        lamp.lathe([(0.08, 2.76), (0.16, 3.1), (0.0, 3.12)], mats["lamp"], (-4.2, y, 1))
        lamp.lathe([(0.2, 3.12), (0.12, 3.25), (0, 3.32)], mats["iron"], (-4.2, y, 1))
        lamp.build(f"lamp_{k}")
    flags = Shape()
    for a, b in pairwise(LAMPS):
        line = [(a + (b - a) * i / 14, 3.85 - 0.7 * math.sin(math.pi * i / 14)) for i in range(15)]
        for i, (y, z) in enumerate(line[1:-1], 1):
            flags.add([(-4.2, y - 0.16, z), (-4.2, y + 0.16, z), (-4.15, y, z - 0.4)], [(0, 1, 2)], mats["flag"][i % 4])
        rope = [(-4.2, y, z + thick) for y, z in line for thick in (0, 0.025)]
        flags.add(rope, [(2 * i, 2 * i + 2, 2 * i + 3, 2 * i + 1) for i in range(14)], mats["iron"])
    flags.build("flags")
    goods = Shape()
    for y, size, x in ((9.0, 0.7, -4.9), (9.75, 0.55, -4.8), (9.1, 0.5, -4.85), (17.5, 0.8, -4.9), (18.4, 0.6, -4.7)):
        z = 1.7 if size == 0.5 else 1.0
        goods.box((x - size / 2, y, z), (x + size / 2, y + size, z + size), mats["wood"])
    for y in (10.9, 11.6, 20.3):
        goods.lathe([(0.24, 0), (0.32, 0.4), (0.24, 0.8), (0, 0.8)], mats["wood"], (-4.7, y, 1))
    goods.build("goods")


def water(mats):
    """Lighthouse, mooring piles, hills and the sea."""
    tower = Shape()
    red, white = material("tower_red", (0.50, 0.06, 0.04), (0.38, 0.05, 0.04), scale=2), mats["white"]
    foot = (13.6, 44.5, 0.7)
    for band in range(5):
        low, high = 1.25 - band * 0.1, 1.15 - band * 0.1
        tower.lathe([(low, band * 1.5), (high, band * 1.5 + 1.5)], (red, white)[band % 2], foot)
    tower.lathe([(1.1, 7.5), (1.1, 7.75), (0.0, 7.75)], mats["iron"], foot)
    tower.lathe([(0.5, 7.75), (0.5, 8.7)], mats["lamp"], foot)
    tower.lathe([(0.8, 8.7), (0.45, 9.2), (0, 9.5)], red, foot)
    tower.build("lighthouse")
    piles = Shape()
    for x, y, top in ((1.9, 5.0, 1.1), (2.3, 5.3, 0.8), (-2.6, 12.5, 1.2), (-2.5, 19.0, 1.2), (4.6, 9.5, 1.0)):
        piles.lathe([(0.17, -1), (0.16, top - 0.03), (0.13, top), (0, top + 0.02)], mats["wood"], (x, y, 0))
        piles.lathe([(0.18, top - 0.28), (0.19, top - 0.24), (0.18, top - 0.16)], mats["white"], (x, y, 0))
    piles.build("piles")
    for k, (y, tall, haze) in enumerate(((330, 26, (0.36, 0.22, 0.26)), (200, 12, (0.17, 0.12, 0.17)))):
        ridge, points = Shape(), []
        for x in range(-300, 301, 4):
            broad, fine = abs(noise.noise((x * 2.1 / y, k * 9.7, 0.3))), noise.noise((x / 7, k, 0))
            points += [(x, y, -1), (x, y + 25, tall * (0.25 + 0.75 * broad * 1.7 + 0.06 * fine))]
        slope = material(f"hill_{k}", haze, [c * 0.7 for c in haze], scale=0.12, rough=1, bump=0)
        faces = [(2 * i, 2 * i + 2, 2 * i + 3, 2 * i + 1) for i in range(len(points) // 2 - 1)]
        ridge.add(points, faces, slope, smooth=True)
        ridge.build(f"hill_{k}")
    deep, shoal = (0.012, 0.07, 0.085), (0.01, 0.045, 0.06)
    waves = material("water", deep, shoal, scale=1.0, rough=0.06, bump=0.6, depth=0.09, stretch=(0.5, 1.4))
    sea = Shape()
    sea.add([(-400, -40, 0), (400, -40, 0), (400, 500, 0), (-400, 500, 0)], [(0, 1, 2, 3)], waves)
    sea.build("water")


def rowing_boat(mats, move):
    """A boat and its monkey in cap and jumper, who turns its head."""
    paint = material("boat_blue", (0.05, 0.20, 0.30), (0.04, 0.13, 0.21), "wave", 2.5, rough=0.35, stretch=(0.2, 3))
    boat = Shape()
    boat.hull(3.1, 1.25, 0.62, paint, mats["wood"])
    boat = boat.build("boat", 0.05)
    fur = material("monkey", (0.72, 0.30, 0.07), (0.48, 0.15, 0.04), scale=5, rough=0.45, bump=0.4)
    bpy.ops.mesh.primitive_monkey_add(size=1.0)
    monkey = bpy.context.object
    monkey.name = "monkey"
    monkey.data.materials.append(fur)
    monkey.modifiers.new("smooth", "SUBSURF").render_levels = 2
    bpy.ops.object.shade_smooth()
    monkey.parent, monkey.location = boat, (0.1, -0.02, 0.95)
    move(monkey, "rotation_euler", (-0.25, 0, -0.75), (-0.25, 0, 0.75))
    wool = material("wool", (0.60, 0.05, 0.04), (0.35, 0.02, 0.02), scale=9, bump=0.8)
    cap = Shape()
    crown = [(0.40, 0.20), (0.43, 0.24), (0.42, 0.31), (0.38, 0.33), (0.34, 0.44), (0.2, 0.54), (0, 0.58)]
    cap.lathe(crown, wool, (0, 0.08, 0))
    cap.lathe([(0.0, 0.54), (0.09, 0.58), (0.11, 0.65), (0.06, 0.73), (0, 0.75)], mats["white"], (0, 0.08, 0), 10)
    cap = cap.build("cap")
    eyes, pupil = Shape(), material("pupil", (0.02, 0.015, 0.01), rough=0.1)
    for x in (-0.18, 0.18):
        for radius, y, mat in ((0.105, -0.335, mats["white"]), (0.055, -0.40, pupil)):
            ball = [(radius * math.sin(a * math.pi / 8), -radius * math.cos(a * math.pi / 8)) for a in range(9)]
            eyes.lathe(ball, mat, (x, y, 0.12), 14)
    eyes = eyes.build("eyes")
    cap.parent = eyes.parent = monkey
    stripes, body = [material("navy", (0.02, 0.05, 0.14)), mats["white"]], Shape()
    for i in range(7):
        low, high = (0.3 - 0.012 * k * (k > 1) for k in (i, i + 1))
        body.lathe([(low, 0.1 + 0.085 * i), (high, 0.185 + 0.085 * i)], stripes[i % 2], (0.1, 0.08, 0))
    body = body.build("jumper")
    body.parent = boat
    move(boat, "location", (-1.35, 8.1, 0.02), (-0.35, 7.7, 0.02))
    move(boat, "rotation_euler", (0.03, -0.02, -0.20), (-0.04, 0.03, -0.32))


def sailboat(mats, move):
    """A boat under two red sails, further out."""
    yacht = Shape()
    hull = material("yacht_white", (0.70, 0.62, 0.52), (0.55, 0.45, 0.36), scale=3, rough=0.4)
    cloth = material("sail", (0.62, 0.10, 0.05), (0.48, 0.06, 0.04), "wave", 0.9, bump=0.4, stretch=(0.2, 1))
    yacht.hull(4.6, 1.6, 0.95, hull, mats["wood"])
    yacht.lathe([(0.06, 0.1), (0.04, 6.2), (0, 6.25)], mats["wood"], (0.35, 0, 0), 10)
    for tack, peak, clew, belly in (
        ((0.25, 0, 0.9), (0.25, 0, 6.0), (-2.2, 0.3, 1.0), 0.35),
        ((2.1, 0, 0.8), (0.45, 0, 5.4), (0.5, 0.35, 0.9), 0.2),
    ):
        grid = []
        for i in range(11):
            a, b = Vector(tack).lerp(Vector(peak), i / 10), Vector(clew).lerp(Vector(peak), i / 10)
            for j in range(7):
                wind = belly * math.sin(math.pi * j / 6) * (1 - i / 10)
                grid.append(a.lerp(b, j / 6) + Vector((0, wind, 0)))
        faces = [(i * 7 + j, i * 7 + j + 1, i * 7 + j + 8, i * 7 + j + 7) for i in range(10) for j in range(6)]
        yacht.add(grid, faces, cloth, smooth=True)
    yacht = yacht.build("sailboat", 0.02)
    move(yacht, "location", (4.9, 23.5, 0), (2.9, 23.0, 0))
    move(yacht, "rotation_euler", (0.06, 0, math.pi - 0.25), (0.02, 0, math.pi - 0.2))
