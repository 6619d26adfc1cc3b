"""A style as an ONNX graph, node by node; see `export.py`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from tsn.errors import UsageError
from tsn.style.catalogue import StyleInfo
from tsn.style.export.graph import Branches, ChannelSlice, PaletteLookup, Step, steps_of, window_kernel
from tsn.style.nets.kuwahara import HALF_WEIGHT_DEVIATION, RADIUS, ROUNDS, TEXTURE_AMPLITUDE
from tsn.style.nets.layers import BASE_COLOUR_MARGIN, NORM_EPSILON, StyleNet
from tsn.style.nets.palette import GRID_SIZE
from tsn.style.nets.texture_guide import BANDS, CONTRAST_BOX, HALF_CONTRAST, MARGIN

OPSETS = {False: 17, True: 20}
"""By whether the net recolours."""
IR_VERSIONS = {17: 8, 20: 9}


class _Graph:
    """Nodes and constants of an ONNX graph; every method adds one and returns the name of its output."""

    def __init__(self, helper: Any, numpy_helper: Any) -> None:
        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: np.ndarray | list[int]) -> str:
        name = f"c{len(self.constants)}"
        array = np.asarray(value, dtype=np.int64) if isinstance(value, list) else value
        self.constants.append(self.numpy_helper.from_array(array, name))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.array(value, dtype=np.float32))

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def layer(self, x: str, layer: Any) -> str:
        half = layer.conv.kernel_size[0] // 2
        x = self.add("Pad", x, self.constant([0, 0, half, half] * 2), mode="reflect")
        given = [layer.conv.weight, *([] if layer.conv.bias is None else [layer.conv.bias])]
        x = self.add("Conv", x, *(self.constant(tensor.detach().numpy()) for tensor in given), group=layer.conv.groups)
        if layer.scale is not None:
            affine = (self.constant(tensor.detach().numpy()) for tensor in (layer.scale, layer.shift))
            x = self.add("InstanceNormalization", x, *affine, epsilon=NORM_EPSILON)
        return self.add("Relu", x) if layer.relu else x

    def row(self, x: str, parts: Sequence[Step]) -> str:
        for part in parts:
            match part:
                case "simplify":
                    x = self.simplified(x)
                case "seeds":
                    x = self.seeds(x)
                case "halve":
                    x = self.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
                case "enlarge":
                    x = self.enlarged(x)
                case "blur":
                    x = self.blurred(x)
                case Branches(one, other, added):
                    rows = self.row(x, one), self.row(x, other)
                    x = self.add("Add", *rows) if added else self.add("Concat", *rows, axis=1)
                case PaletteLookup(table):
                    x = self.recoloured(x, table)
                case ChannelSlice(first, end):
                    x = self.add("Slice", x, *(self.constant([place]) for place in (first, end, 1)))
                case _:
                    x = self.layer(x, part)
        return x

    def simplified(self, plate: str) -> str:
        """`simplify.simplified`; reductions over channels are convolutions, since newer opsets spell them otherwise."""
        margin = RADIUS // ROUNDS
        summed, moved = self.constant(np.ones((1, 3, 1, 1), dtype=np.float32)), self.constant(window_kernel().numpy())
        none, one, even, texture = (self.number(v) for v in (0, 1, HALF_WEIGHT_DEVIATION**2, TEXTURE_AMPLITUDE))

        def squares(x: str) -> str:
            return self.add("Conv", self.add("Mul", x, x), summed)

        def parted(x: str) -> tuple[str, str]:
            cut = self.constant([3])
            start, end, axis = self.constant([0]), self.constant([4]), self.constant([1])
            return self.add("Slice", x, start, cut, axis), self.add("Slice", x, cut, end, axis)

        shapes = plate
        for _ in range(ROUNDS):
            x = self.add("Pad", shapes, self.constant([0, 0, margin, margin] * 2), mode="edge")
            x = self.add("Concat", x, squares(x), axis=1)
            for _ in range(2):
                x = self.add("AveragePool", x, kernel_shape=[3, 3])
            mean, square = parted(x)
            spread = self.add("Div", self.add("Max", self.add("Sub", square, squares(mean)), none), even)
            weight = self.add("Div", one, self.add("Add", one, self.add("Mul", spread, spread)))
            x = self.add("Concat", self.add("Mul", mean, weight), weight, axis=1)
            shapes = self.add("Div", *parted(self.add("Conv", x, moved, group=4)))
        rest = self.add("Sub", plate, shapes)
        size = self.add("Abs", rest)
        ends = [self.constant([place]) for place in range(4)]
        channels = (self.add("Slice", size, *pair, self.constant([1])) for pair in pairwise(ends))
        size = self.add("Max", *channels)
        kept = self.add("Max", self.add("Sub", size, texture), none)
        kept = self.add("Div", kept, self.add("Max", size, texture))
        return self.add("Add", shapes, self.add("Mul", rest, kept))

    def seeds(self, plate: str) -> str:
        """`seeds.seeds`."""

        def mean(x: str, side: int) -> str:
            return self.add("AveragePool", x, kernel_shape=[side, side])

        def without(x: str, border: int) -> str:
            if not border:
                return x
            ends = self.constant([border] * 2), self.constant([-border] * 2), self.constant([2, 3])
            return self.add("Slice", x, *ends)

        x = self.add("Conv", plate, self.constant(np.full((1, 3, 1, 1), 1 / 3, dtype=np.float32)))
        x = self.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        x = self.add("Pad", x, self.constant([0, 0, MARGIN, MARGIN] * 2), mode="edge")
        scale, border, found = mean(x, 3), MARGIN - 1, []
        for sides in BANDS:
            coarser = scale
            for side in sides:
                coarser = mean(coarser, side)
            less = sum(side // 2 for side in sides)
            border -= less
            band = self.add("Sub", without(scale, less), coarser)
            energy = without(mean(self.add("Mul", band, band), CONTRAST_BOX), border - CONTRAST_BOX // 2)
            contrast = self.add("Sqrt", self.add("Add", energy, self.number(HALF_CONTRAST**2)))
            found.append(self.add("Div", without(band, border), self.add("Mul", contrast, self.number(2))))
            scale = coarser
        return self.add("Concat", *found, axis=1)

    def blurred(self, x: str) -> str:
        x = self.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        times = self.constant(np.array([1, 1, 4, 4], dtype=np.float32))
        x = self.add(
            "Resize", x, "", times, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        )
        x = self.add("Pad", x, self.constant([0, 0, 3, 3] * 2), mode="edge")
        for _ in range(2):
            x = self.add("AveragePool", x, kernel_shape=[4, 4])
        return x

    def painted(self, x: str, parts: Sequence[Step]) -> str:
        """What a net paints. On a ground g, sigmoid(x + logit(g)), written as gs / (gs + (1 - g)(1 - s)) with s =
        sigmoid(x): onnxruntime's logarithm has other last bits on other numbers of threads."""
        match parts:
            case [*begun, Branches(drawn, [*ground, "logit"])]:
                x = self.row(x, begun)
                half, one, *ends = (self.number(v) for v in (0.5, 1, BASE_COLOUR_MARGIN, 1 - BASE_COLOUR_MARGIN))
                g = self.add("Clip", self.add("Add", self.row(x, ground), half), *ends)
                s = self.add("Sigmoid", self.row(x, drawn))
                light = self.add("Mul", g, s)
                dark = self.add("Mul", self.add("Sub", one, g), self.add("Sub", one, s))
                return self.add("Div", light, self.add("Add", light, dark))
            case _:
                return self.add("Sigmoid", self.row(x, parts))

    def recoloured(self, x: str, table: Tensor) -> str:
        lattice = self.constant(table.detach().float().numpy().reshape(1, 3, GRID_SIZE, GRID_SIZE, GRID_SIZE))
        grid = self.add("Mul", self.add("Transpose", x, perm=[0, 2, 3, 1]), self.number(2))
        grid = self.add("Unsqueeze", grid, self.constant([1]))
        x = self.add("GridSample", lattice, grid, mode="linear", padding_mode="border", align_corners=1)
        return self.add("Sub", self.add("Squeeze", x, self.constant([2])), self.number(0.5))

    def enlarged(self, x: str) -> str:
        x = self.add("Pad", x, self.constant([0, 0, 1, 1] * 2), mode="edge")
        for _ in range(2):
            x = self.add("AveragePool", x, kernel_shape=[2, 2])
        twice = self.constant(np.array([1, 1, 2, 2], dtype=np.float32))
        return self.add("Resize", x, "", twice, mode="linear", coordinate_transformation_mode="half_pixel")


def write(net: StyleNet, info: StyleInfo, path: Path) -> None:
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise UsageError(
            "Writing ONNX needs the package onnx, which is not installed.", hint="pip install 'temporalstylenet[onnx]'"
        ) from error
    graph = _Graph(helper, numpy_helper)
    size = graph.add("Slice", graph.add("Shape", "picture"), graph.constant([2]), graph.constant([4]))
    missing = graph.add("Mod", graph.add("Neg", size), graph.constant([net.stride]))
    x = graph.add("Pad", "picture", graph.add("Concat", graph.constant([0] * 6), missing, axis=0), mode="reflect")
    x = graph.add("Sub", x, graph.number(0.5))
    x = graph.painted(x, steps_of(net))
    x = graph.add("Slice", x, graph.constant([0, 0]), size, graph.constant([2, 3]))
    graph.nodes[-1].output[0] = "painted"

    shape = (1, 3, "height", "width")
    picture, painted = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("picture", "painted"))
    made = helper.make_graph(graph.nodes, info.name, [picture], [painted], graph.constants)
    opset = OPSETS[net.palette is not None]
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSIONS[opset], producer_name="tsn"
    )
    facts = {"range": "0-1", "stride": str(net.stride)}
    facts |= {"name": info.name, "title": info.title, "licence": info.licence, "sha256": info.sha256}
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    onnx.save(model, path)
