"""Bind operators that are lists of columns: where, project and its variants, extend, distinct.

https://learn.microsoft.com/kusto/query/project-operator and …/extend-operator
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.functions.series import columns_of, elements_of
from driftline.kql.bind.scalars.arguments import bind_predicate
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.column_names import ColumnNames
from driftline.kql.bind.tables.outputs import Output, bound_or_null, grouped, kept, kept_fresh, projected, ref
from driftline.kql.parse.cursor import Stuck
from driftline.kql.plan.nodes import Col, Column, Const, Filter, Scalar
from driftline.kql.text import constants

__all__ = ["OPERATORS"]


def bind_where(node: syntax.Where, relation: Relation, scope: Scope) -> Relation:
    """Bind where.

    https://learn.microsoft.com/kusto/query/where-operator
    """
    return relation.over(Filter(relation.plan, bind_predicate(node.predicate, scope)))


def bind_project(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    """Bind project: the listed columns, in their order."""
    outputs: dict[str, Output] = {}
    names = ColumnNames()
    for item in node.items:
        if isinstance(item, syntax.Star):
            scope.fail("project takes no '*'; leave the operator out to keep all columns", item.span)
        assert isinstance(item, syntax.Named)
        value = bound_or_null(item.value, scope)
        for name, single in spread(item, value, names, scope):
            # Names that the query gives must differ; default names are made unique instead.
            if name in outputs and item.names:
                scope.fail(f"a column '{name}' already exists", item.span)
            outputs[name] = (made(name, single, scope), single)
    return projected(relation, outputs.values())


def spread(item: syntax.Named, value: Scalar, names: ColumnNames, scope: Scope) -> list[tuple[str, Scalar]]:
    """Return names and values of an item; a function of several columns, and ``(a, b) = x``, make several."""
    # Functions of several columns come first: they take fewer names than they have columns as well.
    if several := columns_of(item, value):
        return [(names.unique(n), v) for n, v in several]
    return elements_of(item, value, scope) or [(names.of(item), value)]


def made(name: str, value: Scalar, scope: Scope) -> Column:
    """Make a column for a value; a column that is taken over unchanged keeps its identifier."""
    if isinstance(value, Col):
        column = next((c for c in scope.columns() if c.id == value.id), None)
        if column is not None and column.name == name:
            return column
    return scope.session.column(name, value.type)


def bind_extend(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    """Bind extend: an existing name is replaced in its place, a new one comes last."""
    outputs: dict[str, Output] = {column.name: (column, ref(column)) for column in relation.columns}
    names = ColumnNames(outputs)
    for item in node.items:
        if not isinstance(item, syntax.Named):
            scope.fail("expected name = value", item.span)
        value = bound_or_null(item.value, scope)
        for name, single in spread(item, value, names, scope):
            # ``extend a`` names a column that is there already.
            if not item.names and isinstance(item.value, syntax.Name):
                continue
            outputs[name] = (scope.session.column(name, single.type), single)
    return projected(relation, outputs.values())


def matching(item: syntax.Expr, relation: Relation, scope: Scope, *, must: bool = True) -> list[Column]:
    """Return the columns that a name or pattern means; without ``must``, an unknown name is no problem."""
    if isinstance(item, syntax.Star):
        return ordered([c for c in relation.columns if fnmatch.fnmatchcase(c.name, item.pattern)], item.order)
    assert isinstance(item, syntax.Name)
    found = [c for c in relation.columns if c.name == item.name]
    if must and not found:
        scope.unknown_column(item.name, item.span)
    return found


def ordered(columns: list[Column], order: str) -> list[Column]:
    """Order columns by name.

    The granny orders read numbers in names as numbers, so that a2 comes before a10.
    https://learn.microsoft.com/kusto/query/project-reorder-operator
    """
    if not order:
        return columns
    key = natural_key if order.startswith("granny") else lambda name: [name]
    return sorted(columns, key=lambda column: key(column.name), reverse=order.endswith("desc"))


def natural_key(name: str) -> list[str | int]:
    """Return a sort key of a name: texts at even places and numbers at odd ones, so that like compares with like."""
    return [int(part) if at % 2 else part for at, part in enumerate(re.split(r"([0-9]+)", name))]


def matches(node: syntax.Columns, relation: Relation, scope: Scope) -> list[Column]:
    """Return the columns that the items mean, each once; all problems are noted before ``Stuck`` is raised."""
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
    """Bind project-away: all columns but the listed ones."""
    gone = {column.id for column in matches(node, relation, scope)}
    return _chosen(node, [c for c in relation.columns if c.id not in gone], relation, scope)


def bind_project_keep(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    """Bind project-keep: the listed columns, in the order of the table."""
    found = {column.id for column in matches(node, relation, scope)}
    return _chosen(node, [c for c in relation.columns if c.id in found], relation, scope)


def _chosen(node: syntax.Columns, columns: list[Column], relation: Relation, scope: Scope) -> Relation:
    """Project to columns; SQL has no table without columns."""
    if not columns:
        scope.fail(f"not supported: {node.op} that leaves no column", node.span)
    return projected(relation, kept(columns))


def bind_project_reorder(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    """Bind project-reorder: the listed columns first."""
    # Columns that no item matches keep their order behind the listed ones.
    first = matches(node, relation, scope)
    return projected(relation, kept([*first, *(c for c in relation.columns if c not in first)]))


def bind_project_rename(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    """Bind project-rename: ``new = old``."""
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
    """Note a problem if a new name is in use already."""
    for item in node.items:
        if isinstance(item, syntax.Named) and names.count(item.names[0]) > 1:
            scope.fail(f"a column '{item.names[0]}' already exists", item.span)


def bind_project_by_names(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    """Bind project-by-names: the columns that constant texts and arrays name, in this order; ``*`` stands for any text.

    https://learn.microsoft.com/kusto/query/project-by-names-operator
    """
    found: dict[str, Column] = {}
    for item in node.items:
        for pattern in _name_patterns(item, scope):
            found.update({c.name: c for c in relation.columns if fnmatch.fnmatchcase(c.name, pattern)})
    return _chosen(node, list(found.values()), relation, scope)


def _name_patterns(item: syntax.Expr, scope: Scope) -> list[str]:
    value = scope.with_row(None).scalar(item.value if isinstance(item, syntax.Named) else item)
    if not isinstance(value, Const) or value.type not in {"string", "dynamic"}:
        scope.fail("expected a constant name, or an array of names such as column_names_of(T)", item.span)
    named = [value.value] if value.type == "string" else constants.loads_array(value.value or "[]")
    # Only the star is a wildcard in Kusto.
    return [re.sub(r"([?\[\]])", r"[\1]", name) for name in named if isinstance(name, str)]


def bind_distinct(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    """Bind distinct: each combination of the values once.

    https://learn.microsoft.com/kusto/query/distinct-operator
    """
    if any(isinstance(item, syntax.Star) for item in node.items):
        columns = list(relation.columns)
        return grouped(relation, kept_fresh(columns, scope), [])
    names = ColumnNames()
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
    "project-by-names": bind_project_by_names,
    "distinct": bind_distinct,
}


def bind_columns(node: syntax.Columns, relation: Relation, scope: Scope) -> Relation:
    """Bind an operator of this family by its name."""
    return LISTS[node.op](node, relation, scope)


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.Where: bind_where,
    syntax.Columns: bind_columns,
}
