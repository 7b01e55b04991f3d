"""Membership: ``in``, ``in~``, ``has_any``, ``has_all``, in lists and in tables.

https://learn.microsoft.com/kusto/query/in-operator and …/has-any-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arithmetic import negated
from driftline.kql.bind.scalars.tabular import is_tabular
from driftline.kql.bind.scalars.terms import any_term, term
from driftline.kql.bind.scope import Relation, Scope, single_column
from driftline.kql.plan.nodes import Aggregate, Call, Col, Column, Const, Filter, InPlan, Scalar, Shared, Subquery
from driftline.kql.text import constants

__all__ = ["array_of", "bind_in"]

MOST_SINGLE = 100  # terms that are matched one by one; beyond, several terms share a pattern
MOST_WORDS = 1_048_576  # Kusto's limit of make_set


def bind_in(node: syntax.In, scope: Scope) -> Scalar:
    """Bind a membership operator; ``!in`` and ``!in~`` are negations."""
    found = _bind_membership(node, scope)
    return negated(found) if node.op.startswith("!") else found


def _bind_membership(node: syntax.In, scope: Scope) -> Scalar:
    """Bind an operator that is not negated; ``* in (…)`` searches all columns of strings."""
    op = node.op.removeprefix("!")
    if isinstance(node.left, syntax.Star):
        parts = tuple(_member_of(op, Col(c.id, c.type), node, scope) for c in scope.columns() if c.type == "string")
        return Call("or", parts, "bool") if parts else Const("bool", False)
    return _member_of(op, scope.scalar(node.left), node, scope)


def _member_of(op: str, value: Scalar, node: syntax.In, scope: Scope) -> Scalar:
    """Bind membership of one value: in a table, in arrays, or in a list of values."""
    if op in {"in~", "has_any", "has_all"}:
        value = types.coerce(value, "text" if value.type == "dynamic" else "string", scope=scope, span=node.left.span)
    # A table stands alone in the brackets: its first column is the list.
    if len(node.items) == 1 and is_tabular(node.items[0], scope):
        return _in_table(op, value, node.items[0], scope)
    items = [item for each in node.items for item in _items(each, scope, value.type if op == "in" else "")]
    lists = [item for item in items if item.type == "dynamic" and not isinstance(item, Const)]
    # Arrays that are no constants are only known while the query runs.
    if lists and op in {"in", "in~"}:
        lowered = Call("tolower", (value,), "string") if op == "in~" else value
        arrays = [
            Call("todynamic", (Call("tolower", (types.converted(a, "string"),), "string"),), "dynamic")
            if op == "in~"
            else a
            for a in lists
        ]
        found = tuple(Call("in_array", (types.converted(lowered, "dynamic"), a), "bool") for a in arrays)
        rest = [item for item in items if item not in lists]
        return Call("or", (*found, _in_items(op, value, rest, node, scope)) if rest else found, "bool")
    if op == "has_any" and len(items) > MOST_SINGLE and all(isinstance(item, Const) for item in items):
        return any_term(value, [types.converted(item, "string") for item in items])
    if op in {"has_any", "has_all"}:
        words = tuple(_has_item(op, value, item) for item in items)
        return Call("or" if op == "has_any" else "and", words, "bool") if words else Const("bool", op == "has_all")
    return _in_items(op, value, items, node, scope)


def _has_item(op: str, value: Scalar, item: Scalar) -> Scalar:
    """Match one item of has_any or has_all: a term, or the elements of an array that is no constant."""
    if item.type == "dynamic" and not isinstance(item, Const):
        return Call(f"{op}_list", (value, item), "bool")
    return term("has", value, types.converted(item, "string"))


def _in_items(op: str, value: Scalar, items: list[Scalar], node: syntax.In, scope: Scope) -> Scalar:
    """Bind ``in`` or ``in~`` with a list of single values."""
    if not items:
        return Const("bool", False)
    if value.type == "dynamic":
        value = types.converted(value, items[0].type)
    if op == "in~":
        items = [_lowered(types.converted(item, "string")) for item in items]
        return Call("in", (Call("tolower", (value,), "string"), *items), "bool")
    beside = [_beside(value, types.as_number(item, value.type)) for item in items]
    _, values = types.common([value, *beside], scope=scope, span=node.span)
    return Call("in", values, "bool")


def _beside(value: Scalar, item: Scalar) -> Scalar:
    """Write a number in a list as text if the searched value is a text."""
    if value.type == "string" and item.type in types.NUMBERS:
        return Const("string", str(item.value)) if isinstance(item, Const) else types.converted(item, "string")
    return item


def _lowered(item: Scalar) -> Scalar:
    """Write a string in lower case; a constant at once."""
    return Const("string", item.value.lower()) if isinstance(item, Const) else Call("tolower", (item,), "string")


def _items(node: syntax.Expr, scope: Scope, kind: str) -> list[Scalar]:
    """Return the elements of a list's item; a constant dynamic array is replaced by its own elements.

    Beside a string, the strings among the elements count alone, if there are any: an element of another type never
    equals it.
    """
    value = scope.scalar(node)
    if not isinstance(value, Const) or value.type != "dynamic" or value.value is None:
        return [value]
    items = [_json_constant(item) for item in array_of(value)]
    texts = [item for item in items if item.type == "string"] if kind == "string" else []
    return texts or items


def array_of(value: Const) -> list[object]:
    """Return the elements of a constant dynamic array as Python values; none for null."""
    return [] if value.value is None else constants.loads_array(value.value)


def _json_constant(item: object) -> Scalar:
    """Return an element of a dynamic array as a constant of its own type."""
    for kind, python in (("bool", bool), ("long", int), ("real", float), ("string", str)):
        if isinstance(item, python):
            return Const(kind, item)
    return Const("dynamic", None if item is None else constants.dumps(item))


def _in_table(op: str, value: Scalar, node: syntax.Expr, scope: Scope) -> Scalar:
    """Bind membership in the first column of a table."""
    relation = scope.table(node)
    if not relation.columns:
        scope.fail("this table has no columns", node.span)
    column = relation.columns[0]
    if op in {"has_any", "has_all"}:
        return Call(f"{op}_list", (value, _collected(relation, column, scope)), "bool")
    inner: Scalar = Col(column.id, column.type)
    if op == "in~":
        value = Call("tolower", (value,), "string")
        inner = Call("tolower", (types.converted(inner, "string"),), "string")
    elif column.type != value.type:
        inner = types.converted(inner, value.type)
    made = scope.session.column("value", inner.type)
    plan = single_column(relation, made, inner)
    if inner.type == "string":
        return InPlan(value, plan)
    # SQL's NOT IN answers null for every value as soon as the list holds a null.
    present = Filter(plan, Call("isnotnull", (Col(made.id, made.type),), "bool"))
    return Call("coalesce_null", (InPlan(value, present), Const("bool", False)), "bool")


def _collected(relation: Relation, column: Column, scope: Scope) -> Scalar:
    """Return a subquery that collects a column's values, as strings, into one array.

    The array is shared: ClickHouse's SQL of ``has_any`` repeats it twenty times.
    """
    word = types.converted(Col(column.id, column.type), "string")
    made = scope.session.column("words", "dynamic")
    words = Call("set_json", (word, Const("long", MOST_WORDS)), "dynamic")
    plan = Aggregate(relation.plan, (made,), (), (words,))
    return Subquery(Shared(scope.session.fresh("words"), plan), "dynamic")
