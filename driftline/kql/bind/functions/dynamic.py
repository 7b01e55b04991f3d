"""Functions of arrays and bags whose arguments decide what they come down to."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity
from driftline.kql.bind.scope import Scope
from driftline.kql.functions.ranges import MOST_ELEMENTS
from driftline.kql.plan.nodes import Call, Col, Const, Scalar

__all__ = ["SPECIAL", "sorted_names"]


def _dynamic(value: Scalar, node: syntax.Call, scope: Scope, place: int = 0) -> Scalar:
    return types.coerce(value, "dynamic", scope=scope, span=node.arguments[place].span)


def _sorted(node: syntax.Call, scope: Scope) -> Scalar:
    values = list(scope.scalars(node.arguments))
    suffix = ""
    if len(values) > 1 and values[-1].type == "bool":
        last = values.pop()
        if not isinstance(last, Const):
            scope.fail("expected a constant true or false", node.arguments[-1].span)
        suffix = "" if last.value else "_nulls"
    if not values:
        scope.fail(f"expected arrays in '{node.name}'", node.span)
    name = f"array_sort_{'down' if node.name.endswith('desc') else 'up'}{suffix}"
    arrays = [_dynamic(value, node, scope, place) for place, value in enumerate(values)]
    found = tuple(Call(name, (array, arrays[0]), "dynamic") for array in arrays)
    return found[0] if len(found) == 1 else Call("pack_array", found, "dynamic")


def sorted_names(node: syntax.Call, count: int) -> list[str]:
    """Name the columns that a sort of several arrays gives."""
    names = [argument.name if isinstance(argument, syntax.Name) else "" for argument in node.arguments[:count]]
    return [f"{name or f'array{place}'}_sorted" for place, name in enumerate(names)]


def _index_of(node: syntax.Call, scope: Scope) -> Scalar:
    array, wanted, *rest = arity(node, scope, 2, 3, 4, 5)
    numbers = [types.coerce(value, "long", scope=scope, span=node.span) for value in rest]
    defaults = [Const("long", 0), Const("long", -1), Const("long", 1)]
    args = (_dynamic(array, node, scope), types.converted(wanted, "dynamic"), *numbers, *defaults[len(numbers) :])
    return Call("array_place", args, "long")


def _pack_all(node: syntax.Call, scope: Scope) -> Scalar:
    (dense,) = arity(node, scope, 0, 1) or (Const("bool", False),)
    if not isinstance(dense, Const) or dense.type != "bool":
        scope.fail("expected a constant true or false", node.arguments[0].span)
    pairs: list[Scalar] = []
    for column in scope.columns():
        pairs += [Const("string", column.name), types.converted(Col(column.id, column.type), "dynamic")]
    packed = Call("bag_pack", tuple(pairs), "dynamic")
    return Call("bag_dense", (packed,), "dynamic") if dense.value else packed


def _pack_columns(node: syntax.Call, scope: Scope) -> Scalar:
    pairs: list[Scalar] = []
    for argument, value in zip(node.arguments, scope.scalars(node.arguments), strict=True):
        if not isinstance(argument, syntax.Name):
            scope.fail("expected the name of a column", argument.span)
        pairs += [Const("string", argument.name), types.converted(value, "dynamic")]
    return Call("bag_pack", tuple(pairs), "dynamic")


def _pack_array(node: syntax.Call, scope: Scope) -> Scalar:
    if any(isinstance(argument, syntax.Star) for argument in node.arguments):
        values: tuple[Scalar, ...] = tuple(Col(column.id, column.type) for column in scope.columns())
    else:
        values = scope.scalars(node.arguments)
    if not values:
        scope.fail("expected values in 'pack_array'", node.span)
    return Call("pack_array", tuple(types.converted(value, "dynamic") for value in values), "dynamic")


STEPS = {
    "datetime": ("range_moments", ("datetime", "datetime", "timespan")),
    "timespan": ("range_spans", ("timespan",) * 3),
    "real": ("range_real", ("real",) * 3),
    "long": ("range_whole", ("long",) * 3),
}


def _range(node: syntax.Call, scope: Scope) -> Scalar:
    values = list(arity(node, scope, 2, 3))
    kind = values[0].type
    if kind in types.NUMBERS:
        kind = "real" if "real" in {value.type for value in values} else "long"
    if kind not in STEPS:
        scope.fail(f"not supported: range() of {kind}", node.arguments[0].span)
    if len(values) == 2:
        values.append(Const("long", 1) if kind in types.NUMBERS else Const("timespan", HOUR))
    name, kinds = STEPS[kind]
    args = tuple(types.coerce(v, k, scope=scope, span=node.span) for v, k in zip(values, kinds, strict=True))
    return Call(name, args, "dynamic")


HOUR = 36_000_000_000  # ticks


def _repeat(node: syntax.Call, scope: Scope) -> Scalar:
    value, count = arity(node, scope, 2)
    count = types.coerce(count, "long", scope=scope, span=node.arguments[1].span)
    bounded = Call("at_most", (count, Const("long", MOST_ELEMENTS)), "long")
    return Call("repeat_array", (types.converted(value, "dynamic"), bounded), "dynamic")


# What is no array stands for one of as many elements as there are conditions.
def _iff(node: syntax.Call, scope: Scope) -> Scalar:
    conditions, *choices = arity(node, scope, 3)
    args = (_dynamic(conditions, node, scope), *(types.converted(choice, "dynamic") for choice in choices))
    return Call("array_chosen", args, "dynamic")


PATH_STEP = re.compile(r"\.(\w+)|\[(?:'([^']*)'|\"([^\"]*)\")\]")
PATH = re.compile(rf"\$(?:{PATH_STEP.pattern})+")


def _steps(path: str) -> list[str]:
    """Take a JSON path apart; what does not begin with ``$`` is one name."""
    if not path.startswith("$"):
        return [path]
    return ["".join(found) for found in PATH_STEP.findall(path)] if PATH.fullmatch(path) else []


def _path(value: Scalar, node: syntax.Call, scope: Scope) -> list[str]:
    steps = _steps(value.value) if isinstance(value, Const) and value.type == "string" else []
    if not steps:
        scope.fail("expected a constant name, or a path such as $.a['b']", node.arguments[1].span)
    return steps


def _member(bag: Scalar, name: str) -> Scalar:
    return Call("member", (bag, Const("string", name)), "dynamic")


def _set_key(node: syntax.Call, scope: Scope) -> Scalar:
    bag, key, value = arity(node, scope, 3)
    return _with(_dynamic(bag, node, scope), _path(key, node, scope), types.converted(value, "dynamic"))


def _with(bag: Scalar, steps: list[str], value: Scalar) -> Scalar:
    name, *rest = steps
    if rest:
        value = _with(Call("bag_or_empty", (_member(bag, name),), "dynamic"), rest, value)
    return Call("bag_with", (bag, Const("string", name), value), "dynamic")


def _has_key(node: syntax.Call, scope: Scope) -> Scalar:
    bag, key = arity(node, scope, 2)
    bag = _dynamic(bag, node, scope)
    if isinstance(key, Const) and str(key.value).startswith("$"):
        *outer, name = _path(key, node, scope)
        return Call("bag_has_key", (functools.reduce(_member, outer, bag), Const("string", name)), "bool")
    return Call("bag_has_key", (bag, types.coerce(key, "string", scope=scope, span=node.arguments[1].span)), "bool")


def _remove_keys(node: syntax.Call, scope: Scope) -> Scalar:
    bag, keys = (_dynamic(v, node, scope, place) for place, v in enumerate(arity(node, scope, 2)))
    names = json.loads(keys.value) if isinstance(keys, Const) and keys.value is not None else []
    found: Scalar = Call("bag_remove_keys", (bag, keys), "dynamic")
    for path in names if isinstance(names, list) else []:
        if isinstance(path, str) and path.startswith("$") and (steps := _steps(path)):
            found = _without(found, steps)
    return found


def _without(bag: Scalar, steps: list[str]) -> Scalar:
    name, *rest = steps
    if not rest:
        return Call("bag_remove_keys", (bag, Const("dynamic", json.dumps([name]))), "dynamic")
    changed = _without(_member(bag, name), rest)
    return Call("bag_replaced", (bag, Const("string", name), changed), "dynamic")


SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {
    "array_sort_asc": _sorted,
    "array_sort_desc": _sorted,
    "array_index_of": _index_of,
    "array_iff": _iff,
    "array_iif": _iff,
    "pack_all": _pack_all,
    "bag_pack_columns": _pack_columns,
    "pack_array": _pack_array,
    "range": _range,
    "repeat": _repeat,
    "bag_set_key": _set_key,
    "bag_has_key": _has_key,
    "bag_remove_keys": _remove_keys,
}
