"""Numbers and tables as text, for a terminal and for logs."""

from __future__ import annotations

from collections.abc import Sequence

MAX_LINE_WIDTH = 10_000
"""Characters in a line of a table."""


def format_table(head: Sequence[str], rows: Sequence[Sequence[object]], *, terminal: bool = False) -> str:
    """Format a table of at least one row, words aligned left and numbers aligned right.

    Lines are never cut or wrapped to the width of the terminal, so that paths can be copied.

    Args:
        terminal: bold head with a line under it; otherwise plain text, for logs and `grep`.
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
        grid.add_row(*map(Text, row))  # as Text, so that brackets are not read as markup
    console = Console(width=MAX_LINE_WIDTH, force_terminal=terminal, color_system="standard" if terminal else None)
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def frame_count(frames: int) -> str:
    """Such as "1 frame" or "48 frames"."""
    return "1 frame" if frames == 1 else f"{frames} frames"


def gaps_text(gaps: int) -> str:
    """The number of requested frames that the plate does not have, as the end of a sentence; empty for none."""
    return f"; {gaps} without a plate" if gaps else ""
