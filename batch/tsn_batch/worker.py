"""A worker process: renders chunks of one plan on one device, one after another, as its parent hands them out.

It reads JSON lines from stdin, a `Job` and then chunks, and answers with JSON lines on what was its stdout. What
libraries print goes to the log of the chunk in hand. When stdin ends, so does the worker: its parent has no more
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
from tsn_batch.guard import interrupt, interruptible
from tsn_batch.memory import keep_freed_pages
from tsn_batch.threads import keep_to_threads

if TYPE_CHECKING:
    from tsn.rendering.render import Renderer

Say = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is started with.

    Attributes:
        plan: its file.
        place: which worker this is, from 0; `auto` takes the GPU of that number.
        handover, shared, ahead: as `tsn.rendering.paint_sharing.PaintSharing` has them.
    """

    plan: str
    device: str
    place: int
    force: bool
    handover: str
    shared: Sequence[int]
    ahead: Sequence[int]


def main() -> None:
    """Until stdin ends or SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us in order
    signal.signal(signal.SIGTERM, interrupt)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        lines = _lines(0)
        for first in lines:  # none where the parent ended before it said anything
            work(Job(**json.loads(first)), lines, say)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(130)  # the interpreter would wait for threads that nobody needs any more


def work(job: Job, lines: Iterator[bytes], say: Say) -> None:
    """Render every chunk that `lines` brings: {"chunk": 3, "log": "/path"}."""
    chunks: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    busy = threading.Event()

    def listen() -> None:
        for line in lines:
            chunks.put(json.loads(line))
        chunks.put(None)
        if busy.is_set():  # the parent was killed: nobody waits for this chunk
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=listen, daemon=True).start()
    renderer: Renderer | None = None
    while (order := chunks.get()) is not None:
        busy.set()
        index = order["chunk"]
        try:
            with interruptible(), _logged(Path(order["log"])), progress.plain(sys.stdout, progress.Tally()) as show:

                def report(event: Event, index: int = index, show: progress.Show = show) -> None:
                    show(event)
                    say(chunk=index, event=asdict(event))

                if renderer is None:
                    renderer = _renderer(job)
                renderer.report = report
                renderer.load()
                say(chunk=index, ready=True)
                renderer.render([index], force=job.force)
                say(chunk=index, done=True)
        except TsnError as error:
            say(chunk=index, failed={"code": error.exit_code, "message": str(error), "hint": error.hint})
        except Exception as error:  # a fault in tsn: a second try would meet it too
            text = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
            say(chunk=index, failed={"code": TsnError.exit_code, "message": text, "hint": None})
        busy.clear()


def _renderer(job: Job) -> Renderer:
    """Everything heavy is imported here."""
    keep_freed_pages()
    import torch

    from tsn.rendering import plan_file
    from tsn.rendering.paint_sharing import PaintSharing
    from tsn.rendering.render import Renderer

    keep_to_threads()
    device = job.device
    if device == "auto" and torch.cuda.is_available():
        device = f"cuda:{job.place % torch.cuda.device_count()}"
    exchange = PaintSharing(folder=Path(job.handover), shared=job.shared, ahead=job.ahead)
    return Renderer(plan_file.load(Path(job.plan)), device=device, exchange=exchange)


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Everything that is printed, by libraries too, goes into the log, and so does what ends the block.

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
    """Lines from a file descriptor. Python's own buffers would lock up an interpreter that ends while one is read."""
    rest = b""
    while block := os.read(file, 1 << 16):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole


if __name__ == "__main__":
    main()
