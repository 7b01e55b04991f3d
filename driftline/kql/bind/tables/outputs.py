"""What the operators share: making tables of columns, and the names Kusto gives columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from driftline.kql import functions, syntax
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.parse.cursor import Stuck
from driftline.kql.plan.nodes import Aggregate, Call, Col, Column, Const, Filter, Key, Limit, Project, Scalar, Window

__all__: list[str] = []


Output = tuple[Column, Scalar]


def ref(column: Column) -> Col:
    return Col(column.id, column.type)


def projected(relation: Relation, outputs: Iterable[Output]) -> Relation:
    """Give a table of these columns; those that carry the order or tell the parts stay, hidden."""
    pairs = {column.id: (column, within_parts(value, relation)) for column, value in outputs}
    for value in (*(key.value for key in relation.order), *relation.partition):
        if isinstance(value, Col):
            pairs.setdefault(value.id, (Column(value.id, value.type), value))
    plan = Project(relation.plan, tuple(c for c, _ in pairs.values()), tuple(v for _, v in pairs.values()))
    return relation.over(plan)


def within_parts(value: Scalar, relation: Relation) -> Scalar:
    """Let window functions see the rows of their own part only."""
    if not relation.partition:
        return value
    if isinstance(value, Window):
        return dataclasses.replace(value, partition=(*value.partition, *relation.partition))
    if isinstance(value, Call):
        return dataclasses.replace(value, args=tuple(within_parts(arg, relation) for arg in value.args))
    return value


def limited(relation: Relation, keys: tuple[Key, ...], count: Scalar, scope: Scope) -> Relation:
    """Give the first rows by the keys, of each part if there are parts."""
    if not relation.partition:
        return Relation(Limit(relation.plan, keys, count), relation.order, relation.serialized)
    place = scope.session.hidden("long")
    numbered = (*kept(relation.plan.columns), (place, Window(Call("number_row", (), "long"), keys, relation.partition)))
    plan = Project(relation.plan, tuple(c for c, _ in numbered), tuple(v for _, v in numbered))
    return relation.over(Filter(plan, Call("<=", (ref(place), count), "bool")))


def kept(columns: Iterable[Column]) -> list[Output]:
    return [(column, ref(column)) for column in columns]


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
            return NAMED_AFTER_ARGUMENT[name] + default_name(node.arguments[0])
        if name in functions.AGGREGATES:
            return aggregate_name(name, node)
    return ""


AFTER_ARGUMENT = """bin bin_at bin_auto startofday tostring tolong toint toreal tobool todatetime totimespan toguid
    todynamic abs ceiling round sqrt exp exp2 exp10 log log2 log10 pow gamma loggamma sin cos tan asin acos atan atan2
    rand binary_and binary_or binary_xor binary_not binary_shift_left binary_shift_right bitset_count_ones format_bytes
    series_fir series_iir series_outliers split tohex parse_csv parse_xml
    series_fill_backward series_fill_forward series_fill_const series_fill_linear"""
PAIRED = frozenset(["covariance", "covarianceif", "covariancep", "covariancepif"])
NAMED_AFTER_ARGUMENT = {
    "repeat": "repeat_",
    "percentile_tdigest": "percentile_tdigest_",
    "strlen": "strlen_",
    "string_size": "string_size_",
} | dict.fromkeys(AFTER_ARGUMENT.split(), "")
"""Function -> what stands before its first argument's name in the name of an unnamed column."""


def aggregate_name(name: str, node: syntax.Call) -> str:
    first = default_name(node.arguments[0]) if node.arguments else ""
    if name in functions.WINDOWS:
        return ""
    if name in {"take_any", "take_anyif", "arg_max", "arg_min"}:
        return f"any_{first}" if node.name in {"any", "anyif"} else first
    if name in PAIRED:
        return "_".join([name, *map(default_name, node.arguments[:2])])
    prefix = {
        "make_list": "list",
        "make_set": "set",
        "make_bag": "bag",
        "make_list_if": "list",
        "make_set_if": "set",
        "buildschema": "schema",
    }.get(name, name)
    if name == "percentile" and len(node.arguments) > 1 and isinstance(node.arguments[1], syntax.Literal):
        return f"percentile_{first}_{node.arguments[1].value}"
    return f"{prefix}_{'' if name == 'countif' else first}"


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


def check_named(node: syntax.Expr, scope: Scope) -> None:
    """Complain of ``name == value`` where no such name is."""
    if isinstance(node, syntax.Binary) and node.op == "==" and isinstance(node.left, syntax.Name):
        name = node.left.name
        if scope.column(name) is None and name not in scope.names and not scope.grouped_column(name):
            scope.fail(f"'==' compares, and there is no column '{name}'; '=' names a value", node.span)


def bound_or_null(node: syntax.Expr, scope: Scope) -> Scalar:
    """Bind an item of a list; one that fails is noted and stands as null."""
    try:
        check_named(node, scope)
        return scope.scalar(node)
    except Stuck:
        scope.session.tainted = True
        return Const("dynamic", None)


def kept_fresh(columns: Iterable[Column], scope: Scope) -> list[Output]:
    return [(scope.session.column(c.name, c.type), ref(c)) for c in columns]


def grouped(relation: Relation, groups: Sequence[Output], aggregates: Sequence[Output]) -> Relation:
    """Group by columns (and part), with aggregates."""
    parts = [(Column(part.id, part.type), part) for part in relation.partition]
    pairs = [*groups, *parts]
    columns = tuple(c for c, _ in [*pairs, *aggregates])
    plan = Aggregate(relation.plan, columns, tuple(v for _, v in pairs), tuple(v for _, v in aggregates))
    return Relation(plan, partition=relation.partition)
