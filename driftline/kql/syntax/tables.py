"""Tabular expressions: pipelines, and the sources that a pipeline may begin with.

https://learn.microsoft.com/kusto/query/tabular-expression-statements
"""

from __future__ import annotations

from dataclasses import dataclass

from driftline.kql.syntax.base import Expr, Node, Operator
from driftline.kql.syntax.expressions import Named, TypedName

__all__ = ["Datatable", "Find", "Parameter", "Pipe", "Print", "Range", "RemoteTable", "Search", "Union"]


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """``name=value`` behind an operator's name, such as ``kind=leftouter``; both as text.

    https://learn.microsoft.com/kusto/query/tabular-operator-parameters
    """

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Pipe(Expr):
    """``source | operator | …``: always with one operator at least."""

    source: Expr
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Datatable(Expr):
    """``datatable (columns) [values]``; the values of all rows, one after another.

    https://learn.microsoft.com/kusto/query/datatable-operator
    """

    columns: tuple[TypedName, ...]
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Range(Expr):
    """``range name from start to stop step step``, both ends included."""

    name: str
    start: Expr
    stop: Expr
    step: Expr


@dataclass(frozen=True, slots=True)
class Print(Expr):
    """``print values``: one row."""

    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Union(Expr, Operator):
    """``union parameters tables``, as a source or as an operator.

    https://learn.microsoft.com/kusto/query/union-operator
    """

    parameters: tuple[Parameter, ...]
    tables: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class RemoteTable(Expr):
    """A table outside of driftline: ``externaldata``, ``cluster("c").database("d").T``; the binder refuses it."""

    what: str
    """First function or keyword, for the message."""
    text: str = ""
    """The expression as written, for the printer."""
    columns: tuple[TypedName, ...] = ()
    """Columns that ``externaldata`` declares."""
    addresses: tuple[Expr, ...] = ()
    """Addresses that ``externaldata`` reads."""


@dataclass(frozen=True, slots=True)
class Find(Expr):
    """``find in (tables) where predicate project columns``; no ``tables`` means all, no ``items`` project-smart.

    https://learn.microsoft.com/kusto/query/find-operator
    """

    parameters: tuple[Parameter, ...]
    tables: tuple[Expr, ...]
    predicate: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Search(Expr, Operator):
    """``search in (tables) predicate``, as a source or as an operator; no ``tables`` means all.

    https://learn.microsoft.com/kusto/query/search-operator
    """

    parameters: tuple[Parameter, ...]
    tables: tuple[Expr, ...]
    predicate: Expr
