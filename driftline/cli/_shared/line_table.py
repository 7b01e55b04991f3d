"""Tables that keep a row a line when they are piped, so that grep finds whole paths."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["print_table"]

_ALIGNED_MAX = 60
"""Width in characters up to which the cells of a piped column are aligned."""


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Print rows of cells below headings: on a terminal folded to its width, otherwise each in one line.

    Cells must not contain control characters (``printable``).
    """
    if sys.stdout.isatty():
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*row)
        Console(highlight=False).print(table)
        return
    lines = [headings, *([cell.plain for cell in row] for row in rows)]
    widths = [min(_ALIGNED_MAX, max(map(len, column))) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
