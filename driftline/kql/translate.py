"""Compiler pipeline: KQL text → tokens → syntax tree → bound plan → rewritten plan → SQL.

``docs/explanation/kql.md`` walks one hunt through the stages. Nothing here reads a clock, a file or a table; the time
and the schema are arguments, and data-dependent columns come from the caller's ``discover``.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlglot import Dialect as SqlDialect

from driftline.kql import bind, dialects, functions, parse, rewrite, syntax
from driftline.kql.bind import Schema, Views
from driftline.kql.parameters import parameter_constants
from driftline.kql.parse.cursor import Stuck
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Column, Key, Plan
from driftline.kql.plan.program import Program, joined, separated
from driftline.kql.rewrite.lift_windows import lift_windows
from driftline.kql.text.problems import Problems, Span

__all__ = ["Dialect", "Discover", "Translation", "compiled", "translate"]

MOST_CHARACTERS = 500_000  # nonsense of this length is refused within 2.1 s (docs/explanation/performance.md)
Dialect = Literal["duckdb", "clickhouse"]


@dataclass(frozen=True, slots=True)
class Translation:
    """A compiled query."""

    sql: str
    """One SELECT statement. It reads only the tables in ``tables``, by name."""
    columns: tuple[tuple[str, str], ...]
    """Name and Kusto type of each result column, in order."""
    plan: Plan = field(repr=False)
    """Plan after all rewrites, from which the SQL is emitted."""
    render: str = ""
    """Chart of a final ``render`` operator, such as ``timechart``; empty without one."""
    tables: tuple[str, ...] = ()
    """Names of the tables that the query reads, sorted."""
    reach: Mapping[str, rewrite.Reach] = field(default_factory=dict)
    """Time range and terms of the rows that the query needs, by table name."""

    @property
    def grows(self) -> bool:
        """Whether some computed value may be far larger than stored values, see ``rewrite.grows``."""
        return rewrite.grows(self.plan)


Discover = Callable[[Translation], list[tuple[Any, ...]]]
"""Function that runs a compiled query and returns its rows; finds the columns of ``pivot`` and ``bag_unpack``."""


def translate(text: str, schema: Schema, dialect: Dialect = "duckdb") -> str:
    """Return the SQL of a KQL query.

    ``schema`` maps each table's name to its columns: name to Kusto type. Raises ``errors.InvalidQuery`` with a
    ``QueryProblem`` (offset, length, line, column) for each mistake that could be found.
    """
    return compiled(text, schema, dialect).sql


def compiled(
    text: str,
    schema: Schema,
    dialect: Dialect = "duckdb",
    *,
    now: datetime.datetime | None = None,
    parameters: Mapping[str, str] | None = None,
    refused: Mapping[str, str] | None = None,
    bounded: bool = False,
    discover: Discover | None = None,
    views: Views = bind.NO_VIEWS,
) -> Translation:
    """Compile a query to SQL, with its result columns and the rows it needs of each table.

    ``schema`` maps each table's name to its columns: name to Kusto type.

    - ``now``: time of the query, with a time zone; ``now()`` and ``ago()`` become constants. None leaves them to the
      engine's clock, and the query then has no time bounds from ``ago()``.
    - ``parameters``: values, as text, of the parameters that the query declares.
    - ``refused``: tables that may not be read, with the reason for the message.
    - ``bounded``: the caller gives the SQL only rows within the bounds of ``reach``; conditions on ``Timestamp`` that
      say the same are then left out.
    - ``views``: tables and columns that are defined in KQL over the tables of ``schema``.
    - ``discover``: runs a query for the columns of ``evaluate pivot`` and ``bag_unpack``, which depend on the data.
      With None such operators must declare their columns.

    Raises ``errors.InvalidQuery`` with a ``QueryProblem`` for each mistake that could be found.
    """
    problems = Problems(text)
    options = Options(schema, dialect, now, parameters or {}, refused or {}, bounded, discover, views)
    try:
        return _compiled(text, options, problems)
    except RecursionError:  # the stages are recursive functions over the tree
        problems.add("not supported: a query nested too deeply", Span(0, 0))
    except dialects.Unsupported as error:
        row = functions.FUNCTIONS.get(str(error)) or functions.AGGREGATES.get(str(error))
        name = (row and row.used_by) or str(error)
        reason = "; ClickHouse has no function that computes it, DuckDB has" if row else ""
        problems.add(f"not supported on {dialect}: '{name}'{reason}", Span(max(text.find(name), 0), len(name)))
    except dialects.TooLarge:
        problems.add("not supported: a query with too many nested calls", Span(0, 0))
    except Stuck:  # its problem is already collected, as a rule
        problems.add("this query cannot be compiled", Span(0, 0))
    problems.raise_if_any()
    raise AssertionError  # pragma: no cover -- there is a problem


@dataclass(frozen=True, slots=True)
class Options:
    """Arguments of ``compiled`` except the query's text."""

    schema: Schema
    dialect: Dialect
    now: datetime.datetime | None
    parameters: Mapping[str, str]
    refused: Mapping[str, str]
    bounded: bool
    discover: Discover | None
    views: Views

    def sql(self, found: Program, columns: tuple[Column, ...], order: tuple[Key, ...]) -> str:
        """Return the SQL of a program: visible columns by name, rows in the given order."""
        found = found.each(rewrite.lift_subqueries) if self.dialect == "duckdb" else found
        tree = dialects.emitter(self.dialect).query(dialects.sized(found, self.dialect), columns, order)
        return SqlDialect.get_or_raise(self.dialect).generate(tree, copy=False)

    def rows(self, found: Plan) -> list[tuple[Any, ...]]:
        """Return the rows of a plan that finds data-dependent columns; called by the binder."""
        assert self.discover
        needed = {column.id for column in found.columns}
        asked = rewrite.rewritten(lift_windows(separated(found)), needed, self.now)
        return self.discover(_translation(joined(asked), self.sql(asked, found.columns, ()), found.columns))


# Problems stop the pipeline at two stages: after the parser, because the binder needs a whole tree, and after the
# binder (which raises them itself), because a rewrite needs a whole plan.
def _compiled(text: str, options: Options, problems: Problems) -> Translation:
    if len(text) > MOST_CHARACTERS:
        problems.add(f"expected a query of at most {MOST_CHARACTERS:,} characters", Span(0, 0))
        problems.raise_if_any()
    query = parse.parse_query(text, problems)
    problems.raise_if_any()
    names = parameter_constants(query, options.parameters, problems)
    discover = options.rows if options.discover else None
    relation = bind.bind(
        query,
        options.schema,
        problems=problems,
        names=names,
        discover=discover,
        refused=options.refused,
        views=options.views,
        mentioned=bind.words(text),
    )
    needed = _needed(relation)
    found = rewrite.rewritten(lift_windows(separated(relation.plan)), needed, options.now)
    reach = rewrite.reach_of(joined(found))  # before the conditions that give the bounds are dropped
    if options.bounded:
        bounds = {name: each.bounds for name, each in reach.items()}
        found = rewrite.prune_columns(found.each(lambda plan: rewrite.drop_enforced(plan, bounds)), needed)
    sql = options.sql(found, relation.columns, relation.order)
    return _translation(joined(found), sql, relation.columns, reach, _render(query))


def _translation(
    found: Plan,
    sql: str,
    columns: tuple[Column, ...],
    reach: Mapping[str, rewrite.Reach] | None = None,
    render: str = "",
) -> Translation:
    reach = rewrite.reach_of(found) if reach is None else reach
    named = tuple((column.name, column.type) for column in columns)
    return Translation(sql, named, found, render, tuple(sorted(reach)), reach)


# Result columns, and hidden columns that the final ORDER BY reads.
def _needed(relation: bind.Relation) -> set[str]:
    return {column.id for column in relation.columns} | walk.columns_of(*(key.value for key in relation.order))


def _render(query: syntax.Query) -> str:
    last = query.body.operators[-1] if isinstance(query.body, syntax.Pipe) else None
    return last.kind if isinstance(last, syntax.Render) else ""
