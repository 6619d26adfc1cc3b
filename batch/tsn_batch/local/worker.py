"""A worker process: renders chunks of one plan on one device, one after another, as its parent sends them.

It reads JSON lines from stdin, a `WorkerSetup` and then chunks, and answers with JSON lines on what was its stdout.
What libraries print goes to the log of the chunk in hand. When stdin ends, so does the worker: its parent has no more
for it, or is gone.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsn.errors import TsnError
from tsn.io.atomic import write_error
from tsn.rendering.event import Event
from tsn.rendering.output import CACHE_VARIABLE
from tsn_batch import progress
from tsn_batch.process.interrupts import interruptible, raise_interrupt
from tsn_batch.process.memory import keep_freed_pages
from tsn_batch.process.threads import limit_threads
from tsn_batch.render_stats import RenderStats

if TYPE_CHECKING:
    from tsn.rendering.render import Renderer

Send = Callable[..., None]
"""Sends its keyword arguments to the parent, as one JSON line."""


@dataclass(frozen=True, kw_only=True)
class WorkerSetup:
    """The first line that a worker reads.

    Attributes:
        plan: path of the plan's file.
        device: its device; `auto` takes the GPU of the number `place`.
        place: number of this worker, from 0.
        force: render finished frames again.
        exchange_folder, shared, ahead: the arguments of `tsn.rendering.paint_sharing.PaintSharing`.
    """

    plan: str
    device: str
    place: int
    force: bool
    exchange_folder: str
    shared: Sequence[int]
    ahead: Sequence[int]


def main() -> None:
    """Work until stdin ends or SIGTERM arrives."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends the workers in order
    signal.signal(signal.SIGTERM, raise_interrupt)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        lines = _lines(0)
        for first in lines:  # none where the parent ended before it sent anything
            render_chunks(WorkerSetup(**json.loads(first)), lines, send)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(130)  # the interpreter would wait for threads that are of no use any more


def render_chunks(setup: WorkerSetup, lines: Iterator[bytes], send: Send) -> None:
    """Render every chunk that `lines` brings: {"chunk": 3, "log": "/path"}."""
    chunks: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    busy = threading.Event()

    def listen() -> None:
        for line in lines:
            chunks.put(json.loads(line))
        chunks.put(None)
        if busy.is_set():  # the parent was killed
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=listen, daemon=True).start()
    renderer: Renderer | None = None
    while (order := chunks.get()) is not None:
        busy.set()
        index = order["chunk"]
        try:
            with interruptible(), _logged(Path(order["log"])), progress.plain_lines(sys.stdout, RenderStats()) as show:

                def report(event: Event, index: int = index, show: progress.ShowEvent = show) -> None:
                    show(event)
                    send(chunk=index, event=asdict(event))

                if renderer is None:
                    renderer = _renderer(setup)
                renderer.report = report
                renderer.load()
                send(chunk=index, ready=True)
                renderer.render([index], force=setup.force)
                send(chunk=index, done=True)
        except TsnError as error:
            send(chunk=index, failed={"code": error.exit_code, "message": str(error), "hint": error.hint})
        except Exception as error:  # a fault in tsn: another attempt would fail too
            text = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
            send(chunk=index, failed={"code": TsnError.exit_code, "message": text, "hint": None})
        busy.clear()


def _renderer(setup: WorkerSetup) -> Renderer:
    """Load the engine. Everything heavy is imported here."""
    keep_freed_pages()
    import torch

    from tsn.rendering import plan_file
    from tsn.rendering.paint_sharing import PaintSharing
    from tsn.rendering.render import Renderer

    limit_threads()
    device = setup.device
    if device == "auto" and torch.cuda.is_available():
        device = f"cuda:{setup.place % torch.cuda.device_count()}"
    sharing = PaintSharing(folder=Path(setup.exchange_folder), shared=setup.shared, ahead=setup.ahead)
    return Renderer(plan_file.load(Path(setup.plan)), device=device, sharing=sharing)


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Write everything that is printed, by libraries too, and the fault that ends the block, into a log.

    Raises:
        OutputError: the log can't be written.
    """
    try:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError as error:
        raise write_error(path, error, CACHE_VARIABLE) from error
    before = os.dup(1), os.dup(2)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    except TsnError as error:
        print(f"tsn: {error}\n  {error.hint or ''}".rstrip())
        raise
    except Exception:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, saved in zip((1, 2), before, strict=True):
            os.dup2(saved, number)
            os.close(saved)
        os.close(log)


def _lines(file: int) -> Iterator[bytes]:
    """Read lines from a descriptor, without a buffered file: that blocks an interpreter that exits during a read."""
    rest = b""
    while block := os.read(file, 1 << 16):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole


if __name__ == "__main__":
    main()
