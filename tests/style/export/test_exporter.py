from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tsn import colour
from tsn.errors import InputError, OutputError, TsnError, UsageError
from tsn.style.catalogue import bundled_styles, resolve_style
from tsn.style.export import exporter
from tsn.style.export.exporter import TOLERANCE, export_style
from tsn.style.export.graph import Branches, steps_of
from tsn.style.feedforward import FeedforwardPainter
from tsn.style.loading import load_style_net
from tsn.style.nets.families import NETS
from tsn.style.onnx import OnnxPainter

# torch would rather see torch.export, which Nuke doesn't read.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")
# All of them are in PyTorch 1.6, as its native_functions.yaml and the compiler's own (add, size, ...) say.
OPERATORS = set(
    [
        "__getitem__",
        "abs",
        "add",
        "append",
        "avg_pool2d",
        "cat",
        "clamp",
        "conv2d",
        "div",
        "floordiv",
        "grid_sampler_3d",
        "gt",
        "instance_norm",
        "le",
        "len",
        "lerp",
        "log",
        "lt",
        "max",
        "mul",
        "neg",
        "ones_like",
        "permute",
        "pow",
        "reciprocal",
        "reflection_pad2d",
        "relu",
        "remainder",
        "replication_pad2d",
        "rsub",
        "sigmoid",
        "size",
        "slice",
        "sqrt",
        "squeeze",
        "sub",
        "sum",
        "to",
        "unsqueeze",
        "upsample_bilinear2d",
        "upsample_nearest2d",
        "where",
    ]
)
SIZES = [(24, 40), (37, 51), (8, 9)]


KINDS = [
    {},
    {"recolours": "yes"},
    {"recolours": "yes", "simplifies": "yes"},
    {"seeded": "yes"},
    {"recolours": "yes", "simplifies": "yes", "seeded": "yes"},
]
"""Metadata of nets of every kind."""


def painter_of(path):
    """The engine's painter of a weights file."""
    info = resolve_style(str(path))
    return FeedforwardPainter(load_style_net(info), name="tiny", weights=info.sha256)


@pytest.fixture(params=KINDS, ids=" ".join)
def engine(weights_file, request):
    """(the file, the engine's painter of it)."""
    path = weights_file(**request.param)
    return str(path), painter_of(path)


@pytest.fixture
def nuke(engine, tmp_path):
    """The style as Nuke would have it, loaded."""
    path = tmp_path / "tiny.pt"
    assert export_style("torchscript", engine[0], path) < TOLERANCE
    return torch.jit.load(str(path))


def in_plate(painter, plate):
    """What the engine makes of a scene-linear plate, frame by frame."""
    codec = colour.codec("lin_rec709")
    style, reference = codec.to_style(plate)
    return codec.from_style(painter.paint(style, 0), reference)


@pytest.mark.parametrize("size", SIZES)
def test_torchscript_paints_as_the_engine_does(engine, nuke, picture, size):
    plate = picture(*size) * 1.4 - 0.2  # negatives, and values above the knee
    with torch.inference_mode():
        found = nuke(plate[None])[0]
    assert (found - plate).abs().max() > 0.05
    assert (found - in_plate(engine[1], plate)).abs().max() < TOLERANCE


def test_shapes_are_made_once(engine):
    def parts(row):
        for part in row:
            yield part
            if isinstance(part, Branches):
                yield from parts([*part.first, *part.second])

    net = engine[1].net
    found = list(parts(steps_of(net)))
    assert (found.count("simplify"), found.count("texture_guide")) == (int(net.simplifies), int(net.seeded))


def test_torchscript_keeps_highlights(engine, nuke, picture):
    plate = picture(32, 48)
    plate[:, 8:16, 8:16] *= 250
    with torch.inference_mode():
        found = nuke(plate[None])[0]
    expected = in_plate(engine[1], plate)
    assert expected.max() > 20
    assert ((found - expected).abs() / expected.abs().clamp(min=1)).max() < TOLERANCE


@pytest.mark.parametrize("strength", [0.0, 0.25])
def test_strength_is_an_attribute_of_the_module(nuke, picture, strength):
    plate = picture(24, 40)[None]
    with torch.inference_mode():
        full = nuke(plate)
        nuke.strength = strength
        found = nuke(plate)
    assert torch.allclose(found, plate + strength * (full - plate), atol=1e-6)
    assert strength or torch.equal(found, plate)


def test_torchscript_runs_in_half_precision(engine, nuke, picture):
    plate = picture(24, 40)
    with torch.inference_mode():
        found = nuke.half()(plate[None].half())
    assert found.dtype == torch.float16
    assert (found[0].float() - in_plate(engine[1], plate)).abs().mean() < 0.01


def test_torchscript_has_only_operators_that_old_versions_know(nuke):
    def operators(block):
        for node in block.nodes():
            yield node.kind()
            for inner in node.blocks():
                yield from operators(inner)

    used = {kind.removeprefix("aten::") for kind in operators(nuke.inlined_graph) if kind.startswith("aten::")}
    assert {"reflection_pad2d", "instance_norm"} <= used
    assert used <= OPERATORS, used - OPERATORS


def test_torchscript_runs_in_a_process_without_tsn(weights_file, tmp_path, picture):
    """Nets of every kind, in one process."""
    plate, expected = picture(24, 40), []
    np.save(tmp_path / "plate.npy", plate.numpy())
    for number, kind in enumerate(KINDS):
        path = weights_file(**kind)
        export_style("torchscript", str(path), tmp_path / f"{number}.pt")
        expected.append(in_plate(painter_of(path), plate))
    code = (
        "import sys, warnings; warnings.simplefilter('ignore'); import numpy, torch\n"
        "plate = torch.from_numpy(numpy.load('plate.npy'))\n"
        f"for number in range({len(KINDS)}):\n"
        "    net = torch.jit.load(f'{number}.pt')\n"
        "    with torch.inference_mode(): numpy.save(f'{number}.npy', net(plate[None])[0].numpy())\n"
        "assert not any(name.split('.')[0] == 'tsn' for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True, timeout=120)
    for number, image in enumerate(expected):
        assert (torch.from_numpy(np.load(tmp_path / f"{number}.npy")) - image).abs().max() < TOLERANCE


@pytest.mark.parametrize("size", SIZES)
def test_onnx_paints_as_the_engine_does_at_any_size(engine, tmp_path, picture, size):
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "tiny.onnx"
    assert export_style("onnx", engine[0], path) < TOLERANCE
    image = picture(*size)
    found = onnxruntime.InferenceSession(str(path)).run(None, {"picture": image[None].numpy()})[0][0]
    expected = engine[1].paint(image, 0)
    assert (expected - image).abs().max() > 0.05
    assert np.abs(found - expected.numpy()).max() < TOLERANCE


@pytest.mark.parametrize("size", [(33, 97), (113, 301)])
def test_onnx_has_the_same_bits_on_any_number_of_threads(engine, tmp_path, picture, size, threads):
    path = tmp_path / "tiny.onnx"
    export_style("onnx", engine[0], path)
    image, found = picture(*size), []
    for count in (1, 2, 3, 5, 7, 8):
        threads(count)
        found.append(OnnxPainter(path, sha256="x").paint(image, 1))
    assert all(torch.equal(other, found[0]) for other in found)


@pytest.mark.parametrize("size", [*SIZES, (36, 44), (5, 6)])
def test_onnx_is_a_style_of_tsn_again(engine, tmp_path, picture, size):
    """Padded as the engine pads: the net normalises over all of its input."""
    path = tmp_path / "tiny.onnx"
    export_style("onnx", engine[0], path)
    image = picture(*size)
    painted = OnnxPainter(path, sha256="x").paint(image, 0)
    assert (painted - engine[1].paint(image, 0)).abs().max() < TOLERANCE


@pytest.mark.parametrize("form", ["torchscript", "onnx"])
@pytest.mark.parametrize("name", [info.name for info in bundled_styles() if info.family in NETS])
def test_every_bundled_style_can_be_exported(name, form, tmp_path):
    assert export_style(form, name, tmp_path / form) < TOLERANCE


@pytest.mark.parametrize("form", ["torchscript", "onnx"])
def test_a_painting_has_no_net_to_export(form, tmp_path):
    with pytest.raises(
        InputError, match="adain is of the family adain, which has no net to write without a painting"
    ) as caught:
        export_style(form, "adain", tmp_path / form)
    assert "Only feedforward and mobile nets" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_what_differs_from_the_engine_is_not_kept(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, "CHECKS", {"onnx": lambda path, painter: float("nan")})
    with pytest.raises(TsnError, match="differs from the engine by nan"):
        export_style("onnx", engine[0], tmp_path / "tiny.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]


def test_faults_are_told(engine, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="No style is called 'taracson'") as caught:
        export_style("onnx", "taracson", tmp_path / "a.onnx")
    assert caught.value.hint == "Perhaps you meant 'tarascon'?"
    export_style("onnx", engine[0], tmp_path / "a.onnx")
    with pytest.raises(InputError, match="is an ONNX net already"):
        export_style("torchscript", str(tmp_path / "a.onnx"), tmp_path / "b.pt")
    with pytest.raises(OutputError, match="folder does not exist"):
        export_style("onnx", engine[0], tmp_path / "none" / "a.onnx")

    real = builtins.__import__

    def without_onnx(name, *rest):
        if name == "onnx":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_onnx)
    with pytest.raises(UsageError, match="needs the package onnx") as caught:
        export_style("onnx", engine[0], tmp_path / "c.onnx")
    assert caught.value.hint == "pip install 'temporalstylenet[onnx]'"


def test_the_command(weights_file, tmp_path, monkeypatch):
    path = weights_file()
    monkeypatch.chdir(tmp_path)
    command = Path(sys.executable).with_name("tsn")
    done = subprocess.run([command, "export", "torchscript", path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tiny.pt: ")
    assert done.stderr == ""
    assert (tmp_path / "tiny.pt").is_file()


@pytest.mark.parametrize("form", ["torchscript", "onnx"])
def test_a_mobile_net_is_exported_too(form, tmp_path):
    from safetensors.torch import save_file

    from tsn.style.nets.mobile import MobileNet

    torch.manual_seed(0)
    facts = {"family": "mobile", "width": "2", "blocks": "2", "name": "tiny", "title": "Tiny", "licence": "CC0"}
    path = tmp_path / "tiny.safetensors"
    save_file({k: v.contiguous() for k, v in MobileNet(width=2, blocks=2).state_dict().items()}, path, metadata=facts)

    assert export_style(form, str(path), tmp_path / f"tiny.{form}") < TOLERANCE
