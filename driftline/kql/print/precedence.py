"""Precedence of expressions: how strongly their parts hold together.

https://learn.microsoft.com/kusto/query/scalar-operators
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.syntax import Expr

__all__ = ["AND", "COMPARISON", "OR", "PIPE", "POSTFIX", "SIGN", "is_head", "level", "source_of"]

PIPE, OR, AND, COMPARISON, SUM, PRODUCT, SIGN, POSTFIX = range(8)
SUMS, PRODUCTS = ("+", "-"), ("*", "/", "%")
TABULAR = (syntax.Pipe, syntax.Datatable, syntax.Range, syntax.Print, syntax.Union, syntax.Find, syntax.Search)


def source_of(node: Expr) -> Expr:
    """Return the source of a pipeline; another expression is its own source."""
    return node.source if isinstance(node, syntax.Pipe) else node


def is_head(node: Expr) -> bool:
    """Whether a node begins a pipeline without brackets."""
    return isinstance(node, TABULAR) and not isinstance(node, syntax.Pipe)


def level(node: Expr) -> int:
    """Return the precedence of a node: an operand of lower precedence needs brackets."""
    if isinstance(node, TABULAR):
        return PIPE
    if isinstance(node, syntax.Junction):
        return OR if node.op == "or" else AND
    if isinstance(node, syntax.Binary):
        return SUM if node.op in SUMS else PRODUCT if node.op in PRODUCTS else COMPARISON
    if isinstance(node, (syntax.In, syntax.Between)):
        return COMPARISON
    return SIGN if isinstance(node, syntax.Unary) else POSTFIX
