"""What a query means: a small algebra with types, to which all of KQL's operators come down.

The binder makes plans, the rewrites improve them, the emitters turn them into SQL. Every
column has an identifier of its own (``Column.id``), unique in the query regardless of case,
so that joins never collide and no rewrite has to think about names; ``Column.name`` is what
the user sees. Columns without a name are hidden: they carry the order of rows.
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
    """A constant. Timespans are ticks of 100 ns, datetimes microseconds since 1970, UTC."""

    type: str
    value: Any


@dataclass(frozen=True, slots=True)
class Col:
    """A column's value."""

    id: str
    type: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function's or an aggregate's result; ``function`` names a row of the emitters' tables."""

    function: str
    args: tuple[Scalar, ...]
    type: str


@dataclass(frozen=True, slots=True)
class Window:
    """A window function over rows in the order of ``keys``, up to the present row if ``running``."""

    call: Call
    keys: tuple[Key, ...]
    partition: tuple[Scalar, ...] = ()
    running: bool = False

    @property
    def type(self) -> str:
        return self.call.type


@dataclass(frozen=True, slots=True)
class Subquery:
    """The value of the first column of the only row of a plan, null if there is none."""

    plan: Plan
    type: str


@dataclass(frozen=True, slots=True)
class InPlan:
    """Whether a value is among those of a plan's only column."""

    value: Scalar
    plan: Plan

    @property
    def type(self) -> str:
        return "bool"


Scalar = Const | Col | Call | Window | Subquery | InPlan


@dataclass(frozen=True, slots=True)
class Key:
    """A sort key."""

    value: Scalar
    descending: bool
    nulls_first: bool


# Plans


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a plan: its identifier, its type, and its name unless it is hidden."""

    id: str
    type: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a stored table. ``columns[i]`` reads the stored column ``columns[i].name``.

    ``present`` are identifiers of columns whose nulls a filter right above drops anyway.
    """

    name: str
    columns: tuple[Column, ...]
    present: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Values:
    """Given rows."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Scalar, ...], ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """The whole numbers from 0 up to (not including) ``count``."""

    column: Column
    count: Scalar

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows for which the predicate is true (neither false nor null)."""

    input: Plan
    predicate: Scalar

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Project:
    """One value for each column."""

    input: Plan
    columns: tuple[Column, ...]
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Groups by the first columns, aggregates in the rest."""

    input: Plan
    columns: tuple[Column, ...]
    groups: tuple[Scalar, ...]
    aggregates: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Distinct:
    """One row for each combination of ``by``: the first by the keys, any without keys."""

    input: Plan
    by: tuple[Scalar, ...]
    keys: tuple[Key, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Join:
    """Rows of both sides; ``kind`` is inner, left, right, full, semi or anti."""

    kind: str
    left: Plan
    right: Plan
    condition: Scalar

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.left.columns if self.kind in {"semi", "anti"} else self.left.columns + self.right.columns


@dataclass(frozen=True, slots=True)
class Union:
    """All rows of all inputs, whose columns agree in number and type."""

    inputs: tuple[Plan, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """The first rows by the keys."""

    input: Plan
    keys: tuple[Key, ...]
    count: Scalar

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True, slots=True)
class Expand:
    """One row for each element of dynamic arrays, side by side; ``index`` counts from 0.

    A row whose arrays are all empty or null stays if ``outer``. Of the input's columns those
    ``kept`` come along; None means all.
    """

    input: Plan
    arrays: tuple[Scalar, ...]
    elements: tuple[Column, ...]
    index: Column | None
    outer: bool = False
    kept: tuple[Column, ...] | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        kept = self.input.columns if self.kept is None else self.kept
        return (*kept, *self.elements, *([self.index] if self.index else []))


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows taken one by one by their number (from 1, in each part), with a state that goes along.

    ``following`` makes the ``state`` after a row from the row's columns and the state ``before``
    it; the result is each row with the state after it. The engines do so by recursion, a row (of each
    part) at a time, over rows computed once under a name of their own.
    """

    name: str
    input: Plan
    number: Col
    partition: tuple[Col, ...]
    state: tuple[Column, ...]
    before: tuple[Column, ...]
    initial: tuple[Scalar, ...]
    following: tuple[Scalar, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.input.columns, *self.state)


@dataclass(frozen=True, slots=True)
class Shared:
    """A plan computed once and used in several places, under a name of its own."""

    name: str
    input: Plan

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


Plan = (
    Table | Values | Numbers | Filter | Project | Aggregate | Distinct | Join | Union | Limit | Expand | Fold | Shared
)
