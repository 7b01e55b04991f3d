"""Bind operators that are lists of columns: where, project and its like, extend, distinct."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.functions.series import columns_of, elements_of
from driftline.kql.bind.scalars.arguments import bind_predicate
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.column_names import Names
from driftline.kql.bind.tables.outputs import Output, bound_or_null, grouped, kept, kept_fresh, projected, ref
from driftline.kql.parse.cursor import Stuck
from driftline.kql.plan.nodes import Col, Column, Filter, Scalar

__all__ = ["OPERATORS"]


def bind_where(node: syntax.Where, relation: Relation, scope: Scope) -> Relation:
    return relation.over(Filter(relation.plan, bind_predicate(node.predicate, scope)))


def bind_project(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
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
    if several := columns_of(item, value):
        return [(names.unique(n), v) for n, v in several]
    return elements_of(item, value, scope) or [(names.of(item), value)]


def made(name: str, value: Scalar, scope: Scope) -> Column:
    """Make a column for a value; a column taken over as it is keeps its identifier."""
    if isinstance(value, Col):
        column = next((c for c in scope.columns() if c.id == value.id), None)
        if column is not None and column.name == name:
            return column
    return scope.session.column(name, value.type)


def bind_extend(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
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
        return ordered([c for c in relation.columns if fnmatch.fnmatchcase(c.name, item.pattern)], item.order)
    assert isinstance(item, syntax.Name)
    found = [c for c in relation.columns if c.name == item.name]
    if must and not found:
        scope.unknown_column(item.name, item.span)
    return found


def ordered(columns: list[Column], order: str) -> list[Column]:
    """Order columns by name; the granny orders read numbers in names as numbers, so that a2 is before a10."""
    if not order:
        return columns
    key = natural if order.startswith("granny") else lambda name: [name]
    return sorted(columns, key=lambda column: key(column.name), reverse=order.endswith("desc"))


# Texts stand at even places and numbers at odd ones, so that like is compared with like.
def natural(name: str) -> list[str | int]:
    return [int(part) if at % 2 else part for at, part in enumerate(re.split(r"([0-9]+)", name))]


def matches(node: syntax.Columns, relation: Relation, scope: Scope) -> list[Column]:
    found: dict[str, Column] = {}
    failed = False
    for item in node.items:
        try:
            found.update({column.id: column for column in matching(item, relation, scope)})
        except Stuck:
            failed = True
    if failed:
        raise Stuck
    return list(found.values())


def bind_project_away(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    gone = {column.id for column in matches(node, relation, scope)}
    return _chosen(node, [c for c in relation.columns if c.id not in gone], relation, scope)


def bind_project_keep(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    found = {column.id for column in matches(node, relation, scope)}
    return _chosen(node, [c for c in relation.columns if c.id in found], relation, scope)


# A table without columns has no counterpart in SQL.
def _chosen(node: syntax.Columns, columns: list[Column], relation: Relation, scope: Scope) -> Relation:
    if not columns:
        scope.fail(f"not supported: {node.op} that leaves no column", node.span)
    return projected(relation, kept(columns))


def bind_project_reorder(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    first = matches(node, relation, scope)
    return projected(relation, kept([*first, *(c for c in relation.columns if c not in first)]))


def bind_project_rename(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    renamed: dict[str, str] = {}
    for item in node.items:
        assert isinstance(item, syntax.Named)
        if not item.names or not isinstance(item.value, syntax.Name):
            scope.fail("expected new = old", item.span)
        column = scope.column(item.value.name)
        if column is None:
            scope.unknown_column(item.value.name, item.value.span)
        renamed[column.id] = item.names[0]
    _check_new(node, [renamed.get(c.id, c.name) for c in relation.columns], scope)
    outputs = [
        (scope.session.column(renamed[c.id], c.type) if c.id in renamed else c, ref(c)) for c in relation.columns
    ]
    return projected(relation, outputs)


def _check_new(node: syntax.Columns, names: list[str], scope: Scope) -> None:
    for item in node.items:
        if isinstance(item, syntax.Named) and names.count(item.names[0]) > 1:
            scope.fail(f"a column '{item.names[0]}' is already there", item.span)


def bind_distinct(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    if any(isinstance(item, syntax.Star) for item in node.items):
        columns = list(relation.columns)
        return grouped(relation, kept_fresh(columns, scope), [])
    names = Names()
    outputs = []
    for item in node.items:
        assert isinstance(item, syntax.Named)
        value = scope.scalar(item.value)
        outputs.append((scope.session.column(names.of(item), value.type), value))
    return grouped(relation, outputs, [])


LISTS: dict[str, Callable[[syntax.Columns, Relation, Scope], Relation]] = {
    "project": bind_project,
    "extend": bind_extend,
    "project-away": bind_project_away,
    "project-keep": bind_project_keep,
    "project-rename": bind_project_rename,
    "project-reorder": bind_project_reorder,
    "distinct": bind_distinct,
}


def bind_columns(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    return LISTS[node.op](node, relation, scope)


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.Where: bind_where,
    syntax.Columns: bind_columns,
}
