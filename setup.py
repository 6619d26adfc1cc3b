"""Packaging of tsn: the engine `tsn` and the farm renderer `tsn_batch`, one console command `tsn`."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="temporalstylenet",
    version="0.1.0",
    description="Paints a VFX shot in a style that sticks to what moves: EXR in, EXR out, chunk-exact on a farm.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["tsn", "tsn.*"]) + find_packages("batch"),
    package_dir={"tsn_batch": "batch/tsn_batch"},
    package_data={
        "tsn": ["py.typed"],
        "tsn.flow.nets": ["*.safetensors", "*.md"],
        "tsn.strokes": ["presets/*.yaml"],
        "tsn.style": ["weights/*.safetensors", "weights/*.md"],
    },
    install_requires=[
        "torch>=2.4",
        "torchvision",
        "numpy>=1.26",
        "OpenImageIO>=3.0",
        "OpenEXR>=3.4",
        "opencolorio>=2.6",
        "click>=8.1",
        "pyyaml>=6",
        "pydantic>=2.7",
        "fileseq>=2.1",
        "safetensors>=0.4",
        "opencv-python-headless>=4.9",
        "numba>=0.60",
        "rich>=13",
    ],
    extras_require={
        "onnx": ["onnx", "onnxruntime"],
        "farm": ["openjd-cli>=0.8", "opencue-pyoutline"],
        "docs": ["mkdocs-material>=9.5", "mkdocstrings[python]>=0.26"],
        "train": ["onnx", "onnxruntime", "pillow", "tensorboard"],
        "dev": [
            *("pytest", "pytest-xdist", "hypothesis", "ruff", "mypy", "import-linter", "types-PyYAML"),
            *("onnx", "onnxruntime", "tensorboard", "pillow"),
            *("openjd-cli>=0.8", "opencue-pyoutline", "lxml"),
        ],
    },
    entry_points={"console_scripts": ["tsn = tsn_batch.cli:main"]},
)
