"""The instruction set of the CPU that pixels are computed with. Without torch, since planning uses it, too.

torch, oneDNN and OpenCV choose their kernels by what the processor can do, and kernels of different vector widths add
up in different orders: the last bits of a frame depend on it, and so do those of motion and of a calibration.
"""

from __future__ import annotations

import os
import platform
from functools import cache

X86_LEVELS = (("avx512", "AVX512_SKX"), ("avx2", "AVX2"))
"""The levels that torch distinguishes on x86, best first, and the processor feature that each needs."""
OVERRIDES = (
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE"),
    *("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "OPENCV_CPU_DISABLE", "OPENCV_IPP", "OPENBLAS_CORETYPE"),
)
"""Environment variables that make those libraries use other kernels than the processor's best."""


def instruction_set() -> str:
    """The processor's level, and variables that override it: `avx512`, `avx2 (MKL_CBWR=AVX2)`, `aarch64`."""
    overrides = [f"{name}={os.environ[name]}" for name in OVERRIDES if os.environ.get(name)]
    return _level() + (f" ({', '.join(overrides)})" if overrides else "")


@cache
def _level() -> str:
    features, machine = _features(), platform.machine().lower()
    wide = " sve" if features.get("SVE") else ""
    return next((level for level, feature in X86_LEVELS if features.get(feature)), machine + wide)


def _features() -> dict[str, bool]:
    """The processor's features as NumPy found them, which it does on every system."""
    try:
        from numpy._core import _multiarray_umath as core  # type: ignore[attr-defined,unused-ignore]
    except ImportError:  # NumPy 1
        from numpy.core import _multiarray_umath as core
    found: dict[str, bool] = core.__cpu_features__
    return found
