"""One row per function: name, parameters, result, SQL for each engine, a line for the reference.

SQL is a template, parsed by sqlglot when first used: ``_0``, ``_1`` … stand for the
arguments' expression trees, ``_all`` (or ``_rest``: all but the first) for a list of them. A
mapping chooses a template by the first argument's Kusto type. An engine without a template
refuses the function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Function", "Sql", "rows"]

Sql = str | Mapping[str, str] | None
Result = str | Callable[[list[str]], str]


@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function or an aggregate.

    ``parameters`` are Kusto types, or ``any``, ``number`` (int, long, real), ``span`` (number
    or timespan), ``text`` (anything, turned into a string), ``regex`` (a string that is a regular
    expression), ``json`` (anything, turned into a dynamic). ``?`` behind one marks it optional; ``*`` behind the last lets it repeat.
    ``result`` is a type, or ``same`` (as the first argument), or ``common`` (of all arguments).
    """

    name: str
    parameters: tuple[str, ...]
    result: str
    duckdb: Sql
    clickhouse: Sql
    doc: str

    def sql(self, dialect: str) -> Sql:
        """Give the template for a dialect, None if that engine has none."""
        return self.duckdb if dialect == "duckdb" else self.clickhouse

    @property
    def signature(self) -> str:
        """Write the function as the reference shows it."""
        return f"{self.name}({', '.join(self.parameters)}): {self.result}"


def rows(table: Iterable[tuple[str, str, str, Sql, Sql, str]]) -> dict[str, Function]:
    """Make functions from rows; ``=`` as ClickHouse's template means the same as DuckDB's."""
    found = {}
    for name, parameters, result, duckdb, clickhouse, doc in table:
        types = tuple(parameters.split())
        found[name] = Function(name, types, result, duckdb, duckdb if clickhouse == "=" else clickhouse, doc)
    return found
