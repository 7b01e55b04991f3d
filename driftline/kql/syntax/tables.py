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
    """``name=value`` behind an operator's name (``kind=leftouter``)."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Pipe(Expr):
    """``source | operator | …``."""

    source: Expr
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Datatable(Expr):
    """``datatable (columns) [values]``."""

    columns: tuple[TypedName, ...]
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Range(Expr):
    """``range name from start to stop step step``."""

    name: str
    start: Expr
    stop: Expr
    step: Expr


@dataclass(frozen=True, slots=True)
class Print(Expr):
    """``print values``."""

    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Union(Expr, Operator):
    """``union tables``, at the head of a pipe or within it."""

    parameters: tuple[Parameter, ...]
    tables: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class RemoteTable(Expr):
    """A table outside of driftline: ``externaldata``, ``cluster("c").database("d").T``; the binder refuses it."""

    what: str
    """First function or keyword, for the message."""
    text: str = ""
    """The expression as written, for the printer."""


@dataclass(frozen=True, slots=True)
class Find(Expr):
    """``find in (tables) where predicate project columns``."""

    parameters: tuple[Parameter, ...]
    tables: tuple[Expr, ...]
    predicate: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Search(Expr, Operator):
    """``search in (tables) predicate``."""

    parameters: tuple[Parameter, ...]
    tables: tuple[Expr, ...]
    predicate: Expr
