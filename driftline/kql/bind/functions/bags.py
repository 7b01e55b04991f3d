"""Functions of property bags: objects of the dynamic type.

https://learn.microsoft.com/kusto/query/scalar-data-types/dynamic
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.functions.arrays import chained
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity, constant, dynamic_argument
from driftline.kql.bind.scalars.type_literals import type_literal
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Col, Const, Scalar

__all__ = ["SPECIAL"]


def _extract_json(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``extract_json(path, text, typeof(…))`` with a constant path such as ``$.a.b[0]``.

    https://learn.microsoft.com/kusto/query/extract-json-function
    """
    if len(node.arguments) not in {2, 3}:
        scope.fail("expected extract_json(path, text, typeof(…))", node.span)
    kind = type_literal(node.arguments[2], scope) if len(node.arguments) == 3 else "string"
    path = str(constant(node.arguments[0], scope, "string"))
    found: Scalar = types.converted(scope.scalar(node.arguments[1]), "dynamic")
    # A string holds JSON text: it is parsed rather than written as a JSON string.
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


def _pack(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``bag_pack(name, value, …)``."""
    values = scope.scalars(node.arguments)
    if len(values) % 2:
        scope.fail(f"expected names and values in turn in '{node.name}'", node.span)
    pairs = [types.converted(v, "string" if i % 2 == 0 else "dynamic") for i, v in enumerate(values)]
    return Call("bag_pack", tuple(pairs), "dynamic")


def _pack_all(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``pack_all(ignore_null_empty)``: all columns of the row as one bag."""
    (dense,) = arity(node, scope, 0, 1) or (Const("bool", False),)
    if not isinstance(dense, Const) or dense.type != "bool":
        scope.fail("expected a constant true or false", node.arguments[0].span)
    pairs: list[Scalar] = []
    for column in scope.columns():
        pairs += [Const("string", column.name), types.converted(Col(column.id, column.type), "dynamic")]
    packed = Call("bag_pack", tuple(pairs), "dynamic")
    return Call("bag_dense", (packed,), "dynamic") if dense.value else packed


def _pack_columns(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``bag_pack_columns(columns)``."""
    pairs: list[Scalar] = []
    for argument, value in zip(node.arguments, scope.scalars(node.arguments), strict=True):
        if not isinstance(argument, syntax.Name):
            scope.fail("expected the name of a column", argument.span)
        pairs += [Const("string", argument.name), types.converted(value, "dynamic")]
    return Call("bag_pack", tuple(pairs), "dynamic")


BAG_STEP = re.compile(r"\.(\w+)|\[(?:'([^']*)'|\"([^\"]*)\")\]")


BAG_PATH = re.compile(rf"\$(?:{BAG_STEP.pattern})+")


def _steps(path: str) -> list[str]:
    """Split a JSON path into names; a text that does not begin with ``$`` is one name, an invalid path none."""
    if not path.startswith("$"):
        return [path]
    return ["".join(found) for found in BAG_STEP.findall(path)] if BAG_PATH.fullmatch(path) else []


def _path(value: Scalar, node: syntax.Call, scope: Scope) -> list[str]:
    """Return the names of an argument that must be a constant name or JSON path."""
    steps = _steps(value.value) if isinstance(value, Const) and value.type == "string" else []
    if not steps:
        scope.fail("expected a constant name, or a path such as $.a['b']", node.arguments[1].span)
    return steps


def _member(bag: Scalar, name: str) -> Scalar:
    """Read one property of a bag."""
    return Call("member", (bag, Const("string", name)), "dynamic")


def _set_key(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``bag_set_key(bag, key, value)``.

    https://learn.microsoft.com/kusto/query/bag-set-key-function
    """
    bag, key, value = arity(node, scope, 3)
    return _with(dynamic_argument(bag, node, scope), _path(key, node, scope), types.converted(value, "dynamic"))


def _with(bag: Scalar, steps: list[str], value: Scalar) -> Scalar:
    """Return the bag with a value at a path; missing bags on the way are made."""
    name, *rest = steps
    if rest:
        value = _with(Call("bag_or_empty", (_member(bag, name),), "dynamic"), rest, value)
    return Call("bag_with", (bag, Const("string", name), value), "dynamic")


def _has_key(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``bag_has_key(bag, key)``; the key may be a constant path."""
    bag, key = arity(node, scope, 2)
    bag = dynamic_argument(bag, node, scope)
    if isinstance(key, Const) and str(key.value).startswith("$"):
        *outer, name = _path(key, node, scope)
        return Call("bag_has_key", (functools.reduce(_member, outer, bag), Const("string", name)), "bool")
    return Call("bag_has_key", (bag, types.coerce(key, "string", scope=scope, span=node.arguments[1].span)), "bool")


def _remove_keys(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``bag_remove_keys(bag, keys)``; paths among constant keys reach into inner bags."""
    bag, keys = (dynamic_argument(v, node, scope, place) for place, v in enumerate(arity(node, scope, 2)))
    names = json.loads(keys.value) if isinstance(keys, Const) and keys.value is not None else []
    # Plain names are removed together; each path is followed by a call of its own.
    found: Scalar = Call("bag_remove_keys", (bag, keys), "dynamic")
    for path in names if isinstance(names, list) else []:
        if isinstance(path, str) and path.startswith("$") and (steps := _steps(path)):
            found = _without(found, steps)
    return found


def _without(bag: Scalar, steps: list[str]) -> Scalar:
    """Return the bag without the property at a path."""
    name, *rest = steps
    if not rest:
        return Call("bag_remove_keys", (bag, Const("dynamic", json.dumps([name]))), "dynamic")
    changed = _without(_member(bag, name), rest)
    return Call("bag_replaced", (bag, Const("string", name), changed), "dynamic")


def _canonical(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``dynamic_to_json(value)``; a value that is not dynamic becomes a string as by ``tostring``.

    https://learn.microsoft.com/kusto/query/dynamic-to-json-function
    """
    (value,) = arity(node, scope, 1)
    if value.type != "dynamic":
        return types.converted(value, "string")
    if isinstance(value, Const):
        ordered = json.dumps(
            json.loads(value.value or "null"), sort_keys=True, ensure_ascii=False, separators=(",", ":")
        )
        return Const("string", ordered)
    return Call("dynamic_to_json", (value,), "string")


SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {
    "dynamic_to_json": _canonical,
    "bag_pack": _pack,
    "pack_all": _pack_all,
    "bag_pack_columns": _pack_columns,
    "bag_merge": chained("bag_merge_two"),
    "bag_set_key": _set_key,
    "bag_has_key": _has_key,
    "bag_remove_keys": _remove_keys,
    "extract_json": _extract_json,
    "extractjson": _extract_json,
}
