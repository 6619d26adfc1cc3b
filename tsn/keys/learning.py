"""Learn the net of a shot from its keys: `learn`.

Each step paints a few patches. Some are of keys, whose paint is known: absolute differences, features and Gram
matrices of a perceptual net (Texler et al. 2020; Johnson et al. 2016); their carried paint is made worse on purpose
(`doubt`). Others are of frames without a key, above all of places that no key shows: there only the statistics of the
paint are known, by analogy (`analogy`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tsn.errors import UsageError
from tsn.keys.analogy import Pool, analogy_losses, make_pool, nearest
from tsn.keys.doubt import doubt
from tsn.keys.frame import GuidedFrame, Key
from tsn.keys.losses import Perceptual, colour_loss, key_losses
from tsn.keys.net import KeyNet, net_from_weights, net_to_learn
from tsn.keys.painting import paint_frame
from tsn.keys.patches import Patches, centres, counted, cut, join, patch_side, place

LAYERS = ("1_2", "2_2", "3_3")
PATCH_SIDE_PX, KEY_PATCHES, OTHER_PATCHES = 96, 4, 2
"""Patches of a step: those of keys, and those of frames without one."""
POOL_PATCHES = 24
"""Patches of keys whose cells say what paint belongs to a place."""
FIRST_SHARE = 0.1
"""Share of the budget for first steps that only compare colours: for the time of one other step, there are three."""
NEW_EVERY, MAX_LOOKED_UP = 4, 512
"""One of so many patches of the other frames is new, and so many are kept in memory (0.3 MB each)."""
RATE, WARM_UP_STEPS, MAX_GRADIENT = 4e-3, 20, 1.0
"""Adam's step size at its highest, after a warm-up; it falls by a cosine. The norm that a gradient is cut to."""
GONE_ON_RATE = 0.5
"""Share of it where learning goes on from other weights."""
L1_WEIGHT, FEATURES_WEIGHT, GRAM_WEIGHT, ANALOGY_WEIGHT, COLOUR_WEIGHT = 2.0, 1.0, 2.0, 1.0, 1.0
WANTED_EVERYWHERE = 0.15
"""How much a place that keys show is wanted in patches of the other frames, against 1 where none does."""
NOT_NOTHING = 1e-6
"""The same where nothing counts, so that a frame may consist of that."""
REPORT_SECONDS, REPORT_SHARE = 10.0, 0.05
"""Seconds between two reports, and the largest share of the time that they may take: a preview of 4K takes long."""


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
        UsageError: no key is painted anywhere; or `start` is of a net with other guides.
        InputError: `start` is not of such a net.
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
    batches = _Batches(examples, others, perceptual, generator)
    peak = RATE * (1 if start is None or done else GONE_ON_RATE)
    reporter = _Reporter(progress, net, _least_shown(others) or examples[0][0], begun)
    step = 0
    while (share := done + (1 - done) * _spent(step, steps, begun, seconds)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = peak * min(1, (step + 1) / WARM_UP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * share))
        with torch.autocast(device.type, torch.bfloat16, enabled=_fast_bfloat16(device)):
            loss = batches.loss(net) if share > FIRST_SHARE else batches.first_loss(net)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), MAX_GRADIENT)
        optimiser.step()
        step += 1
        reporter.after(step, share, float(loss.detach()))
    reporter.end(step)
    return _weights(net)


class _Batches:
    """Draws the patches of each step, and computes their loss."""

    def __init__(
        self,
        examples: Sequence[tuple[GuidedFrame, Key]],
        others: Sequence[GuidedFrame],
        perceptual: Perceptual,
        generator: torch.Generator,
    ) -> None:
        self.examples, self.others, self.perceptual, self.generator = examples, others, perceptual, generator
        self.side = patch_side([frame for frame, _ in examples] + list(others), PATCH_SIDE_PX)
        self.painted = [centres(counted(frame, key)) for frame, key in examples]
        self.wanted = [
            centres(counted(frame) * (1 - frame.confidence + WANTED_EVERYWHERE) + NOT_NOTHING) for frame in others
        ]
        self.pool = self._pool() if others else None
        self.looked_up: list[tuple[Patches, Tensor]] = []

    @torch.no_grad()
    def _pool(self) -> Pool:
        patches = [self._of_key(align=True) for _ in range(POOL_PATCHES)]
        device = patches[0].picture.device
        with torch.autocast(device.type, torch.bfloat16, enabled=_fast_bfloat16(device)):
            return make_pool(patches, self.perceptual, LAYERS, self.generator)

    def _draw(self, count: int) -> int:
        return int(torch.randint(count, (1,), generator=self.generator))

    def _of_key(self, *, align: bool = False) -> Patches:
        drawn = self._draw(len(self.examples))
        frame, key = self.examples[drawn]
        return cut(frame, key, self._place(frame, self.painted[drawn], align=align), self.side)

    def _place(self, frame: GuidedFrame, cells: Tensor, *, align: bool) -> tuple[int, int]:
        height, width = frame.picture.shape[-2:]
        return place(cells, (height, width), self.side, self.generator, align=align)

    def _of_other(self, pool: Pool) -> tuple[Patches, Tensor]:
        """A patch of another frame and `analogy.nearest` of it; as the looking-up is costly, most come again."""
        if len(self.looked_up) < MAX_LOOKED_UP and (not self.looked_up or self._draw(NEW_EVERY) == 0):
            drawn = self._draw(len(self.others))
            frame = self.others[drawn]
            patch = cut(frame, None, self._place(frame, self.wanted[drawn], align=True), self.side)
            with torch.no_grad():
                self.looked_up.append((patch, nearest(pool, patch.picture, self.perceptual)))
        patch, index = self.looked_up[self._draw(len(self.looked_up))]
        if self._draw(2):  # without any carried paint: all of it is invented
            patch = replace(patch, confidence=torch.zeros_like(patch.confidence))
        return patch, index

    def first_loss(self, net: KeyNet) -> Tensor:
        """The loss of one of the first steps."""
        keys = doubt(join([self._of_key() for _ in range(KEY_PATCHES)]), self.generator)
        painted = net(keys.picture, keys.guides, keys.carried, keys.confidence)
        return L1_WEIGHT * colour_loss(painted, keys.target, keys.weight, torch.ones_like(keys.confidence))

    def loss(self, net: KeyNet) -> Tensor:
        """The loss of a step after them."""
        keys = doubt(join([self._of_key() for _ in range(KEY_PATCHES)]), self.generator)
        others = [] if self.pool is None else [self._of_other(self.pool) for _ in range(OTHER_PATCHES)]
        batch = join([keys, *(patch for patch, _ in others)])
        painted = net(batch.picture, batch.guides, batch.carried, batch.confidence)
        maps = self.perceptual(painted, last=LAYERS[-1])
        with torch.no_grad():
            target = self.perceptual(keys.target, last=LAYERS[-1])
        ours = {layer: maps[layer][:KEY_PATCHES] for layer in LAYERS}
        features, grams = key_losses(ours, target, keys.weight, LAYERS)
        loss = FEATURES_WEIGHT * features + GRAM_WEIGHT * grams
        loss = loss + L1_WEIGHT * colour_loss(painted[:KEY_PATCHES], keys.target, keys.weight, keys.confidence)
        if self.pool is not None:
            index = torch.cat([one for _, one in others])
            rest = {layer: maps[layer][KEY_PATCHES:] for layer in LAYERS}
            texture, colour = analogy_losses(painted[KEY_PATCHES:], rest, self.pool, index, LAYERS)
            loss = loss + ANALOGY_WEIGHT * texture + COLOUR_WEIGHT * colour
        return loss


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
        net = net_from_weights(start)
        if net.guides != guides:
            raise UsageError(
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
    return {
        name: value.detach().float().cpu().contiguous().clone() for name, value in net.folded().state_dict().items()
    }


def _fast_bfloat16(device: torch.device) -> bool:
    """Whether products of bfloat16 are faster than of float32: on CUDA, and on CPUs that have instructions for them."""
    return device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_avx512_bf16_supported())
