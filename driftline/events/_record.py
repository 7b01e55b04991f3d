"""What every hunting-table record shares, and how a table's schema follows from it.

A record is a frozen ``msgspec.Struct`` whose field names are the table's column names in
order. Everything else (the store's schema, the KQL schema, the reference page) is derived
from ``columns(record)``, so a column exists in one place.
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
"""A Kusto ``dynamic`` property bag: what JSON objects can hold."""

KUSTO_TYPES: dict[Any, str] = {
    str: "string",
    int: "long",
    float: "real",
    bool: "bool",
    datetime.datetime: "datetime",
    Dynamic: "dynamic",
}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Be the base of the hunting tables' records. Times are UTC and aware."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, Kusto type (``string``, ``long``, ``datetime`` …) and meaning."""

    name: str
    type: str
    description: str


def doc(text: str) -> Any:
    """Attach a column's meaning to its annotation."""
    return msgspec.Meta(description=text)


def columns(record: type[Record]) -> tuple[Column, ...]:
    """List the columns of a record in the table's order."""
    hints = typing.get_type_hints(record, include_extras=True)
    return tuple(_column(field.name, hints[field.name]) for field in msgspec.structs.fields(record))


def _column(name: str, hint: Any) -> Column:
    description = ""
    if typing.get_origin(hint) is Annotated:
        hint, meta = typing.get_args(hint)
        description = meta.description
    inner = [arg for arg in typing.get_args(hint) if arg is not type(None)]
    plain = hint if hint in KUSTO_TYPES else inner[0]
    return Column(name, KUSTO_TYPES[plain], description)
