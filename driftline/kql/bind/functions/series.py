"""Bind series functions: default arguments, and functions whose result is several columns.

A series is a dynamic array of numbers. A function of several columns returns an array, from which ``columns_of``
takes the columns where a query assigns them.

https://learn.microsoft.com/kusto/query/time-series-analysis
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import functions, syntax
from driftline.kql.bind.functions.arrays import sorted_names
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Scalar

__all__ = ["SPECIAL", "columns_of", "elements_of"]

# Percentiles of the fences; custom ones only with ctukey.
TUKEY = {"ctukey": (10.0, 90.0), "tukey": (25.0, 75.0)}
NO_REAL = Const("real", None)


def columns_of(item: syntax.Named, value: Scalar) -> list[tuple[str, Scalar]]:
    """Return names and values of the columns, if an item calls a function of several columns; otherwise nothing.

    Unnamed columns are named after the function and its first argument; a single name is that of the first column.
    """
    call = item.value
    if isinstance(call, syntax.Call) and functions.find(call.name).column_for_each_argument:
        return _sorted_columns(call, item, value)
    if not isinstance(call, syntax.Call) or not functions.find(call.name).columns or value.type != "dynamic":
        return []
    first = call.arguments[0] if call.arguments else None
    stem = f"{call.name}_{first.name}" if isinstance(first, syntax.Name) else call.name
    given = item.names  # a single name is that of the first column
    columns = functions.find(call.name).columns[: len(given) or None]
    names = given or tuple(f"{stem}_{name}" for name, _ in columns)
    elements = [Call("element", (value, Const("long", place)), "dynamic") for place in range(len(columns))]
    return [(n, types.converted(e, kind)) for n, e, (_, kind) in zip(names, elements, columns, strict=False)]


def elements_of(item: syntax.Named, value: Scalar, scope: Scope) -> list[tuple[str, Scalar]]:
    """Return names and values of ``(a, b) = x``, which takes an array apart; nothing for other items."""
    if len(item.names) < 2:
        return []
    if value.type != "dynamic":
        scope.fail(f"expected an array for {len(item.names)} names, got a {value.type}", item.span)
    return [(n, Call("element", (value, Const("long", i)), "dynamic")) for i, n in enumerate(item.names)]


def _sorted_columns(call: syntax.Call, item: syntax.Named, value: Scalar) -> list[tuple[str, Scalar]]:
    """Return names and values of a sort of several arrays."""
    if not isinstance(value, Call) or value.function != "pack_array":
        return []
    arrays = value.args
    names = sorted_names(call, len(arrays))
    wanted = item.names if len(item.names) > 1 else (*item.names, *names[len(item.names) :])
    return list(zip(wanted, arrays, strict=False))


def _series(value: Scalar, node: syntax.Call, scope: Scope) -> Scalar:
    """Convert the first argument to dynamic."""
    return types.coerce(value, "dynamic", scope=scope, span=node.arguments[0].span)


def _constant(node: syntax.Call, scope: Scope, place: int, default: object) -> object:
    """Return the value of an optional argument, which must be a constant of the default's type."""
    kind = {bool: "bool", int: "long", float: "real", str: "string"}[type(default)]
    if place >= len(node.arguments):
        return default
    (value,) = scope.scalars(node.arguments[place : place + 1])
    value = types.coerce(value, kind, scope=scope, span=node.arguments[place].span)
    if not isinstance(value, Const):
        scope.fail(f"expected a constant {kind}", node.arguments[place].span)
    return default if value.value is None else value.value


def _fill_const(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``series_fill_const(series, value, missing)``."""
    values = arity(node, scope, 2, 3)
    missing = types.converted(values[2], "real") if len(values) > 2 else NO_REAL
    args = (_series(values[0], node, scope), types.converted(values[1], "dynamic"), missing)
    return Call("series_fill_const_of", args, "dynamic")


def _fill_linear(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``series_fill_linear(series, missing, fill_edges, edge_value)``."""
    values = arity(node, scope, 1, 2, 3, 4)
    missing = types.converted(values[1], "real") if len(values) > 1 else NO_REAL
    edges = types.converted(values[2], "bool") if len(values) > 2 else Const("bool", True)
    constant = types.converted(values[3], "real") if len(values) > 3 else Const("real", 0.0)
    return Call("series_fill_linear_of", (_series(values[0], node, scope), missing, edges, constant), "dynamic")


def _fir(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``series_fir(series, filter, normalize, centre)``.

    A filter is normalized by default, unless it has negative coefficients; such a filter cannot be, and asking for
    it gives null.
    https://learn.microsoft.com/kusto/query/series-fir-function
    """
    values = arity(node, scope, 2, 3, 4)
    series, weights = _series(values[0], node, scope), types.converted(values[1], "dynamic")
    # Whether the filter has negative coefficients must be known while the call is bound.
    if not isinstance(weights, Const) or weights.value is None:
        scope.fail("expected a constant array as the filter", node.arguments[1].span)
    negative = "-" in str(weights.value)
    normalize = types.converted(values[2], "bool") if len(values) > 2 else Const("bool", not negative)
    if negative and normalize != Const("bool", False):
        return Const("dynamic", None)
    centre = types.converted(values[3], "bool") if len(values) > 3 else Const("bool", False)
    return Call("series_fir_of", (series, weights, normalize, centre), "dynamic")


def _outliers(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``series_outliers(series, kind, missing, low, high)``.

    https://learn.microsoft.com/kusto/query/series-outliers-function
    """
    values = arity(node, scope, 1, 2, 3, 4, 5)
    low, high = _fences(str(_constant(node, scope, 1, "ctukey")), node, scope, 1)
    missing = types.converted(values[2], "real") if len(values) > 2 else NO_REAL
    # Only the custom Tukey test has percentiles of its own.
    if high == 90.0:
        low, high = _constant(node, scope, 3, low), _constant(node, scope, 4, high)  # type: ignore[assignment]
    shares = (Const("real", low / 100), Const("real", high / 100))
    return Call("series_outliers_of", (_series(values[0], node, scope), missing, *shares), "dynamic")


def _fences(kind: str, node: syntax.Call, scope: Scope, place: int) -> tuple[float, float]:
    """Return the percentiles of a kind of Tukey's test, low and high."""
    if kind.lower() not in TUKEY:
        scope.fail(f"expected 'ctukey' or 'tukey', got '{kind}'", node.arguments[place].span)
    return TUKEY[kind.lower()]


def _parts(node: syntax.Call, scope: Scope, first: int) -> tuple[Scalar, ...]:
    """Return the arguments period (-1 finds it) and trend, which begin at the argument ``first``."""
    period = _constant(node, scope, first, -1)
    trend = str(_constant(node, scope, first + 1, "avg")).lower()
    if trend not in {"avg", "linefit", "none"}:
        scope.fail(f"expected the trend 'avg', 'linefit' or 'none', got '{trend}'", node.arguments[first + 1].span)
    return Const("long", period), Const("string", trend)


def _decompose(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``series_decompose(series, period, trend, test_points, threshold)``.

    https://learn.microsoft.com/kusto/query/series-decompose-function
    """
    values = arity(node, scope, 1, 2, 3, 4, 5)
    points, threshold = Const("long", _constant(node, scope, 3, 0)), Const("real", _constant(node, scope, 4, 0.6))
    return Call(
        "series_parts", (_series(values[0], node, scope), *_parts(node, scope, 1), points, threshold), "dynamic"
    )


def _forecast(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``series_decompose_forecast(series, points, period, trend, threshold)``: the decomposition's baseline."""
    values = arity(node, scope, 2, 3, 4, 5)
    points, threshold = Const("long", _constant(node, scope, 1, 0)), Const("real", _constant(node, scope, 4, 0.6))
    args = (_series(values[0], node, scope), *_parts(node, scope, 2), points, threshold)
    return Call("element", (Call("series_parts", args, "dynamic"), Const("long", 0)), "dynamic")


def _anomalies(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``series_decompose_anomalies``.

    https://learn.microsoft.com/kusto/query/series-decompose-anomalies-function
    """
    values = arity(node, scope, 1, 2, 3, 4, 5, 6, 7)
    low, high = _fences(str(_constant(node, scope, 5, "ctukey")), node, scope, 5)
    points, threshold = Const("long", _constant(node, scope, 4, 0)), Const("real", _constant(node, scope, 6, 0.6))
    fence = Const("real", _constant(node, scope, 1, 1.5))
    shares = (Const("real", low / 100), Const("real", high / 100))
    parts = _parts(node, scope, 2)
    return Call(
        "series_anomalies", (_series(values[0], node, scope), *parts, points, threshold, fence, *shares), "dynamic"
    )


def _pairwise(name: str) -> Callable[[syntax.Call, Scope], Scalar]:
    """Return the binder of an arithmetic function of two series; a number is repeated for each element."""

    def bind(node: syntax.Call, scope: Scope) -> Scalar:
        left, right = arity(node, scope, 2)
        for side, number, series in (("left", left, right), ("right", right, left)):
            if number.type in types.NUMBERS:
                # Whole numbers beside a series of whole numbers give whole numbers.
                whole = Const("bool", number.type != "real")
                args = (_dynamic(series, node, scope), types.converted(number, "real"), whole)
                return Call(f"{name}_{side}", args, "dynamic")
        return Call(name, (_dynamic(left, node, scope), _dynamic(right, node, scope)), "dynamic")

    return bind


def _dynamic(value: Scalar, node: syntax.Call, scope: Scope) -> Scalar:
    """Convert an argument to dynamic."""
    return types.coerce(value, "dynamic", scope=scope, span=node.span)


def _dot_product(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``series_dot_product(a, b)``; a number is repeated for each element."""
    left, right = arity(node, scope, 2)
    if left.type in types.NUMBERS:
        left = _repeated(left, right)
    elif right.type in types.NUMBERS:
        right = _repeated(right, left)
    return Call("series_dot_product", (_dynamic(left, node, scope), _dynamic(right, node, scope)), "real")


def _repeated(value: Scalar, beside: Scalar) -> Scalar:
    """Repeat a number as often as the other series has elements."""
    length = Call("array_length", (beside,), "long")
    return Call("repeat_array", (types.converted(value, "dynamic"), length), "dynamic")


PAIRWISE = (
    "add subtract multiply divide pow equals not_equals less less_equals greater greater_equals".split()  # noqa: SIM905
)
SPECIAL = {
    "series_fill_const": _fill_const,
    "series_fill_linear": _fill_linear,
    "series_dot_product": _dot_product,
    "series_fir": _fir,
    "series_outliers": _outliers,
    "series_decompose": _decompose,
    "series_decompose_forecast": _forecast,
    "series_decompose_anomalies": _anomalies,
    **{f"series_{name}": _pairwise(f"series_{name}") for name in PAIRWISE},
}
