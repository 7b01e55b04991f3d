"""Bind tables: sources, lets, functions, pipelines. The operators are in ``operators``, unions and searches apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from driftline.kql import syntax
from driftline.kql.bind import scalars, types
from driftline.kql.bind.scope import Binding, Closure, Relation, Scope
from driftline.kql.bind.series import columns_of, elements_of
from driftline.kql.parse.cursor import Stuck
from driftline.kql.parse.expressions import ELSEWHERE
from driftline.kql.plan.nodes import (
    Call,
    Col,
    Column,
    Const,
    Key,
    Numbers,
    Plan,
    Project,
    Scalar,
    Shared,
    Table,
    Values,
    Window,
)
from driftline.kql.text.problems import Span, suggestion

__all__ = ["OPERATORS", "SOURCES", "bind_pipe", "bind_query", "bind_table"]

OPERATORS: dict[type, Callable[..., Relation]] = {}
"""How to bind each operator; filled by ``driftline.kql.bind.operators``."""
WITHIN_PARTS: frozenset[type] = frozenset(
    [
        syntax.Where,
        syntax.Columns,
        syntax.Summarize,
        syntax.Plain,
        syntax.Sort,
        syntax.Top,
        syntax.TopHitters,
        syntax.Limit,
        syntax.SampleDistinct,
        syntax.Serialize,
        syntax.Join,
        syntax.MvExpand,
        syntax.MvApply,
        syntax.Partition,
        syntax.Parse,
        syntax.ParseKv,
        syntax.Render,
        syntax.Scan,
    ]
)
"""Operators that work on each part of a partitioned table by itself."""
ON_GRAPHS: frozenset[type] = frozenset([syntax.GraphMatch, syntax.GraphToTable])
"""Operators that take a graph; no other does."""
FUNCTIONS = frozenset(["materialize", "table", "view"])
"""Functions that give a table."""
DEEPEST_CALLS = 20


def bind_query(query: syntax.Query, scope: Scope) -> Relation:
    """Bind a whole query. Its result is a table; a plain value becomes a table of one column."""
    relation = _bind_body(query, bind_statements(query.statements, scope))
    if relation.graph is not None and not scope.session.tainted:
        scope.fail("a graph is no result; end with graph-match or graph-to-table", query.body.span)
    return relation


def _bind_body(query: syntax.Query, scope: Scope) -> Relation:
    if scalars.is_tabular(query.body, scope) or isinstance(query.body, (syntax.Name, syntax.Call, syntax.Star)):
        return bind_table(query.body, scope)
    return bind_table(syntax.Print((syntax.Named((), query.body, span=query.body.span),), span=query.body.span), scope)


def bind_statements(statements: tuple[syntax.Statement, ...], scope: Scope) -> Scope:
    """Add what the statements define to the scope."""
    for statement in statements:
        if isinstance(statement, syntax.Let):
            scope = scope.with_names({statement.name: _let(statement, scope)})
        elif isinstance(statement, syntax.Declare):
            scope = scope.with_names(_defaults(statement, scope))
        elif isinstance(statement, syntax.Set) and statement.expression is not None:
            scope.session.properties[statement.name] = statement.expression
    return scope


def _let(statement: syntax.Let, scope: Scope) -> Binding:
    value = statement.value
    if isinstance(value, syntax.Call) and value.name == "materialize" and len(value.arguments) == 1:
        relation = bind_table(value.arguments[0], scope)
        shared = Shared(scope.session.fresh(statement.name), relation.plan)
        return relation.over(shared)
    return Closure(value, scope.with_row(None))


def _defaults(statement: syntax.Declare, scope: Scope) -> Mapping[str, Binding]:
    found: dict[str, Binding] = {}
    for parameter in statement.parameters:
        if parameter.name in scope.names:
            continue  # given from outside
        if parameter.default is None:
            scope.fail(f"the parameter '{parameter.name}' has no value", parameter.span)
        found[parameter.name] = types.coerce(
            scalars.bind_scalar(parameter.default, scope), parameter.type, scope=scope, span=parameter.span
        )
    return found


def bind_table(node: syntax.Expr, scope: Scope) -> Relation:
    """Bind a table expression."""
    scope.session.count(node.span)
    bind = SOURCES.get(type(node))
    if bind is None:
        scope.fail("expected a table here, got a value", node.span)
    return bind(node, scope)


def bind_pipe(node: syntax.Pipe, scope: Scope) -> Relation:
    """Bind ``source | operators``."""
    return apply(node.operators, bind_table(node.source, scope), scope)


def apply(operators: tuple[syntax.Operator, ...], relation: Relation, scope: Scope) -> Relation:
    """Apply operators in turn; one that fails is noted and left out."""
    for operator in operators:
        if isinstance(operator, syntax.As):
            scope = scope.with_names({operator.name: relation})
            continue
        try:
            on_graph = type(operator) in ON_GRAPHS
            if not isinstance(operator, syntax.Unsupported) and (relation.graph is not None) != on_graph:
                expected = "graph-match or graph-to-table" if relation.graph else "make-graph before this operator"
                scope.fail(f"expected {expected}", operator.span)
            if relation.partition and type(operator) not in WITHIN_PARTS:
                scope.fail("not supported: this operator within the body of 'partition' or 'mv-apply'", operator.span)
            relation = OPERATORS[type(operator)](operator, relation, scope.with_row(relation))
        except Stuck:
            scope.session.tainted = True
    return relation


# Sources


def _bind_name(node: syntax.Name, scope: Scope) -> Relation:
    binding = scope.names.get(node.name)
    if isinstance(binding, Relation):
        return renewed(binding, scope)
    if isinstance(binding, Closure) and not isinstance(binding.value, syntax.Function):
        return bind_table(binding.value, binding.scope)
    if isinstance(binding, Closure):
        return _bind_call(syntax.Call(node.name, (), span=node.span), scope)
    if binding is not None:
        scope.fail(f"'{node.name}' is a value, expected a table", node.span)
    return stored(node.name, node.span, scope)


def stored(name: str, span: Span, scope: Scope) -> Relation:
    """Read one of the given tables."""
    schema = scope.session.schema.get(name)
    if schema is None and name in scope.session.refused:
        scope.fail(f"the table '{name}' may not be read: {scope.session.refused[name]}", span)
    if schema is None:
        tables = [*scope.session.schema, *scope.names]
        scope.fail(f"unknown table '{name}'{suggestion(name, tables)}", span)
    return Relation(Table(name, tuple(scope.session.column(column, kind) for column, kind in schema.items())))


def renewed(relation: Relation, scope: Scope) -> Relation:
    """Give a table that is used again identifiers of its own."""
    fresh = {c.id: Column(scope.session.fresh(c.name or "order"), c.type, c.name) for c in relation.plan.columns}
    values = tuple(Col(c.id, c.type) for c in relation.plan.columns)
    order = tuple(
        Key(Col(fresh[key.value.id].id, key.value.type), key.descending, key.nulls_first)
        for key in relation.order
        if isinstance(key.value, Col)
    )
    parts = tuple(Col(fresh[part.id].id, part.type) for part in relation.partition)
    return Relation(Project(relation.plan, tuple(fresh.values()), values), order, relation.serialized, parts)


def numbered(relation: Relation, scope: Scope) -> tuple[Relation, Column]:
    """Give the rows, computed once, with a number for each that other plans can be joined by."""
    number = scope.session.hidden("long")
    columns = relation.plan.columns
    place = Window(Call("number_row", (), "long"), relation.order)
    plan = Project(relation.plan, (*columns, number), (*(Col(c.id, c.type) for c in columns), place))
    return relation.over(Shared(scope.session.fresh("rows"), plan)), number


def _bind_call(node: syntax.Call, scope: Scope) -> Relation:
    closure = scope.names.get(node.name)
    if isinstance(closure, Closure) and isinstance(closure.value, syntax.Function):
        inner, body = enter(node, closure, scope)
        relation = bind_table(body, inner)
        scope.session.depth -= 1
        return relation
    if node.name == "materialize" and len(node.arguments) == 1:
        return bind_table(node.arguments[0], scope)
    if node.name == "table" and node.arguments:
        return stored(str(scalars.constant(node.arguments[0], scope, "string")), node.span, scope)
    if node.name in ELSEWHERE:
        _bind_elsewhere(syntax.Elsewhere(node.name, span=node.span), scope)
    known = [name for name, binding in scope.names.items() if isinstance(binding, Closure)]
    scope.fail(f"unknown table function '{node.name}'{suggestion(node.name, known)}", node.span)


def _bind_elsewhere(node: syntax.Elsewhere, scope: Scope) -> NoReturn:
    scope.fail(f"not supported: '{node.what}'; a hunt reads only the tables it is given", node.span)


def enter(node: syntax.Call, closure: Closure, scope: Scope) -> tuple[Scope, syntax.Expr]:
    """Bind a call's arguments to a user function's parameters; give its inner scope and body."""
    function = closure.value
    assert isinstance(function, syntax.Function)
    scope.session.depth += 1
    if scope.session.depth > DEEPEST_CALLS:
        scope.fail(f"not supported: function calls deeper than {DEEPEST_CALLS}", node.span)
    bound = _arguments(function, node, scope)
    inner = bind_statements(function.statements, closure.scope.with_row(None).with_names(bound))
    return inner, function.body


def _arguments(function: syntax.Function, node: syntax.Call, scope: Scope) -> dict[str, Binding]:
    named = {a.names[0]: a.value for a in node.arguments if isinstance(a, syntax.Named) and a.names}
    plain = [a for a in node.arguments if not isinstance(a, syntax.Named)]
    if len(node.arguments) > len(function.parameters):
        scope.fail(f"'{node.name}' takes {len(function.parameters)} arguments, got {len(node.arguments)}", node.span)
    for unknown in named.keys() - {parameter.name for parameter in function.parameters}:
        scope.fail(f"'{node.name}' has no parameter '{unknown}'", node.span)
    bound: dict[str, Binding] = {}
    rest = iter(plain)
    for parameter in function.parameters:
        given = named[parameter.name] if parameter.name in named else next(rest, parameter.default)
        if given is None:
            scope.fail(f"'{node.name}' needs a value for '{parameter.name}'", node.span)
        bound[parameter.name] = _argument(parameter, given, scope)
    return bound


def _argument(parameter: syntax.FunctionParameter, given: syntax.Expr, scope: Scope) -> Binding:
    if parameter.columns is None:
        return types.coerce(scalars.bind_scalar(given, scope), parameter.type, scope=scope, span=given.span)
    relation = bind_table(given, scope.with_row(None))
    have = {column.name: column.type for column in relation.columns}
    for column in parameter.columns:
        if have.get(column.name) != column.type:
            scope.fail(f"'{parameter.name}' needs a column {column.name}: {column.type}", given.span)
    return relation


def _bind_datatable(node: syntax.Datatable, scope: Scope) -> Relation:
    width = len(node.columns)
    if not width or len(node.values) % width:
        scope.fail(f"expected a multiple of {width} values, got {len(node.values)}", node.span)
    columns = [scope.session.column(column.name, column.type) for column in node.columns]
    order = scope.session.hidden("long")
    values = [_cell(value, node.columns[i % width].type, scope) for i, value in enumerate(node.values)]
    rows = [(*values[at : at + width], Const("long", at // width)) for at in range(0, len(values), width)]
    return in_order(Values((*columns, order), tuple(rows)), order)


def _cell(node: syntax.Expr, kind: str, scope: Scope) -> Scalar:
    value = scalars.bind_scalar(node, scope)
    if value.type == kind or types.is_null(value):
        return types.converted(value, kind)
    if kind in types.NUMBERS and value.type not in {*types.NUMBERS, "dynamic"}:
        scope.fail(f"expected a {kind}, got a {value.type}", node.span)
    return types.converted(value, kind)


def in_order(plan: Plan, column: Column) -> Relation:
    return Relation(plan, (Key(Col(column.id, column.type), descending=False, nulls_first=True),), serialized=True)


def _bind_range(node: syntax.Range, scope: Scope) -> Relation:
    start, stop, step = scalars.bind_each((node.start, node.stop, node.step), scope)
    number = scope.session.hidden("long")
    count = steps(start, stop, step, scope=scope, span=node.span)
    value = scalars.arithmetic(
        "+",
        start,
        scalars.arithmetic("*", step, Col(number.id, "long"), scope=scope, span=node.span),
        scope=scope,
        span=node.span,
    )
    column = scope.session.column(node.name, value.type)
    plan = Project(Numbers(number, count), (column, number), (value, Col(number.id, "long")))
    return in_order(plan, number)


MOST_STEPS = 10_000_000


def steps(start: Scalar, stop: Scalar, step: Scalar, *, scope: Scope, span: Span) -> Scalar:
    """Count the steps from start to stop, both included; the engine refuses more than ``MOST_STEPS``."""
    length = scalars.arithmetic("-", stop, start, scope=scope, span=span)
    ratio = scalars.arithmetic("/", length, step, scope=scope, span=span)
    whole = (
        types.converted(Call("bin_number", (ratio, Const("real", 1.0)), "real"), "long")
        if ratio.type == "real"
        else ratio
    )
    backwards = scalars.compared("<", ratio, Const(ratio.type, 0), scope=scope, span=span)
    count = scalars.arithmetic("+", whole, Const("long", 1), scope=scope, span=span)
    bounded = Call("choose", (backwards, Const("long", 0), count), "long")
    return Call("at_most", (bounded, Const("long", MOST_STEPS)), "long")


def _bind_print(node: syntax.Print, scope: Scope) -> Relation:
    columns, values = [], []
    for number, item in enumerate(node.items):
        value = scalars.bind_scalar(item.value, scope)
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
    syntax.Elsewhere: _bind_elsewhere,
    syntax.Pipe: bind_pipe,
    syntax.Datatable: _bind_datatable,
    syntax.Range: _bind_range,
    syntax.Print: _bind_print,
}
scalars.TABULAR["bind"] = bind_table
scalars.ENTER["call"] = enter
