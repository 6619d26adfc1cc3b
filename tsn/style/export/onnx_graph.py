"""Write a style as an ONNX graph, node by node; see `exporter.py`.

Not by `torch.onnx.export`: its TorchScript exporter is deprecated and records the in-place operations of
`kuwahara.simplify` wrongly (differences of 0.1). Its newer exporter is right, but needs onnxscript and about a minute
per net. Both keep the logarithm that `_Graph.output` avoids, and fix the sizes of `determinism.apply_elementwise`.
"""

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
"""By whether the net recolours: `GridSample` in three dimensions needs 20."""
IR_VERSIONS = {17: 8, 20: 9}
"""By opset: the oldest that has it."""


class _Graph:
    """Nodes and constants of an ONNX graph; a method adds some, and returns the name of the output of the last one."""

    def __init__(self, helper: Any, numpy_helper: Any) -> None:
        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: np.ndarray | list[int]) -> str:
        """A constant; lists become int64."""
        name = f"c{len(self.constants)}"
        array = np.asarray(value, dtype=np.int64) if isinstance(value, list) else value
        self.constants.append(self.numpy_helper.from_array(array, name))
        return name

    def number(self, value: float) -> str:
        """A float32 constant."""
        return self.constant(np.array(value, dtype=np.float32))

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def layer(self, x: str, layer: Any) -> str:
        """A `ConvNorm`."""
        margin = layer.conv.kernel_size[0] // 2
        x = self.add("Pad", x, self.constant([0, 0, margin, margin] * 2), mode="reflect")
        weights = [layer.conv.weight, *([] if layer.conv.bias is None else [layer.conv.bias])]
        weights = [self.constant(tensor.detach().numpy()) for tensor in weights]
        x = self.add("Conv", x, *weights, group=layer.conv.groups)
        if layer.scale is not None:
            affine = (self.constant(tensor.detach().numpy()) for tensor in (layer.scale, layer.shift))
            x = self.add("InstanceNormalization", x, *affine, epsilon=NORM_EPSILON)
        return self.add("Relu", x) if layer.relu else x

    def steps(self, x: str, steps: Sequence[Step]) -> str:
        """Steps in a row."""
        for step in steps:
            match step:
                case "simplify":
                    x = self.simplify(x)
                case "texture_guide":
                    x = self.texture_guide(x)
                case "downsample2x":
                    x = self.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
                case "upsample2x":
                    x = self.upsample2x(x)
                case "upsample2x_smooth":
                    x = self.upsample2x_smooth(x)
                case Branches(first, second, add):
                    results = self.steps(x, first), self.steps(x, second)
                    x = self.add("Add", *results) if add else self.add("Concat", *results, axis=1)
                case PaletteLookup(palette):
                    x = self.apply_palette(x, palette)
                case ChannelSlice(start, end):
                    x = self.add("Slice", x, *(self.constant([bound]) for bound in (start, end, 1)))
                case _:
                    x = self.layer(x, step)
        return x

    def simplify(self, plate: str) -> str:
        """`kuwahara.simplify`. Sums over channels are convolutions, since `ReduceSum` differs between opsets."""
        margin = RADIUS // ROUNDS
        channel_sum = self.constant(np.ones((1, 3, 1, 1), dtype=np.float32))
        window_sum = self.constant(window_kernel().numpy())
        zero, one, half_weight, texture = (self.number(v) for v in (0, 1, HALF_WEIGHT_DEVIATION**2, TEXTURE_AMPLITUDE))

        def squared_norm(x: str) -> str:
            return self.add("Conv", self.add("Mul", x, x), channel_sum)

        def split(x: str) -> tuple[str, str]:
            cut = self.constant([3])
            start, end, axis = self.constant([0]), self.constant([4]), self.constant([1])
            return self.add("Slice", x, start, cut, axis), self.add("Slice", x, cut, end, axis)

        shapes = plate
        for _ in range(ROUNDS):
            x = self.add("Pad", shapes, self.constant([0, 0, margin, margin] * 2), mode="edge")
            x = self.add("Concat", x, squared_norm(x), axis=1)
            for _ in range(2):
                x = self.add("AveragePool", x, kernel_shape=[3, 3])
            mean, square = split(x)
            variance = self.add("Max", self.add("Sub", square, squared_norm(mean)), zero)
            variance = self.add("Div", variance, half_weight)
            weight = self.add("Div", one, self.add("Add", one, self.add("Mul", variance, variance)))
            x = self.add("Concat", self.add("Mul", mean, weight), weight, axis=1)
            shapes = self.add("Div", *split(self.add("Conv", x, window_sum, group=4)))
        rest = self.add("Sub", plate, shapes)
        size = self.add("Abs", rest)
        bounds = [self.constant([channel]) for channel in range(4)]
        channels = (self.add("Slice", size, *pair, self.constant([1])) for pair in pairwise(bounds))
        size = self.add("Max", *channels)
        kept = self.add("Max", self.add("Sub", size, texture), zero)
        kept = self.add("Div", kept, self.add("Max", size, texture))
        return self.add("Add", shapes, self.add("Mul", rest, kept))

    def texture_guide(self, plate: str) -> str:
        """`texture_guide.texture_guide`."""

        def mean(x: str, side: int) -> str:
            return self.add("AveragePool", x, kernel_shape=[side, side])

        def crop(x: str, border: int) -> str:
            if not border:
                return x
            ends = self.constant([border] * 2), self.constant([-border] * 2), self.constant([2, 3])
            return self.add("Slice", x, *ends)

        x = self.add("Conv", plate, self.constant(np.full((1, 3, 1, 1), 1 / 3, dtype=np.float32)))
        x = self.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        x = self.add("Pad", x, self.constant([0, 0, MARGIN, MARGIN] * 2), mode="edge")
        scale, border, bands = mean(x, 3), MARGIN - 1, []
        for sides in BANDS:
            coarser = scale
            for side in sides:
                coarser = mean(coarser, side)
            radius = sum(side // 2 for side in sides)
            border -= radius
            band = self.add("Sub", crop(scale, radius), coarser)
            energy = crop(mean(self.add("Mul", band, band), CONTRAST_BOX), border - CONTRAST_BOX // 2)
            contrast = self.add("Sqrt", self.add("Add", energy, self.number(HALF_CONTRAST**2)))
            bands.append(self.add("Div", crop(band, border), self.add("Mul", contrast, self.number(2))))
            scale = coarser
        return self.add("Concat", *bands, axis=1)

    def upsample2x_smooth(self, x: str) -> str:
        """`layers.upsample2x_smooth`."""
        x = self.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        scales = self.constant(np.array([1, 1, 4, 4], dtype=np.float32))
        x = self.add(
            "Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        )
        x = self.add("Pad", x, self.constant([0, 0, 3, 3] * 2), mode="edge")
        for _ in range(2):
            x = self.add("AveragePool", x, kernel_shape=[4, 4])
        return x

    def output(self, x: str, steps: Sequence[Step]) -> str:
        """All steps of a net, and the sigmoid of their result.

        Over a base colour g that is sigmoid(x + logit(g)). It is computed as gs / (gs + (1 - g)(1 - s)), with s =
        sigmoid(x), since the last bits of onnxruntime's logarithm depend on the number of threads.
        """
        match steps:
            case [*prepare, Branches(strokes, [*base_colour, "logit"])]:
                x = self.steps(x, prepare)
                half, one, *ends = (self.number(v) for v in (0.5, 1, BASE_COLOUR_MARGIN, 1 - BASE_COLOUR_MARGIN))
                g = self.add("Clip", self.add("Add", self.steps(x, base_colour), half), *ends)
                s = self.add("Sigmoid", self.steps(x, strokes))
                light = self.add("Mul", g, s)
                dark = self.add("Mul", self.add("Sub", one, g), self.add("Sub", one, s))
                return self.add("Div", light, self.add("Add", light, dark))
            case _:
                return self.add("Sigmoid", self.steps(x, steps))

    def apply_palette(self, x: str, palette: Tensor) -> str:
        """`palette.apply_palette`, from and to [-0.5, 0.5]."""
        table = self.constant(palette.detach().float().numpy().reshape(1, 3, GRID_SIZE, GRID_SIZE, GRID_SIZE))
        grid = self.add("Mul", self.add("Transpose", x, perm=[0, 2, 3, 1]), self.number(2))
        grid = self.add("Unsqueeze", grid, self.constant([1]))
        x = self.add("GridSample", table, grid, mode="linear", padding_mode="border", align_corners=1)
        return self.add("Sub", self.add("Squeeze", x, self.constant([2])), self.number(0.5))

    def upsample2x(self, x: str) -> str:
        """`layers.upsample2x`."""
        x = self.add("Pad", x, self.constant([0, 0, 1, 1] * 2), mode="edge")
        for _ in range(2):
            x = self.add("AveragePool", x, kernel_shape=[2, 2])
        twice = self.constant(np.array([1, 1, 2, 2], dtype=np.float32))
        return self.add("Resize", x, "", twice, mode="linear", coordinate_transformation_mode="half_pixel")


def write(net: StyleNet, info: StyleInfo, path: Path) -> None:
    """Write a net as an ONNX file. Raises UsageError if the package onnx is missing."""
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
    x = graph.output(x, steps_of(net))
    x = graph.add("Slice", x, graph.constant([0, 0]), size, graph.constant([2, 3]))
    graph.nodes[-1].output[0] = "painted"

    shape = (1, 3, "height", "width")
    picture, painted = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("picture", "painted"))
    onnx_graph = helper.make_graph(graph.nodes, info.name, [picture], [painted], graph.constants)
    opset = OPSETS[net.palette is not None]
    model = helper.make_model(
        onnx_graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSIONS[opset], producer_name="tsn"
    )
    metadata = {"range": "0-1", "stride": str(net.stride)}
    metadata |= {"name": info.name, "title": info.title, "licence": info.licence, "sha256": info.sha256}
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    onnx.save(model, path)
