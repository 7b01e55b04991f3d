"""Bind the operators of a pipeline, one function each."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from typing import Any

from driftline.kql import functions, syntax
from driftline.kql.bind import calls, scalars, tables, types
from driftline.kql.bind.scope import Closure, Relation, Scope
from driftline.kql.cursor import Stuck
from driftline.kql.parse import OPERATORS
from driftline.kql.plan import (
    Aggregate,
    Call,
    Col,
    Column,
    Const,
    Distinct,
    Expand,
    Filter,
    Join,
    Key,
    Limit,
    Numbers,
    Project,
    Scalar,
    Shared,
    Values,
    Window,
)
from driftline.kql.problems import Span, suggestion

__all__ = ["SUPPORTED"]

Output = tuple[Column, Scalar]


def ref(column: Column) -> Col:
    return Col(column.id, column.type)


def projected(relation: Relation, outputs: Iterable[Output]) -> Relation:
    """Give a table of these columns; those that carry the order stay, hidden."""
    pairs = list(outputs)
    present = {column.id for column, _ in pairs}
    for key in relation.order:
        if isinstance(key.value, Col) and key.value.id not in present:
            pairs.append((Column(key.value.id, key.value.type), key.value))
            present.add(key.value.id)
    plan = Project(relation.plan, tuple(c for c, _ in pairs), tuple(v for _, v in pairs))
    return Relation(plan, relation.order, relation.serialized)


def kept(columns: Iterable[Column]) -> list[Output]:
    return [(column, ref(column)) for column in columns]


def _where(node: syntax.Where, relation: Relation, scope: Scope) -> Relation:
    return Relation(
        Filter(relation.plan, scalars.bind_predicate(node.predicate, scope)), relation.order, relation.serialized
    )


# Lists of columns


def default_name(node: syntax.Expr) -> str:
    """Give the name Kusto gives an unnamed expression, "" if it numbers it."""
    if isinstance(node, syntax.Name):
        return node.name
    if isinstance(node, syntax.Member):
        return f"{default_name(node.base)}_{node.name}".lstrip("_")
    if isinstance(node, syntax.Index) and isinstance(node.index, syntax.Literal):
        return f"{default_name(node.base)}_{node.index.value}"
    if isinstance(node, syntax.Call):
        name = functions.ALIASES.get(node.name, node.name)
        if name in NAMED_AFTER_ARGUMENT and node.arguments:
            return default_name(node.arguments[0])
        if name in functions.AGGREGATES:
            return aggregate_name(name, node)
    return ""


NAMED_AFTER_ARGUMENT = frozenset(
    [
        "bin",
        "startofday",
        "startofweek",
        "startofmonth",
        "startofyear",
        "endofday",
        "endofweek",
        "endofmonth",
        "endofyear",
        "tostring",
        "tolong",
        "toint",
        "toreal",
        "tobool",
        "todatetime",
        "totimespan",
        "toguid",
        "todynamic",
    ]
)


def aggregate_name(name: str, node: syntax.Call) -> str:
    first = default_name(node.arguments[0]) if node.arguments else ""
    if name in {"take_any", "take_anyif", "arg_max", "arg_min", "prev", "next", "row_number", "row_cumsum"}:
        return first if name in {"take_any", "take_anyif", "arg_max", "arg_min"} else ""
    prefix = {
        "make_list": "list",
        "make_set": "set",
        "make_bag": "bag",
        "make_list_if": "list",
        "make_set_if": "set",
    }.get(name, name)
    if name == "percentile" and len(node.arguments) > 1 and isinstance(node.arguments[1], syntax.Literal):
        return f"percentile_{first}_{node.arguments[1].value}"
    return f"{prefix}_{'' if name in {'countif', 'count'} else first}"


class Names:
    """Give each column of a list its name; numbers what has none."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = set(taken)
        self.number = 0

    def unnamed(self) -> str:
        while True:
            self.number += 1
            if f"Column{self.number}" not in self.taken:
                return self.unique(f"Column{self.number}")

    def unique(self, name: str) -> str:
        candidate, number = name, 0
        while candidate in self.taken:
            number += 1
            candidate = f"{name}{number}"
        self.taken.add(candidate)
        return candidate

    def of(self, item: syntax.Named) -> str:
        if item.names:
            self.taken.add(item.names[0])
            return item.names[0]
        name = default_name(item.value)
        return self.unique(name) if name else self.unnamed()


def bound_or_null(node: syntax.Expr, scope: Scope) -> Scalar:
    """Bind an item of a list; one that fails is noted and stands as null."""
    try:
        return scalars.bind_scalar(node, scope)
    except Stuck:
        scope.session.tainted = True
        return Const("dynamic", None)


def _project(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    outputs: dict[str, Output] = {}
    names = Names()
    for item in node.items:
        if isinstance(item, syntax.Star):
            scope.fail("project takes no '*'; leave the operator out to keep all columns", item.span)
        assert isinstance(item, syntax.Named)
        value = bound_or_null(item.value, scope)
        for name, single in spread(item, value, names, scope):
            if name in outputs and item.names:
                scope.fail(f"a column '{name}' is already there", item.span)
            outputs[name] = (made(name, single, scope), single)
    return projected(relation, outputs.values())


def spread(item: syntax.Named, value: Scalar, names: Names, scope: Scope) -> list[tuple[str, Scalar]]:
    """Give names and values of an item; ``(a, b) = x`` takes an array apart."""
    if several := calls.columns_of(item, value):
        return [(names.unique(name), single) for name, single in several]
    if len(item.names) < 2:
        return [(names.of(item), value)]
    if value.type != "dynamic":
        scope.fail(f"expected an array for {len(item.names)} names, got a {value.type}", item.span)
    return [(n, Call("element", (value, Const("long", i)), "dynamic")) for i, n in enumerate(item.names)]


def made(name: str, value: Scalar, scope: Scope) -> Column:
    """Make a column for a value; a column taken over as it is keeps its identifier."""
    if isinstance(value, Col):
        column = next((c for c in scope.columns() if c.id == value.id), None)
        if column is not None and column.name == name:
            return column
    return scope.session.column(name, value.type)


def _extend(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    outputs: dict[str, Output] = {column.name: (column, ref(column)) for column in relation.columns}
    names = Names(outputs)
    for item in node.items:
        if not isinstance(item, syntax.Named):
            scope.fail("expected name = value", item.span)
        value = bound_or_null(item.value, scope)
        for name, single in spread(item, value, names, scope):
            if not item.names and isinstance(item.value, syntax.Name):
                continue
            outputs[name] = (scope.session.column(name, single.type), single)
    return projected(relation, outputs.values())


def matching(item: syntax.Expr, relation: Relation, scope: Scope, *, must: bool = True) -> list[Column]:
    """Give the columns a name or pattern means."""
    if isinstance(item, syntax.Star):
        return [c for c in relation.columns if fnmatch.fnmatchcase(c.name, item.pattern)]
    assert isinstance(item, syntax.Name)
    found = [c for c in relation.columns if c.name == item.name]
    if must and not found:
        scope.unknown_column(item.name, item.span)
    return found


def matches(node: syntax.Columns, relation: Relation, scope: Scope) -> list[Column]:
    found: dict[str, Column] = {}
    for item in node.items:
        found.update({column.id: column for column in matching(item, relation, scope)})
    return list(found.values())


def _project_away(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    gone = {column.id for column in matches(node, relation, scope)}
    return projected(relation, kept(c for c in relation.columns if c.id not in gone))


def _project_keep(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    found = {column.id for column in matches(node, relation, scope)}
    return projected(relation, kept(c for c in relation.columns if c.id in found))


def _project_reorder(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    first = matches(node, relation, scope)
    return projected(relation, kept([*first, *(c for c in relation.columns if c not in first)]))


def _project_rename(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    renamed: dict[str, str] = {}
    for item in node.items:
        assert isinstance(item, syntax.Named)
        if not item.names or not isinstance(item.value, syntax.Name):
            scope.fail("expected new = old", item.span)
        column = scope.column(item.value.name)
        if column is None:
            scope.unknown_column(item.value.name, item.value.span)
        renamed[column.id] = item.names[0]
    outputs = [
        (scope.session.column(renamed[c.id], c.type) if c.id in renamed else c, ref(c)) for c in relation.columns
    ]
    return projected(relation, outputs)


def _distinct(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    if any(isinstance(item, syntax.Star) for item in node.items):
        columns = list(relation.columns)
        return grouped(relation, kept_fresh(columns, scope), [])
    names = Names()
    outputs = []
    for item in node.items:
        assert isinstance(item, syntax.Named)
        value = scalars.bind_scalar(item.value, scope)
        outputs.append((scope.session.column(names.of(item), value.type), value))
    return grouped(relation, outputs, [])


def kept_fresh(columns: Iterable[Column], scope: Scope) -> list[Output]:
    return [(scope.session.column(c.name, c.type), ref(c)) for c in columns]


def grouped(relation: Relation, groups: list[Output], aggregates: list[Output]) -> Relation:
    columns = tuple(c for c, _ in [*groups, *aggregates])
    return Relation(Aggregate(relation.plan, columns, tuple(v for _, v in groups), tuple(v for _, v in aggregates)))


LISTS: dict[str, Callable[[syntax.Columns, Relation, Scope], Relation]] = {
    "project": _project,
    "extend": _extend,
    "project-away": _project_away,
    "project-keep": _project_keep,
    "project-rename": _project_rename,
    "project-reorder": _project_reorder,
    "distinct": _distinct,
}


# Summaries


def _summarize(node: syntax.Summarize, relation: Relation, scope: Scope) -> Relation:
    names = Names()
    groups: list[Output] = []
    for item in node.groups:
        value = bound_or_null(item.value, scope)
        groups.append((scope.session.column(names.of(item), value.type), value))
    keyed = Relation(Values(tuple(c for c, _ in groups), ()))
    inner = Scope(scope.session, scope.names, relation=keyed, grouped=relation)
    outputs: list[Output] = []
    for item in node.aggregates:
        outputs += _aggregated(item, inner, names, {c.name for c, _ in groups})
    collected = grouped(relation, groups, list(inner.aggregates))
    return projected(collected, [*kept(c for c, _ in groups), *outputs])


def _aggregated(item: syntax.Named, scope: Scope, names: Names, groups: set[str]) -> list[Output]:
    value = item.value
    if isinstance(value, syntax.Call):
        name = functions.ALIASES.get(value.name, value.name)
        if name in SEVERAL:
            return SEVERAL[name](name, item, value, scope, names, groups)
    try:
        bound = scalars.bind_scalar(value, scope)
    except Stuck:
        scope.session.tainted = True
        bound = Const("dynamic", None)
    return [(scope.session.column(names.of(item), bound.type), bound)]


def _arg_extreme(
    name: str, item: syntax.Named, call: syntax.Call, scope: Scope, names: Names, groups: set[str]
) -> list[Output]:
    rows = scope.grouped
    assert rows is not None
    if len(call.arguments) < 1:
        scope.fail(f"expected {name}(value, columns)", call.span)
    inner = scope.with_row(rows)
    key = scalars.bind_scalar(call.arguments[0], inner)
    first = default_name(call.arguments[0])
    wanted: list[tuple[str, Scalar]] = [(first or f"{name[4:]}_", key)]
    for argument in call.arguments[1:]:
        if isinstance(argument, syntax.Star):
            skipped = {*groups, first}
            wanted += [
                (c.name, ref(c))
                for c in rows.columns
                if c.name not in skipped and fnmatch.fnmatchcase(c.name, argument.pattern)
            ]
        else:
            wanted.append((default_name(argument) or names.unnamed(), scalars.bind_scalar(argument, inner)))
    labels = dict(enumerate(item.names))
    outputs = []
    for number, (label, value) in enumerate(wanted):
        function = name[4:] if number == 0 else name
        aggregate = Call(function, (value,) if number == 0 else (value, key), value.type)
        shown = labels.get(number) or names.unique(label)
        names.taken.add(shown)
        outputs.append((scope.session.column(shown, value.type), calls.collected(aggregate, scope)))
    return outputs


def _take_any(
    name: str, item: syntax.Named, call: syntax.Call, scope: Scope, names: Names, groups: set[str]
) -> list[Output]:
    rows = scope.grouped
    assert rows is not None
    outputs = []
    for argument in call.arguments:
        columns = [c for c in rows.columns if c.name not in groups] if isinstance(argument, syntax.Star) else None
        pairs = (
            [(c.name, ref(c)) for c in columns]
            if columns is not None
            else [(default_name(argument), scalars.bind_scalar(argument, scope.with_row(rows)))]
        )
        for label, value in pairs:
            shown = (
                item.names[0]
                if item.names and len(call.arguments) == 1 and columns is None
                else names.unique(label or "any_")
            )
            aggregate = Call("take_any", (value,), value.type)
            outputs.append((scope.session.column(shown, value.type), calls.collected(aggregate, scope)))
    return outputs


def _percentiles(
    name: str, item: syntax.Named, call: syntax.Call, scope: Scope, names: Names, groups: set[str]
) -> list[Output]:
    outputs = []
    for number, percent in enumerate(call.arguments[1:]):
        single = syntax.Call("percentile", (call.arguments[0], percent), span=call.span)
        value = scalars.bind_scalar(single, scope)
        label = item.names[number] if number < len(item.names) else names.unique(default_name(single))
        outputs.append((scope.session.column(label, value.type), value))
    return outputs


SEVERAL: dict[str, Callable[..., list[Output]]] = {
    "arg_max": _arg_extreme,
    "arg_min": _arg_extreme,
    "take_any": _take_any,
    "percentiles": _percentiles,
}


def _plain(node: syntax.Plain, relation: Relation, scope: Scope) -> Relation:
    if node.op == "count":
        return grouped(relation, [], [(scope.session.column("Count", "long"), Call("count", (), "long"))])
    types_of = {
        "bool": "System.SByte",
        "int": "System.Int32",
        "long": "System.Int64",
        "real": "System.Double",
        "string": "System.String",
        "datetime": "System.DateTime",
        "timespan": "System.TimeSpan",
        "guid": "System.Guid",
        "dynamic": "System.Object",
    }
    names = ("ColumnName", "string"), ("ColumnOrdinal", "long"), ("DataType", "string"), ("ColumnType", "string")
    columns = tuple(scope.session.column(*pair) for pair in names)
    rows = tuple(
        (Const("string", c.name), Const("long", i), Const("string", types_of[c.type]), Const("string", c.type))
        for i, c in enumerate(relation.columns)
    )
    return tables.in_order(Values(columns, rows), columns[1])


# Order


def _keys(keys: tuple[syntax.Key, ...], relation: Relation, scope: Scope) -> tuple[Relation, tuple[Key, ...]]:
    """Bind sort keys; computed ones become hidden columns. Descending unless said otherwise."""
    outputs: list[Output] = kept(relation.columns)
    found = []
    for key in keys:
        value = scalars.bind_scalar(key.value, scope)
        if value.type == "dynamic":
            value = types.converted(value, "string")
        if not isinstance(value, Col):
            column = scope.session.hidden(value.type)
            outputs.append((column, value))
            value = ref(column)
        descending = key.descending is not False
        nulls_first = key.nulls == "first" if key.nulls else not descending
        found.append(Key(value, descending, nulls_first))
    computed = len(outputs) > len(relation.columns)
    return (projected(relation, outputs) if computed else relation), tuple(found)


def _sort(node: syntax.Sort, relation: Relation, scope: Scope) -> Relation:
    widened, keys = _keys(node.keys, relation, scope)
    return Relation(widened.plan, keys, serialized=True)


def _top(node: syntax.Top, relation: Relation, scope: Scope) -> Relation:
    widened, keys = _keys(node.keys, relation, scope)
    count = types.coerce(
        scalars.bind_scalar(node.count, scope.with_row(None)), "long", scope=scope, span=node.count.span
    )
    return Relation(Limit(widened.plan, keys, count), keys, serialized=True)


def _limit(node: syntax.Limit, relation: Relation, scope: Scope) -> Relation:
    count = types.coerce(
        scalars.bind_scalar(node.count, scope.with_row(None)), "long", scope=scope, span=node.count.span
    )
    keys = relation.order
    if node.op == "sample":
        keys = (Key(Call("rand", (Const("long", None),), "real"), descending=False, nulls_first=True),)
    return Relation(Limit(relation.plan, keys, count), relation.order, relation.serialized)


def _sample_distinct(node: syntax.SampleDistinct, relation: Relation, scope: Scope) -> Relation:
    value = scalars.bind_scalar(node.value, scope)
    column = scope.session.column(default_name(node.value) or "Column1", value.type)
    found = grouped(relation, [(column, value)], [])
    return _limit(syntax.Limit("take", node.count, span=node.span), found, scope)


def _top_hitters(node: syntax.TopHitters, relation: Relation, scope: Scope) -> Relation:
    value = scalars.bind_scalar(node.value, scope)
    name = default_name(node.value) or "Column1"
    weight = f"approximate_sum_{default_name(node.weight)}" if node.weight else f"approximate_count_{name}"
    aggregate = Call("count", (), "long")
    if node.weight:
        aggregate = scalars.bind_call_to(
            functions.AGGREGATES["sum"],
            syntax.Call("sum", (node.weight,), span=node.span),
            (scalars.bind_scalar(node.weight, scope),),
            scope,
        )  # type: ignore[assignment]
    column = scope.session.column(weight, aggregate.type)
    found = grouped(relation, [(scope.session.column(name, value.type), value)], [(column, aggregate)])
    keys = (Key(ref(column), descending=True, nulls_first=False),)
    count = types.coerce(scalars.bind_scalar(node.count, scope.with_row(None)), "long", scope=scope, span=node.span)
    return Relation(Limit(found.plan, keys, count), keys, serialized=True)


def _serialize(node: syntax.Serialize, relation: Relation, scope: Scope) -> Relation:
    serialized = Relation(relation.plan, relation.order, serialized=True)
    if not node.items:
        return serialized
    return _extend(syntax.Columns("extend", node.items, span=node.span), serialized, scope.with_row(serialized))


# Joins

KINDS = {
    "innerunique": "inner",
    "inner": "inner",
    "leftouter": "left",
    "rightouter": "right",
    "fullouter": "full",
    "leftsemi": "semi",
    "leftanti": "anti",
    "leftantisemi": "anti",
    "anti": "anti",
    "rightsemi": "semi",
    "rightanti": "anti",
    "rightantisemi": "anti",
}


def _join(node: syntax.Join, left: Relation, scope: Scope) -> Relation:
    settings = {p.name: p for p in node.parameters}
    lookup = node.op == "lookup"
    kind = settings["kind"].value if "kind" in settings else "leftouter" if lookup else "innerunique"
    if kind not in KINDS or (lookup and kind not in {"leftouter", "inner"}):
        scope.fail(f"unknown kind of {node.op} '{kind}'{suggestion(kind, KINDS)}", settings["kind"].span)
    right = tables.bind_table(node.table, scope.with_row(None))
    pairs = [_condition(c, left, right, scope) for c in node.conditions]
    if not pairs:
        scope.fail(f"expected 'on' and the columns to {node.op} by", node.span)
    if kind == "innerunique":
        left = Relation(Distinct(left.plan, tuple(pair[0] for pair in pairs), left.order), left.order)
    condition = Call("and", tuple(Call("==filter", pair, "bool") for pair in pairs), "bool")
    if kind.startswith("right") and kind != "rightouter":
        return Relation(Join(KINDS[kind], right.plan, left.plan, condition), right.order)
    joined = Join(KINDS[kind], left.plan, right.plan, condition)
    if KINDS[kind] in {"semi", "anti"}:
        return Relation(joined, left.order)
    gone = {pair[1].id for pair in pairs if isinstance(pair[1], Col)} if lookup else set()
    return _joined_columns(joined, left, right, gone, scope)


def _condition(node: syntax.Expr, left: Relation, right: Relation, scope: Scope) -> tuple[Scalar, Scalar]:
    if isinstance(node, syntax.Name):
        both = [scalars.bind_scalar(node, scope.with_row(side)) for side in (left, right)]
    elif isinstance(node, syntax.Binary) and node.op == "==":
        inner = Scope(scope.session, scope.names, sides=(left, right))
        both = list(scalars.bind_each((node.left, node.right), inner))
        if side_of(node.left) == "$right":
            both.reverse()
    else:
        scope.fail("expected a column or $left.a == $right.b", node.span)
    _, values = types.common(both, scope=scope, span=node.span)
    return values[0], values[1]


def side_of(node: syntax.Expr) -> str:
    while isinstance(node, (syntax.Member, syntax.Index)):
        node = node.base
    return node.name if isinstance(node, syntax.Name) else ""


def _joined_columns(joined: Join, left: Relation, right: Relation, gone: set[str], scope: Scope) -> Relation:
    names = Names(column.name for column in left.columns)
    outer = {"left": (False, True), "right": (True, False), "full": (True, True)}.get(joined.kind, (False, False))
    outputs = [_outer(c, c.name, empty=outer[0], scope=scope) for c in left.columns]
    outputs += [_outer(c, names.unique(c.name), empty=outer[1], scope=scope) for c in right.columns if c.id not in gone]
    return projected(Relation(joined), outputs)


# A side without a match gives nulls, but Kusto's strings are never null.
def _outer(column: Column, name: str, *, empty: bool, scope: Scope) -> Output:
    made_of: Scalar = ref(column)
    if empty and column.type == "string":
        made_of = Call("text_or_empty", (made_of,), "string")
    return scope.session.column(name, column.type), made_of


# Arrays


def _mv_expand(node: syntax.MvExpand, relation: Relation, scope: Scope) -> Relation:
    settings = {p.name: p.value for p in node.parameters}
    expanded, outputs = expand(
        node.items,
        relation,
        scope,
        index=settings.get("with_itemindex", ""),
        wide=settings.get("bagexpansion", settings.get("kind", "bag")) == "array",
    )
    if node.limit is not None:
        limit = types.coerce(
            scalars.bind_scalar(node.limit, scope.with_row(None)), "long", scope=scope, span=node.limit.span
        )
        bounded = Filter(expanded.plan, Call("<", (ref(expanded.plan.columns[-1]), limit), "bool"))
        expanded = Relation(bounded, expanded.order, expanded.serialized)
    return projected(expanded, outputs)


def expand(
    items: tuple[syntax.Expanded, ...], relation: Relation, scope: Scope, *, index: str = "", wide: bool = False
) -> tuple[Relation, list[Output]]:
    """Expand arrays into rows; give the table and the columns the user sees."""
    outputs: dict[str, Output] = {c.name: (c, ref(c)) for c in relation.columns}
    names = Names()
    arrays, elements = [], []
    for item in items:
        value = types.coerce(scalars.bind_scalar(item.item.value, scope), "dynamic", scope=scope, span=item.span)
        name = names.of(item.item)
        element = scope.session.hidden("dynamic")
        arrays.append(Call("expand_wide" if wide else "expand_list", (value,), "dynamic"))
        elements.append(element)
        made_of: Scalar = (
            ref(element) if item.type in {None, "dynamic"} else types.converted(ref(element), item.type or "")
        )
        outputs[name] = (scope.session.column(name, made_of.type), made_of)
    number = scope.session.hidden("long")
    if index:
        outputs[index] = (scope.session.column(index, "long"), ref(number))
    plan = Expand(relation.plan, tuple(arrays), tuple(elements), number)
    return Relation(plan, relation.order, relation.serialized), list(outputs.values())


def _mv_apply(node: syntax.MvApply, relation: Relation, scope: Scope) -> Relation:
    """Number the rows, expand them, run the body for each number, and join the rows back.

    The number travels as the order of the body's rows, which every row-wise operator keeps.
    """
    number = scope.session.hidden("long")
    numbered = projected(
        relation, [*kept(relation.columns), (number, Window(Call("number_row", (), "long"), relation.order))]
    )
    shared = Shared(scope.session.fresh("rows"), numbered.plan)
    outer = Relation(shared, relation.order, relation.serialized)
    source = tables.renewed(Relation(shared, (Key(ref(number), descending=False, nulls_first=True),)), scope)
    expanded, outputs = expand(node.items, source, scope.with_row(source))
    body = projected(expanded, outputs)
    for operator in node.body:
        body = _within(operator, body, scope)
    key = body.order[0].value
    joined = Join("inner", outer.plan, body.plan, Call("==filter", (ref(number), key), "bool"))
    taken = {c.name for c in relation.columns}
    new = [
        c
        for c in body.columns
        if c.name not in taken
        or any(default_name(i.item.value) == c.name or c.name in i.item.names for i in node.items)
    ]
    replaced = {c.name for c in new}
    shown = [c for c in relation.columns if c.name not in replaced]
    return projected(Relation(joined, outer.order, outer.serialized), kept([*shown, *new]))


def _within(operator: syntax.Operator, body: Relation, scope: Scope) -> Relation:
    """Apply an operator of a body separately to the rows of each number."""
    key = body.order[0]
    assert isinstance(key.value, Col)
    inside = scope.with_row(body)
    if isinstance(operator, syntax.Summarize):
        return _summarize_within(operator, body, key, scope)
    if isinstance(operator, syntax.Top) or (isinstance(operator, syntax.Limit) and operator.op == "take"):
        wide, keys = _keys(operator.keys, body, inside) if isinstance(operator, syntax.Top) else (body, ())
        count = types.coerce(
            scalars.bind_scalar(operator.count, scope.with_row(None)), "long", scope=scope, span=operator.span
        )
        place = scope.session.hidden("long")
        window = Window(Call("number_row", (), "long"), keys, (key.value,))
        counted = projected(wide, [*kept(wide.plan.columns), (place, window)])
        return Relation(Filter(counted.plan, Call("<=", (ref(place), count), "bool")), (key,))
    if isinstance(operator, syntax.Where) or (isinstance(operator, syntax.Columns) and operator.op != "distinct"):
        return tables.OPERATORS[type(operator)](operator, body, inside)
    scope.fail(
        "not supported: this operator within mv-apply; where, project, extend, summarize, top and take are",
        operator.span,
    )


def _summarize_within(node: syntax.Summarize, body: Relation, key: Key, scope: Scope) -> Relation:
    assert isinstance(key.value, Col)
    carried = Column(key.value.id, "long", "$number")
    plan = Project(body.plan, (*body.columns, carried), tuple(map(ref, (*body.columns, carried))))
    groups = (*node.groups, syntax.Named((), syntax.Name("$number", span=node.span), span=node.span))
    named = syntax.Summarize(node.aggregates, groups, span=node.span)
    grouped_by = _summarize(named, Relation(plan), scope.with_row(Relation(plan)))
    number = next(c for c in grouped_by.columns if c.name == "$number")
    hidden = Column(scope.session.fresh("order"), "long")
    outputs = [*kept(c for c in grouped_by.columns if c.name != "$number"), (hidden, ref(number))]
    return Relation(projected(grouped_by, outputs).plan, (Key(ref(hidden), descending=False, nulls_first=True),))


# Patterns

SHAPES = {
    "string": "(.*?)",
    "long": r"\s*([-+]?\d+)",
    "int": r"\s*([-+]?\d+)",
    "real": r"\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)",
    "bool": "(true|false|True|False|0|1)",
}


def _parse(node: syntax.Parse, relation: Relation, scope: Scope) -> Relation:
    kind = next((p.value for p in node.parameters if p.name == "kind"), "simple")
    source = types.coerce(scalars.bind_scalar(node.value, scope), "text", scope=scope, span=node.value.span)
    columns = [part for part in node.pattern if isinstance(part, syntax.TypedName)]
    pattern = Const("string", _regex(node.pattern, kind))
    outputs: dict[str, Output] = {c.name: (c, ref(c)) for c in relation.columns}
    for number, part in enumerate(columns, 1):
        text = Call("extract_plain", (pattern, Const("long", number), source), "string")
        value = types.converted(text, part.type)
        outputs[part.name] = (scope.session.column(part.name, part.type), value)
    if node.op == "parse-where":
        matched = Call("matches regex", (source, pattern), "bool")
        relation = Relation(Filter(relation.plan, matched), relation.order, relation.serialized)
    return projected(relation, outputs.values())


def _regex(parts: tuple[syntax.Expr, ...], kind: str) -> str:
    made_of = ["(?s)^"]
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if isinstance(part, syntax.Star):
            made_of.append(".*?" if not last else ".*")
        elif isinstance(part, syntax.Literal):
            made_of.append(f"(?:{part.value})" if kind == "regex" else scalars.quote_regex(part.value))
        elif isinstance(part, syntax.TypedName):
            shape = SHAPES.get(part.type, "(.*?)")
            made_of.append("(.*)" if last and shape == "(.*?)" else shape)
    return "".join(made_of) + "$"


def _parse_kv(node: syntax.ParseKv, relation: Relation, scope: Scope) -> Relation:
    settings = {s.names[0]: str(scalars.constant(s.value, scope, "string")) for s in node.settings if s.names}
    if settings.keys() - {"pair_delimiter", "kv_delimiter", "quote"}:
        scope.fail("not supported: parse-kv by a regular expression or with escapes", node.span)
    pair = scalars.quote_regex(settings.get("pair_delimiter", " "))
    inner = scalars.quote_regex(settings.get("kv_delimiter", "="))
    quote = scalars.quote_regex(settings.get("quote", '"'))[:2]
    source = types.coerce(scalars.bind_scalar(node.value, scope), "text", scope=scope, span=node.value.span)
    outputs: dict[str, Output] = {c.name: (c, ref(c)) for c in relation.columns}
    for part in node.columns:
        pattern = f"(?s)(?:^|{pair})\\s*{scalars.quote_regex(part.name)}{inner}{quote}?(.*?){quote}?(?:{pair}|$)"
        text = Call("extract_plain", (Const("string", pattern), Const("long", 1), source), "string")
        outputs[part.name] = (scope.session.column(part.name, part.type), types.converted(text, part.type))
    return projected(relation, outputs.values())


# Series


def _make_series(node: syntax.MakeSeries, relation: Relation, scope: Scope) -> Relation:
    """Aggregate by bins, lay them on a full grid of bins for each group, and collect the lists."""
    if node.start is None or node.stop is None:
        scope.fail("not supported: make-series without 'from' and 'to'", node.span)
    span = node.span
    axis = scalars.bind_scalar(node.axis.value, scope)
    start, stop, step = scalars.bind_each((node.start, node.stop, node.step), scope.with_row(None))
    names = Names()
    groups = [
        (scope.session.column(names.of(g), v.type), v)
        for g in node.groups
        for v in [scalars.bind_scalar(g.value, scope)]
    ]
    inside = Call(
        "and",
        (
            scalars.compared(">=", axis, start, scope=scope, span=span),
            scalars.compared("<", axis, stop, scope=scope, span=span),
        ),
        "bool",
    )
    rows = Relation(Filter(relation.plan, inside), relation.order)
    place = _place(axis, start, step, scope=scope, span=span)
    bin_column = scope.session.hidden("long")
    inner = Scope(scope.session, scope.names, relation=None, grouped=rows)
    values = [scalars.bind_scalar(s.aggregate.value, inner) for s in node.series]
    binned = grouped(rows, [*groups, (bin_column, place)], list(inner.aggregates))
    series = [
        (scope.session.column(names.of(s.aggregate), v.type), v) for s, v in zip(node.series, values, strict=True)
    ]
    data = projected(binned, [*kept(c for c, _ in groups), (bin_column, ref(bin_column)), *series])
    combinations = grouped(data, kept_fresh([c for c, _ in groups], scope), []) if groups else _one(scope)
    number = scope.session.hidden("long")
    count = _series_length(start, stop, step, scope=scope, span=span)
    grid = Join("inner", combinations.plan, Numbers(number, count), Const("bool", True))
    keys = [c for c in combinations.columns if groups]
    same = tuple(Call("same", (ref(a), ref(b)), "bool") for a, (b, _) in zip(keys, groups, strict=True))
    full = Join(
        "left",
        grid,
        renamed_bins(data),
        Call("and", (*same, Call("==filter", (ref(number), ref(bin_column)), "bool")), "bool"),
    )
    outputs: list[Output] = []
    for (column, value), item in zip(series, node.series, strict=True):
        default = scalars.bind_scalar(item.default, scope.with_row(None)) if item.default else Const("long", 0)
        filled = Call(
            "choose",
            (Call("isnull", (ref(bin_column),), "bool"), types.converted(default, value.type), ref(column)),
            value.type,
        )
        outputs.append((scope.session.column(column.name, "dynamic"), _listed(filled, number)))
    point = scalars.arithmetic(
        "+", start, scalars.arithmetic("*", step, ref(number), scope=scope, span=span), scope=scope, span=span
    )
    outputs.append((scope.session.column(names.of(node.axis), "dynamic"), _listed(point, number)))
    return grouped(Relation(full), kept_fresh(keys, scope), outputs)


def renamed_bins(data: Relation) -> Any:
    return data.plan


def _one(scope: Scope) -> Relation:
    column = scope.session.hidden("long")
    return Relation(Values((column,), ((Const("long", 0),),)))


def _place(axis: Scalar, start: Scalar, step: Scalar, *, scope: Scope, span: Span) -> Scalar:
    distance = scalars.arithmetic("-", axis, start, scope=scope, span=span)
    ratio = scalars.arithmetic("/", distance, step, scope=scope, span=span)
    return (
        ratio
        if ratio.type == "long"
        else types.converted(Call("bin_number", (ratio, Const("real", 1.0)), "real"), "long")
    )


def _series_length(start: Scalar, stop: Scalar, step: Scalar, *, scope: Scope, span: Span) -> Scalar:
    place = _place(stop, start, step, scope=scope, span=span)
    end = scalars.arithmetic(
        "+", start, scalars.arithmetic("*", step, place, scope=scope, span=span), scope=scope, span=span
    )
    more = scalars.compared("<", end, stop, scope=scope, span=span)
    length = Call("+", (place, Call("choose", (more, Const("long", 1), Const("long", 0)), "long")), "long")
    return Call(
        "min_of", (Call("max_of", (length, Const("long", 0)), "long"), Const("long", tables.MOST_STEPS)), "long"
    )


def _listed(value: Scalar, number: Column) -> Scalar:
    return Call("list_json_all", (types.converted(value, "dynamic"), ref(number)), "dynamic")


# The rest


def _render(_: syntax.Render, relation: Relation, __: Scope) -> Relation:
    return relation


def _invoke(node: syntax.Invoke, relation: Relation, scope: Scope) -> Relation:
    closure = scope.names.get(node.call.name)
    if not isinstance(closure, Closure) or not isinstance(closure.value, syntax.Function):
        scope.fail(f"unknown function '{node.call.name}'{suggestion(node.call.name, scope.names)}", node.span)
    inner = scope.with_row(None).with_names({"$invoked": relation})
    call = syntax.Call(node.call.name, (syntax.Name("$invoked", span=node.span), *node.call.arguments), span=node.span)
    return tables.bind_table(call, inner)


def _partition(node: syntax.Partition, relation: Relation, scope: Scope) -> Relation:
    """Partition where each body is a top or a take: rows numbered within each partition."""
    first, *rest = node.body
    if not isinstance(first, (syntax.Top, syntax.Limit)) or (isinstance(first, syntax.Limit) and first.op != "take"):
        scope.fail("not supported: partition with a body that does not begin with 'top' or 'take'", node.span)
    key = scalars.bind_scalar(node.column, scope)
    widened, keys = _keys(first.keys, relation, scope) if isinstance(first, syntax.Top) else (relation, relation.order)
    count = types.coerce(scalars.bind_scalar(first.count, scope.with_row(None)), "long", scope=scope, span=first.span)
    number = scope.session.hidden("long")
    numbered = projected(
        widened, [*kept(widened.plan.columns), (number, Window(Call("number_row", (), "long"), keys, (key,)))]
    )
    limited = Relation(Filter(numbered.plan, Call("<=", (ref(number), count), "bool")))
    if any(
        not isinstance(operator, (syntax.Columns, syntax.Where)) or getattr(operator, "op", "") == "distinct"
        for operator in rest
    ):
        scope.fail("not supported: partition with more than row-wise operators after its 'top'", node.span)
    return tables.apply(tuple(rest), limited, scope)


def _evaluate(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    if node.call.name == "bag_unpack" and node.schema:
        return _bag_unpack(node, relation, scope)
    hint = "; say which columns: bag_unpack(bag) : (a: string, b: long)" if node.call.name == "bag_unpack" else ""
    scope.fail(f"not supported: evaluate {node.call.name}{hint}", node.span)


def _bag_unpack(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    if not node.call.arguments:
        scope.fail("expected bag_unpack(column)", node.span)
    bag = scalars.bind_scalar(node.call.arguments[0], scope)
    prefix = str(scalars.constant(node.call.arguments[1], scope, "string")) if len(node.call.arguments) > 1 else ""
    outputs: list[Output] = [(c, ref(c)) for c in relation.columns if ref(c) != bag]
    for part in node.schema:
        if any(c.name == part.name for c, _ in outputs):
            continue
        member = Call(
            "member", (types.converted(bag, "dynamic"), Const("string", part.name.removeprefix(prefix))), "dynamic"
        )
        outputs.append((scope.session.column(part.name, part.type), types.converted(member, part.type)))
    return projected(relation, outputs)


def _refused(node: Any, relation: Relation, scope: Scope) -> Relation:
    name = getattr(node, "op", "") or REFUSED[type(node)]
    scope.fail(f"not supported: the operator '{name}'", node.span)


REFUSED = {syntax.TopNested: "top-nested", syntax.Scan: "scan"}
tables.OPERATORS.update(
    {
        syntax.Where: _where,
        syntax.Columns: lambda node, relation, scope: LISTS[node.op](node, relation, scope),
        syntax.Summarize: _summarize,
        syntax.Plain: _plain,
        syntax.Sort: _sort,
        syntax.Top: _top,
        syntax.TopHitters: _top_hitters,
        syntax.Limit: _limit,
        syntax.SampleDistinct: _sample_distinct,
        syntax.Serialize: _serialize,
        syntax.Join: _join,
        syntax.MvExpand: _mv_expand,
        syntax.Parse: _parse,
        syntax.ParseKv: _parse_kv,
        syntax.MakeSeries: _make_series,
        syntax.Render: _render,
        syntax.Invoke: _invoke,
        syntax.Partition: _partition,
        syntax.Evaluate: _evaluate,
        syntax.MvApply: _mv_apply,
        syntax.TopNested: _refused,
        syntax.Scan: _refused,
        syntax.Unsupported: _refused,
    }
)

UNNAMED = {"consume", "facet", "fork", "macro-expand", "reduce", "scan", "top-nested"}
SUPPORTED = frozenset(name for name in OPERATORS if name not in UNNAMED and "graph" not in name)
"""Names of the operators that hunts may use."""
