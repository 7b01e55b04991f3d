"""The hunting tables as DuckDB stores them; derived from the records, column by column."""

from __future__ import annotations

from driftline.events import TABLES, Column

__all__ = ["COLUMN_TYPES", "HOT", "create_statement", "quoted"]

HOT = "hot.duckdb"
"""Name of the database file in a store's directory."""
COLUMN_TYPES = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "real": "DOUBLE",
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMPTZ",
    "dynamic": "JSON",
}
"""DuckDB's type of each column type of a record (``events.Column.type``); datetimes are UTC."""


def quoted(name: str) -> str:
    """Return a name as an SQL identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def create_statement(table: str) -> str:
    """Return the statement that creates a hunting table unless it exists.

    Raises ``KeyError`` for a name that is no hunting table.
    """
    columns = ", ".join(_definition(column) for column in TABLES[table].columns)
    return f"CREATE TABLE IF NOT EXISTS {quoted(table)} ({columns})"


def _definition(column: Column) -> str:
    return f"{quoted(column.name)} {COLUMN_TYPES[column.type]}"
