"""The way through the compiler: text, tokens, tree, plan, rewritten plan, SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlglot import Dialect as SqlDialect

from driftline.kql import bind, emit, parse, plan, rewrite, syntax
from driftline.kql.bind import Schema
from driftline.kql.cursor import Stuck
from driftline.kql.problems import Problems, Span
from driftline.kql.rewrite import walk
from driftline.kql.tokens import tokenize

__all__ = ["Dialect", "Translation", "compiled", "translate"]

Dialect = Literal["duckdb", "clickhouse"]


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated hunt: its SQL, the result's columns with their Kusto types, and the render hint.

    ``tables`` are those it reads, in alphabetical order.
    """

    sql: str
    columns: tuple[tuple[str, str], ...]
    render: str = ""
    tables: tuple[str, ...] = ()


def translate(text: str, schema: Schema, dialect: Dialect = "duckdb") -> str:
    """Give the SQL of a KQL query over tables: name -> column name -> Kusto type.

    Raises ``errors.InvalidQuery``, whose problems are ``QueryProblem`` with offset, length,
    line and column; all that could be found in one go.
    """
    return compiled(text, schema, dialect).sql


def compiled(text: str, schema: Schema, dialect: Dialect = "duckdb") -> Translation:
    """Translate a query, and tell what its result looks like; raises ``InvalidQuery``."""
    problems = Problems(text)
    try:
        return _compiled(text, schema, dialect, problems=problems)
    except RecursionError:
        problems.add("not supported: a query nested so deeply", Span(0, 0))
    except emit.Unsupported as error:
        name = str(error)
        problems.add(f"not supported on {dialect}: '{name}'", Span(max(text.find(name), 0), len(name)))
    except Stuck:
        problems.add("this query cannot be understood", Span(0, 0))
    problems.raise_if_any()
    raise AssertionError  # pragma: no cover -- there is a problem


def _compiled(text: str, schema: Schema, dialect: Dialect, *, problems: Problems) -> Translation:
    query = parse.Parser(tokenize(text, problems), problems, text).parse_query()
    problems.raise_if_any()
    relation = bind.bind(query, schema, problems=problems)
    columns = relation.columns
    found = rewrite.rewritten(relation.plan)
    tree = emit.PlanEmitter(dialect).query(found, columns, relation.order)
    sql = SqlDialect.get_or_raise(dialect).generate(tree, copy=False)
    return Translation(sql, tuple((c.name, c.type) for c in columns), _render(query), _tables(found))


def _tables(found: plan.Plan) -> tuple[str, ...]:
    return tuple(sorted({node.name for node in walk.nodes(found) if isinstance(node, plan.Table)}))


def _render(query: syntax.Query) -> str:
    last = query.body.operators[-1] if isinstance(query.body, syntax.Pipe) else None
    return last.kind if isinstance(last, syntax.Render) else ""
