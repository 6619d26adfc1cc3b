"""The instruction set that pixels are computed with on a CPU. Without torch: planning asks too.

torch, oneDNN and OpenCV each choose their kernels by what the processor can do, and kernels of other widths add up in
another order: the last bits of a frame depend on it, and so do those of motion and of a survey.
"""

from __future__ import annotations

import os
import platform
from functools import cache

X86_LEVELS = (("avx512", "AVX512_SKX"), ("avx2", "AVX2"))
"""What torch tells apart on x86, best first, and the feature that each needs."""
OVERRIDES = (
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE"),
    *("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "OPENCV_CPU_DISABLE", "OPENCV_IPP"),
)
"""Variables by which a person holds those libraries to other kernels than the processor would have."""


def instruction_set() -> str:
    """The processor's level, and what holds libraries to another: `avx512`, `avx2 (MKL_CBWR=AVX2)`, `aarch64`."""
    held = [f"{name}={os.environ[name]}" for name in OVERRIDES if os.environ.get(name)]
    return _level() + (f" ({', '.join(held)})" if held else "")


@cache
def _level() -> str:
    features, machine = _features(), platform.machine().lower()
    wide = " sve" if features.get("SVE") else ""
    return next((level for level, feature in X86_LEVELS if features.get(feature)), machine + wide)


def _features() -> dict[str, bool]:
    """What NumPy found the processor to have, as it looks on every system that it runs on."""
    try:
        from numpy._core import _multiarray_umath as core  # type: ignore[attr-defined,unused-ignore]
    except ImportError:  # NumPy 1
        from numpy.core import _multiarray_umath as core
    found: dict[str, bool] = core.__cpu_features__
    return found
