"""Functions that need more than a template: choices, bins, parts by name."""

from __future__ import annotations

import re
from collections.abc import Callable

from driftline.kql import functions, syntax
from driftline.kql.bind.functions.computed import SPECIAL as COMPUTED
from driftline.kql.bind.functions.dynamic import SPECIAL as LISTS
from driftline.kql.bind.functions.network import SPECIAL as NETWORKS
from driftline.kql.bind.functions.request_functions import SPECIAL as REQUESTS
from driftline.kql.bind.functions.series import SPECIAL as SERIES
from driftline.kql.bind.functions.signatures import bind_call_to
from driftline.kql.bind.functions.text import SPECIAL as TEXTS
from driftline.kql.bind.functions.text_search import SPECIAL as MATCHES
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity, constant
from driftline.kql.bind.scalars.arithmetic import arithmetic
from driftline.kql.bind.scalars.type_literals import type_literal
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Col, Const, Scalar
from driftline.kql.text.problems import suggestion

__all__ = ["SPECIAL"]


def _iff(node: syntax.Call, scope: Scope) -> Scalar:
    condition, *values = arity(node, scope, 3)
    condition = types.coerce(condition, "bool", scope=scope, span=node.arguments[0].span)
    kind, values_of = types.common(values, scope=scope, span=node.span, dynamic=False)
    return Call("choose", (condition, *values_of), kind)


def _case(node: syntax.Call, scope: Scope) -> Scalar:
    values = scope.scalars(node.arguments)
    if len(values) < 3 or len(values) % 2 == 0:
        scope.fail("expected case(condition, value, …, default)", node.span)
    kind, results = types.common([*values[1::2], values[-1]], scope=scope, span=node.span, dynamic=False)
    conditions = [types.coerce(c, "bool", scope=scope, span=node.span) for c in values[:-1:2]]
    chosen = results[-1]
    for condition, value in zip(reversed(conditions), reversed(results[:-1]), strict=True):
        chosen = Call("choose", (condition, value, chosen), kind)
    return chosen


def _coalesce(node: syntax.Call, scope: Scope) -> Scalar:
    kind, values = types.common(scope.scalars(node.arguments), scope=scope, span=node.span)
    return Call("coalesce_text" if kind == "string" else "coalesce_null", values, kind)


def _bin(node: syntax.Call, scope: Scope) -> Scalar:
    value, *rest = arity(node, scope, 1, 2)
    step = rest[0] if rest else Const("long", 1)
    if value.type == "dynamic":
        value = types.converted(value, "datetime" if step.type == "timespan" else "real")
    if value.type == "datetime":
        step = types.coerce(step, "timespan", scope=scope, span=node.span)
        return Call("bin_datetime", (value, step), "datetime")
    if "timespan" in {value.type, step.type} and value.type != step.type:
        scope.fail(f"cannot round a {value.type} to a {step.type}", node.span)
    if value.type == step.type == "timespan" or {value.type, step.type} <= {"int", "long"}:
        return Call("bin_whole", (value, step), "timespan" if value.type == "timespan" else "long")
    value, step = (
        types.converted(types.coerce(x, "number", scope=scope, span=node.span), "real") for x in (value, step)
    )
    return Call("bin_number", (value, step), "real")


def _bin_at(node: syntax.Call, scope: Scope) -> Scalar:
    value, step, at = arity(node, scope, 3)
    if value.type == "datetime":
        step = types.coerce(step, "timespan", scope=scope, span=node.arguments[1].span)
        at = types.coerce(at, "datetime", scope=scope, span=node.arguments[2].span)
        return Call("bin_at_datetime", (value, step, at), "datetime")
    shifted = arithmetic("-", value, at, scope=scope, span=node.span)
    if step.type == "real" and shifted.type == "long":
        shifted = types.converted(shifted, "real")
    step = types.coerce(step, shifted.type, scope=scope, span=node.arguments[1].span)
    whole = shifted.type in {"long", "timespan"}
    binned = Call("bin_whole" if whole else "bin_number", (shifted, step), shifted.type)
    return arithmetic("+", binned, at, scope=scope, span=node.span)


def _now(node: syntax.Call, scope: Scope) -> Scalar:
    values = arity(node, scope, 0, 1)
    now = Call("now_utc", (), "datetime")
    return arithmetic("+", now, values[0], scope=scope, span=node.span) if values else now


def _ago(node: syntax.Call, scope: Scope) -> Scalar:
    (length,) = arity(node, scope, 1)
    length = types.coerce(length, "timespan", scope=scope, span=node.span)
    return Call("datetime-", (Call("now_utc", (), "datetime"), length), "datetime")


def _abs(node: syntax.Call, scope: Scope) -> Scalar:
    value = types.coerce(arity(node, scope, 1)[0], "span", scope=scope, span=node.span)
    value = types.converted(value, "long") if value.type == "int" else value
    return Call("abs", (value,), value.type)


def _rand(node: syntax.Call, scope: Scope) -> Scalar:
    values = arity(node, scope, 0, 1)
    below = types.coerce(values[0] if values else Const("long", None), "long", scope=scope, span=node.span)
    return Call("rand_below" if values else "rand", (below,), "real")


def _percentile_tdigest(node: syntax.Call, scope: Scope) -> Scalar:
    values = arity(node, scope, 2, 3) if len(node.arguments) < 3 else scope.scalars(node.arguments[:2])
    digest = types.coerce(values[0], "dynamic", scope=scope, span=node.arguments[0].span)
    share = types.coerce(values[1], "real", scope=scope, span=node.arguments[1].span)
    kind = type_literal(node.arguments[2], scope) if len(node.arguments) > 2 else "real"
    if kind == "datetime":
        return types.converted(Call("percentile_of_texts", (digest, share), "dynamic"), kind)
    if kind not in types.NUMBERS:
        scope.fail(f"not supported: percentile_tdigest of {kind}", node.arguments[2].span)
    return types.converted(Call("percentile_of_numbers", (digest, share), "real"), kind)


# Functions whose first argument names one of several others.
def _by_name(prefix: str, order: tuple[int, ...]) -> Callable[[syntax.Call, Scope], Scalar]:
    def bind(node: syntax.Call, scope: Scope) -> Scalar:
        values = arity(node, scope, len(order) + 1)
        name = str(constant(node.arguments[0], scope, "string")).lower()
        row = functions.FUNCTIONS.get(f"{prefix}_{UNIT_ALIASES.get(name, name)}")
        if row is None:
            known = [key.removeprefix(prefix + "_") for key in functions.FUNCTIONS if key.startswith(prefix + "_")]
            scope.fail(f"unknown unit '{name}'{suggestion(name, known)}", node.arguments[0].span)
        args = tuple(values[index] for index in order)
        reordered = syntax.Call(node.name, tuple(node.arguments[index] for index in order), span=node.span)
        return bind_call_to(row, reordered, args, scope)

    return bind


UNIT_ALIASES = {"dayofmonth": "day", "weekofyear": "week_of_year"}


def _make_datetime(node: syntax.Call, scope: Scope) -> Scalar:
    values = list(scope.scalars(node.arguments))
    if len(values) == 1:
        return types.converted(values[0], "datetime")
    values += [Const("long", 1)] * (len(values) < 3) + [Const("long", 0)] * 3
    kinds = ["long"] * 5 + ["real"]
    args = tuple(types.converted(v, k) for v, k in zip(values, kinds, strict=False))
    return Call("make_datetime_parts", args, "datetime")


def _make_timespan(node: syntax.Call, scope: Scope) -> Scalar:
    values = arity(node, scope, 1, 2, 3, 4)
    if len(values) == 1:
        return types.converted(values[0], "timespan")
    if len(values) < 4:  # (hours, minutes) or (hours, minutes, seconds)
        values = (Const("long", 0), *values, *[Const("real", 0.0)] * (3 - len(values)))
    parts = zip(values, ("long", "long", "long", "real"), strict=True)
    return Call("make_timespan_parts", tuple(types.converted(value, kind) for value, kind in parts), "timespan")


def _gettype(node: syntax.Call, scope: Scope) -> Scalar:
    (value,) = arity(node, scope, 1)
    names = {"real": "real", "bool": "bool"}
    return (
        Call("type_of_dynamic", (value,), "string")
        if value.type == "dynamic"
        else Const("string", names.get(value.type, value.type))
    )


def _extract_json(node: syntax.Call, scope: Scope) -> Scalar:
    """Follow a constant JSON path such as ``$.a.b[0]``."""
    if len(node.arguments) not in {2, 3}:
        scope.fail("expected extract_json(path, text, typeof(…))", node.span)
    kind = type_literal(node.arguments[2], scope) if len(node.arguments) == 3 else "string"
    path = str(constant(node.arguments[0], scope, "string"))
    found: Scalar = types.converted(scope.scalar(node.arguments[1]), "dynamic")
    if isinstance(found, Call) and found.function == "to_json":
        found = Call("todynamic", found.args, "dynamic")
    if not PATH.fullmatch(path):
        scope.fail("not supported: a JSON path other than $.name[0]['name']", node.arguments[0].span)
    for name, quoted, index in STEP.findall(path):
        step = Call("element", (found, Const("long", int(index))), "dynamic") if index else None
        found = step or Call("member", (found, Const("string", name or quoted)), "dynamic")
    return found if kind == "dynamic" else types.converted(found, kind)


STEP = re.compile(r"\.(\w+)|\.?\[['\"]([^'\"]*)['\"]\]|\[(\d+)\]")
PATH = re.compile(rf"\$(?:{STEP.pattern})*")


def _typeof(node: syntax.Call, scope: Scope) -> Scalar:
    return Const("string", "type")


def _split(node: syntax.Call, scope: Scope) -> Scalar:
    values = arity(node, scope, 2, 3)
    text = types.coerce(values[0], "text", scope=scope, span=node.arguments[0].span)
    delimiter = types.coerce(values[1], "string", scope=scope, span=node.arguments[1].span)
    parts = Call("split_all", (text, delimiter), "dynamic")
    if len(values) == 2:
        return parts
    index = types.coerce(values[2], "long", scope=scope, span=node.arguments[2].span)
    return Call("array_one", (parts, index), "dynamic")


def _text_of_points(node: syntax.Call, scope: Scope) -> Scalar:
    values = arity(node, scope, *range(1, 65))
    for value, argument in zip(values, node.arguments, strict=True):
        if value.type not in {"int", "long", "dynamic"}:
            scope.fail(f"expected a long or an array, got a {value.type}", argument.span)
    arrays = [
        v if v.type == "dynamic" else Call("pack_array", (types.converted(v, "dynamic"),), "dynamic") for v in values
    ]
    points: Scalar = arrays[0]
    for array in arrays[1:]:
        points = Call("array_concat_two", (points, array), "dynamic")
    return Call("text_of_points", (points,), "string")


def _pack(node: syntax.Call, scope: Scope) -> Scalar:
    values = scope.scalars(node.arguments)
    if len(values) % 2:
        scope.fail(f"expected names and values in turn in '{node.name}'", node.span)
    pairs = [types.converted(v, "string" if i % 2 == 0 else "dynamic") for i, v in enumerate(values)]
    return Call("bag_pack", tuple(pairs), "dynamic")


def _chained(pair: str, final: str = "") -> Callable[[syntax.Call, Scope], Scalar]:
    def bind(node: syntax.Call, scope: Scope) -> Scalar:
        values = [types.coerce(v, "dynamic", scope=scope, span=node.span) for v in scope.scalars(node.arguments)]
        if not values:
            scope.fail(f"expected arguments in '{node.name}'", node.span)
        found = values[0]
        for value in values[1:]:
            found = Call(pair, (found, value), "dynamic")
        return Call(final, (found,), "dynamic") if final else found

    return bind


def _column_ifexists(node: syntax.Call, scope: Scope) -> Scalar:
    if len(node.arguments) != 2:
        scope.fail("expected column_ifexists(name, default)", node.span)
    name = str(constant(node.arguments[0], scope, "string"))
    column = scope.column(name)
    return Col(column.id, column.type) if column else scope.scalar(node.arguments[1])


def _strrep(node: syntax.Call, scope: Scope) -> Scalar:
    text, times, *delimiter = arity(node, scope, 2, 3)
    times = types.coerce(times, "long", scope=scope, span=node.arguments[1].span)
    between = types.converted(delimiter[0], "string") if delimiter else Const("string", "")
    return Call("repeat_text", (types.converted(text, "string"), times, between), "string")


SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {
    "iff": _iff,
    "case": _case,
    "coalesce": _coalesce,
    "bin": _bin,
    "bin_at": _bin_at,
    "now": _now,
    "abs": _abs,
    "rand": _rand,
    "ago": _ago,
    "datetime_part": _by_name("datetime_part", (1,)),
    "datetime_diff": _by_name("datetime_diff", (1, 2)),
    "datetime_add": _by_name("datetime_add", (2, 1)),
    "make_datetime": _make_datetime,
    "make_timespan": _make_timespan,
    "gettype": _gettype,
    "percentile_tdigest": _percentile_tdigest,
    "typeof": _typeof,
    "extract_json": _extract_json,
    "extractjson": _extract_json,
    "split": _split,
    "bag_pack": _pack,
    "array_concat": _chained("array_concat_two"),
    "set_union": _chained("array_concat_two", "set_distinct"),
    "set_intersect": _chained("set_intersect_two"),
    "set_difference": _chained("set_difference_two"),
    "bag_merge": _chained("bag_merge_two"),
    "column_ifexists": _column_ifexists,
    "columnifexists": _column_ifexists,
    "strrep": _strrep,
    "unicode_codepoints_to_string": _text_of_points,
    **LISTS,
    **SERIES,
    **COMPUTED,
    **NETWORKS,
    **REQUESTS,
    **TEXTS,
    **MATCHES,
}
"""Functions whose call needs more than a template: Kusto name -> function that binds the call."""
