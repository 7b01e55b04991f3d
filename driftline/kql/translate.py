"""The way through the compiler: text, tokens, tree, plan, rewritten plan, SQL."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlglot import Dialect as SqlDialect

from driftline.kql import bind, emit, parse, rewrite, syntax
from driftline.kql.bind import Schema
from driftline.kql.parameters import parameter_constants
from driftline.kql.parse.cursor import Stuck
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Column, Key, Plan
from driftline.kql.text.problems import Problems, Span
from driftline.kql.text.tokens import tokenize

__all__ = ["Dialect", "Discover", "Translation", "compiled", "translate"]

MOST_CHARACTERS = 500_000
Dialect = Literal["duckdb", "clickhouse"]


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated hunt: its SQL, the result's columns with their Kusto types, and the render hint.

    ``tables`` are those it reads in alphabetical order, ``reach`` what it may need of their rows,
    ``plan`` what it means, after all rewrites.
    """

    sql: str
    columns: tuple[tuple[str, str], ...]
    plan: Plan = field(repr=False)
    render: str = ""
    tables: tuple[str, ...] = ()
    reach: Mapping[str, rewrite.Reach] = field(default_factory=dict)

    @property
    def grows(self) -> bool:
        """Whether some value may be far larger than those that are stored."""
        return rewrite.grows(self.plan)


Discover = Callable[[Translation], list[tuple[Any, ...]]]


def translate(text: str, schema: Schema, dialect: Dialect = "duckdb") -> str:
    """Give the SQL of a KQL query over tables: name -> column name -> Kusto type.

    Raises ``errors.InvalidQuery``, whose problems are ``QueryProblem`` with offset, length,
    line and column; all that could be found in one go.
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
) -> Translation:
    """Translate a query, and tell what its result looks like; raises ``InvalidQuery``.

    ``now`` (aware) is the time it runs at; without it the engine's clock is asked. ``parameters``
    are values, as text, of those it declares. ``refused`` are tables that may not be read, with
    the reason. ``bounded`` promises that whoever runs it gives only rows within the bounds of ``reach``.
    The columns of ``evaluate pivot`` and ``bag_unpack`` depend on the data: ``discover`` gives the
    rows of a query that finds them; without it such operators must say their columns.
    """
    problems = Problems(text)
    setting = Setting(schema, dialect, now, parameters or {}, refused or {}, bounded, discover)
    try:
        return _compiled(text, setting, problems)
    except RecursionError:
        problems.add("not supported: a query nested so deeply", Span(0, 0))
    except emit.Unsupported as error:
        name = str(error)
        problems.add(f"not supported on {dialect}: '{name}'", Span(max(text.find(name), 0), len(name)))
    except emit.TooLarge:
        problems.add("not supported: a query of so many calls inside of each other", Span(0, 0))
    except Stuck:
        problems.add("this query cannot be understood", Span(0, 0))
    problems.raise_if_any()
    raise AssertionError  # pragma: no cover -- there is a problem


@dataclass(frozen=True, slots=True)
class Setting:
    """All that a translation depends on but the query."""

    schema: Schema
    dialect: Dialect
    now: datetime.datetime | None
    parameters: Mapping[str, str]
    refused: Mapping[str, str]
    bounded: bool
    discover: Discover | None

    def sql(self, found: Plan, columns: tuple[Column, ...], order: tuple[Key, ...]) -> str:
        """Write a plan in the setting's dialect."""
        found = rewrite.free_subqueries(found) if self.dialect == "duckdb" else found
        tree = emit.PlanEmitter(self.dialect).query(emit.sized(found, self.dialect), columns, order)
        return SqlDialect.get_or_raise(self.dialect).generate(tree, copy=False)

    def rows(self, found: Plan) -> list[tuple[Any, ...]]:
        """Run a plan that tells columns."""
        assert self.discover
        needed = {column.id for column in found.columns}
        asked = rewrite.rewritten(bind.levelled(found), needed, self.now)
        return self.discover(_translation(asked, self.sql(asked, found.columns, ()), found.columns))


def _compiled(text: str, setting: Setting, problems: Problems) -> Translation:
    if len(text) > MOST_CHARACTERS:
        problems.add(f"expected a query of at most {MOST_CHARACTERS:,} characters", Span(0, 0))
        problems.raise_if_any()
    query = parse.Parser(tokenize(text, problems), problems, text).parse_query()
    problems.raise_if_any()
    names = parameter_constants(query, setting.parameters, problems)
    discover = setting.rows if setting.discover else None
    relation = bind.bind(
        query, setting.schema, problems=problems, names=names, discover=discover, refused=setting.refused
    )
    needed = _needed(relation)
    found = rewrite.rewritten(bind.levelled(relation.plan), needed, setting.now)
    reach = rewrite.reach_of(found)
    if setting.bounded:
        bounds = {name: each.bounds for name, each in reach.items()}
        found = rewrite.prune_columns(rewrite.drop_enforced(found, bounds), needed)
    sql = setting.sql(found, relation.columns, relation.order)
    return _translation(found, sql, relation.columns, reach, _render(query))


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


def _needed(relation: bind.Relation) -> set[str]:
    return {column.id for column in relation.columns} | walk.columns_of(*(key.value for key in relation.order))


def _render(query: syntax.Query) -> str:
    last = query.body.operators[-1] if isinstance(query.body, syntax.Pipe) else None
    return last.kind if isinstance(last, syntax.Render) else ""
