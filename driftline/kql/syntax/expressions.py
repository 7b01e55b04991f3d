"""Scalar expressions: literals, names, operators and calls.

https://learn.microsoft.com/kusto/query/scalar-data-types/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from driftline.kql.syntax.base import Expr

__all__ = [
    "Between",
    "Binary",
    "Call",
    "In",
    "Index",
    "Junction",
    "Literal",
    "Member",
    "Name",
    "Named",
    "Star",
    "TypedName",
    "Unary",
]


@dataclass(frozen=True, slots=True)
class Literal(Expr):
    """A constant."""

    type: str
    """Kusto type, such as ``long``."""
    value: Any
    """Python value; ``None`` is null. Datetime, timespan and guid are text as written, dynamic is nested tuples."""


@dataclass(frozen=True, slots=True)
class Name(Expr):
    """A column, a let, a parameter or a table; only the binder knows which."""

    name: str


@dataclass(frozen=True, slots=True)
class Star(Expr):
    """``*``, or a name with wildcards (``Dev*``)."""

    pattern: str = "*"
    order: str = ""
    """``asc``, ``desc``, ``granny-asc`` or ``granny-desc`` in project-reorder; empty if not given."""


@dataclass(frozen=True, slots=True)
class Member(Expr):
    """``base.name``: a property of a dynamic value, or a column of a join's side (``$left.name``)."""

    base: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Index(Expr):
    """``base[index]``: an element of an array or a property of a bag."""

    base: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """``name(arguments)``: of a function, an aggregate, or a user-defined function."""

    name: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Unary(Expr):
    """``-x`` or ``+x``."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Expr):
    """``left op right``: arithmetic, comparison, string operators."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Junction(Expr):
    """``a and b and c``, or ``or``: flat rather than nested, because hunts chain hundreds of conditions."""

    op: str
    """``and`` or ``or``."""
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class In(Expr):
    """``left op (items)``: membership in a list or, with a single item, in a table."""

    op: str
    """``in``, ``in~``, ``has_any`` or ``has_all``; a ``!`` negates the first two."""
    left: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Between(Expr):
    """``left between (low .. high)``, both ends included."""

    op: str
    """``between`` or ``!between``."""
    left: Expr
    low: Expr
    high: Expr


@dataclass(frozen=True, slots=True)
class Named(Expr):
    """``name = value``, ``(a, b) = value``, or just ``value`` (no names)."""

    names: tuple[str, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class TypedName(Expr):
    """``name: type``."""

    name: str
    type: str
