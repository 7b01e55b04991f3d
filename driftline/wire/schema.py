"""The hunting tables as Arrow schemas, derived from their records."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from driftline.events import TABLES, Table

__all__ = ["DYNAMIC", "SCHEMAS", "TABLE_KEY"]

TABLE_KEY = b"table"
"""The key of a stream's schema metadata under which its table's name stands."""

_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "long": pa.int64(),
    "real": pa.float64(),
    "bool": pa.bool_(),
    "datetime": pa.timestamp("us", tz="UTC"),
    "dynamic": pa.string(),
}


def _schema(table: Table) -> pa.Schema:
    fields = [(column.name, _TYPES[column.type]) for column in table.columns]
    return pa.schema(fields, metadata={TABLE_KEY: table.name.encode()})


SCHEMAS: Mapping[str, pa.Schema] = {name: _schema(table) for name, table in TABLES.items()}
"""Arrow schema of each hunting table; dynamic columns are JSON text."""

DYNAMIC: Mapping[str, tuple[str, ...]] = {
    name: tuple(column.name for column in table.columns if column.type == "dynamic") for name, table in TABLES.items()
}
"""The dynamic columns of each table."""
