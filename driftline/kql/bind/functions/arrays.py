"""Functions of dynamic arrays.

https://learn.microsoft.com/kusto/query/scalar-functions#dynamicarray-functions
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity, dynamic_argument
from driftline.kql.bind.scope import Scope
from driftline.kql.functions.ranges import MOST_ELEMENTS
from driftline.kql.plan.nodes import Call, Col, Const, Scalar

__all__ = ["SPECIAL"]


def chained(pair: str, final: str = "") -> Callable[[syntax.Call, Scope], Scalar]:
    """Return the binder of a function of any number of arguments, as a chain of calls of two arguments.

    ``final`` is called once with the result, if given.
    """

    def bind(node: syntax.Call, scope: Scope) -> Scalar:
        values = [types.coerce(v, "dynamic", scope=scope, span=node.span) for v in scope.scalars(node.arguments)]
        if not values:
            scope.fail(f"expected arguments in '{node.name}'", node.span)
        found = values[0]
        for value in values[1:]:
            found = Call(pair, (found, value), "dynamic")
        return Call(final, (found,), "dynamic") if final else found

    return bind


def _array_split(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``array_split(array, indices)``; a single index is an array of one."""
    array, places = arity(node, scope, 2)
    array = types.coerce(array, "dynamic", scope=scope, span=node.arguments[0].span)
    if places.type in {"int", "long"}:
        places = Call("pack_array", (types.converted(places, "dynamic"),), "dynamic")
    return Call("array_split_at", (array, types.coerce(places, "dynamic", scope=scope, span=node.span)), "dynamic")


def _zip(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``zip(arrays)``: an array of arrays, one for each place."""
    values = [types.coerce(v, "dynamic", scope=scope, span=node.span) for v in scope.scalars(node.arguments)]
    if len(values) < 2:
        scope.fail("expected two arrays or more in 'zip'", node.span)
    found: Scalar = Call("zip_first", (values[0], values[1]), "dynamic")
    for value in values[2:]:
        found = Call("zip_more", (found, value), "dynamic")
    return found


def _sorted(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``array_sort_asc`` or ``array_sort_desc``: further arrays are sorted by the first.

    A last argument of false puts nulls first instead of last.
    https://learn.microsoft.com/kusto/query/array-sort-asc-function
    """
    values = list(scope.scalars(node.arguments))
    suffix = ""
    # A bool can be no array, so a last bool is the option nulls_last.
    if len(values) > 1 and values[-1].type == "bool":
        last = values.pop()
        if not isinstance(last, Const):
            scope.fail("expected a constant true or false", node.arguments[-1].span)
        suffix = "" if last.value else "_nulls"
    if not values:
        scope.fail(f"expected arrays in '{node.name}'", node.span)
    name = f"array_sort_{'down' if node.name.endswith('desc') else 'up'}{suffix}"
    arrays = [dynamic_argument(value, node, scope, place) for place, value in enumerate(values)]
    found = tuple(Call(name, (array, arrays[0]), "dynamic") for array in arrays)
    return found[0] if len(found) == 1 else Call("pack_array", found, "dynamic")


def sorted_names(node: syntax.Call, count: int) -> list[str]:
    """Return the names of the columns that a sort of several arrays gives."""
    names = [argument.name if isinstance(argument, syntax.Name) else "" for argument in node.arguments[:count]]
    return [f"{name or f'array{place}'}_sorted" for place, name in enumerate(names)]


def _index_of(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``array_index_of(array, value, start, length, occurrence)``."""
    array, wanted, *rest = arity(node, scope, 2, 3, 4, 5)
    numbers = [types.coerce(value, "long", scope=scope, span=node.span) for value in rest]
    # Start 0, length -1 (to the end), first occurrence.
    defaults = [Const("long", 0), Const("long", -1), Const("long", 1)]
    args = (
        dynamic_argument(array, node, scope),
        types.converted(wanted, "dynamic"),
        *numbers,
        *defaults[len(numbers) :],
    )
    return Call("array_place", args, "long")


def _pack_array(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``pack_array(values)``; ``*`` means all columns."""
    if any(isinstance(argument, syntax.Star) for argument in node.arguments):
        values: tuple[Scalar, ...] = tuple(Col(column.id, column.type) for column in scope.columns())
    else:
        values = scope.scalars(node.arguments)
    if not values:
        scope.fail("expected values in 'pack_array'", node.span)
    return Call("pack_array", tuple(types.converted(value, "dynamic") for value in values), "dynamic")


RANGES = {
    "datetime": ("range_moments", ("datetime", "datetime", "timespan")),
    "timespan": ("range_spans", ("timespan",) * 3),
    "real": ("range_real", ("real",) * 3),
    "long": ("range_whole", ("long",) * 3),
}


def _range(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``range(start, stop, step)``; the step is 1, or an hour for datetimes and timespans.

    https://learn.microsoft.com/kusto/query/range-function
    """
    values = list(arity(node, scope, 2, 3))
    kind = values[0].type
    # One real among the bounds makes a range of reals.
    if kind in types.NUMBERS:
        kind = "real" if "real" in {value.type for value in values} else "long"
    if kind not in RANGES:
        scope.fail(f"not supported: range() of {kind}", node.arguments[0].span)
    if len(values) == 2:
        values.append(Const("long", 1) if kind in types.NUMBERS else Const("timespan", HOUR))
    name, kinds = RANGES[kind]
    args = tuple(types.coerce(v, k, scope=scope, span=node.span) for v, k in zip(values, kinds, strict=True))
    return Call(name, args, "dynamic")


HOUR = 36_000_000_000  # ticks of 100 ns; Kusto's default step of datetimes


def _repeat(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``repeat(value, count)``, bounded by the most elements that Kusto's range gives."""
    value, count = arity(node, scope, 2)
    count = types.coerce(count, "long", scope=scope, span=node.arguments[1].span)
    bounded = Call("at_most", (count, Const("long", MOST_ELEMENTS)), "long")
    return Call("repeat_array", (types.converted(value, "dynamic"), bounded), "dynamic")


def _array_iff(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``array_iff(conditions, then, else)``; a choice that is no array is repeated for each condition."""
    conditions, *choices = arity(node, scope, 3)
    args = (dynamic_argument(conditions, node, scope), *(types.converted(choice, "dynamic") for choice in choices))
    return Call("array_chosen", args, "dynamic")


SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {
    "array_concat": chained("array_concat_two"),
    "set_union": chained("array_concat_two", "set_distinct"),
    "set_intersect": chained("set_intersect_two"),
    "set_difference": chained("set_difference_two"),
    "array_sort_asc": _sorted,
    "array_sort_desc": _sorted,
    "array_index_of": _index_of,
    "array_iff": _array_iff,
    "array_iif": _array_iff,
    "array_split": _array_split,
    "zip": _zip,
    "pack_array": _pack_array,
    "range": _range,
    "repeat": _repeat,
}
