"""``driftline store``: how much there is, whether it is whole, copies of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import msgspec
from cyclopts import App
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from driftline.cli._shared.store_rows import DEFAULT_STORE, Store
from driftline.store.files import backup as backups
from driftline.store.process.reader import open_reader
from driftline.store.query.messages import TableStatistics

app = App(name="store", help="Back up, restore, check and measure an event store.")


@app.command
def stats(*, store: Store = DEFAULT_STORE, output: Literal["table", "json"] = "table") -> None:
    """Show how many rows each table has, and where they lie.

    Parameters
    ----------
    store
        Directory of the event store.
    output
        For people, or JSON.
    """
    with open_reader(store) as reader:
        found = reader.statistics()
    if output == "json":
        print(msgspec.json.encode(found).decode())
        return
    table = Table("table", "rows", "hot", "cold", "files", "cold bytes", "a row", "since", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, counts in found.items():
        table.add_row(name, *_cells(counts))
    Console().print(table)


def _cells(counts: TableStatistics) -> list[str]:
    each = f"{counts.bytes / counts.cold_rows:.1f} B" if counts.cold_rows else ""
    numbers = (f"{number:,}" for number in (counts.rows, counts.hot_rows, counts.cold_rows, counts.files))
    return [*numbers, decimal(counts.bytes), each, counts.first_day]


@app.command
def check(*, store: Store = DEFAULT_STORE) -> None:
    """Read every row and file; exits 1 if something is wrong.

    Parameters
    ----------
    store
        Directory of the event store.
    """
    with open_reader(store) as reader:
        problems = reader.check()
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print(f"{store}: all rows and files can be read")


@app.command
def backup(destination: Path, *, store: Store = DEFAULT_STORE) -> None:
    """Copy a store, while it is written to.

    Parameters
    ----------
    destination
        A directory that is not there yet.
    store
        Directory of the event store.
    """
    with open_reader(store) as reader:
        size = reader.backup(destination)
    print(f"{destination}: {decimal(size)}")


@app.command
def restore(source: Path, *, store: Store = DEFAULT_STORE) -> None:
    """Make a store of a backup; nothing is overwritten.

    Parameters
    ----------
    source
        Directory that ``driftline store backup`` made.
    store
        Directory of the new event store: empty, or not there.
    """
    size = backups.restore(source, store)
    print(f"{store}: {decimal(size)}")
