"""Surfaces and solids for the demo plate: two-colour procedural materials, and meshes put together from a few bodies.

Blender's Python only (bpy); `make_plate.py`, in the same folder, imports it.
"""

from __future__ import annotations

import math

import bpy
from mathutils import Vector


def material(
    name, colour, second=None, texture="noise", scale=1.0, rough=0.7, bump=0.3, glow=0.0, stretch=(1, 1), depth=0.05
):
    """A surface of two colours, mixed by a procedural texture that also makes the relief."""
    mat = bpy.data.materials.new(name)
    mat.use_nodes = True
    nodes, link = mat.node_tree.nodes, mat.node_tree.links.new
    surface = nodes["Principled BSDF"]
    surface.inputs["Roughness"].default_value = rough
    surface.inputs["Base Color"].default_value = (*colour, 1)
    if glow:
        surface.inputs["Emission Color"].default_value = (*colour, 1)
        surface.inputs["Emission Strength"].default_value = glow
        surface.inputs["Base Color"].default_value = (0, 0, 0, 1)
    if second is None:
        return mat
    where, mapping = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = (*stretch, 1)
    link(where.outputs["UV"], mapping.inputs["Vector"])
    kind = {"noise": "Noise", "brick": "Brick", "wave": "Wave", "cells": "Voronoi"}[texture]
    pattern = nodes.new(f"ShaderNodeTex{kind}")
    pattern.inputs["Scale"].default_value = scale
    link(mapping.outputs["Vector"], pattern.inputs["Vector"])
    mix, relief = nodes.new("ShaderNodeMixRGB"), nodes.new("ShaderNodeBump")
    mix.inputs[1].default_value, mix.inputs[2].default_value = (*colour, 1), (*second, 1)
    relief.inputs["Strength"].default_value = bump
    relief.inputs["Distance"].default_value = depth
    if texture == "noise":
        pattern.inputs["Detail"].default_value = 6
        pattern.inputs["Roughness"].default_value = 0.65
    if texture == "wave":
        pattern.inputs["Distortion"].default_value = 2.5
        pattern.inputs["Detail"].default_value = 3
    if texture == "brick":
        dark = [c * 0.62 for c in colour]
        for socket, value in (("Color1", colour), ("Color2", dark), ("Mortar", second)):
            pattern.inputs[socket].default_value = (*value, 1)
        link(pattern.outputs["Color"], surface.inputs["Base Color"])
    else:
        spread = nodes.new("ShaderNodeValToRGB")  # more contrast than the texture has by itself
        spread.color_ramp.elements[0].position, spread.color_ramp.elements[1].position = 0.35, 0.65
        value = pattern.outputs["Distance" if texture == "cells" else "Fac"]
        link(value, spread.inputs["Fac"])
        link(spread.outputs["Color"], mix.inputs["Fac"])
        link(mix.outputs["Color"], surface.inputs["Base Color"])
    link(pattern.outputs["Color" if texture != "cells" else "Distance"], relief.inputs["Height"])
    link(relief.outputs["Normal"], surface.inputs["Normal"])
    return mat


class Shape:
    """Collects faces with their materials, then becomes one object with box-projected UVs in metres."""

    def __init__(self):
        self.points, self.faces, self.mats, self.smooth = [], [], [], []

    def add(self, points, faces, mat, smooth=False):
        base = len(self.points)
        self.points += [tuple(p) for p in points]
        self.faces += [[base + i for i in face] for face in faces]
        self.mats += [mat] * len(faces)
        self.smooth += [smooth] * len(faces)

    def box(self, low, high, mat):
        (a, b, c), (d, e, f) = low, high
        points = [(x, y, z) for z in (c, f) for x, y in ((a, b), (d, b), (d, e), (a, e))]
        self.add(points, [(3, 2, 1, 0), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)], mat)

    def gable(self, low, high, z, rise, mat, roof, over=0.3):
        """Walls of a gable (ridge along X) and its two roof slabs."""
        (a, b), (d, e) = low, high
        mid = (b + e) / 2
        self.add(
            [(a, b, z), (a, e, z), (a, mid, z + rise), (d, b, z), (d, e, z), (d, mid, z + rise)],
            [(0, 1, 2), (5, 4, 3)],
            mat,
        )
        for side in (b, e):
            out = Vector((0, side - mid, -rise)).normalized() * over
            up = Vector((0, 0, 0.16))
            eave, ridge = Vector((0, side, z)) + out, Vector((0, mid, z + rise))
            points = [Vector((x, 0, 0)) + p + u for u in (up * 0, up) for x in (a, d + over) for p in (eave, ridge)]
            self.add(points, [(0, 1, 3, 2), (4, 6, 7, 5), (0, 2, 6, 4), (2, 3, 7, 6), (3, 1, 5, 7), (1, 0, 4, 5)], roof)

    def lathe(self, profile, mat, centre=(0, 0, 0), sides=20):
        """A turned body: `profile` is a list of (radius, height)."""
        turn = [2 * math.pi * i / sides for i in range(sides)]
        points = [Vector(centre) + Vector((r * math.cos(t), r * math.sin(t), z)) for r, z in profile for t in turn]
        faces = [
            (k * sides + i, k * sides + (i + 1) % sides, (k + 1) * sides + (i + 1) % sides, (k + 1) * sides + i)
            for k in range(len(profile) - 1)
            for i in range(sides)
        ]
        self.add(points, faces, mat, smooth=True)

    def hull(self, length, beam, depth, mat, seat):
        """A boat, bow towards +X, with gunwale and thwarts."""
        stations, ribs = 24, 9
        points = []
        for i in range(stations + 1):
            s = i / stations
            half = beam / 2 * (1 - s**3.2) ** 0.8 * (0.72 + 0.28 * math.sin(math.pi * min(s + 0.15, 1)))
            sheer = depth * (0.55 + 0.5 * (2 * s - 0.85) ** 2)
            for j in range(ribs):
                a = math.pi * (j / (ribs - 1) - 0.5)
                drop = math.cos(a) ** 0.7 * depth * 0.9
                points.append((length * (s - 0.5), half * math.sin(a), sheer - drop * (1 - 0.4 * s**4)))
        faces = [
            (i * ribs + j, i * ribs + j + 1, (i + 1) * ribs + j + 1, (i + 1) * ribs + j)
            for i in range(stations)
            for j in range(ribs - 1)
        ]
        self.add(points, faces, mat, smooth=True)
        self.add(points[:ribs], [tuple(range(ribs))], mat)
        for x in (-0.28, 0.12):
            self.box((length * x, -beam * 0.3, depth * 0.4), (length * x + 0.3, beam * 0.3, depth * 0.46), seat)

    def build(self, name, thickness=0.0):
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(self.points, [], self.faces)
        slots = list(dict.fromkeys(self.mats))
        for mat in slots:
            mesh.materials.append(mat)
        layer = mesh.uv_layers.new()
        for face, mat, smooth in zip(mesh.polygons, self.mats, self.smooth, strict=True):
            face.material_index, face.use_smooth = slots.index(mat), smooth
            axis = max(range(3), key=lambda k: abs(face.normal[k]))
            for corner in face.loop_indices:
                p = mesh.vertices[mesh.loops[corner].vertex_index].co
                layer.data[corner].uv = [(p.y, p.z), (p.x, p.z), (p.x, p.y)][axis]
        obj = bpy.data.objects.new(name, mesh)
        bpy.context.collection.objects.link(obj)
        if thickness:
            obj.modifiers.new("wall", "SOLIDIFY").thickness = thickness
        return obj
