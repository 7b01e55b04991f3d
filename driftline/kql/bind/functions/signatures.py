"""Check the arguments of a call against the parameters of the function's row.

Parameter types are those of ``scalars.types``; ``?`` behind one means optional, ``*`` any number. Results may
depend on the arguments: ``same`` (type of the first), ``common`` (of all), ``sum``, ``average``.
"""

from __future__ import annotations

from driftline.kql import functions, syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Scalar

__all__ = ["bind_call_to"]

# Type of the null that replaces an optional argument of a parameter type that is no Kusto type.
PADDING = {
    "json": "dynamic",
    "any": "dynamic",
    "text": "string",
    "regex": "string",
    "number": "real",
    "span": "timespan",
}


def bind_call_to(row: functions.Function, node: syntax.Call, values: tuple[Scalar, ...], scope: Scope) -> Scalar:
    """Check the arguments against a function's row, convert them, and make the call.

    An optional argument that is left out becomes null, because the SQL template has a place for it.
    """
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
    optional = [p.rstrip("?") for p in row.parameters if p.endswith("?")]
    defaults = [*row.defaults, *[None] * (len(optional) - len(row.defaults))]
    padding = [Const(PADDING.get(kind, kind), value) for kind, value in zip(optional, defaults, strict=True)]
    padded = args + tuple(padding[len(optional) - max(len(row.parameters) - len(args), 0) :] if padding else ())
    return Call(row.name, padded, result_type(row, args))


def result_type(row: functions.Function, args: tuple[Scalar, ...]) -> str:
    """Return the type of the result for these arguments.

    A sum of int is long, and an average of numbers real; both keep timespans.
    """
    if row.result == "same":
        return args[0].type if args else "dynamic"
    if row.result == "sum":
        return "long" if args[0].type == "int" else args[0].type
    if row.result == "average":
        return args[0].type if args[0].type in {"timespan", "datetime"} else "real"
    return row.result


def expanded_parameters(row: functions.Function, count: int) -> list[str] | None:
    """Return a parameter type for each of ``count`` arguments; ``None`` if the function does not take as many."""
    plain = [parameter.rstrip("?*") for parameter in row.parameters]
    needed = sum(not parameter.endswith("?") for parameter in row.parameters)
    if count < needed:
        return None
    if row.parameters and row.parameters[-1].endswith("*"):
        return plain[:count] + plain[-1:] * (count - len(plain))
    return plain[:count] if count <= len(plain) else None
