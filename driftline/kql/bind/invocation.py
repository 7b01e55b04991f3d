"""Calls of functions: of the table's rows, of users' own, and ``toscalar``."""

from __future__ import annotations

from typing import NoReturn

from driftline.kql import functions, syntax
from driftline.kql.bind import types
from driftline.kql.bind.dispatch import AGGREGATED, ENTER, SPECIAL, TABULAR, bind_each, bind_scalar
from driftline.kql.bind.scope import Closure, Relation, Scope
from driftline.kql.plan.nodes import Call, Col, Column, Const, Plan, Project, Scalar, Subquery
from driftline.kql.text import hints
from driftline.kql.text.hints import instead
from driftline.kql.text.problems import Span

__all__ = ["bind_call", "bind_call_to", "is_tabular", "plan_of_one"]


def plan_of_one(relation: Relation, column: Column, value: Scalar) -> Plan:
    """Give a plan of one column."""
    return Project(relation.plan, (column,), (value,))


def bind_call(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind a call: of a user's function, an aggregate, or a row of the tables."""
    name = functions.ALIASES.get(node.name, node.name)
    binding = scope.names.get(node.name)
    if isinstance(binding, Closure) and isinstance(binding.value, syntax.Function):
        return _bind_user_function(node, binding, scope)
    if name == "toscalar":
        return _bind_toscalar(node, scope)
    if name in functions.AGGREGATES:
        return AGGREGATED["bind"](name, node, scope)
    if name in SPECIAL:
        return SPECIAL[name](node, scope)
    row = functions.FUNCTIONS.get(name)
    if row is None or not row.doc:
        _unknown_function(node, scope)
    if any(isinstance(argument, (syntax.Star, syntax.Named)) for argument in node.arguments):
        scope.fail(f"expected plain values in '{node.name}'", node.span)
    return bind_call_to(row, node, bind_each(node.arguments, scope), scope)


def _unknown_function(node: syntax.Call, scope: Scope) -> NoReturn:
    reason = functions.REFUSED.get(node.name)
    if reason:
        scope.fail(f"not supported: the function '{node.name}': {reason}", Span(node.span.offset, len(node.name)))
    known = [*functions.FUNCTIONS, *functions.ALIASES, *SPECIAL, *scope.names]
    hint = instead(node.name, hints.FUNCTIONS, known)
    scope.fail(f"unknown function '{node.name}'{hint}", Span(node.span.offset, len(node.name)))


PADDING = {
    "json": "dynamic",
    "any": "dynamic",
    "text": "string",
    "regex": "string",
    "number": "real",
    "span": "timespan",
}


def bind_call_to(row: functions.Function, node: syntax.Call, values: tuple[Scalar, ...], scope: Scope) -> Scalar:
    """Check arguments against a row of the table, and make the call."""
    parameters = expanded_parameters(row, len(values))
    if parameters is None:
        scope.fail(f"expected {row.signature}, got {len(values)} arguments", node.span)
    spans = [argument.span for argument in node.arguments] + [node.span] * len(values)
    args = tuple(
        types.coerce(value, kind, scope=scope, span=span)
        for value, kind, span in zip(values, parameters, spans, strict=False)
    )
    if row.result == "common":
        kind, args = types.common(args, scope=scope, span=node.span)
        return Call(row.name, args, kind)
    left_out = [p.rstrip("?") for p in row.parameters[len(args) :] if p.endswith("?")]
    padded = args + tuple(Const(PADDING.get(kind, kind), None) for kind in left_out)
    return Call(row.name, padded, result_type(row, args))


def result_type(row: functions.Function, args: tuple[Scalar, ...]) -> str:
    """Give the type a function makes of these arguments."""
    if row.result == "same":
        return args[0].type if args else "dynamic"
    if row.result == "sum":
        return "long" if args[0].type == "int" else args[0].type
    if row.result == "average":
        return args[0].type if args[0].type in {"timespan", "datetime"} else "real"
    return row.result


def expanded_parameters(row: functions.Function, count: int) -> list[str] | None:
    """Give one type for each of ``count`` arguments, None if so many do not fit."""
    plain = [parameter.rstrip("?*") for parameter in row.parameters]
    needed = sum(not parameter.endswith("?") for parameter in row.parameters)
    if count < needed:
        return None
    if row.parameters and row.parameters[-1].endswith("*"):
        return plain[:count] + plain[-1:] * (count - len(plain))
    return plain[:count] if count <= len(plain) else None


def _bind_user_function(node: syntax.Call, closure: Closure, scope: Scope) -> Scalar:
    inner, body = ENTER["call"](node, closure, scope)
    return bind_scalar(body, inner)


def _bind_toscalar(node: syntax.Call, scope: Scope) -> Scalar:
    if len(node.arguments) != 1:
        scope.fail("expected toscalar(table)", node.span)
    if not is_tabular(node.arguments[0], scope):
        return bind_scalar(node.arguments[0], scope)
    relation = TABULAR["bind"](node.arguments[0], scope.with_row(None))
    if not relation.columns:
        scope.fail("this table has no columns", node.span)
    column = relation.columns[0]
    made = scope.session.column(column.name, column.type)
    plan = plan_of_one(relation, made, Col(column.id, column.type))
    value = Subquery(plan, column.type)
    return Call("text_or_empty", (value,), "string") if column.type == "string" else value


def is_tabular(node: syntax.Expr, scope: Scope) -> bool:
    """Say whether an expression is a table rather than a value."""
    if isinstance(
        node,
        (
            syntax.Pipe,
            syntax.Datatable,
            syntax.Range,
            syntax.Union,
            syntax.Find,
            syntax.Search,
            syntax.Print,
            syntax.Elsewhere,
        ),
    ):
        return True
    if isinstance(node, syntax.Name):
        return _is_table_name(node.name, scope)
    if isinstance(node, syntax.Call):
        binding = scope.names.get(node.name)
        if isinstance(binding, Closure) and isinstance(binding.value, syntax.Function):
            tables = {p.name for p in binding.value.parameters if p.columns is not None}
            lets = {s.name: s.value for s in binding.value.statements if isinstance(s, syntax.Let)}
            return _is_tabular_body(binding.value.body, tables, lets, binding.scope)
        return node.name in {"materialize", "table", "view"}
    return False


def _is_tabular_body(body: syntax.Expr, tables: set[str], lets: dict[str, syntax.Expr], scope: Scope) -> bool:
    if isinstance(body, syntax.Name):
        if body.name in tables:
            return True
        if body.name in lets:
            return _is_tabular_body(lets[body.name], tables, {}, scope)
    return is_tabular(body, scope)


def _is_table_name(name: str, scope: Scope) -> bool:
    if scope.column(name) is not None:
        return False
    binding = scope.names.get(name)
    if isinstance(binding, Closure):
        if isinstance(binding.value, syntax.Function):
            return False
        return is_tabular(binding.value, binding.scope)
    return isinstance(binding, Relation) or (binding is None and name in scope.session.schema)
