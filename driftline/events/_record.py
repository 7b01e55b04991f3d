"""Base class of hunting-table records, and the derivation of a table's columns from its record.

A record is a frozen ``msgspec.Struct`` whose field names are the column names in the table's order. The
store's schema, the KQL schema and the reference page are derived from ``columns(record)``, so that every
column is defined once.
"""

from __future__ import annotations

import datetime
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

__all__ = ["Column", "Dynamic", "Record", "columns", "doc"]

Dynamic = Mapping[str, Any]
"""A Kusto ``dynamic`` property bag: a JSON object."""

# https://learn.microsoft.com/kusto/query/scalar-data-types
KUSTO_TYPES: dict[Any, str] = {
    str: "string",
    int: "long",
    float: "real",
    bool: "bool",
    datetime.datetime: "datetime",
    Dynamic: "dynamic",
}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base class of the hunting tables' records.

    Times are aware, UTC. An unknown or inapplicable value is an empty text (Kusto has no null string), an
    empty property bag or, for all other types, ``None``.
    """


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a hunting table."""

    name: str
    """Name as in queries."""
    type: str
    """Kusto type: ``string``, ``long``, ``real``, ``bool``, ``datetime`` or ``dynamic``."""
    description: str
    """Meaning, for the reference page."""


def doc(text: str) -> Any:
    """Return metadata with a column's description, for its annotation.

    For example ``NodeName: Annotated[str, doc("Name of the node")]``.
    """
    return msgspec.Meta(description=text)


def columns(record: type[Record]) -> tuple[Column, ...]:
    """Return the columns of a record in the table's order."""
    hints = typing.get_type_hints(record, include_extras=True)
    return tuple(_column(field.name, hints[field.name]) for field in msgspec.structs.fields(record))


# Optional columns are annotated as "T | None"; their Kusto type is that of T, because every Kusto type but
# string is nullable (https://learn.microsoft.com/kusto/query/scalar-data-types/null-values).
def _column(name: str, hint: Any) -> Column:
    description = ""
    if typing.get_origin(hint) is Annotated:
        hint, meta = typing.get_args(hint)
        description = meta.description
    inner = [arg for arg in typing.get_args(hint) if arg is not type(None)]
    plain = hint if hint in KUSTO_TYPES else inner[0]
    return Column(name, KUSTO_TYPES[plain], description)
