"""Learn the net of a shot from its keys: `learn`.

Each step paints a few patches (`batches`), and Adam makes their loss smaller, by steps whose size falls to 0 with the
budget of time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tsn.errors import InputError, UsageError
from tsn.keys.batches import Batches, fast_bfloat16
from tsn.keys.frame import GuidedFrame, Key
from tsn.keys.losses import Perceptual
from tsn.keys.net import KeyNet, net_from_weights, net_to_learn
from tsn.keys.painting import paint_frame
from tsn.keys.patches import counted

FIRST_SHARE = 0.1
"""Share of the budget for first steps that only compare colours: for the time of one other step, there are three."""
RATE, WARM_UP_STEPS, MAX_GRADIENT = 4e-3, 20, 1.0
"""Adam's step size at its highest, after a warm-up; it falls by a cosine. The norm that a gradient is cut to."""
GONE_ON_RATE = 0.5
"""Share of it where learning goes on from other weights."""
REPORT_SECONDS, REPORT_SHARE = 10.0, 0.05
"""Seconds between two reports, and the largest share of the time that they may take: a preview of 4K takes long."""


class StartError(InputError):
    """The weights to go on from are of no use: learn without them."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """How far the learning is.

    Attributes:
        step: steps done.
        seconds: since its start.
        share: of the budget, in [0, 1].
        loss: mean since the last report.
        preview: a frame that keys show little of, as the net paints it now, (3, H, W) in [0, 1].
        weights: to go on from if the process dies (`start`, with `done` = `share`).
    """

    step: int
    seconds: float
    share: float
    loss: float
    preview: Tensor
    weights: Mapping[str, Tensor]


def learn(
    examples: Sequence[tuple[GuidedFrame, Key]],
    others: Sequence[GuidedFrame],
    *,
    perceptual: Perceptual,
    seconds: float = 720.0,
    steps: int | None = None,
    start: Mapping[str, Tensor] | None = None,
    done: float = 0.0,
    device: torch.device | str = "cpu",
    progress: Callable[[Report], None] | None = None,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Learn the net of a shot.

    Args:
        examples: frames whose paint is known: each key's frame with itself as the carried paint, and with several keys
            also with the others' paint carried there, which shows true occlusions.
        others: frames of the shot without a key; may be empty.
        perceptual: on `device`.
        seconds: wall-clock budget of all of it; ignored where `steps` is given.
        steps: a fixed number instead: then the same arguments give the same bits on the same kind of machine, with
            the same number of threads.
        start: weights to go on from, such as those of the last net when a key was repainted.
        done: share of the budget already spent, in [0, 1), where a learning that was interrupted goes on.
        device: on which frames are as well.
        progress: called about every `REPORT_SECONDS`, and at the end.
        seed: of the weights and of the choice of patches.

    Returns:
        Weights for `net_from_weights`, float32 on the CPU.

    Raises:
        UsageError: no key is painted anywhere.
        StartError: `start` is not of such a net, of one with other guides, or not finite. Found before the first step,
            and the only error that the same call without `start` does not raise.
        InputError: a frame is too small to learn from; or what was learnt is not finite.
    """
    begun = time.monotonic()
    device = torch.device(device)
    if not any(bool((counted(frame, key) > 0).any()) for frame, key in examples):
        raise UsageError(
            "Nothing to learn: no key is painted anywhere.", hint="Is the keys' alpha, or their matte, empty?"
        )
    examples = [(frame, key) for frame, key in examples if bool((counted(frame, key) > 0).any())]
    generator = torch.Generator().manual_seed(seed)
    net = _initial(examples[0][0].guides.shape[0], start, seed).to(device).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(net.parameters(), betas=(0.9, 0.99))
    batches = Batches(examples, others, perceptual, generator)
    peak = RATE * (1 if start is None or done else GONE_ON_RATE)
    reporter = _Reporter(progress, net, _least_shown(others) or examples[0][0], begun)
    step = taken = 0
    while (share := done + (1 - done) * _spent(step, steps, begun, seconds)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = peak * min(1, (step + 1) / WARM_UP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * share))
        with torch.autocast(device.type, torch.bfloat16, enabled=fast_bfloat16(device)):
            loss = batches.loss(net) if share > FIRST_SHARE else batches.first_loss(net)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        length = torch.nn.utils.clip_grad_norm_(net.parameters(), MAX_GRADIENT)
        # Else this step would spoil all that was learnt before it. A loss that is not finite may have finite gradients.
        if math.isfinite(value := float(loss.detach())) and bool(length.isfinite()):
            optimiser.step()
            taken += 1
        step += 1
        reporter.after(step, share, value)
    if not taken:
        raise _not_finite()
    reporter.end(step)
    return _weights(net)


class _Reporter:
    """Calls `progress` now and then."""

    def __init__(
        self, progress: Callable[[Report], None] | None, net: KeyNet, shown: GuidedFrame, begun: float
    ) -> None:
        self.progress, self.net, self.shown, self.begun = progress, net, shown, begun
        self.due = begun + REPORT_SECONDS
        self.losses: list[float] = []

    def after(self, step: int, share: float, loss: float) -> None:
        """After a step."""
        self.losses.append(loss)
        if time.monotonic() >= self.due:
            self._report(step, share)

    def end(self, step: int) -> None:
        """After the last one."""
        self._report(step, 1.0)

    def _report(self, step: int, share: float) -> None:
        started = time.monotonic()
        if self.progress is not None:
            self.progress(
                Report(
                    step=step,
                    seconds=time.monotonic() - self.begun,
                    share=share,
                    loss=sum(self.losses) / max(1, len(self.losses)),
                    preview=paint_frame(self.net.folded(), self.shown),
                    weights=_weights(self.net),
                )
            )
        ended = time.monotonic()
        self.losses, self.due = [], ended + max(REPORT_SECONDS, (ended - started) / REPORT_SHARE)


def _initial(guides: int, start: Mapping[str, Tensor] | None, seed: int) -> KeyNet:
    if start is not None:
        try:
            net = net_from_weights(start)
        except InputError as error:
            raise StartError(str(error), hint="Learn anew, without them.") from error
        if net.guides != guides:
            raise StartError(
                f"The net to go on from has {net.guides} channels of guides, this shot has {guides}.",
                hint="Learn anew, without it.",
            )
        return net_to_learn(net)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return KeyNet(guides=guides, normed=True)


def _spent(step: int, steps: int | None, begun: float, seconds: float) -> float:
    """The share of the budget that is spent, from 0; at least one step is done."""
    if steps is not None:
        return step / max(1, steps)
    return min(1.0, (time.monotonic() - begun) / max(seconds, 1e-9)) if step else 0.0


def _least_shown(others: Sequence[GuidedFrame]) -> GuidedFrame | None:
    """The frame that keys show least of."""
    return min(others, key=lambda frame: float(frame.confidence.mean()), default=None)


def _weights(net: KeyNet) -> dict[str, Tensor]:
    """The weights of the folded net, float32 on the CPU. Raises InputError if they are not finite."""
    weights = {
        name: value.detach().float().cpu().contiguous().clone() for name, value in net.folded().state_dict().items()
    }
    if not all(bool(value.isfinite().all()) for value in weights.values()):
        raise _not_finite()
    return weights


def _not_finite() -> InputError:
    return InputError(
        "What was learnt of the keys is not finite.",
        hint="Learn again, for a shorter time or on another device; is each key, and the plate, a sound picture?",
    )
