"""Statements, user-defined functions and the whole query.

https://learn.microsoft.com/kusto/query/statements
"""

from __future__ import annotations

from dataclasses import dataclass

from driftline.kql.syntax.base import Expr, Node, Statement
from driftline.kql.syntax.expressions import TypedName

__all__ = ["Declare", "Function", "FunctionParameter", "Let", "Query", "Set"]


@dataclass(frozen=True, slots=True)
class FunctionParameter(Node):
    """A parameter of a function: scalar (``type``) or tabular (``columns``)."""

    name: str
    type: str = ""
    columns: tuple[TypedName, ...] | None = None
    """Columns that the table must have; none for ``(*)``. ``None`` for a scalar parameter."""
    default: Expr | None = None


@dataclass(frozen=True, slots=True)
class Function(Expr):
    """``(parameters) { statements; expression }``.

    https://learn.microsoft.com/kusto/query/functions/user-defined-functions
    """

    parameters: tuple[FunctionParameter, ...]
    statements: tuple[Statement, ...]
    body: Expr
    view: bool = False
    """Whether wildcards in union and search match the function's name."""


@dataclass(frozen=True, slots=True)
class Let(Statement):
    """``let name = value``, where the value may be a function."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Declare(Statement):
    """``declare query_parameters (…)``: values that the caller may give."""

    parameters: tuple[FunctionParameter, ...]


@dataclass(frozen=True, slots=True)
class Set(Statement):
    """``set option = value``: a request property."""

    name: str
    value: str
    expression: Expr | None = None
    """The value, for the properties that driftline uses; ``value`` is then empty."""


@dataclass(frozen=True, slots=True)
class Query(Node):
    """A whole query: statements, then one expression."""

    statements: tuple[Statement, ...]
    body: Expr
