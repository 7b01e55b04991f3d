"""What may be asked of the store: one table, filters, an order, a limit. Never SQL text.

A query crosses a socket between processes, so it is data that is checked against the tables;
its values are bound as parameters.
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

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains"]
Value = str | int | float | list[str]
"""Times are ISO 8601 text."""


class Filter(msgspec.Struct, frozen=True):
    """One condition on a column, or on a property of a dynamic one (``AdditionalFields.Pod``)."""

    column: str
    operator: Operator
    value: Value


class RowQuery(msgspec.Struct, frozen=True, kw_only=True, tag="query"):
    """Rows of one table that satisfy all filters.

    ``order`` is a column, with ``-`` before it for descending; ``limit`` counts rows.
    """

    table: str
    where: Sequence[Filter] = ()
    order: str = "-Timestamp"
    limit: int = 1000


_OPERATORS: dict[str, Callable[[str], str]] = {
    "in": lambda column: f"list_contains(?, {column})",
    "contains": lambda column: f"contains(lower({column}), lower(?))",
}


def compile_row_query(query: RowQuery, source: str) -> tuple[str, list[Any]]:
    """Give the SQL over ``source`` (already SQL) and its parameters; raises ``InvalidInput``."""
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
