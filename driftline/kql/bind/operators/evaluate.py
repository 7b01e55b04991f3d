"""Bind evaluate's plugins.

The columns of ``bag_unpack`` and ``pivot`` depend on the data. Who runs the hunt gives a way to
ask for it (``discover``): a small query runs first, and what it finds stands in the plan as
constants. Without one, or to be sure of the columns, a query says them itself:
``evaluate pivot(k) : (*, a: long)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from driftline.kql import functions, syntax
from driftline.kql.bind.functions.signatures import bind_call_to
from driftline.kql.bind.plugins.autocluster import bind_autocluster
from driftline.kql.bind.plugins.basket import bind_basket
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import constant
from driftline.kql.bind.scalars.membership import array_of
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables import sources
from driftline.kql.bind.tables.outputs import Names, Output, grouped, kept, kept_fresh, projected, ref
from driftline.kql.plan.nodes import Call, Column, Const, Expand, Filter, Join, Key, Plan, Project, Scalar, Window
from driftline.kql.text.problems import suggestion

__all__ = ["OPERATORS", "PLUGINS"]

MOST_COLUMNS = 500
CONFLICTS = ("error", "replace_source", "keep_source")
COUNTING = frozenset(["count", "countif", "dcount", "dcountif", "sum", "sumif", "count_distinct", "count_distinctif"])
JSON_TYPES = {"long": "long", "double": "real", "string": "string", "bool": "bool"}


def bind_evaluate(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    plugin = PLUGINS.get(node.call.name)
    if plugin is None:
        reason = UNKNOWABLE.get(node.call.name)
        if reason:
            scope.fail(f"not supported: evaluate {node.call.name}: {reason}", node.span)
        scope.fail(f"not supported: evaluate {node.call.name}{suggestion(node.call.name, PLUGINS)}", node.span)
    return plugin(node, relation, scope)


def discovered(plan: Plan, node: syntax.Evaluate, scope: Scope) -> list[tuple[Any, ...]]:
    """Ask for rows on which the columns depend."""
    if scope.session.discover is None:
        scope.fail(
            f"not supported here: evaluate {node.call.name} without the result's columns; "
            f"say them: evaluate {node.call.name}(…) : (*, a: string, b: long)",
            node.span,
        )
    if len(scope.session.problems):
        scope.fail(f"the columns of {node.call.name} cannot be told before what precedes it is right", node.span)
    rows = scope.session.discover(plan)
    if len(rows) > MOST_COLUMNS:
        scope.fail(f"not supported: {node.call.name} that makes more than {MOST_COLUMNS} columns", node.span)
    return rows


def _declared(node: syntax.Evaluate, found: Relation, scope: Scope) -> Relation:
    """Keep the columns the query says; all there are if it says none, or ``*``."""
    if not node.schema or node.whole:
        return found
    columns = {c.name: c for c in found.columns}
    outputs: list[Output] = []
    for part in node.schema:
        column = columns.get(part.name)
        value: Scalar = types.converted(ref(column), part.type) if column else Const(part.type, None)
        outputs.append((scope.session.column(part.name, part.type), value))
    return projected(found, outputs)


# bag_unpack(bag, prefix, conflict, ignored)


def _bag_unpack(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    given = _by_name(node, scope)
    bag = types.coerce(scope.scalar(given["column"]), "dynamic", scope=scope, span=node.span)
    prefix, conflict, ignored = _unpacking(given, node, scope)
    if conflict not in CONFLICTS:
        scope.fail(f"unknown way with conflicts '{conflict}'{suggestion(conflict, CONFLICTS)}", node.span)
    source = {c.name: (c, ref(c)) for c in relation.columns if ref(c) != bag}
    made: dict[str, Output] = {}
    for name, kind in _properties(node, bag, prefix, relation, source=source.keys(), scope=scope):
        label = f"{prefix}{name}"
        if name in ignored:
            continue
        if label in source and conflict == "keep_source":
            made[label] = source.pop(label)
            continue
        if label in source and conflict == "error":
            scope.fail(f"the bag has '{name}', and a column '{label}' is there; give a prefix", node.span)
        source.pop(label, None)
        member = Call("member", (bag, Const("string", name)), "dynamic")
        made[label] = (scope.session.column(label, kind), types.converted(member, kind))
    return _declared(node, projected(relation, [*source.values(), *made.values()]), scope)


UNPACKING = ("column", "OutputColumnPrefix", "columnsConflict", "ignoredProperties")


def _by_name(node: syntax.Evaluate, scope: Scope) -> dict[str, syntax.Expr]:
    """Give the arguments by their names, which those in their place need not say."""
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
    prefix, conflict = (str(constant(given[n], scope, "string")) if n in given else "" for n in UNPACKING[1:3])
    ignored = scope.scalar(given[UNPACKING[3]]) if UNPACKING[3] in given else Const("dynamic", "[]")
    if not isinstance(ignored, Const) or ignored.type != "dynamic":
        scope.fail("expected the ignored properties as dynamic([…])", node.span)
    return prefix, conflict or "error", array_of(ignored)


def _properties(
    node: syntax.Evaluate, bag: Scalar, prefix: str, relation: Relation, *, source: Any, scope: Scope
) -> list[tuple[str, str]]:
    """Give names and types of the properties, as the query says or as the data has them."""
    if node.schema:
        parts = [part for part in node.schema if part.name.startswith(prefix) and part.name not in source]
        return [(part.name.removeprefix(prefix), part.type) for part in parts]
    kinds: dict[str, set[str]] = {}
    for name, kind in discovered(_pairs(bag, relation, scope), node, scope):
        kinds.setdefault(name, set()).update({kind} - {"null"})
    return [(name, _type_of(kinds[name])) for name in sorted(kinds)]


def _pairs(bag: Scalar, relation: Relation, scope: Scope) -> Plan:
    """Give each property's name with the type of each of its values, once."""
    is_bag = Call("==string", (Call("type_of_dynamic", (bag,), "string"), Const("string", "dictionary")), "bool")
    pair, index = scope.session.hidden("dynamic"), scope.session.hidden("long")
    expanded = Expand(Filter(relation.plan, is_bag), (Call("expand_wide", (bag,), "dynamic"),), (pair,), index)
    name, value = (Call("element", (ref(pair), Const("long", place)), "dynamic") for place in (0, 1))
    named = (scope.session.column("name", "string"), types.converted(name, "string"))
    typed = (scope.session.column("type", "string"), Call("type_of_dynamic", (value,), "string"))
    return grouped(Relation(expanded), [named, typed], []).plan


def _type_of(kinds: set[str]) -> str:
    if kinds == {"long", "double"}:
        return "real"
    return JSON_TYPES.get(kinds.pop(), "dynamic") if len(kinds) == 1 else "dynamic"


# pivot(column, aggregate, columns)


def _pivot(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    if not node.call.arguments:
        scope.fail("expected pivot(column, aggregate, columns)", node.span)
    over, *rest = node.call.arguments
    counting = syntax.Call("count", (), span=node.span)
    aggregate = rest[0] if rest and isinstance(rest[0], syntax.Call) else counting
    places = rest[1:] if rest and isinstance(rest[0], syntax.Call) else rest
    value = types.converted(scope.scalar(over), "string")
    groups = kept_fresh(_pivot_groups(over, aggregate, places, relation, scope), scope)
    key = scope.session.hidden("string")
    inner = Scope(scope.session, scope.names, grouped=relation)
    result = inner.scalar(aggregate)
    collected = grouped(relation, [*groups, (key, value)], list(inner.aggregates))
    cell = scope.session.hidden(result.type)
    cells = projected(collected, [*kept(c for c, _ in groups), (key, ref(key)), (cell, result)])
    name = functions.ALIASES.get(aggregate.name, aggregate.name)
    columns = _pivoted(node, [c.name for c, _ in groups], cells, key, scope)
    spread: list[Output] = [
        (scope.session.column(label, cell.type), _cell(text, key, cell, name)) for label, text in columns
    ]
    return _declared(node, grouped(cells, kept_fresh([c for c, _ in groups], scope), spread), scope)


def _pivot_groups(
    over: syntax.Expr, aggregate: syntax.Call, places: list[syntax.Expr], relation: Relation, scope: Scope
) -> list[Column]:
    used = {node.name for node in (over, *aggregate.arguments) if isinstance(node, syntax.Name)}
    if not places:
        return [c for c in relation.columns if c.name not in used]
    found = []
    for place in places:
        column = scope.column(place.name) if isinstance(place, syntax.Name) else None
        if column is None:
            scope.fail("expected a column's name", place.span)
        found.append(column)
    return found


def _pivoted(
    node: syntax.Evaluate, taken: list[str], cells: Relation, key: Column, scope: Scope
) -> list[tuple[str, str]]:
    """Give each new column's name with the value that makes it."""
    if node.schema:
        return [(part.name, part.name) for part in node.schema if part.name not in taken]
    column = scope.session.column("value", "string")
    texts = sorted(row[0] for row in discovered(grouped(cells, [(column, ref(key))], []).plan, node, scope))
    names = Names(taken)
    return [(names.unique(text or "Column"), text) for text in texts]


def _cell(text: str, key: Column, cell: Column, aggregate: str) -> Scalar:
    here = Call("==string", (ref(key), Const("string", text)), "bool")
    nothing = Call("no_value", (ref(cell),), cell.type)
    found: Scalar = Call("max", (Call("choose", (here, ref(cell), nothing), cell.type),), cell.type)
    if cell.type == "string":
        return Call("text_or_empty", (found,), "string")
    return Call("coalesce_null", (found, Const(cell.type, 0)), cell.type) if aggregate in COUNTING else found


# narrow(): a row for each cell


def _narrow(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    if node.call.arguments:
        scope.fail("expected narrow()", node.span)
    row, pair, index = (scope.session.hidden(kind) for kind in ("long", "dynamic", "long"))
    number = Window(Call("number_row", (), "long"), relation.order)
    pairs = [
        Call("pack_array", (_json(Const("string", c.name)), _json(types.converted(ref(c), "string"))), "dynamic")
        for c in relation.columns
    ]
    packed = Project(
        relation.plan,
        (row, pair),
        (Call("-", (number, Const("long", 1)), "long"), Call("pack_array", tuple(pairs), "dynamic")),
    )
    cell = scope.session.hidden("dynamic")
    expanded = Expand(packed, (Call("expand_list", (ref(pair),), "dynamic"),), (cell,), index)
    name, value = (Call("element", (ref(cell), Const("long", place)), "dynamic") for place in (0, 1))
    outputs: list[Output] = [
        (scope.session.column("Row", "long"), ref(row)),
        (scope.session.column("Column", "string"), types.converted(name, "string")),
        (scope.session.column("Value", "string"), types.converted(value, "string")),
    ]
    order = tuple(Key(ref(column), descending=False, nulls_first=True) for column in (row, index))
    return projected(Relation(expanded, order, serialized=True), outputs)


def _json(value: Scalar) -> Scalar:
    return types.converted(value, "dynamic")


# ipv4_lookup and ipv6_lookup(table, address, network, return_unmatched)


def _address_lookup(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    version = node.call.name.removesuffix("_lookup")
    named = {a.names[0]: a.value for a in node.call.arguments if isinstance(a, syntax.Named) and a.names}
    plain = [a for a in node.call.arguments if not isinstance(a, syntax.Named)]
    unmatched = named.get("return_unmatched")
    if len(plain) > 3 and isinstance(plain[-1], syntax.Literal):
        unmatched = plain.pop()
    if len(plain) != 3:
        scope.fail(
            f"expected {node.call.name}(table, address, network, return_unmatched); further keys not supported",
            node.span,
        )
    keep = unmatched is not None and bool(constant(unmatched, scope, "bool"))
    outer, number = sources.numbered(relation, scope)
    source = sources.renewed(Relation(outer.plan, partition=(ref(number),)), scope)
    right = scope.with_row(None).table(plain[0])
    address = types.coerce(scope.with_row(source).scalar(plain[1]), "string", scope=scope, span=plain[1].span)
    network = scope.with_row(right).scalar(plain[2])
    within = bind_call_to(functions.FUNCTIONS[f"{version}_is_in_range"], node.call, (address, network), scope)
    # Not as the join's condition: ClickHouse joins outer sides by equality alone.
    matched = Filter(Join("inner", source.plan, right.plan, Const("bool", True)), within)
    same = Call("==filter", (ref(number), source.partition[0]), "bool")
    joined = Join("left" if keep else "inner", outer.plan, matched, same)
    return projected(outer.over(joined), _looked_up(relation.columns, right.columns, version, scope))


# Kusto gives the source's columns first for IPv4, the looked up ones for IPv6.
def _looked_up(source: Sequence[Column], found: Sequence[Column], version: str, scope: Scope) -> list[Output]:
    names = Names(c.name for c in source)
    columns: list[Output] = []
    for column in found:
        value: Scalar = Call("text_or_empty", (ref(column),), "string") if column.type == "string" else ref(column)
        columns.append((scope.session.column(names.unique(column.name), column.type), value))
    return columns + kept(source) if version == "ipv6" else kept(source) + columns


# Operators we know of and refuse

REASONS = {
    "fork": ": a hunt has one result; run the branches as hunts of their own",
    "facet": ": a hunt has one result; summarize by each column instead",
    "consume": ": it gives no rows",
    "partition": " with a body in braces; put the body in brackets, without its source",
    "getschema": " with a kind",
    "assert-schema": "",
    "project-by-names": ": its columns depend on values",
    "macro-expand": ": there is one group of tables here",
}


def bind_refused(node: syntax.Unsupported, relation: Relation, scope: Scope) -> Relation:
    scope.fail(f"not supported: the operator '{node.op}'{REASONS.get(node.op, '')}", node.span)


UNKNOWABLE = {
    "diffpatterns": "Kusto does not say which patterns it prefers; use 'evaluate basket()' on each side",
    "python": "a hunt runs no programs",
    "r": "a hunt runs no programs",
    "sql_request": "a hunt reads only the tables it is given",
    "http_request": "a hunt reads only the tables it is given",
    "http_request_post": "a hunt reads only the tables it is given",
}
"""Plugins that are refused, and why."""
PLUGINS: dict[str, Callable[[syntax.Evaluate, Relation, Scope], Relation]] = {
    "bag_unpack": _bag_unpack,
    "pivot": _pivot,
    "narrow": _narrow,
    "ipv4_lookup": _address_lookup,
    "ipv6_lookup": _address_lookup,
    "autocluster": bind_autocluster,
    "basket": bind_basket,
}
OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.Evaluate: bind_evaluate,
    syntax.Unsupported: bind_refused,
}
