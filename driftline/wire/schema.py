"""Arrow schemas of the hunting tables, derived from the records in ``driftline.events``."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from driftline.events import TABLES, Table

__all__ = ["DYNAMIC", "SCHEMAS", "TABLE_KEY"]

TABLE_KEY = b"table"
"""Key of a stream's schema metadata whose value is the name of the table."""

# Kusto type of a column → Arrow type. Times have microseconds, UTC, as in the store's Parquet files.
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
"""Arrow schema of each hunting table, by name; dynamic columns hold JSON text."""

DYNAMIC: Mapping[str, tuple[str, ...]] = {
    name: tuple(column.name for column in table.columns if column.type == "dynamic") for name, table in TABLES.items()
}
"""Names of the dynamic columns of each table."""
