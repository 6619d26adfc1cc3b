"""Paint that two workers of one machine need, painted by one of them.

Where the frames of one worker end and those of the next begin, both need the paint of the same frames, since the
temporal window reaches over the border. Whoever comes first leaves it in a folder, and the other one takes it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from tsn.errors import InputError, OutputError
from tsn.io import tensors
from tsn.style.base import Painter, digest

log = logging.getLogger(__name__)


class Handover:
    """Another painter, which exchanges the paint of some frames with another process, bit for bit.

    What is taken is gone: the folder holds no more than waits for its second worker. A folder that can't be written
    and a damaged file cost time, not the render. For painters on the CPU, where painting costs more than a file.

    Args:
        inner: the painter.
        folder: on this machine, since between processors only closeness can be promised.
        numbers: the frames.
    """

    def __init__(self, inner: Painter, folder: Path, numbers: Collection[int]) -> None:
        self.inner, self.folder, self.numbers = inner, folder, frozenset(numbers)
        self.name, self.fingerprint = inner.name, inner.fingerprint

    def paint(self, image: Tensor, number: int) -> Tensor:
        """See `Painter.paint`."""
        if number not in self.numbers:
            return self.inner.paint(image, number)
        path = self.folder / f"{self._key(image, number)}.safetensors"
        paint = _take(path, image)
        if paint is None:
            paint = self.inner.paint(image, number)
            self._leave(path, paint)
        return paint

    def _key(self, image: Tensor, number: int) -> str:
        """Of all that the paint depends on: a plate frame may be rendered again while its shot is painted."""
        return digest(self.fingerprint, str(number), str(image.shape), image.numpy().tobytes())

    def _leave(self, path: Path, paint: Tensor) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tensors.write(path, "paint", paint)
        except (OSError, OutputError) as error:
            self.numbers = frozenset()
            log.warning("paint is not handed over from here on, the render goes on without it: %s", error)


def _take(path: Path, image: Tensor) -> Tensor | None:
    try:
        paint = tensors.read(path, "paint", image.shape)
    except InputError as error:
        log.warning("%s, painted again", error)
        return None
    if paint is not None:
        with suppress(OSError):
            path.unlink()
    return paint
