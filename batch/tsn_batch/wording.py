"""Numbers and tables as text, for a terminal and for logs."""

from __future__ import annotations

from collections.abc import Sequence

WIDEST = 10_000
"""Characters of a table's line."""


def format_table(head: Sequence[str], rows: Sequence[Sequence[object]], *, terminal: bool = False) -> str:
    """At least one row; columns as wide as they need to be, words to the left and numbers to the right.

    Args:
        terminal: with a line under the head, in bold; else plain, for logs and `grep`. Never cut or wrapped to the
            width of the window: the paths of logs are there to be copied.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False, show_edge=False)
    cells = [[str(cell) for cell in row] for row in rows]
    for name, column in zip(head, zip(*cells, strict=True), strict=True):
        numbers = all(cell[:1].isdigit() or cell == "" for cell in column)
        grid.add_column(name, justify="right" if numbers else "left", no_wrap=True)
    for row in cells:
        grid.add_row(*map(Text, row))  # brackets are no markup
    console = Console(width=WIDEST, force_terminal=terminal, color_system="standard" if terminal else None)
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def frame_count(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"


def gaps_text(gaps: int) -> str:
    """What follows a number of frames that there are, where some that were asked for can't be."""
    return f"; {gaps} without a plate" if gaps else ""
