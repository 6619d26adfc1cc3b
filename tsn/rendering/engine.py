"""The heavy parts of a shot, loaded once: painter, flow, colour, device; and the shot's calibration."""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import tsn
from tsn import colour, io, matte
from tsn.alpha import statistics_weight, unpremultiply
from tsn.cpu_isa import instruction_set
from tsn.errors import DeviceError, InputError, OutputError, at_frame
from tsn.flow import vectors
from tsn.flow.base import FlowSource, RenderedVectors, View
from tsn.flow.conventions import CAUTIONS
from tsn.flow.factory import choose_flow_source
from tsn.io.disk_cache import DiskCache
from tsn.io.frame import Box, Frame
from tsn.keys.painter import KeyPainter
from tsn.rendering.output import cache_folder
from tsn.rendering.plan import Pins, Plan, calibration_frames, device_type_of
from tsn.shot.model import Shot
from tsn.style.calibration import mirror_into_void
from tsn.style.factory import painter as choose_painter
from tsn.style.painter import Calibration, Painter, Uncalibrated, Unfrozen, digest

COVERAGE = "coverage-1"
"""Version of how void is left out of the calibration; a new one makes frames of plates with void stale."""
VOID = "void"
"""A tensor in the calibration of a plate with void (pixels without coverage). It is not for the painter: it changes the
engine's fingerprint, so that frames from before void was left out are stale, and those of plates without void are not.
"""


def choose_device(name: str) -> torch.device:
    """The device of a name: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`.

    Raises:
        DeviceError: no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, dtype=torch.float64, device=device)  # texture is measured in float64, which Apple's `mps` lacks
    except (RuntimeError, AssertionError, TypeError) as error:
        raise DeviceError(
            f"No device {name!r} here: {str(error).splitlines()[0]}",
            hint="Use --device cpu, or auto for whatever there is.",
        ) from error
    # The same picture whatever is fastest on this hardware: full float32, one algorithm.
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return device


@dataclass(frozen=True, kw_only=True)
class PreparedFrame:
    """One plate frame, ready for painter and flow; tensors on the canvas and the device.

    Attributes:
        source: plate values as stored, float32 (3, H, W), premultiplied where the plate is.
        alpha: (1, H, W), or None.
        cover: how much each pixel counts in statistics, (1, H, W) in [0, 1], 0 in void; None where all count fully.
        reference: what of the colours does not fit into style space, to restore them (`tsn.colour`).
        view: the picture in style space, from which motion is estimated, and the renderer's vectors.
        picture: the picture in style space as the painter gets it, (3, H, W); for strokes it goes beyond 1.
    """

    source: Tensor
    alpha: Tensor | None
    cover: Tensor | None
    reference: colour.PlateReference
    view: View
    picture: Tensor


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Everything that is the same for every frame of a shot."""

    shot: Shot
    canvas: Box
    display_window: Box
    device: torch.device
    codec: colour.Codec
    painter: Painter
    flow: FlowSource
    flow_reason: str
    fingerprint: tuple[str, ...]
    motion_codec: colour.Codec | None = None
    """The codec of the picture that motion and cuts are found in, where it isn't `codec`: in a shot with layers."""

    @cached_property
    def paint_codec(self) -> colour.Codec:
        """The codec of the paint: strokes carry the light of highlights themselves."""
        return colour.open_codec(self.codec) if self.shot.style.strokes is not None else self.codec

    @property
    def preparation(self) -> tuple[bool, ...]:
        """What `prepare` takes from the layer: layers of a shot that agree in it can share their prepared frames."""
        return (self.shot.style.strokes is not None, self.shot.needs_motion)

    def read(self, path: Path, number: int) -> Frame:
        """A plate frame from disk."""
        return io.read_frame(path, number, layer=self.shot.layer)

    def prepare(self, frame: Frame, *, motion: bool = True) -> PreparedFrame:
        """A frame in style space, with its motion vectors decoded where `motion` is true."""
        source = self._on_canvas(frame.rgb, frame)
        alpha = None if frame.alpha is None else self._on_canvas(frame.alpha[..., None], frame)
        straight = source if alpha is None else unpremultiply(source, alpha)
        style, reference = self.codec.to_style(straight)
        picture = style
        if self.shot.style.strokes is not None:
            picture, reference = self.paint_codec.to_style(straight)
        seen = style if self.motion_codec is None else self.motion_codec.to_style(straight)[0]
        view = View(number=frame.number, image=seen, vectors=self._vectors(frame) if motion else None)
        return PreparedFrame(
            source=source,
            alpha=alpha,
            cover=self._cover(frame, source, alpha),
            reference=reference,
            view=view,
            picture=picture,
        )

    def painter_input(self, prepared: PreparedFrame) -> Tensor:
        """The picture for the painter, (3, H, W). ONNX nets take no cover, so for them void is filled by mirroring."""
        style = self.shot.style
        by_frame = any(".onnx" in name.lower() for name in style.blend or [style.model or ""])
        image = prepared.picture
        return mirror_into_void(image, prepared.cover) if by_frame and prepared.cover is not None else image

    def matte_of(self, frame: Frame) -> Tensor | None:
        """The shot's matte on the canvas, (1, H, W) in [0, 1]; None where the whole frame is painted."""
        wanted = self.shot.matte
        if wanted is None:
            return None
        with at_frame(frame.path, frame.number):
            if wanted.cryptomatte is not None:
                cover = matte.cryptomatte(
                    frame.channels,
                    frame.header,
                    layer=wanted.cryptomatte,
                    names=wanted.names,
                    folder=frame.path.parent,
                    lossy=frame.lossy,
                )
            else:
                assert wanted.channel is not None
                cover = matte.channel_matte(frame.channels, wanted.channel)
        if wanted.invert:
            cover = 1 - cover
        return self._on_canvas(cover[..., None], frame)

    def _cover(self, frame: Frame, source: Tensor, alpha: Tensor | None) -> Tensor | None:
        """The `cover` of `PreparedFrame`. Outside of its data window a plate without alpha is void as well."""
        if alpha is None:
            cover = self._on_canvas(np.ones(frame.rgb.shape[:2] + (1,), np.float32), frame)
        else:
            cover = statistics_weight(source, alpha)
        return None if bool((cover == 1).all()) else cover

    def _on_canvas(self, pixels: object, frame: Frame) -> Tensor:
        placed = io.place(pixels, frame.data_window, self.canvas)  # type: ignore[arg-type]
        return torch.from_numpy(placed).to(self.device).float().permute(2, 0, 1).contiguous()

    def _vectors(self, frame: Frame) -> RenderedVectors | None:
        wanted, shot = self.shot.flow.vectors, self.shot
        if wanted is None or shot.flow.method not in ("auto", "vectors") or not shot.needs_motion:
            return None
        size = frame.display_window.width, frame.display_window.height
        still = wanted.background == "still"
        with at_frame(frame.path, frame.number):
            found = vectors.decode(frame.channels, wanted.layer, wanted.convention, frame=size, still=still)

        def on_canvas(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else self._on_canvas(tensor.permute(1, 2, 0).numpy(), frame)

        to_previous, to_next, known = on_canvas(found.to_previous), on_canvas(found.to_next), on_canvas(found.valid)
        assert known is not None
        return RenderedVectors(to_previous=to_previous, to_next=to_next, valid=known)


def make_engine(
    plan: Plan,
    *,
    device: str = "auto",
    note: Callable[[str], None] = lambda text: None,
    tile: int | None = None,
    calibrated: bool = True,
    flow: tuple[FlowSource, str] | None = None,
    motion_highlights: str | None = None,
) -> Engine:
    """Load everything a shot needs, check it with one frame and the plan's pins, and calibrate the painter.

    Args:
        device: as for `choose_device`.
        note: called with a sentence about what was chosen, and what takes a while.
        tile: replaces `style.tile` where memory is short. The paint differs by rounding only, and the frame hash
            does not contain it.
        calibrated: False leaves the painter without the shot's statistics, for `tsn.rendering.pin`, which takes them.
        flow: the source of motion and why it is that one, where another layer of the shot has loaded it.
        motion_highlights: how the picture that motion is found in has its highlights; None = as the painted one.

    Raises:
        TsnError: of any kind; nothing has been written then.
    """
    shot, chosen = plan.shot, choose_device(device)
    path = io.FrameSequence.parse(shot.plate, base=Path()).path(plan.probe_frame)
    first = io.read_frame(path, plan.probe_frame, layer=shot.layer)
    painter = _painter(plan, first, tile, chosen)
    has_vectors = shot.flow.vectors is not None
    source, reason = flow or choose_flow_source(
        shot.flow.method,
        has_vectors=has_vectors,
        device=chosen,
        scale=shot.flow.scale,
        weights=shot.flow.weights,
        cache=cache_folder() / "flow",
    )
    codec = colour.codec(shot.colour.input, header=first.header, highlights=highlights_of(shot))
    motion_codec = None
    if motion_highlights not in (None, highlights_of(shot)):
        motion_codec = colour.codec(shot.colour.input, header=first.header, highlights=str(motion_highlights))
    pinned = None if plan.pins is None else plan.pins.calibration
    calibration = _unpack(pinned, painter) if pinned is not None and isinstance(painter, Unfrozen) else None
    kind = _kind(chosen, plan.pins, strokes=shot.style.strokes is not None)
    engine = Engine(
        shot=shot,
        canvas=plan.plate.canvas,
        display_window=first.display_window,
        device=chosen,
        codec=codec,
        painter=painter,
        flow=source,
        flow_reason=reason,
        fingerprint=with_calibration(
            (painter.fingerprint, source.fingerprint, codec.fingerprint, kind), calibration, painter
        ),
        motion_codec=motion_codec,
    )
    if plan.pins is not None:
        _require_pinned(engine, plan.pins)
    # A missing layer or matte stops the shot here, not at frame 900 of the night.
    prepared = engine.prepare(first)
    engine.matte_of(first)
    if shot.style.strokes is not None:
        from tsn.rendering.stroke_frames import check_first_frame

        check_first_frame(engine, first, prepared)
    for text in _cautions(shot, first):
        note(text)
    if calibrated and isinstance(painter, Unfrozen):
        if calibration is None:
            calibration = take_calibration(engine, plan, note)
            engine = replace(engine, fingerprint=with_calibration(engine.fingerprint, calibration, painter))
        tensors = {name: tensor for name, tensor in calibration.tensors.items() if name != VOID}
        return replace(engine, painter=painter.frozen(replace(calibration, tensors=tensors)))
    return engine


def highlights_of(shot: Shot) -> str:
    """The tone map of a shot. Strokes carry the light of highlights themselves; theirs serves the motion only."""
    chosen = shot.colour.highlights
    return "keep" if chosen == "paint" and shot.style.strokes is not None else chosen


def _painter(plan: Plan, first: Frame, tile: int | None, device: torch.device) -> Painter:
    """The painter of a shot, not calibrated yet.

    Args:
        first: a frame of the plate, whose AOVs are those of all.
    """
    style = plan.shot.style
    if style.keys is not None:
        from tsn.rendering.key_frames import guides_of, key_painter

        return key_painter(style, guides=guides_of(style, first, plan.plate.canvas).shape[0])
    if style.strokes is not None:
        _keep_compiled_kernels()
        from tsn.rendering.stroke_painter import stroke_painter

        return stroke_painter(style)
    return choose_painter(
        model=style.model,
        adain=style.adain,
        colours=style.colours,
        blend=None if style.blend is None else {name: curve.at for name, curve in style.blend.items()},
        frames=style.frames,
        offset=style.offset,
        hashes=plan.plate.painted,
        scale=style.scale,
        tile=style.tile if tile is None else tile,
        device=device,
    )


def _keep_compiled_kernels() -> None:
    """Let numba keep what it compiles where it may write: beside the package, else in tsn's cache.

    On a host where a farm's user may write neither there nor at home, numba refuses to be imported with our kernels.
    """
    if not os.access(Path(tsn.__file__).parent / "strokes", os.W_OK):
        os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "numba"))


def _cautions(shot: Shot, frame: Frame) -> Iterator[str]:
    """Warnings about what one frame shows and nobody might notice later."""
    if shot.matte is not None and shot.matte.cryptomatte is not None:
        found = matte.manifest(frame.channels, frame.header, layer=shot.matte.cryptomatte, folder=frame.path.parent)
        if found.note is not None:
            yield f"Warning: {found.note}"
    uses_vectors = shot.flow.method in ("auto", "vectors") and shot.needs_motion
    if uses_vectors and shot.flow.vectors is not None and shot.flow.vectors.convention in CAUTIONS:
        yield f"Note: {CAUTIONS[shot.flow.vectors.convention]}"


def matte_coverage(cover: Tensor) -> float:
    """The share of the canvas inside a matte; exactly 0.0 for nothing and 1.0 for everything."""
    return float(cover.double().mean())


def with_calibration(
    fingerprint: tuple[str, ...], calibration: Calibration | None, painter: Painter
) -> tuple[str, ...]:
    """An engine's fingerprint with a mark if the calibration met void, see `VOID`; its numbers are not in it.

    A net that was learnt for a shot counts by its weights: learnt once more it paints other frames.
    """
    if calibration is not None and isinstance(painter, KeyPainter):
        return (digest(fingerprint[0], calibration.fingerprint), *fingerprint[1:])
    if calibration is None or VOID not in calibration.tensors:
        return fingerprint
    return (digest(fingerprint[0], COVERAGE), *fingerprint[1:])


def _kind(device: torch.device, pins: Pins | None, *, strokes: bool) -> str:
    """The kind of device for the frame hash. A calibration from another kind gives other bits, so it is named too.

    Args:
        strokes: brush strokes are laid by the CPU, beside a GPU, too.
    """
    kind = f"cpu {instruction_set()}" if device.type == "cpu" else device.type
    if strokes and device.type != "cpu":
        kind = f"{kind} beside cpu {instruction_set()}"
    return (
        kind if pins is None or device_type_of(pins.device) == device.type else f"{kind} as surveyed on {pins.device}"
    )


def _require_pinned(engine: Engine, pins: Pins) -> None:
    """Raise InputError where this worker's engine is not the one that the plan was pinned with."""
    if engine.device.type != device_type_of(pins.device):  # RAFT's precision may differ too, so `flow` is not compared
        pairs = [("painter", pins.painter, engine.fingerprint[0]), ("colour", pins.colour, engine.fingerprint[2])]
    else:
        names = ("painter", "flow", "colour", "device")
        pairs = list(zip(names, pins.fingerprint, engine.fingerprint, strict=True))
    for name, planned, here in pairs:
        if planned != here and name == "device":
            raise InputError(
                f"This host computes on {here}, the plan's survey was taken on {planned}: chunks would differ in their"
                " last bits.",
                hint="Send the job to hosts of one kind (Slurm: --constraint), or submit the shot again.",
            )
        if planned != here:
            raise InputError(
                f"This host's {name} is not the plan's: expected {planned[:40]}, found {here[:40]}",
                hint="Give every host the same weights, libraries and OCIO config, or submit the shot again.",
            )


def _unpack(pinned: str, painter: Unfrozen) -> Calibration:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return Calibration(painter_fingerprint=painter.fingerprint, tensors=load(b64decode(pinned)))
    except (ValueError, SafetensorError) as error:
        raise InputError(f"The survey in the plan is damaged: {error}", hint="Submit the shot again.") from error


def take_calibration(engine: Engine, plan: Plan, note: Callable[[str], None]) -> Calibration:
    """The shot's calibration, from the cache or taken now; the same on every device of this kind.

    Args:
        engine: with a painter that is not calibrated yet.
        note: called with a sentence about what takes a while.

    Returns:
        The statistics that the painter takes of the calibration frames, with `VOID` where a frame has void.
    """
    painter = engine.painter
    if isinstance(painter, KeyPainter):
        from tsn.rendering.key_learning import learnt_keys

        return learnt_keys(engine, plan, note)
    assert isinstance(painter, Uncalibrated)
    numbers = calibration_frames(plan.plate.present)
    stamps = [f"{n}:{plan.plate.stamps[n]}" for n in numbers]
    libraries = [f"{name} {version}" for name, version in sorted(plan.libraries.items())]
    key = digest(
        *(plan.tsn, COVERAGE, *libraries, plan.canonical_shot.digest, plan.canonical_shot.plate),
        *(*engine.fingerprint, str(engine.canvas), *stamps),
    )
    path = cache_folder() / "survey" / f"{key}.safetensors"
    kept = DiskCache(path.parent, "survey")
    if kept.touch(path):
        try:
            return Calibration.load(path)
        except InputError:
            note(f"The cached survey {path} is damaged; taking it again.")
    note(f"Surveying the shot: frames {', '.join(map(str, numbers))}.")
    paths = io.FrameSequence.parse(plan.shot.plate, base=Path())
    void: dict[str, Tensor] = {}

    def picture(number: int) -> Tensor:
        prepared = engine.prepare(engine.read(paths.path(number), number), motion=False)
        if prepared.cover is None:
            return prepared.picture
        void[VOID] = torch.ones(1)
        return torch.cat([prepared.picture, prepared.cover])

    calibration = painter.calibrate(map(picture, numbers))
    calibration = replace(calibration, tensors={**calibration.tensors, **void})
    try:
        if kept.make_room(calibration.size):
            path.parent.mkdir(parents=True, exist_ok=True)
            calibration.save(path)
    except (OSError, OutputError) as error:
        note(f"The survey can't be cached in {path.parent} ({error}); going on without.")
    return calibration
