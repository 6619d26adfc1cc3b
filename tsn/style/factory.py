"""Build the painter that `style:` in a shot file describes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch

from tsn.errors import UsageError
from tsn.style.blend import Weight, WeightedPainter, blend_painters
from tsn.style.catalogue import resolve_style
from tsn.style.loading import load_style_net
from tsn.style.painter import Painter
from tsn.style.resize import scale_painter


def painter(
    *,
    model: str | None = None,
    adain: Mapping[str, float] | None = None,
    colours: Literal["painting", "plate"] = "painting",
    blend: Mapping[str, Weight] | None = None,
    frames: str | None = None,
    offset: int = 0,
    hashes: Mapping[int, str] | None = None,
    scale: float = 1.0,
    tile: int = 0,
    device: torch.device | str = "cpu",
    base: Path = Path(),
) -> Painter:
    """Build the painter of a shot. If it is `Uncalibrated`, calibrate it on the shot and freeze it before painting.

    Args:
        model: the name of a bundled style, or a .safetensors or .onnx file (`file.onnx:19` for one of its styles).
        adain: files of paintings whose style is transferred, and their weights.
        colours: with `adain`: those of the paintings, or of the plate.
        blend: models and their weights, constant or a curve over frames.
        frames: pattern of a sequence that was painted elsewhere; `scale` must be 1 then.
        offset: with `frames`: number of a painted frame minus that of its plate frame.
        hashes: with `frames`: the painted frames and the hashes of their files, from the plan
            (`painted_frame_hashes.hash_painted_frames`); None takes them from disk.
        scale: paint at this multiple of the plate's size.
        tile: longest side of a tile at the painted size, pixels; 0 = auto. ONNX nets are never tiled.
        device: to paint on.
        base: folder that relative paths start from.

    Raises:
        UsageError: not exactly one of `model`, `adain`, `blend` and `frames`, or an impossible setting.
        InputError: a file is missing, damaged, or of the wrong type.
    """
    given = [
        name
        for name, value in {"model": model, "adain": adain, "blend": blend, "frames": frames}.items()
        if value is not None
    ]
    if len(given) != 1:
        raise UsageError(
            f"style: expected exactly one of model, adain, blend and frames, found {' and '.join(given) or 'none'}."
        )
    if tile < 0:
        raise UsageError(f"style.tile must be 0 (auto) or a size in pixels, got {tile}.")
    if frames is not None:
        from tsn.style.painted_frame_hashes import hash_painted_frames
        from tsn.style.painted_frames import PaintedFrames

        if scale != 1:
            raise UsageError(
                f"style.scale is {scale}, but painted frames cannot be painted at another size.", hint="Remove scale."
            )
        pattern = str(base / frames)
        hashes = hash_painted_frames(pattern, offset=offset) if hashes is None else hashes
        return PaintedFrames(pattern, hashes, offset=offset)
    if adain is not None:
        return scale_painter(_arbitrary_painter(adain, colours=colours, tile=tile, device=device, base=base), scale)
    if model is not None:
        return scale_painter(_model_painter(model, tile=tile, device=device, base=base), scale)
    assert blend is not None
    return scale_painter(_blend_painter(blend, tile=tile, device=device, base=base), scale)


def _blend_painter(weights: Mapping[str, Weight], *, tile: int, device: torch.device | str, base: Path) -> Painter:
    """A blend of models by their weights."""
    return blend_painters(
        [
            WeightedPainter(painter=_model_painter(m, tile=tile, device=device, base=base), weight=weight)
            for m, weight in weights.items()
        ]
    )


def _arbitrary_painter(
    paintings: Mapping[str, float], *, colours: str, tile: int, device: torch.device | str, base: Path
) -> Painter:
    """A painter in the style of any paintings."""
    from tsn.style.arbitrary import ArbitraryPainter
    from tsn.style.loading import load_style_prediction_net
    from tsn.style.paintings import read_paintings

    info = resolve_style("adain")
    return ArbitraryPainter(
        load_style_prediction_net(info.path).to(device),
        read_paintings(paintings, base=base),
        weights=info.sha256,
        keep_colours=colours == "plate",
        tile=tile,
    )


def _model_painter(model: str, *, tile: int, device: torch.device | str, base: Path) -> Painter:
    """A painter of one bundled style or weights file."""
    from tsn.style.onnx import OnnxPainter, split_index

    file, index = split_index(model)
    info = resolve_style(file, base=base)
    if info.family == "onnx":
        return OnnxPainter(info.path, sha256=info.sha256, index=index, device=device)

    if info.family == "adain":
        raise UsageError(
            f"style.model: {info.name} transfers the style of any painting, and needs one.",
            hint="style: {adain: painting.png}",
        )
    from tsn.style.feedforward import FeedforwardPainter

    return FeedforwardPainter(load_style_net(info).to(device), name=info.name, weights=info.sha256, tile=tile)
