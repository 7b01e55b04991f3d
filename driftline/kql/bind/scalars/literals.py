"""Literals, names, and paths into dynamic values.

https://learn.microsoft.com/kusto/query/scalar-data-types/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.tabular import is_tabular
from driftline.kql.bind.scope import Closure, Relation, Scope
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Col, Const, InPlan, Plan, Project, Scalar, Shared, Subquery, Values
from driftline.kql.text import constants

__all__ = ["bind_index", "bind_literal", "bind_member", "bind_name"]


BITS = {"int": 32, "long": 64}
DIGITS = re.compile(r"[{\"']?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})[}\"']?")


def bind_literal(node: syntax.Literal, scope: Scope) -> Scalar:
    """Bind a literal; note a problem if the text is not of its type or does not fit into it."""
    if node.value is None and node.type != "string":
        return Const(node.type, None)
    # ``datetime()`` without a value is the present, as in Kusto.
    if node.type == "datetime" and not node.value.strip():
        return Call("now_utc", (), "datetime")
    if node.type in READERS:
        return Const(node.type, _read(READERS[node.type], node, scope))
    if node.type == "dynamic":
        return Const("dynamic", constants.dynamic_text(node.value))
    if node.type == "decimal":
        scope.fail("not supported: decimal numbers; use real", node.span)
    # The tokenizer reads numbers of any size.
    if (bits := BITS.get(node.type)) and not -(2 ** (bits - 1)) <= node.value < 2 ** (bits - 1):
        scope.fail(f"this number does not fit into {bits} bits", node.span)
    return Const(node.type, node.value)


def _guid(text: str) -> str | None:
    """Return a guid with its dashes, which the text may leave out; ``None`` if the text is no guid."""
    digits = DIGITS.fullmatch(text.strip().lower())
    return "-".join(digits.groups()) if digits else None


READERS: dict[str, Callable[[str], int | str | None]] = {
    "datetime": constants.datetime_us,
    "guid": _guid,
    "timespan": constants.timespan_ticks,
}


def _read(read: Callable[[str], Any], node: syntax.Literal, scope: Scope) -> Any:
    """Read the text of a literal; note a problem if it is not of the literal's type."""
    value = read(node.value)
    if value is None:
        scope.fail(f"invalid {node.type}: '{node.value}'", node.span)
    return value


def bind_name(node: syntax.Name, scope: Scope) -> Scalar:
    """Bind a column, a let or a parameter, in this order."""
    column = scope.column(node.name)
    # A column hides a let of the same name.
    if column is not None:
        return Col(column.id, column.type)
    binding = scope.names.get(node.name)
    if binding is None:
        scope.unknown_column(node.name, node.span)
    if isinstance(binding, Closure):
        if is_tabular(binding.value, binding.scope):
            scope.fail(f"'{node.name}' is a table; use toscalar() or 'in' to read values from it", node.span)
        return _bind_let(node.name, binding, scope)
    if isinstance(binding, Relation):
        scope.fail(f"'{node.name}' is a table, expected a value", node.span)
    return binding


LARGEST_COPY = 100  # nodes of a let's value of which each use has a copy


def _bind_let(name: str, closure: Closure, scope: Scope) -> Scalar:
    """Return the value of a let statement, which is bound at its first use.

    A value that reads a table, or is large, is computed once in a plan of one row.
    """
    known = scope.session.lets.get(id(closure))
    if known is not None and not isinstance(known[1], Relation):
        return known[1]
    value = closure.scope.scalar(closure.value)
    if not isinstance(value, Const) and _is_costly(value):
        value = Subquery(Shared(scope.session.fresh(name), _one_row(name, value, scope), once=False), value.type)
    scope.session.lets[id(closure)] = (closure, value)
    return value


def _is_costly(value: Scalar) -> bool:
    for number, part in enumerate(walk.nodes(value)):
        if number > LARGEST_COPY or isinstance(part, (Subquery, InPlan)):
            return True
    return False


def _one_row(name: str, value: Scalar, scope: Scope) -> Plan:
    one, column = scope.session.hidden("long"), scope.session.column(name, value.type)
    return Project(Values((one,), ((Const("long", 0),),)), (column,), (value,))


def bind_member(node: syntax.Member, scope: Scope) -> Scalar:
    """Bind ``d.name``, or a column of one side of a join: ``$left.name``."""
    if isinstance(node.base, syntax.Name) and node.base.name in {"$left", "$right"}:
        return _bind_side(node, scope)
    base = _dynamic_base(node.base, scope)
    return Call("member", (base, Const("string", node.name)), "dynamic")


def _bind_side(node: syntax.Member, scope: Scope) -> Scalar:
    """Bind ``$left.name`` or ``$right.name`` within the conditions of a join."""
    if scope.sides is None:
        scope.fail("$left and $right are only allowed in the 'on' of a join", node.span)
    assert isinstance(node.base, syntax.Name)
    relation = scope.sides[node.base.name == "$right"]
    return scope.with_row(relation).scalar(syntax.Name(node.name, span=node.span))


def _dynamic_base(node: syntax.Expr, scope: Scope) -> Scalar:
    """Bind the value that a path leads into: dynamic, or a string that holds JSON."""
    base = scope.scalar(node)
    if base.type == "string":
        # Defender's AdditionalFields is text; its published hunts reach into it all the same.
        return Call("todynamic", (base,), "dynamic")
    if base.type != "dynamic":
        scope.fail(f"expected a dynamic value before '.' or '[', got a {base.type}", node.span)
    return base


def bind_index(node: syntax.Index, scope: Scope) -> Scalar:
    """Bind ``d[1]`` or ``d["name"]``."""
    base = _dynamic_base(node.base, scope)
    index = scope.scalar(node.index)
    if index.type == "string":
        return Call("member", (base, index), "dynamic")
    index = types.coerce(index, "long", scope=scope, span=node.index.span)
    return Call("element", (base, index), "dynamic")
