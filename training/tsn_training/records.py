"""What a training leaves on disk: checkpoints that survive a kill, a log, and curves for TensorBoard."""

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
from tsn_training.parallel import Place

CHECKPOINT = "checkpoint.pt"


class Stateful(Protocol):
    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


class Subject:
    """What a training learns, kept in its checkpoint: one of something else is not gone on from.

    Args:
        facts: whatever tells it from another, such as a style's name and its painting.
    """

    def __init__(self, *facts: str) -> None:
        self.facts = list(facts)

    def state_dict(self) -> dict[str, Any]:
        return {"facts": self.facts}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        if state["facts"] != self.facts:
            raise ValueError(f"it learnt {', '.join(state['facts'])}, not {', '.join(self.facts)}")


def save(folder: Path, step: int, parts: dict[str, Stateful]) -> None:
    """Write the checkpoint; a kill or a full disk leaves the one before. Raises OutputError."""
    buffer = io.BytesIO()  # torch's own writer hides why it failed
    torch.save({name: part.state_dict() for name, part in parts.items()} | {"step": step}, buffer)
    with atomic_write(folder / CHECKPOINT) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def resume(folder: Path, parts: dict[str, Stateful], here: Place) -> int:
    """Load the checkpoint in the first process's `folder`, if there is one; the step it was written after, or 0.

    Only the first process writes one, and another host need not see its folder: it would start from the beginning.

    Raises:
        InputError: it is damaged, or of another net.
    """
    path = folder / CHECKPOINT
    content = here.of_first(path.read_bytes() if here.first and path.exists() else None)
    if content is None:
        return 0
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return int(state["step"])
    except Exception as error:  # a truncated zip, foreign keys and wrong shapes are as many exception types
        raise InputError(
            f"Cannot go on from {path}: {' '.join(str(error).split())[:200]}.",
            hint="Train into another folder, or with --resume never.",
        ) from error


def write_weights(path: Path, net: nn.Module, facts: Mapping[str, str]) -> None:
    """Write a net's weights in half precision, with what tsn must know to load them. Raises OSError."""
    # not save_file, which writes files that nobody else on a farm can read (mode 0600)
    path.write_bytes(to_bytes({k: v.half().contiguous() for k, v in net.state_dict().items()}, metadata=dict(facts)))


class Log:
    """Rows of numbers into `log.csv`, opened a row at a time so that a kill loses none, and into TensorBoard.

    A context manager: TensorBoard writes from a thread of its own, which must end with the training.

    Args:
        start: the step that the run goes on from; what a killed run logged after it goes.
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

    def losses(self, step: int, parts: Mapping[str, Tensor], *, columns: Sequence[str], said: str) -> None:
        """A row of losses, empty (nan) where a column has none at this step, and a line for whoever watches.

        Args:
            said: what begins the line, such as "20/1500".
        """
        values = {name: parts[name].item() if name in parts else math.nan for name in columns}
        self.numbers(step, values | {"seconds": time.monotonic() - self.started})
        click.echo(f"{said}  " + "  ".join(f"{k} {v.item():.4g}" for k, v in parts.items()))

    def numbers(self, step: int, values: dict[str, float]) -> None:
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

    def picture(self, step: int, image: Tensor) -> None:
        """(3, H, W) in [0, 1]: into TensorBoard, and as a PNG beside the log."""
        from torchvision.utils import save_image

        self.board.add_image("painted", image, step)
        self.board.flush()
        with atomic_write(self.path.with_name(f"step_{step:05d}.png")) as temporary:
            save_image(image, temporary)
