"""The files of a training: a checkpoint that survives a kill, a log, curves for TensorBoard, and the weights."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import click
import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from tsn.errors import InputError
from tsn.io.atomic import atomic_write, write_error
from tsn_training.parallel import Process

CHECKPOINT = "checkpoint.pt"


class Stateful(Protocol):
    """Whatever a checkpoint keeps: a net, an optimiser, a gradient scaler, or a part of the training."""

    def state_dict(self) -> dict[str, Any]:
        """Return what is kept."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Take over what was kept."""


class TrainingIdentity:
    """What a training learns, kept in its checkpoint, so that a checkpoint of something else is refused.

    Args:
        facts: what tells this training from another, such as a style's name, its painting and the seed.
    """

    def __init__(self, *facts: str) -> None:
        self.facts = list(facts)

    def state_dict(self) -> dict[str, Any]:
        """Return the facts."""
        return {"facts": self.facts}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Raise ValueError where a checkpoint's facts differ from ours."""
        if state["facts"] != self.facts:
            raise ValueError(f"it learnt {', '.join(state['facts'])}, not {', '.join(self.facts)}")


def save_checkpoint(folder: Path, step: int, parts: dict[str, Stateful]) -> None:
    """Write the checkpoint after a step. A kill or a full disk leaves the previous one. Raises OutputError."""
    buffer = io.BytesIO()  # torch's own writer hides why it failed
    torch.save({name: part.state_dict() for name, part in parts.items()} | {"step": step}, buffer)
    with atomic_write(folder / CHECKPOINT) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(folder: Path, parts: dict[str, Stateful], process: Process) -> int:
    """Load the checkpoint, where there is one, and return the step after which it was written; else return 0.

    All processes load the first one's: only that one writes a checkpoint, and another host need not see its folder.

    Raises:
        InputError: the checkpoint is damaged, or of another net or training.
    """
    path = folder / CHECKPOINT
    content = process.broadcast_from_first(path.read_bytes() if process.is_first and path.exists() else None)
    if content is None:
        return 0
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return int(state["step"])
    except Exception as error:  # a truncated zip, foreign keys and wrong shapes raise as many exception types
        raise InputError(
            f"Cannot go on from {path}: {' '.join(str(error).split())[:200]}.",
            hint="Train into another folder, or with --resume never.",
        ) from error


def write_weights(path: Path, net: nn.Module, facts: Mapping[str, str]) -> None:
    """Write a net's weights as safetensors, in half precision, with metadata to load them by. Raises OSError.

    Args:
        facts: the metadata; its keys are those that tsn reads.
    """
    # Not save_file: it writes files of mode 0600, which nobody else on a farm can read.
    path.write_bytes(to_bytes({k: v.half().contiguous() for k, v in net.state_dict().items()}, metadata=dict(facts)))


class Log:
    """The rows of `log.csv` and the curves of TensorBoard.

    `log.csv` is opened anew for each row, so that a kill loses none. A context manager, because TensorBoard writes from
    a thread of its own, which must end with the training.

    Args:
        start: the step that the run goes on from; rows of later steps, from a run that was killed, are removed.
    """

    def __init__(self, folder: Path, *, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.started = time.monotonic()

        self.path = folder / "log.csv"
        rows = list(csv.reader(self.path.read_text().splitlines())) if self.path.exists() else []
        kept = [row for row in rows[1:] if len(row) == len(rows[0]) and int(row[0]) <= start]
        with atomic_write(self.path) as temporary, temporary.open("w", newline="") as file:
            csv.writer(file).writerows(rows[:1] + kept)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=start)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.board.close()

    def write_losses(self, step: int, parts: Mapping[str, Tensor], *, columns: Sequence[str], prefix: str) -> None:
        """Write a row of losses, and print them in a line.

        Args:
            columns: the names in `log.csv`; a name that is not in `parts` gets nan.
            prefix: the beginning of the printed line, such as "20/1500".
        """
        values = {name: parts[name].item() if name in parts else math.nan for name in columns}
        self.write_row(step, values | {"seconds": time.monotonic() - self.started})
        click.echo(f"{prefix}  " + "  ".join(f"{k} {v.item():.4g}" for k, v in parts.items()))

    def write_row(self, step: int, values: dict[str, float]) -> None:
        """Append a row to `log.csv`, after a header if it is the first, and a point to each curve."""
        try:
            with self.path.open("a", newline="") as file:
                writer = csv.writer(file)
                if file.tell() == 0:
                    writer.writerow(["step", *values])
                writer.writerow([step, *(f"{value:.5g}" for value in values.values())])
        except OSError as error:
            raise write_error(self.path, error) from error
        for name, value in values.items():
            self.board.add_scalar(name, value, step)

    def write_image(self, step: int, image: Tensor) -> None:
        """Write an image (3, H, W) in [0, 1] to TensorBoard, and as a PNG beside the log."""
        from torchvision.utils import save_image

        self.board.add_image("painted", image, step)
        self.board.flush()
        with atomic_write(self.path.with_name(f"step_{step:05d}.png")) as temporary:
            save_image(image, temporary)
