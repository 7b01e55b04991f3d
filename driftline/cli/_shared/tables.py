"""Tables on standard output: as wide as the terminal, and in a pipe as wide as their content."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table
from rich.tree import Tree

__all__ = ["print_table"]

# Rich takes 80 columns for a pipe and cuts what does not fit, although the reader is a program.
_UNLIMITED = 1_000_000


def print_table(table: Table | Tree) -> None:
    """Print a table or a tree; a cell that is too wide for the terminal goes on in the next line and is never cut."""
    for column in table.columns if isinstance(table, Table) else ():
        column.overflow = "fold"
    console = Console() if sys.stdout.isatty() else Console(width=_UNLIMITED)
    console.print(table, markup=False)
