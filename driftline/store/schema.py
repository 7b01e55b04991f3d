"""The hunting tables as DuckDB keeps them; derived from the records, column by column."""

from __future__ import annotations

from driftline.events import TABLES, Column

__all__ = ["COLUMN_TYPES", "create_statement", "quoted"]

COLUMN_TYPES = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "real": "DOUBLE",
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMPTZ",
    "dynamic": "JSON",
}


def quoted(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def create_statement(table: str) -> str:
    """Give the statement that makes a table unless it is there."""
    columns = ", ".join(_definition(column) for column in TABLES[table].columns)
    return f"CREATE TABLE IF NOT EXISTS {quoted(table)} ({columns})"


def _definition(column: Column) -> str:
    return f"{quoted(column.name)} {COLUMN_TYPES[column.type]}"
