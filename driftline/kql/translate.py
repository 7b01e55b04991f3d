"""The way through the compiler: text, tokens, tree, plan, rewritten plan, SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlglot import Dialect as SqlDialect

from driftline.kql import bind, emit, parse, rewrite, syntax
from driftline.kql.bind import Schema
from driftline.kql.cursor import Stuck
from driftline.kql.plan import Column, Key, Plan
from driftline.kql.problems import Problems, Span
from driftline.kql.tokens import tokenize

__all__ = ["Dialect", "Discover", "Translation", "compiled", "translate"]

Dialect = Literal["duckdb", "clickhouse"]
Discover = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated hunt: its SQL, the result's columns with their Kusto types, and the render hint."""

    sql: str
    columns: tuple[tuple[str, str], ...]
    render: str = ""


def translate(text: str, schema: Schema, dialect: Dialect = "duckdb") -> str:
    """Give the SQL of a KQL query over tables: name -> column name -> Kusto type.

    Raises ``errors.InvalidQuery``, whose problems are ``QueryProblem`` with offset, length,
    line and column; all that could be found in one go.
    """
    return compiled(text, schema, dialect).sql


def compiled(
    text: str, schema: Schema, dialect: Dialect = "duckdb", *, discover: Discover | None = None
) -> Translation:
    """Translate a query, and tell what its result looks like; raises ``InvalidQuery``.

    The columns of ``evaluate pivot`` and ``bag_unpack`` depend on the data. ``discover`` gives the
    rows of a query in SQL that finds them; without it such operators must say their columns.
    """
    problems = Problems(text)
    try:
        return _compiled(text, schema, dialect, problems=problems, discover=discover)
    except RecursionError:
        problems.add("not supported: a query nested so deeply", Span(0, 0))
    except emit.Unsupported as error:
        name = str(error)
        problems.add(f"not supported on {dialect}: '{name}'", Span(max(text.find(name), 0), len(name)))
    except Stuck:
        problems.add("this query cannot be understood", Span(0, 0))
    problems.raise_if_any()
    raise AssertionError  # pragma: no cover -- there is a problem


def _compiled(
    text: str, schema: Schema, dialect: Dialect, *, problems: Problems, discover: Discover | None
) -> Translation:
    query = parse.Parser(tokenize(text, problems), problems, text).parse_query()
    problems.raise_if_any()
    found = None if discover is None else lambda plan: discover(_sql(plan, plan.columns, (), dialect))
    relation = bind.bind(query, schema, problems=problems, discover=found)
    columns = relation.columns
    sql = _sql(relation.plan, columns, relation.order, dialect)
    return Translation(sql, tuple((c.name, c.type) for c in columns), _render(query))


def _sql(plan: Plan, columns: tuple[Column, ...], order: tuple[Key, ...], dialect: Dialect) -> str:
    tree = emit.PlanEmitter(dialect).query(rewrite.rewritten(plan), columns, order)
    return SqlDialect.get_or_raise(dialect).generate(tree, copy=False)


def _render(query: syntax.Query) -> str:
    last = query.body.operators[-1] if isinstance(query.body, syntax.Pipe) else None
    return last.kind if isinstance(last, syntax.Render) else ""
