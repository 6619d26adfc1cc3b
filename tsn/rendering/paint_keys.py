"""Keys painted by machine: frames of a shot in the manner of paintings, as pictures that the shot's keys can name.

A key is in style space, of the plate's display window, 16 bits, with the plate's cover as its alpha, straight as PNG
has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import tsn
from tsn import colour, io
from tsn.errors import InputError, UsageError, at_frame
from tsn.flow.factory import choose_flow_source
from tsn.io.hashing import sha256_of
from tsn.io.key_png import read_texts, write_png16
from tsn.keys.optimise.base import KeySettings
from tsn.keys.optimise.painting import Progress, key_digest, method_of, paint_key
from tsn.rendering.engine import Engine, choose_device
from tsn.rendering.key_files import key_path
from tsn.rendering.memory import out_of_memory_explained
from tsn.rendering.output import make_folder
from tsn.rendering.plan import Plan
from tsn.style.paintings import Painting, read_paintings
from tsn.style.perceptual import load_perceptual, perceptual_name, perceptual_weights


@dataclass(frozen=True, kw_only=True)
class KeyProgress:
    """How far the painting of a frame's key is.

    Attributes:
        frame: its number.
        index, total: which of the keys it is, from 0, and how many there are.
        progress: of this key.
        preview: the file where a preview was just written, else None.
    """

    frame: int
    index: int
    total: int
    progress: Progress
    preview: Path | None = None


Report = Callable[[KeyProgress], None]
LESS_MEMORY_HINT = "Paint fewer lines (--height 480, say), or a smaller stroke size."


def paint_keys(
    plan: Plan,
    frames: Sequence[int],
    paintings: Mapping[str, float],
    folder: Path,
    settings: KeySettings,
    *,
    device: str = "auto",
    force: bool = False,
    repaint: bool = False,
    note: Callable[[str], None] = lambda text: None,
    report: Report = lambda progress: None,
) -> dict[int, Path]:
    """Paint frames of a shot, and return the keys' files by frame. Those that are painted already are kept.

    Args:
        plan: of the shot, whatever its style.
        frames: that the plate has.
        paintings: files and their weights, relative to the current folder.
        folder: for the keys; made where there is none.
        device: as for `tsn.rendering.engine.choose_device`.
        force: paint again what is there.
        repaint: paint again what tsn painted with other settings, or of another plate, instead of refusing it.
        note: called with a sentence for people.
        report: called after every step; it may raise, to stop: what was painted of a key is gone on with next time.

    Raises:
        UsageError: a frame that the plate lacks, settings out of their ranges, or a file that is there and is not this
            key, such as one that somebody painted.
        InputError: a painting, a plate frame or the perceptual net's weights are missing or damaged.
        DeviceError: no such device, or its memory is too small.
        OutputError: the folder can't be written.
    """
    method_of(settings)
    if missing := [number for number in frames if number not in plan.plate.present]:
        raise UsageError(f"Frames {', '.join(map(str, missing))} are not in the plate {plan.shot.plate}.")
    pictures = read_paintings(paintings, lines=2 * settings.height)
    weights = perceptual_weights()
    net = load_perceptual(chosen := choose_device(device))
    assert weights is not None
    made = _facts(pictures, settings, perceptual_name(weights))
    texts = {"Software": f"tsn {tsn.__version__}", "tsn:paint": made}
    engine = plate_engine(plan, chosen)
    _note_small_paintings(pictures, engine, settings, note)
    wanted, net_hash = {}, sha256_of(weights)
    for number in frames:  # all are looked at before the first is painted: a fault must not wait for an hour
        path = key_path(folder, plan.shot.file.stem, number)
        plate_picture(engine, plan, number)  # refused here if it is void
        digest = key_digest(_plate_hash(engine, plan, number), pictures, settings, net_hash)
        wanted[number] = path, digest, force or not _is_painted(path, digest, repaint=repaint)
    make_folder(folder)
    for i, (number, (path, digest, needed)) in enumerate(wanted.items()):
        if not needed:
            note(f"{path} is painted already.")
            continue
        plate, cover = plate_picture(engine, plan, number)
        preview = path.with_suffix(".preview.png")

        def show(
            progress: Progress, number: int = number, i: int = i, preview: Path = preview, cover: Tensor | None = cover
        ) -> None:
            if progress.picture is not None:
                io.write_png(preview, _pixels(progress.picture))
            report(
                KeyProgress(
                    frame=number,
                    index=i,
                    total=len(wanted),
                    progress=progress,
                    preview=None if progress.picture is None else preview,
                )
            )

        with at_frame(path, number), out_of_memory_explained(LESS_MEMORY_HINT):
            painted = paint_key(
                plate,
                cover,
                pictures,
                settings,
                net,
                digest=digest,
                unfinished=path.with_suffix(".unfinished.safetensors"),
                report=show,
            )
        alpha = None if cover is None else cover[0].cpu().numpy()
        write_png16(path, _pixels(painted), alpha, texts | {"tsn:key": digest})
        preview.unlink(missing_ok=True)
    return {number: path for number, (path, _, _) in wanted.items()}


class _Plate:
    """A painter that paints nothing: an engine with it only prepares frames."""

    name = fingerprint = "plate"

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `tsn.style.painter.Painter`."""
        return image.clone()


def plate_engine(plan: Plan, device: torch.device) -> Engine:
    """An engine that prepares frames as the shot's own would, without its style, which may wait for these keys."""
    shot = replace(plan.shot, style=replace(plan.shot.style, strokes=None))
    first = io.read_frame(
        io.FrameSequence.parse(shot.plate, base=Path()).path(plan.probe_frame), plan.probe_frame, layer=shot.layer
    )
    flow, reason = choose_flow_source("dis", has_vectors=False, device=device, scale=1.0, weights=None)
    return Engine(
        shot=shot,
        canvas=first.display_window,  # where whoever paints over a frame paints; overscan is not
        display_window=first.display_window,
        device=device,
        codec=colour.codec(shot.colour.input, header=first.header, highlights=shot.colour.highlights),
        painter=_Plate(),
        flow=flow,
        flow_reason=reason,
        fingerprint=(),
    )


def _plate_hash(engine: Engine, plan: Plan, number: int) -> str:
    """Of a plate frame's file, of the layer in it, and of what its colours mean."""
    path = io.FrameSequence.parse(plan.shot.plate, base=Path()).path(number)
    return f"{sha256_of(path)} {plan.shot.layer} {engine.codec.fingerprint}"


def plate_picture(engine: Engine, plan: Plan, number: int) -> tuple[Tensor, Tensor | None]:
    """A plate frame as it is painted: in style space (3, H, W), with its cover (1, H, W), or None.

    Args:
        engine: of `plate_engine`.

    Raises:
        InputError: the frame is missing, damaged, or void everywhere.
    """
    path = io.FrameSequence.parse(plan.shot.plate, base=Path()).path(number)
    prepared = engine.prepare(engine.read(path, number), motion=False)
    if prepared.cover is not None and not bool((prepared.cover > 0).any()):
        raise InputError(
            f"{path}: frame {number} is void everywhere: there is nothing to paint.", hint="Choose another frame."
        )
    return prepared.view.image, prepared.cover


def _is_painted(path: Path, digest: str, *, repaint: bool) -> bool:
    """Whether the file is this key. Raises UsageError where it is something else, which is not to be lost."""
    if not path.exists():
        return False
    try:
        found = read_texts(path).get("tsn:key")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if found == digest or (repaint and found is not None):
        return found == digest
    what = "was not painted by tsn" if found is None else "was painted with other settings, or of another plate"
    raise UsageError(
        f"{path} is there, and {what}.", hint="--force replaces it; or choose another folder, or move the file away."
    )


def _note_small_paintings(
    paintings: Sequence[Painting], engine: Engine, settings: KeySettings, note: Callable[[str], None]
) -> None:
    lines = round(min(engine.canvas.height, settings.height) * settings.stroke_size)
    for painting in paintings:
        if painting.image.shape[1] < 0.8 * lines:
            note(
                f"The painting {painting.name} has {painting.image.shape[1]} lines where {lines} are taken: its strokes"
                " will be soft. A larger scan of it helps."
            )


def _facts(paintings: Sequence[Painting], settings: KeySettings, net: str) -> str:
    """How a key was painted, as JSON."""
    named = [{"name": one.name, "sha256": one.sha256, "weight": one.weight} for one in paintings]
    return json.dumps({**asdict(settings), "paintings": named, "net": net})


def _pixels(picture: Tensor) -> np.ndarray:
    return np.moveaxis(picture.detach().float().cpu().numpy(), 0, 2)
