"""Where what a shot's keys taught is kept: finished nets, an unfinished one, and the last, from which the next begins.

They lie in `keys/` beside the shot file, and not in the cache: a net that is learnt once more paints other frames, so
clearing the cache must not lose it. Where that folder can't be written they lie in the cache after all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tsn import io
from tsn.errors import InputError, OutputError
from tsn.keys.learning import Report
from tsn.rendering.output import cache_folder
from tsn.shot.model import Shot
from tsn.style.painter import Calibration

FOLDER = "keys"
SHARE = "share"
"""The name of a tensor in an unfinished net: how much of the time it has used, in [0, 1)."""
SAVE_EVERY_S = 30.0
DIGITS = 16
"""Hexadecimal digits of a hash in a file's name."""


class LearntStore:
    """The files of one shot.

    Args:
        key: hash of everything that the net is made of.
        shot_key: hash of what all nets of the shot have in common.
        note: called where nothing can be kept.
    """

    def __init__(self, shot: Shot, *, key: str, shot_key: str, note: Callable[[str], None]) -> None:
        self._folders = (shot.file.parent / FOLDER, cache_folder() / "learnt")
        self._writable = next(filter(_can_be_written, self._folders), None)
        self._note, self._saved_at = note, time.monotonic()
        stem = shot.file.stem
        self._finished = f"{stem}.{key[:DIGITS]}.safetensors"
        self._unfinished = f"{stem}.{key[:DIGITS]}.unfinished.safetensors"
        self._last = f"{stem}.{shot_key[:DIGITS]}.last.safetensors"
        self.picture = (self._writable or self._folders[1]) / f"{stem}.learning.png"
        """Shows how far the learning is."""

    def finished(self) -> Calibration | None:
        """The net, if it was learnt before."""
        return self._load(self._finished)

    def unfinished(self) -> tuple[Calibration, float] | None:
        """What a learning that was stopped had learnt, and the share of the time that it had used."""
        found = self._load(self._unfinished)
        return None if found is None else (found, float(found.tensors[SHARE]))

    def last(self) -> Calibration | None:
        """The last net of the shot, whatever keys it learnt."""
        return self._load(self._last)

    def watch(self, report: Report, learnt: Callable[[], Calibration]) -> None:
        """Show how far the learning is, and now and then keep what is learnt so far."""
        with_note = self._keeping
        with_note(lambda folder: io.write_png(self.picture, report.preview.permute(1, 2, 0).cpu().numpy()))
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self._saved_at = time.monotonic()
            self.stop(report, learnt())

    def stop(self, report: Report, learnt: Calibration) -> None:
        """Keep what is learnt so far, to go on from."""
        tensors = {**learnt.tensors, SHARE: torch.tensor(report.share)}
        begun = Calibration(painter_fingerprint=learnt.painter_fingerprint, tensors=tensors)
        self._keeping(lambda folder: begun.save(folder / self._unfinished))

    def keep(self, learnt: Calibration) -> Calibration:
        """Keep a net. Where another process has learnt the same meanwhile, its net is returned: one paints all."""
        if (others := self.finished()) is not None:
            return others

        def save(folder: Path) -> None:
            learnt.save(folder / self._finished)
            learnt.save(folder / self._last)
            (folder / self._unfinished).unlink(missing_ok=True)
            self.picture.unlink(missing_ok=True)

        self._keeping(save)
        return learnt

    def forget(self) -> None:
        """Remove the net of these keys, finished or not, and the last."""
        for folder in self._folders:
            for name in (self._finished, self._unfinished, self._last):
                (folder / name).unlink(missing_ok=True)

    def _keeping(self, write: Callable[[Path], None]) -> None:
        if self._writable is None:
            self._fail(f"neither {self._folders[0]} nor {self._folders[1]} can be written")
            return
        try:
            self._writable.mkdir(parents=True, exist_ok=True)
            write(self._writable)
        except (OSError, OutputError) as error:
            self._fail(str(error))

    def _fail(self, why: str) -> None:
        self._note(f"What is learnt can't be kept ({why}): the next render learns again, and paints all frames anew.")
        self._note = lambda text: None

    def _load(self, name: str) -> Calibration | None:
        for path in (folder / name for folder in self._folders):
            if path.exists():
                try:
                    return Calibration.load(path)
                except InputError:
                    self._note(f"{path} is damaged; learning again.")
        return None


def _can_be_written(folder: Path) -> bool:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
