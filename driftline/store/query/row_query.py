"""Row queries: one table, filters, an order, a limit; never SQL text.

A row query crosses a socket between processes. So it is data that is checked against the tables'
columns, and its values are bound as parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from driftline.errors import InvalidInput
from driftline.events import TABLES
from driftline.store.schema import quoted

__all__ = ["MAX_ROWS", "Filter", "RowQuery", "compile_row_query"]

MAX_ROWS = 1_000_000
"""Most rows that one query returns."""

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains"]
Value = str | int | float | list[str]
"""A value to compare with; times are ISO 8601 text."""


class Filter(msgspec.Struct, frozen=True):
    """A condition on a column."""

    column: str
    """Name of a column, or of a property of a dynamic column (``AdditionalFields.Pod``)."""
    operator: Operator
    """Comparison; ``in`` takes a list of texts, ``contains`` ignores case."""
    value: Value
    """Value to compare with."""


class RowQuery(msgspec.Struct, frozen=True, kw_only=True, tag="query"):
    """A request for the rows of one table that satisfy all filters."""

    table: str
    """Name of a hunting table."""
    where: Sequence[Filter] = ()
    """Filters, all of which a row must satisfy."""
    order: str = "-Timestamp"
    """Column to sort by, with ``-`` before it for descending."""
    limit: int = 1000
    """Most rows to return; at most ``MAX_ROWS``."""


_OPERATORS: dict[str, Callable[[str], str]] = {
    # A subquery, which DuckDB joins by hashing; list_contains would compare each row with each item of the list.
    "in": lambda column: f"{column} IN (SELECT unnest(?))",
    "contains": lambda column: f"contains(lower({column}), lower(?))",
}


def compile_row_query(query: RowQuery, source: str) -> tuple[str, list[Any]]:
    """Return the SQL of a row query and the parameters to bind.

    ``source`` is the table's relation, already SQL. Raises ``InvalidInput`` for a table, column or
    property name that is not allowed.
    """
    table = TABLES.get(query.table)
    if table is None:
        raise InvalidInput(f"no table {query.table!r}; expected one of {', '.join(TABLES)}")
    names = [column.name for column in table.columns]
    conditions = [_condition(item, names) for item in query.where]
    order, direction = query.order.removeprefix("-"), "DESC" if query.order.startswith("-") else "ASC"
    _check_column(order, names)
    columns = ", ".join(quoted(name) for name in names)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    limit = max(0, min(query.limit, MAX_ROWS))
    sql = f"SELECT {columns} FROM {source}{where} ORDER BY {quoted(order)} {direction} LIMIT {limit}"  # noqa: S608 (names are checked, values bound)
    return sql, [item.value for item in query.where]


# Names cannot be bound as parameters: columns are checked against the table, property names must be identifiers.
def _condition(item: Filter, names: Sequence[str]) -> str:
    name, _, key = item.column.partition(".")
    _check_column(name, names)
    column = quoted(name)
    if key:
        if not key.isidentifier():
            raise InvalidInput(f"no property {key!r}; expected a name of letters, digits and _")
        column = f"json_extract_string({column}, '$.{key}')"
    special = _OPERATORS.get(item.operator)
    return special(column) if special else f"{column} {item.operator} ?"


def _check_column(name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise InvalidInput(f"no column {name!r}; expected one of {', '.join(names)}")
