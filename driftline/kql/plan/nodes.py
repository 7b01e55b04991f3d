"""Plan nodes: a small, typed relational algebra to which the binder lowers all of KQL's operators.

The binder makes plans, the rewrites transform them, the emitters turn them into SQL. A *plan* computes rows, a
*scalar* computes a value of one row. All nodes are immutable; a rewrite makes new ones.

``T | where n > 3 | project double = n * 2`` becomes::

    Project(
        Filter(Table("T", (Column("n", "long", "n"),)), Call(">", (Col("n", "long"), Const("long", 3)), "bool")),
        (Column("double", "long", "double"),),
        (Call("*", (Col("n", "long"), Const("long", 2)), "long"),),
    )

Every column has an identifier (``Column.id``), unique in the query regardless of case (DuckDB's identifiers ignore
case). So joins never collide, and a rewrite can move an expression without thinking of names. ``Column.name`` is the
name that the user sees. Columns without a name are hidden: they carry the order of rows.

Types are Kusto's: ``bool``, ``int``, ``long``, ``real``, ``string``, ``datetime``, ``timespan``, ``guid``, ``dynamic``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "Aggregate",
    "Call",
    "Col",
    "Column",
    "Const",
    "Distinct",
    "Expand",
    "Filter",
    "Fold",
    "InPlan",
    "Join",
    "Key",
    "Limit",
    "Numbers",
    "Plan",
    "Project",
    "Reference",
    "Scalar",
    "Shared",
    "Subquery",
    "Table",
    "Union",
    "Values",
    "Window",
]

# Scalars


@dataclass(frozen=True, slots=True)
class Const:
    """A constant."""

    type: str
    value: Any
    """None for null; microseconds since 1970-01-01 UTC for a datetime, ticks of 100 ns for a timespan, JSON text for a
    dynamic, otherwise the Python value."""


@dataclass(frozen=True, slots=True)
class Col:
    """The value of an input's column in the present row."""

    id: str
    """``Column.id`` of the column."""
    type: str


@dataclass(frozen=True, slots=True)
class Call:
    """The result of a scalar function, an operator or (within ``Aggregate`` and ``Window``) an aggregate."""

    function: str
    """Name of a row of ``functions.FUNCTIONS`` or ``functions.AGGREGATES``, or of one of the emitters' special cases;
    operators are named by their sign."""
    args: tuple[Scalar, ...]
    type: str
    """Kusto type of the result."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window function, SQL's ``call OVER (PARTITION BY … ORDER BY …)``.

    ``row_number()``, ``prev(x)`` and ``row_cumsum(x)`` become windows over the order of the last ``sort``.
    """

    call: Call
    keys: tuple[Key, ...]
    """Order of the rows; empty for any order."""
    partition: tuple[Scalar, ...] = ()
    """Values that part the rows; empty for a single part."""
    running: bool = False
    """Whether the frame ends at the present row (``row_cumsum``), not at the last one."""

    @property
    def type(self) -> str:
        return self.call.type


@dataclass(frozen=True, slots=True)
class Subquery:
    """The value of the first column of a plan of at most one row, null without a row: ``toscalar(T | count)``."""

    plan: Plan
    type: str


@dataclass(frozen=True, slots=True)
class InPlan:
    """Whether a value is among those of a plan's only column: ``x in ((T | project y))``."""

    value: Scalar
    plan: Plan

    @property
    def type(self) -> str:
        return "bool"


Scalar = Const | Col | Call | Window | Subquery | InPlan


@dataclass(frozen=True, slots=True)
class Key:
    """A sort key, SQL's ``value [DESC] NULLS FIRST|LAST``. Kusto puts nulls first ascending, last descending."""

    value: Scalar
    descending: bool
    nulls_first: bool


# Plans


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a plan."""

    id: str
    """Identifier, unique in the query regardless of case; the column's name in the nested SELECTs."""
    type: str
    """Kusto type."""
    name: str = ""
    """Name that the user sees; empty for a hidden column."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a stored table, SQL's ``SELECT name AS id, … FROM name``."""

    name: str
    columns: tuple[Column, ...]
    """``columns[i]`` reads the stored column ``columns[i].name``."""
    present: frozenset[str] = frozenset()
    """Identifiers of the columns whose nulls the filter right above drops, set by ``rewrite.mark_present_texts``."""


@dataclass(frozen=True, slots=True)
class Values:
    """Rows written in the query: ``print`` and ``datatable``. Without rows, an empty table with typed columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Scalar, ...], ...]
    """One scalar for each column of each row."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The whole numbers from 0 to ``count`` - 1, one a row: ``range`` and the bins of ``make-series``."""

    column: Column
    count: Scalar

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows for which the predicate is true, neither false nor null: SQL's ``WHERE predicate``."""

    input: Plan
    predicate: Scalar

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Project:
    """One value for each column: SQL's ``SELECT value AS column, …``. ``extend`` and ``project`` become projections."""

    input: Plan
    columns: tuple[Column, ...]
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One row for each group: SQL's ``SELECT groups, aggregates … GROUP BY groups``.

    Without groups there is exactly one row, even of no input rows.
    """

    input: Plan
    columns: tuple[Column, ...]
    """Columns of the groups first, then those of the aggregates."""
    groups: tuple[Scalar, ...]
    aggregates: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Distinct:
    """One row for each combination of ``by``: DuckDB's ``DISTINCT ON``, ClickHouse's ``LIMIT 1 BY``.

    The first row by the keys stays, any row without keys. ``join kind=innerunique`` makes the left side distinct.
    """

    input: Plan
    by: tuple[Scalar, ...]
    keys: tuple[Key, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Join:
    """A join; KQL's kinds are lowered to SQL's by the binder."""

    kind: str
    """``inner``, ``left``, ``right``, ``full``, ``semi`` or ``anti``; the last two return the left side's columns."""
    left: Plan
    right: Plan
    condition: Scalar
    """Boolean over the columns of both sides; a ``Const`` (true) for a cross join."""

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.left.columns if self.kind in {"semi", "anti"} else self.left.columns + self.right.columns


@dataclass(frozen=True, slots=True)
class Union:
    """All rows of all inputs: SQL's ``UNION ALL``. The i-th columns of all inputs have the type of ``columns[i]``."""

    inputs: tuple[Plan, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """The first rows by the keys: SQL's ``ORDER BY keys LIMIT count``; any rows without keys (``take``)."""

    input: Plan
    keys: tuple[Key, ...]
    count: Scalar
    """Number of rows."""

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Expand:
    """One row for each element of dynamic arrays: ``mv-expand``, DuckDB's ``unnest``, ClickHouse's ``ARRAY JOIN``.

    Several arrays are expanded side by side; the shorter ones are filled with nulls.
    """

    input: Plan
    arrays: tuple[Scalar, ...]
    elements: tuple[Column, ...]
    """Column of the elements of each array."""
    index: Column | None
    """Column of the element's position, from 0; None for none."""
    outer: bool = False
    """Whether a row stays whose arrays are all empty or null, with null elements."""
    kept: tuple[Column, ...] | None = None
    """Columns of the input that each row keeps; None for all."""

    @property
    def columns(self) -> tuple[Column, ...]:
        kept = self.input.columns if self.kept is None else self.kept
        return (*kept, *self.elements, *([self.index] if self.index else []))


@dataclass(frozen=True, slots=True)
class Fold:
    """A left fold over ordered rows, for ``scan``: each row with the state after it.

    Emitted as a recursive common table expression that takes one row (of each part) at a time; its input is computed
    once.
    """

    name: str
    """Name of the common table expression."""
    input: Plan
    number: Col
    """Position of the row in its part, from 1."""
    partition: tuple[Col, ...]
    """Columns that part the rows; each part has a state of its own."""
    state: tuple[Column, ...]
    """Columns of the state after the row."""
    before: tuple[Column, ...]
    """Columns by which ``following`` reads the state before the row, parallel to ``state``."""
    initial: tuple[Scalar, ...]
    """State before the first row."""
    following: tuple[Scalar, ...]
    """State after a row, computed from the row's columns and ``before``."""

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.input.columns, *self.state)


@dataclass(frozen=True, slots=True)
class Shared:
    """A plan that is computed once and read in several places: SQL's ``WITH name AS MATERIALIZED (…)``.

    ``materialize()`` and operators that read their input twice make shared plans. Every use holds the same input.
    After the binder, ``Reference`` nodes stand in their places (``driftline.kql.plan.program``).
    """

    name: str
    """Name of the common table expression."""
    input: Plan
    once: bool = True
    """Whether all uses must have the same rows; a let's plan may be computed at each use where that costs less."""

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of a shared plan, which stands beside the plan: SQL's ``SELECT columns FROM name``."""

    name: str
    """Name of the shared plan."""
    columns: tuple[Column, ...]


Plan = (
    Table
    | Values
    | Numbers
    | Filter
    | Project
    | Aggregate
    | Distinct
    | Join
    | Union
    | Limit
    | Expand
    | Fold
    | Shared
    | Reference
)
