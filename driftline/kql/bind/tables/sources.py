"""Bind the sources of a pipeline: names, functions, datatable, range, print.

https://learn.microsoft.com/kusto/query/datatable-operator, …/range-operator and …/print-operator
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.functions.series import columns_of, elements_of
from driftline.kql.bind.functions.user_functions import entered
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import constant
from driftline.kql.bind.scalars.arithmetic import arithmetic, compared
from driftline.kql.bind.scope import Closure, Relation, Scope, words
from driftline.kql.bind.tables import lists
from driftline.kql.bind.tables.relations import in_order, renewed, shared
from driftline.kql.parse import parse
from driftline.kql.parse.expressions import REMOTE_FUNCTIONS
from driftline.kql.plan.nodes import (
    Call,
    Col,
    Const,
    Numbers,
    Project,
    Scalar,
    Table,
    Values,
)
from driftline.kql.text.problems import Span, suggestion

__all__ = ["SOURCES"]

FUNCTIONS = frozenset(["materialize", "table", "view", "_GetWatchlist"])
"""Functions that return a table."""


def _bind_name(node: syntax.Name, scope: Scope) -> Relation:
    """Bind a name as a table: a let, a view, or a stored table."""
    binding = scope.names.get(node.name)
    # A materialized let, or the name that ``as`` gave: the same plan, read again.
    if isinstance(binding, Relation):
        # Read again, the rows of one part would meet those of all parts.
        if binding.partition:
            scope.fail(
                f"not supported: reading '{node.name}' again within the body of 'partition' or 'mv-apply'", node.span
            )
        return renewed(binding, scope)
    if isinstance(binding, Closure) and not isinstance(binding.value, syntax.Function):
        return _bind_let(node.name, binding, scope)
    if isinstance(binding, Closure):
        return _bind_call(syntax.Call(node.name, (), span=node.span), scope)
    if binding is not None:
        scope.fail(f"'{node.name}' is a value, expected a table", node.span)
    return stored(node.name, node.span, scope)


def _bind_let(name: str, closure: Closure, scope: Scope) -> Relation:
    """Read the table of a let statement, which is bound at its first use."""
    known = scope.session.lets.get(id(closure))
    if known is not None and isinstance(known[1], Relation):
        return renewed(known[1], scope)
    relation = closure.scope.table(closure.value)
    if relation.graph is not None:
        return relation
    found = shared(relation, name, scope, once=False)
    scope.session.lets[id(closure)] = (closure, found)
    return found


def _materialized(node: syntax.Call, scope: Scope) -> Relation:
    """Read a table that is computed once, however often the statement or function around the call is used.

    https://learn.microsoft.com/kusto/query/materialize-function
    """
    names = frozenset((name, each if isinstance(each, Const) else id(each)) for name, each in scope.names.items())
    key = (id(node), names)
    if key in scope.session.materialized:
        return renewed(scope.session.materialized[key][1], scope)
    relation = scope.table(node.arguments[0])
    if relation.graph is not None:
        return relation
    found = shared(relation, "materialized", scope)
    scope.session.materialized[key] = (scope, found)
    return found


def stored(name: str, span: Span, scope: Scope) -> Relation:
    """Read a stored table or a view; note a problem if it is unknown or may not be read."""
    session = scope.session
    schema = session.schema.get(name)
    if schema is None and name in session.views.tables:
        return _view(name, span, scope)
    if schema is None and name in session.refused:
        scope.fail(f"the table '{name}' may not be read: {session.refused[name]}", span)
    if schema is None:
        tables = [*session.schema, *session.views.tables, *scope.names]
        scope.fail(f"unknown table '{name}'{suggestion(name, tables)}", span)
    relation = Relation(Table(name, tuple(session.column(column, kind) for column, kind in schema.items())))
    defined = session.views.columns.get(name, {})
    columns = [f"{column} = {defined[column]}" for column in defined if column in session.mentioned]
    if not columns:
        return relation
    (extend,) = _parsed(f"{name} | extend {', '.join(columns)}").operators
    return session.binder.operator(extend, relation, Scope(session).with_row(relation))


def _view(name: str, span: Span, scope: Scope) -> Relation:
    """Read a view. Its definition is trusted, so only a table that may not be read can fail."""
    text = scope.session.views.tables[name]
    for word in sorted(words(text)):
        if word in scope.session.refused:
            scope.fail(f"'{name}' reads the table '{word}', which may not be read: {scope.session.refused[word]}", span)
    return Scope(scope.session).table(_parsed(text))


@functools.lru_cache
def _parsed(text: str) -> syntax.Pipe:
    """Parse a definition; it is a pipeline."""
    body = parse(text).body
    assert isinstance(body, syntax.Pipe)
    return body


def _bind_call(node: syntax.Call, scope: Scope) -> Relation:
    """Bind a call as a table: a user-defined function, ``materialize`` or ``table``."""
    closure = scope.names.get(node.name)
    if isinstance(closure, Closure) and isinstance(closure.value, syntax.Function):
        with entered(node, closure, scope) as (inner, body):
            return inner.table(body)
    if node.name == "materialize" and len(node.arguments) == 1:
        return _materialized(node, scope)
    if node.name == "table" and node.arguments:
        return stored(str(constant(node.arguments[0], scope, "string")), node.span, scope)
    if node.name == "_GetWatchlist":
        return lists.watchlist(node, scope)
    if node.name in REMOTE_FUNCTIONS:
        return _bind_remote_table(syntax.RemoteTable(node.name, span=node.span), scope)
    known = [name for name, binding in scope.names.items() if isinstance(binding, Closure)]
    scope.fail(f"unknown table function '{node.name}'{suggestion(node.name, known)}", node.span)


def _bind_remote_table(node: syntax.RemoteTable, scope: Scope) -> Relation:
    """Bind ``externaldata`` to the lists that its addresses name; any other table is out of driftline's reach."""
    if node.addresses:
        return lists.external_data(node, scope)
    scope.fail(f"not supported: '{node.what}'; a hunt reads only the tables it is given", node.span)


def _bind_datatable(node: syntax.Datatable, scope: Scope) -> Relation:
    """Bind ``datatable (columns) [values]``: rows in the order in which they are written.

    https://learn.microsoft.com/kusto/query/datatable-operator
    """
    width = len(node.columns)
    if not width or len(node.values) % width:
        scope.fail(f"expected a multiple of {width} values, got {len(node.values)}", node.span)
    columns = [scope.session.column(column.name, column.type) for column in node.columns]
    # Kusto keeps the order in which the values are written.
    order = scope.session.hidden("long")
    values = [_cell(value, node.columns[i % width].type, scope) for i, value in enumerate(node.values)]
    rows = [(*values[at : at + width], Const("long", at // width)) for at in range(0, len(values), width)]
    return in_order(Values((*columns, order), tuple(rows)), order)


def _cell(node: syntax.Expr, kind: str, scope: Scope) -> Scalar:
    """Convert a value of a datatable to the type of its column."""
    value = scope.scalar(node)
    if value.type == kind or types.is_null(value):
        return types.converted(value, kind)
    # A text in a numeric column is a mistake rather than null.
    if kind in types.NUMBERS and value.type not in {*types.NUMBERS, "dynamic"}:
        scope.fail(f"expected a {kind}, got a {value.type}", node.span)
    return types.converted(value, kind)


def _bind_range(node: syntax.Range, scope: Scope) -> Relation:
    """Bind ``range name from start to stop step step``.

    https://learn.microsoft.com/kusto/query/range-operator
    """
    start, stop, step = scope.scalars((node.start, node.stop, node.step))
    number = scope.session.hidden("long")
    count = steps(start, stop, step, scope=scope, span=node.span)
    value = arithmetic(
        "+",
        start,
        arithmetic("*", step, Col(number.id, "long"), scope=scope, span=node.span),
        scope=scope,
        span=node.span,
    )
    column = scope.session.column(node.name, value.type)
    plan = Project(Numbers(number, count), (column, number), (value, Col(number.id, "long")))
    return in_order(plan, number)


MOST_STEPS = 10_000_000


def steps(start: Scalar, stop: Scalar, step: Scalar, *, scope: Scope, span: Span) -> Scalar:
    """Count the steps from start to stop, both included.

    The engine refuses more than ``MOST_STEPS`` while the query runs: the bounds may depend on data.
    """
    length = arithmetic("-", stop, start, scope=scope, span=span)
    ratio = arithmetic("/", length, step, scope=scope, span=span)
    # A ratio of datetimes or reals is rounded down, so that a last partial step does not count.
    whole = (
        types.converted(Call("bin_number", (ratio, Const("real", 1.0)), "real"), "long")
        if ratio.type == "real"
        else ratio
    )
    # A step away from the stop makes no rows.
    backwards = compared("<", ratio, Const(ratio.type, 0), scope=scope, span=span)
    count = arithmetic("+", whole, Const("long", 1), scope=scope, span=span)
    bounded = Call("choose", (backwards, Const("long", 0), count), "long")
    return Call("at_most", (bounded, Const("long", MOST_STEPS)), "long")


def _bind_print(node: syntax.Print, scope: Scope) -> Relation:
    """Bind ``print``: one row; unnamed columns are ``print_0``, ``print_1`` and so on.

    https://learn.microsoft.com/kusto/query/print-operator
    """
    columns, values = [], []
    for number, item in enumerate(node.items):
        value = scope.scalar(item.value)
        name = item.names[0] if item.names else f"print_{number}"
        for each, part in columns_of(item, value) or elements_of(item, value, scope) or [(name, value)]:
            columns.append(scope.session.column(each, part.type))
            values.append(part)
    order = scope.session.hidden("long")
    one = Values((order,), ((Const("long", 0),),))
    return in_order(Project(one, (*columns, order), (*values, Col(order.id, "long"))), order)


SOURCES: dict[type, Callable[..., Relation]] = {
    syntax.Name: _bind_name,
    syntax.Call: _bind_call,
    syntax.RemoteTable: _bind_remote_table,
    syntax.Datatable: _bind_datatable,
    syntax.Range: _bind_range,
    syntax.Print: _bind_print,
}
