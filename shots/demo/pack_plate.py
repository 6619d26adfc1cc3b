"""Packs the rendered demo plate small enough for a repository: half float wherever half float loses nothing.

Blender's own 16-bit multilayer output keeps depth and vectors in 32 bit; this makes them half as well, and leaves
the Cryptomatte ids, which half float would destroy, in 32 bit. Headers stay as they were rendered::

    .venv/bin/python shots/demo/pack_plate.py /tmp/demo_raw shots/demo/plate
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import OpenEXR

HALF_MAX = 65504.0
VECTOR_STEP = 1 / 64  # px; finer digits are below what a warp can show, and noise to the compressor


def pack(source: Path, target: Path) -> None:
    """Writes one frame, under its name only when it is whole."""
    raw = OpenEXR.File(str(source), separate_channels=True)
    header = raw.header()
    # Beside the denoised picture Blender stores the one before, which is of no use here.
    channels = {name: channel for name, channel in raw.channels().items() if ".Noisy Image." not in name}
    for name, channel in channels.items():
        if ".CryptoObject" in name:
            continue
        values = channel.pixels
        if ".Vector." in name:
            values = np.round(values / VECTOR_STEP) * VECTOR_STEP
        # The world lies at depth 1e10, beyond what half can hold.
        channel.pixels = np.clip(values, -HALF_MAX, HALF_MAX).astype(np.float16)
    header["compression"] = OpenEXR.ZIP_COMPRESSION
    whole = target.with_name(f".{target.name}.part")
    OpenEXR.File(header, channels).write(str(whole))
    os.replace(whole, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw", type=Path)
    parser.add_argument("plate", type=Path)
    args = parser.parse_args()
    args.plate.mkdir(parents=True, exist_ok=True)
    frames = sorted(args.raw.glob("*.exr"))
    for source in frames:
        pack(source, args.plate / source.name)
    size = sum((args.plate / source.name).stat().st_size for source in frames)
    print(f"{len(frames)} frames, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
