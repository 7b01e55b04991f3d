"""Operators between values: signs, logical operators, comparisons, string operators, between.

https://learn.microsoft.com/kusto/query/scalar-operators
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arithmetic import arithmetic, compared, negated
from driftline.kql.bind.scalars.terms import TERMS, term
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Col, Const, Scalar
from driftline.kql.text.problems import Span

__all__ = ["bind_between", "bind_binary", "bind_junction", "bind_named", "bind_unary"]

# Older names of contains.
LIKE = {"like": "contains", "likecs": "contains_cs", "notlike": "!contains", "notlikecs": "!contains_cs"}
COMPARED = frozenset(["==", "!=", "<", "<=", ">", ">="])


def bind_unary(node: syntax.Unary, scope: Scope) -> Scalar:
    """Bind a sign before a number or timespan."""
    value = types.coerce(scope.scalar(node.operand), "span", scope=scope, span=node.operand.span)
    if node.op == "+":
        return value
    # A negative constant stays a constant, for the places that need one.
    if isinstance(value, Const):
        return Const(value.type, None if value.value is None else -value.value)
    return Call("negate", (value,), value.type)


def bind_named(node: syntax.Named, scope: Scope) -> Scalar:
    """Bind ``name = value`` among the arguments of a function: the value."""
    return scope.scalar(node.value)


def bind_junction(node: syntax.Junction, scope: Scope) -> Scalar:
    """Bind ``and`` or ``or``."""
    values = scope.scalars(node.operands)
    pairs = zip(values, node.operands, strict=True)
    return Call(node.op, tuple(types.coerce(v, "bool", scope=scope, span=n.span) for v, n in pairs), "bool")


def bind_binary(node: syntax.Binary, scope: Scope) -> Scalar:
    """Bind an operator between two values; ``!op`` is the negation of ``op``."""
    op = LIKE.get(node.op, node.op)
    # ``!=`` and ``!~`` are functions of their own; all other negations wrap the operator.
    if op.startswith("!") and op not in {"!=", "!~"}:
        return negated(_bind_operator(op[1:], node, scope))
    return _bind_operator(op, node, scope)


def _bind_operator(op: str, node: syntax.Binary, scope: Scope) -> Scalar:
    """Bind an operator that is not negated."""
    if isinstance(node.left, syntax.Star):
        return _bind_any_column(op, node, scope)
    left, right = scope.scalars((node.left, node.right))
    if op in {"+", "-", "*", "/", "%"}:
        return arithmetic(op, left, right, scope=scope, span=node.span)
    if op in COMPARED:
        return compared(op, left, right, scope=scope, span=node.span)
    left = types.coerce(left, "text" if op == "matches regex" else "string", scope=scope, span=node.left.span)
    kind = "regex" if op == "matches regex" else "string"
    right = types.coerce(right, kind, scope=scope, span=node.right.span)
    return term(op, left, right) if op in TERMS else Call(op, (left, right), "bool")


def _bind_any_column(op: str, node: syntax.Binary, scope: Scope) -> Scalar:
    """Bind ``* has "x"``: the condition holds for some column of the row.

    Only columns of strings, dynamic values, and the needle's own type are searched.
    """
    right = scope.scalar(node.right)
    searched = [c for c in scope.columns() if c.type in {"string", "dynamic"} or c.type == right.type]
    found = tuple(_match_column(op, Col(c.id, c.type), right, scope, node.span) for c in searched)
    return Call("or", found, "bool") if found else Const("bool", False)


def _match_column(op: str, column: Scalar, right: Scalar, scope: Scope, span: Span) -> Scalar:
    """Bind an operator between one column and the searched value."""
    if op in COMPARED:
        return compared(op, column, right, scope=scope, span=span)
    left, right = types.converted(column, "string"), types.converted(right, "string")
    if op == "matches regex":
        right = types.coerce(right, "regex", scope=scope, span=span)
    return term(op, left, right) if op in TERMS else Call(op, (left, right), "bool")


def bind_between(node: syntax.Between, scope: Scope) -> Scalar:
    """Bind ``between (low .. high)``, both ends included.

    Behind a datetime, a timespan as the upper end is a distance from the lower one.
    https://learn.microsoft.com/kusto/query/between-operator
    """
    value, low, high = scope.scalars((node.left, node.low, node.high))
    if value.type == "datetime" and high.type == "timespan":
        high = arithmetic("+", low, high, scope=scope, span=node.span)
    inside = Call(
        "and",
        (
            compared(">=", value, low, scope=scope, span=node.span),
            compared("<=", value, high, scope=scope, span=node.span),
        ),
        "bool",
    )
    return negated(inside) if node.op.startswith("!") else inside
