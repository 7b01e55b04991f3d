"""The names in reach at a place in a query, the state that one binding shares, and the binder itself.

A ``Scope`` is handed down with each node. It is immutable: a function that adds a name or changes the row
makes a new one. All scopes of one binding share a ``Session``, which collects problems and makes identifiers.

https://learn.microsoft.com/kusto/query/let-statement
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from driftline.kql import functions, syntax
from driftline.kql.parse.cursor import Stuck
from driftline.kql.plan import nodes as plan
from driftline.kql.plan.nodes import Col, Column, Key, Plan, Project, Scalar
from driftline.kql.plan.sizes import Sizes
from driftline.kql.text.problems import Problems, Span, suggestion

__all__ = [
    "NO_VIEWS",
    "Binder",
    "Binding",
    "Closure",
    "Discover",
    "Graph",
    "Relation",
    "Schema",
    "Scope",
    "Session",
    "Views",
    "single_column",
    "words",
]

Schema = Mapping[str, Mapping[str, str]]
Discover = Callable[[Plan], list[tuple[Any, ...]]]  # the rows of a plan, for operators whose columns depend on data
# Nodes that one query may bind, with each call of a user-defined function counted again.
MOST_NODES = 20_000
# Nodes and columns of a plan once functions and lets are expanded; the later stages take some 20 µs for each.
MOST_PARTS = 100_000
GENERATED = re.compile(r"(?:Column|print_)[0-9]+")
MOST_LISTED = 6  # columns that the hint for an unknown column lists


@dataclass(frozen=True, slots=True)
class Relation:
    """A bound table: its plan, and the order of its rows if it has one.

    ``serialized`` says that the rows are in an order that window functions may use: Kusto calls such a row set
    serialized (https://learn.microsoft.com/kusto/query/window-functions). ``order`` holds its keys and may be empty
    even then, because ``serialize`` takes the rows as they come.

    Within the body of ``partition`` and ``mv-apply``, ``partition`` holds the columns that tell the partitions apart:
    operators work on each partition by itself, and keep these columns, hidden.
    ``graph`` is set for the result of ``make-graph``, which only graph operators take.
    """

    plan: Plan
    order: tuple[Key, ...] = ()
    serialized: bool = False
    partition: tuple[Col, ...] = ()
    graph: Graph | None = None

    def over(self, plan: Plan) -> Relation:
        """Return the relation with another plan, whose rows keep their order and partitions."""
        return dataclasses.replace(self, plan=plan)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that the query sees."""
        return tuple(column for column in self.plan.columns if column.name)

    @property
    def hidden(self) -> tuple[Column, ...]:
        """The columns without a name, which only carry the order or tell partitions apart."""
        return tuple(column for column in self.plan.columns if not column.name)


@dataclass(frozen=True, slots=True)
class Views:
    """Tables and columns that are defined in KQL over the tables of a schema.

    Their definitions see stored tables and other views, not the query's own names. Only a query that mentions the
    name of such a column gets it: a table shows its stored columns otherwise.
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    """Name of a view -> its query."""
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Stored table -> name of a column -> its expression over the stored columns."""


NO_VIEWS = Views()
_WORD = re.compile(r"\w+")


def words(text: str) -> frozenset[str]:
    """Return the words of a query, those in strings included: every name that it can mention."""
    return frozenset(_WORD.findall(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The result of make-graph: a table of edges and a table of nodes.

    ``source`` and ``target`` are the columns of ``edges`` with the identifiers of its ends, ``number`` a column that
    is unique for each edge. ``id`` is the column of ``nodes`` with the identifier of the node.
    """

    edges: Relation
    nodes: Relation
    source: Column
    target: Column
    number: Column
    id: Column


@dataclass(frozen=True, slots=True)
class Closure:
    """A let statement's expression or function, with the scope in which it was written.

    Kusto binds a let lazily, at each use; names mean what they meant at the let statement.
    """

    value: syntax.Expr
    scope: Scope


def single_column(relation: Relation, column: Column, value: Scalar) -> Plan:
    """Return a plan of one column, computed from the rows of a relation."""
    return Project(relation.plan, (column,), (value,))


Binding = Closure | Relation | plan.Const | plan.Call | plan.Subquery | plan.Col | plan.Window | plan.InPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Binder:
    """The binding of all kinds of nodes, as tables of functions; handed down in the session.

    A scalar expression may hold a table (``in``, ``toscalar``) and a table holds scalar expressions, so the
    rooms of this package need each other. They meet here instead of importing each other.
    """

    scalars: Mapping[type, Callable[[Any, Scope], Scalar]]
    """Kind of node -> function that binds it as a value."""
    functions: Mapping[str, Callable[[syntax.Call, Scope], Scalar]]
    """Kusto function -> function that binds its call; only functions that need more than a template."""
    sources: Mapping[type, Callable[[Any, Scope], Relation]]
    """Kind of node -> function that binds it as a table."""
    operators: Mapping[type, Callable[[Any, Relation, Scope], Relation]]
    """Kind of operator -> function that applies it to a table."""

    def scalar(self, node: syntax.Expr, scope: Scope) -> Scalar:
        """Bind an expression as a value; a problem is noted and ``Stuck`` raised if it has none."""
        scope.session.count(node.span)
        bind = self.scalars.get(type(node))
        if bind is None:
            got = "'*'; count() takes nothing" if isinstance(node, syntax.Star) else "a table"
            scope.fail(f"expected a value here, got {got}", node.span)
        value = bind(node, scope)
        scope.session.measure(value, node.span)
        return value

    def table(self, node: syntax.Expr, scope: Scope) -> Relation:
        """Bind an expression as a table; a problem is noted and ``Stuck`` raised if it is none."""
        scope.session.count(node.span)
        bind = self.sources.get(type(node))
        if bind is None:
            scope.fail("expected a table here, got a value", node.span)
        found = bind(node, scope)
        scope.session.measure(found.plan, node.span)
        return found

    def operator(self, node: syntax.Operator, relation: Relation, scope: Scope) -> Relation:
        """Apply an operator to a table."""
        found = self.operators[type(node)](node, relation, scope)
        scope.session.measure(found.plan, node.span)
        return found


class Session:
    """The state that one binding shares: the schema, the problems found, the identifiers given out."""

    def __init__(
        self,
        binder: Binder,
        schema: Schema,
        problems: Problems,
        *,
        discover: Discover | None = None,
        refused: Mapping[str, str] | None = None,
        views: Views = NO_VIEWS,
        mentioned: frozenset[str] = frozenset(),
    ) -> None:
        """Begin a binding.

        ``schema`` maps table -> column -> Kusto type. ``discover`` runs a plan and returns its rows; ``None`` means
        that no rows can be read while the query is bound. ``refused`` maps a table that may not be read to the
        reason. ``mentioned`` are the words of the query, for the columns of ``views``.
        """
        self.binder = binder
        self.schema = schema
        self.discover = discover
        self.problems = problems
        self.refused = refused or {}  # tables that may not be read, and why
        self.views = views
        self.mentioned = mentioned
        self.tainted = False  # an operator of unknown columns failed: all later unknown columns may be consequences
        self.suspects: set[str] = set()  # names in operators that failed: later ones may be consequences
        self.calls: list[Span] = []  # calls of user-defined functions whose bodies are being bound
        self.properties: dict[
            str, syntax.Expr
        ] = {}  # request properties that functions read, such as query_bin_auto_size
        self._given: set[str] = set()
        self._numbers: dict[str, int] = {}  # name, without case -> last number behind it
        self._nodes = 0
        self.lets: dict[int, tuple[Closure, Relation | Scalar]] = {}  # bound lets, by the identity of their closures
        self.materialized: dict[Any, tuple[Scope, Relation]] = {}  # bound calls of materialize, by node and names
        self._last = Span(0, 0)  # the node bound last
        self._sizes = Sizes()
        self._exhausted = False  # a bound is exceeded: nothing more is bound

    def fresh(self, name: str) -> str:
        """Return an identifier that is not yet in use, as like ``name`` as possible.

        Identifiers differ by more than case, because DuckDB's names ignore case while Kusto's do not.
        """
        base = name[:100].lstrip("·") or "column"  # parameters of lambdas in the emitted SQL begin with a dot
        folded, candidate = base.casefold(), base
        number = self._numbers.get(folded, 0)
        while candidate.casefold() in self._given:
            number += 1
            candidate = f"{base}_{number}"
        self._numbers[folded] = number
        self._given.add(candidate.casefold())
        return candidate

    def column(self, name: str, kind: str) -> Column:
        """Make a visible column with an identifier of its own."""
        return Column(self.fresh(name), kind, name)

    def hidden(self, kind: str) -> Column:
        """Make a column without a name, which the query does not see."""
        return Column(self.fresh("order"), kind)

    def fail(self, message: str, span: Span) -> NoReturn:
        """Note a problem, and raise ``Stuck`` to leave what is being bound."""
        self.problems.add(message, span)
        raise Stuck

    def count(self, span: Span) -> None:
        """Count a bound node; fail beyond ``MOST_NODES``.

        Functions that call functions can make a short text grow exponentially.
        """
        self._nodes += 1
        self._last = span
        self._within(self._nodes, MOST_NODES, span)

    def measure(self, value: Plan | Scalar, span: Span) -> None:
        """Fail if a plan or scalar, all shared plans included, has more than ``MOST_PARTS`` nodes and columns.

        A parameter that a function uses ten times can make a few calls grow exponentially.
        """
        size = self._sizes.of(value) + self._sizes.shared
        # Tables that wait for their union are in no plan yet. Half of what was made may be left out of the plan.
        self._within(max(size, self._sizes.made // 2), MOST_PARTS, span)

    def reserve(self, parts: int) -> None:
        """Fail before a plan of more than ``MOST_PARTS`` nodes and columns is made, at the node bound last."""
        self._within(parts, MOST_PARTS, self._last)

    # One problem is enough: all that is bound later would exceed the bound as well.
    def _within(self, found: int, most: int, span: Span) -> None:
        if self._exhausted:
            raise Stuck
        if found > most:
            self._exhausted = self.tainted = True
            message = f"not supported: a query of more than {most:,} parts, its functions and lets expanded"
            self.fail(message, self.calls[0] if self.calls else span)  # the call, not the function's body


@dataclass(frozen=True, slots=True)
class Scope:
    """The names in reach: lets and parameters, the columns of the row, both sides of a join.

    ``sides`` are the left and the right table within the conditions of a join. ``grouped`` are the rows that aggregates
    read, within ``summarize`` and similar operators; bound aggregates are collected in ``aggregates``.
    """

    session: Session
    names: Mapping[str, Binding] = field(default_factory=dict)
    relation: Relation | None = None
    sides: tuple[Relation, Relation] | None = None
    grouped: Relation | None = None
    aggregates: list[tuple[Column, Scalar]] = field(default_factory=list)

    def fail(self, message: str, span: Span) -> NoReturn:
        """Note a problem, and raise ``Stuck``."""
        self.session.fail(message, span)

    def scalar(self, node: syntax.Expr) -> Scalar:
        """Bind an expression as a value in this scope."""
        return self.session.binder.scalar(node, self)

    def scalars(self, nodes: Sequence[syntax.Expr]) -> tuple[Scalar, ...]:
        """Bind several expressions as values; the problems of all are noted before ``Stuck`` is raised."""
        found: list[Scalar] = []
        for node in nodes:
            try:
                found.append(self.scalar(node))
            except Stuck:
                continue
        if len(found) < len(nodes):
            raise Stuck
        return tuple(found)

    def table(self, node: syntax.Expr) -> Relation:
        """Bind an expression as a table in this scope."""
        return self.session.binder.table(node, self)

    def with_names(self, names: Mapping[str, Binding]) -> Scope:
        """Return the scope with more names; a new name hides an old one."""
        return dataclasses.replace(self, names={**self.names, **names})

    def with_row(self, relation: Relation | None) -> Scope:
        """Return the scope with the columns of another relation, or none, without join sides and aggregates."""
        return dataclasses.replace(self, relation=relation, sides=None, grouped=None)

    def columns(self) -> tuple[Column, ...]:
        """The visible columns of the row, none outside of a row."""
        return self.relation.columns if self.relation else ()

    def column(self, name: str) -> Column | None:
        """Return the column of a name, ``None`` if the row has none. Names are case-sensitive."""
        return next((column for column in self.columns() if column.name == name), None)

    def grouped_column(self, name: str) -> bool:
        """Whether the rows that aggregates read have a column of this name."""
        return self.grouped is not None and any(column.name == name for column in self.grouped.columns)

    def known(self) -> Iterator[str]:
        """List the names of columns and lets in reach."""
        yield from (column.name for column in self.columns())
        yield from self.names

    def unknown_column(self, name: str, span: Span) -> NoReturn:
        """Note that no such column exists, with a hint at what was meant.

        After an operator has failed, an unknown column may be a consequence; it is then no problem of its own.
        """
        if self.session.tainted or name in self.session.suspects or self._may_be_generated(name):
            raise Stuck
        if self.grouped_column(name):
            self.fail(f"'{name}' must stand inside an aggregate such as take_any({name}), or in 'by'", span)
        self.fail(f"unknown column '{name}'{self._instead(name)}", span)

    def _may_be_generated(self, name: str) -> bool:
        """Whether an operator that failed may have given the name to an unnamed column, such as ``count_``."""
        made = name.partition("_")[0] in functions.AGGREGATES or GENERATED.fullmatch(name)
        return bool(self.session.suspects and made)

    def _instead(self, name: str) -> str:
        """Return the hint behind "unknown column": a Kusto function, a similar name, or all columns if they are few."""
        if name.lower() == "null":
            return "; use isnull(…), or isempty(…) for strings"
        if name in functions.AGGREGATES:
            return f"; did you mean '{name}()'?"
        close = suggestion(name, self.known())
        few = [column.name for column in self.columns()][: MOST_LISTED + 1]
        return close or (f"; there is {', '.join(few)}" if 0 < len(few) <= MOST_LISTED else "")
