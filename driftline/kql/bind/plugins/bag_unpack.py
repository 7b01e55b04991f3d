"""``evaluate bag_unpack()``: a column for each property of a bag.

https://learn.microsoft.com/kusto/query/bag-unpack-plugin
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from driftline.kql import syntax
from driftline.kql.bind.plugins.result_columns import declared, discovered
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import constant
from driftline.kql.bind.scalars.membership import array_of
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.outputs import Output, grouped, projected, ref
from driftline.kql.plan.nodes import Call, Const, Expand, Filter, Plan, Scalar
from driftline.kql.text.problems import suggestion

__all__ = ["bind_bag_unpack"]

CONFLICTS = ("error", "replace_source", "keep_source")


JSON_TYPES = {"long": "long", "double": "real", "string": "string", "bool": "bool"}


def bind_bag_unpack(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    """Bind ``bag_unpack(bag, prefix, conflict, ignored)``.

    The properties become columns in alphabetical order, behind the columns of the table. Without declared columns
    the names and types come from the data, through ``discover``.
    """
    given = _by_name(node, scope)
    bag = types.coerce(scope.scalar(given["column"]), "dynamic", scope=scope, span=node.span)
    prefix, conflict, ignored = _unpacking(given, node, scope)
    if conflict not in CONFLICTS:
        scope.fail(f"unknown columnsConflict '{conflict}'{suggestion(conflict, CONFLICTS)}", node.span)
    # The unpacked column itself disappears.
    source = {c.name: (c, ref(c)) for c in relation.columns if ref(c) != bag}
    made: dict[str, Output] = {}
    for name, kind in _properties(node, bag, prefix, relation, source=source.keys(), scope=scope):
        label = f"{prefix}{name}"
        if name in ignored:
            continue
        # The three strategies of Kusto's parameter columnsConflict.
        if label in source and conflict == "keep_source":
            made[label] = source.pop(label)
            continue
        if label in source and conflict == "error":
            scope.fail(f"the bag has '{name}', and a column '{label}' is there; give a prefix", node.span)
        source.pop(label, None)
        member = Call("member", (bag, Const("string", name)), "dynamic")
        made[label] = (scope.session.column(label, kind), types.converted(member, kind))
    return declared(node, projected(relation, [*source.values(), *made.values()]), scope)


UNPACKING = ("column", "OutputColumnPrefix", "columnsConflict", "ignoredProperties")


def _by_name(node: syntax.Evaluate, scope: Scope) -> dict[str, syntax.Expr]:
    """Return the arguments by parameter name; arguments without a name go by place."""
    given: dict[str, syntax.Expr] = {}
    for place, argument in enumerate(node.call.arguments):
        name = argument.names[0] if isinstance(argument, syntax.Named) else "".join(UNPACKING[place : place + 1])
        if name not in UNPACKING or name in given:
            scope.fail(f"expected bag_unpack({', '.join(UNPACKING)})", argument.span)
        given[name] = argument.value if isinstance(argument, syntax.Named) else argument
    if "column" not in given:
        scope.fail(f"expected bag_unpack({', '.join(UNPACKING)})", node.span)
    return given


def _unpacking(given: Mapping[str, syntax.Expr], node: syntax.Evaluate, scope: Scope) -> tuple[str, str, list[Any]]:
    """Return prefix, conflict strategy and ignored properties."""
    prefix, conflict = (str(constant(given[n], scope, "string")) if n in given else "" for n in UNPACKING[1:3])
    ignored = scope.scalar(given[UNPACKING[3]]) if UNPACKING[3] in given else Const("dynamic", "[]")
    if not isinstance(ignored, Const) or ignored.type != "dynamic":
        scope.fail("expected the ignored properties as dynamic([…])", node.span)
    return prefix, conflict or "error", array_of(ignored)


def _properties(
    node: syntax.Evaluate, bag: Scalar, prefix: str, relation: Relation, *, source: Any, scope: Scope
) -> list[tuple[str, str]]:
    """Return names and types of the properties: as the query declares them, otherwise as the data has them."""
    # Declared columns save the query that finds them.
    if node.schema:
        parts = [part for part in node.schema if part.name.startswith(prefix) and part.name not in source]
        return [(part.name.removeprefix(prefix), part.type) for part in parts]
    kinds: dict[str, set[str]] = {}
    for name, kind in discovered(_pairs(bag, relation, scope), node, scope):
        kinds.setdefault(name, set()).update({kind} - {"null"})
    return [(name, _type_of(kinds[name])) for name in sorted(kinds)]


def _pairs(bag: Scalar, relation: Relation, scope: Scope) -> Plan:
    """Return a plan of each property's name with each type of its values, once."""
    # Values that are no bags have no properties.
    is_bag = Call("==string", (Call("type_of_dynamic", (bag,), "string"), Const("string", "dictionary")), "bool")
    pair, index = scope.session.hidden("dynamic"), scope.session.hidden("long")
    expanded = Expand(Filter(relation.plan, is_bag), (Call("expand_wide", (bag,), "dynamic"),), (pair,), index)
    name, value = (Call("element", (ref(pair), Const("long", place)), "dynamic") for place in (0, 1))
    named = (scope.session.column("name", "string"), types.converted(name, "string"))
    typed = (scope.session.column("type", "string"), Call("type_of_dynamic", (value,), "string"))
    return grouped(Relation(expanded), [named, typed], []).plan


def _type_of(kinds: set[str]) -> str:
    """Return the column type for the types that a property's values have; mixed types stay dynamic."""
    if kinds == {"long", "double"}:
        return "real"
    return JSON_TYPES.get(kinds.pop(), "dynamic") if len(kinds) == 1 else "dynamic"
