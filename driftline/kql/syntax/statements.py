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
    """A parameter of a function: scalar (``type``) or tabular (``columns``; "*" means any)."""

    name: str
    type: str = ""
    columns: tuple[TypedName, ...] | None = None
    default: Expr | None = None


@dataclass(frozen=True, slots=True)
class Function(Expr):
    """``(parameters) { statements; expression }``; a view is a table to those who ask for all."""

    parameters: tuple[FunctionParameter, ...]
    statements: tuple[Statement, ...]
    body: Expr
    view: bool = False


@dataclass(frozen=True, slots=True)
class Let(Statement):
    """``let name = value``."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Declare(Statement):
    """``declare query_parameters (…)``."""

    parameters: tuple[FunctionParameter, ...]


@dataclass(frozen=True, slots=True)
class Set(Statement):
    """``set option = value``; those without an ``expression`` have no effect here."""

    name: str
    value: str
    expression: Expr | None = None


@dataclass(frozen=True, slots=True)
class Query(Node):
    """A whole query: statements, then one expression."""

    statements: tuple[Statement, ...]
    body: Expr
