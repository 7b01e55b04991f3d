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
    """A constant. ``value`` is text as written for datetime, timespan and guid, ``None`` for null."""

    type: str
    value: Any


@dataclass(frozen=True, slots=True)
class Name(Expr):
    """A column, a let name or a table: the binder knows."""

    name: str


@dataclass(frozen=True, slots=True)
class Star(Expr):
    """``*``, or a name with a wildcard (``Dev*``), and in project-reorder the order of what it matches."""

    pattern: str = "*"
    order: str = ""


@dataclass(frozen=True, slots=True)
class Member(Expr):
    """``base.name``."""

    base: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Index(Expr):
    """``base[index]``."""

    base: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """``name(arguments)``."""

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
    """``a and b and c``: flat, because hunts chain hundreds."""

    op: str
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class In(Expr):
    """``left op (items)`` for in, !in, in~, !in~, has_any, has_all."""

    op: str
    left: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Between(Expr):
    """``left between (low .. high)``; ``op`` may be negated."""

    op: str
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
