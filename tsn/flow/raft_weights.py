"""Published RAFT weights: their names, and which of them are in the weights folder (`tsn.io.published`)."""

from __future__ import annotations

from pathlib import Path

from tsn.errors import InputError
from tsn.io.hashing import sha256_of
from tsn.io.published import PublishedWeights, weights_folder

# Names, hashes and recipes as in torchvision/models/optical_flow/raft.py (Raft_Large_Weights, Raft_Small_Weights).
# The fine-tuned C_T_SKHT, not the KITTI variant, which is tuned to driving.
REGISTRY = {
    entry.name: entry
    for entry in (
        PublishedWeights(
            name="raft-large",
            url="https://download.pytorch.org/models/raft_large_C_T_SKHT_V2-ff5fadd5.pth",
            sha256="ff5fadd5",
            # RAFT, 5.3M parameters, FlyingChairs + FlyingThings3D + Sintel/KITTI/HD1K, torchvision, BSD-3-Clause
        ),
        PublishedWeights(
            name="raft-small",
            url="https://download.pytorch.org/models/raft_small_C_T_V2-01064c6d.pth",
            sha256="01064c6d",
            # RAFT small, 1.0M parameters, FlyingChairs + FlyingThings3D, torchvision, BSD-3-Clause
        ),
    )
}


def installed_weights() -> Path | None:
    """The best of the published RAFT weights that are in the folder, or None.

    Every entry of `REGISTRY` is taken for RAFT: weights of another net need a registry of their own.
    """
    files = (weights_folder() / entry.file for entry in REGISTRY.values())
    return next((file for file in files if file.is_file()), None)


def weights_sha256(path: Path) -> str:
    """Hash of a file's content, 64 hexadecimal digits; InputError where it can't be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot read the flow weights: {error.strerror or error}", hint="tsn fetch raft-large"
        ) from error
