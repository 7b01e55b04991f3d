"""``driftline store``: size, integrity, backup and restore of an event store."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from cyclopts import App
from rich.filesize import decimal
from rich.table import Table

from driftline.cli._shared.options import DEFAULT_STORE, ObjectOutput, Store
from driftline.cli._shared.tables import print_table
from driftline.private_files import keep_private
from driftline.store.files import backup as backups
from driftline.store.process.reader import open_reader
from driftline.store.query.messages import TableStatistics

app = App(name="store")


@app.command
def stats(*, store: Store = DEFAULT_STORE, output: ObjectOutput = "table") -> None:
    """Show the number of rows by table: hot in the database, cold in Parquet files, with their size."""
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
    print_table(table)


def _cells(counts: TableStatistics) -> list[str]:
    each = f"{counts.bytes / counts.cold_rows:.1f} B" if counts.cold_rows else ""
    numbers = (f"{number:,}" for number in (counts.rows, counts.hot_rows, counts.cold_rows, counts.files))
    return [*numbers, decimal(counts.bytes), each, counts.first_day]


@app.command
def check(*, store: Store = DEFAULT_STORE) -> None:
    """Read every row and file of a store and print all errors; exits 1 if there are any."""
    with open_reader(store) as reader:
        problems = reader.check()
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print(f"{store}: all rows and files can be read")


@app.command
def backup(destination: Path, *, store: Store = DEFAULT_STORE) -> None:
    """Copy a store; it may be written to meanwhile.

    Parameters
    ----------
    destination
        Directory of the copy, which must not exist yet.
    """
    keep_private()
    with open_reader(store) as reader:
        size = reader.backup(destination)
    print(f"{destination}: {decimal(size)}")


@app.command
def restore(source: Path, *, store: Store = DEFAULT_STORE) -> None:
    """Create a store from a backup; existing files are never overwritten.

    Parameters
    ----------
    source
        Directory that `driftline store backup` wrote.
    store
        Directory of the new event store, which must be empty or not exist.
    """
    keep_private()
    size = backups.restore(source, store)
    print(f"{store}: {decimal(size)}")
