"""What the net of a shot is shown at each step of its learning, and the loss of what it paints: `Batches`.

Some patches are of keys, whose paint is known: absolute differences, features and Gram matrices of a perceptual net
(Texler et al. 2020; Johnson et al. 2016); their carried paint is made worse on purpose (`doubt`). Others are of frames
without a key, above all of places that no key shows: there only the statistics of the paint are known, by analogy
(`analogy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from tsn.keys.analogy import Pool, analogy_losses, make_pool, nearest
from tsn.keys.doubt import doubt
from tsn.keys.frame import GuidedFrame, Key
from tsn.keys.losses import Perceptual, colour_loss, key_losses
from tsn.keys.net import KeyNet
from tsn.keys.patches import Patches, centres, counted, cut, join, patch_side, place

LAYERS = ("1_2", "2_2", "3_3")
PATCH_SIDE_PX, KEY_PATCHES, OTHER_PATCHES = 96, 4, 2
"""Patches of a step: those of keys, and those of frames without one."""
POOL_PATCHES = 24
"""Patches of keys whose cells say what paint belongs to a place."""
NEW_EVERY, MAX_LOOKED_UP = 4, 512
"""One of so many patches of the other frames is new, and so many are kept in memory (0.3 MB each)."""
L1_WEIGHT, FEATURES_WEIGHT, GRAM_WEIGHT, ANALOGY_WEIGHT, COLOUR_WEIGHT = 2.0, 1.0, 2.0, 1.0, 1.0
WANTED_EVERYWHERE = 0.15
"""How much a place that keys show is wanted in patches of the other frames, against 1 where none does."""
NOT_NOTHING = 1e-6
"""The same where nothing counts, so that a frame may consist of that."""


class Batches:
    """Draws the patches of each step, and computes their loss.

    Raises:
        InputError: a frame is too small to learn from.
    """

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
    def _pool(self) -> Pool | None:
        patches = [self._of_key(align=True) for _ in range(POOL_PATCHES)]
        device = patches[0].picture.device
        with torch.autocast(device.type, torch.bfloat16, enabled=fast_bfloat16(device)):
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


def fast_bfloat16(device: torch.device) -> bool:
    """Whether products of bfloat16 are faster than of float32: on CUDA, and on CPUs that have instructions for them."""
    return device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_avx512_bf16_supported())
