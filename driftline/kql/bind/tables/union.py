"""Bind union: tables below each other, by the names and types of their columns.

https://learn.microsoft.com/kusto/query/union-operator
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence

from driftline.kql import syntax
from driftline.kql.bind.scope import Closure, Relation, Scope
from driftline.kql.bind.tables import sources
from driftline.kql.bind.tables.column_names import ColumnNames
from driftline.kql.parse.expressions import REMOTE_FUNCTIONS
from driftline.kql.plan.nodes import Col, Column, Const, Project, Scalar, Union
from driftline.kql.text.problems import Span, suggestion

__all__ = ["OPERATORS", "SOURCES", "Key", "every_table", "label_kinds", "present", "unite", "united_tables"]

KINDS = ("outer", "inner")
Key = tuple[str, str]  # a column's name and type


def _bind_star(node: syntax.Star, scope: Scope) -> Relation:
    """Bind a name with wildcards as the union of all tables that match."""
    return unite(_matching(node, scope), scope)


def _matching(node: syntax.Star, scope: Scope) -> list[tuple[str, Relation]]:
    """Bind all tables whose names match a pattern; note a problem if there is none."""
    found = every_table(node.span, scope, node.pattern)
    if not found:
        scope.fail(f"no table's name matches '{node.pattern}'", node.span)
    return found


def every_table(span: Span, scope: Scope, pattern: str = "*") -> list[tuple[str, Relation]]:
    """Bind the views and stored tables whose names match a pattern.

    A view hides a stored table of the same name. Only functions declared with ``view`` take part in wildcards.
    """
    views = [name for name in scope.names if _is_view(name, scope) and fnmatch.fnmatchcase(name, pattern)]
    stored = [name for name in scope.session.schema if name not in views and fnmatch.fnmatchcase(name, pattern)]
    found = [(name, scope.table(syntax.Call(name, (), span=span))) for name in views]
    return found + [(name, sources.stored(name, span, scope)) for name in stored]


def _is_view(name: str, scope: Scope) -> bool:
    """Whether a name is a function declared with ``view`` and without parameters."""
    binding = scope.names[name]
    value = binding.value if isinstance(binding, Closure) else None
    return isinstance(value, syntax.Function) and value.view and not value.parameters


def _bind_union(node: syntax.Union, scope: Scope, first: Relation | None = None) -> Relation:
    """Bind union, as a source or (with ``first``) as an operator."""
    settings = {parameter.name: parameter for parameter in node.parameters}
    kind = settings["kind"].value if "kind" in settings else "outer"
    if kind not in KINDS:
        scope.fail(f"unknown kind of union '{kind}'{suggestion(kind, KINDS)}", settings["kind"].span)
    fuzzy = "isfuzzy" in settings and settings["isfuzzy"].value.lower() == "true"
    # As an operator, union numbers the table so far as its first argument.
    found = [] if first is None else [(_name_by_as(first, scope), first)]
    found += united_tables(node.tables, len(found), fuzzy=fuzzy, scope=scope)
    if not found:
        scope.fail("none of the tables of this union is known", node.span)
    # Two spellings of one parameter.
    source = settings.get("withsource", settings.get("with_source"))
    return unite(found, scope, inner=kind == "inner", source=source.value if source else "")


def _name_by_as(first: Relation, scope: Scope) -> str:
    """Return the name that ``as`` gives to the table right before the operator ``union``."""
    return next((name for name, binding in scope.names.items() if binding is first), "union_arg0")


def united_tables(
    items: Iterable[syntax.Expr], number: int, *, fuzzy: bool = False, scope: Scope
) -> list[tuple[str, Relation]]:
    """Bind a list of tables, each with the name that ``withsource`` shows.

    ``fuzzy`` (isfuzzy=true) leaves out tables that do not exist; ``number`` counts the tables before these.
    """
    outside = scope.with_row(None)
    found: list[tuple[str, Relation]] = []
    for item in items:
        if fuzzy and not _is_known(item, outside):
            continue
        if isinstance(item, syntax.Star):
            found += _matching(item, outside)
        else:
            found.append((_name(item, number + len(found)), outside.table(item)))
    return found


def _is_known(item: syntax.Expr, scope: Scope) -> bool:
    """Whether the source of a table exists, as far as isfuzzy asks: a broken table that exists is still a problem."""
    source = item.source if isinstance(item, syntax.Pipe) else item
    if isinstance(source, syntax.RemoteTable) or (isinstance(source, syntax.Call) and source.name in REMOTE_FUNCTIONS):
        return False
    if isinstance(source, syntax.Star):
        known = [*scope.session.schema, *(name for name in scope.names if _is_view(name, scope))]
        return any(fnmatch.fnmatchcase(name, source.pattern) for name in known)
    if isinstance(source, syntax.Name):
        return source.name in scope.names or source.name in scope.session.schema
    return not isinstance(source, syntax.Call) or source.name in scope.names or source.name in sources.FUNCTIONS


def _name(item: syntax.Expr, number: int) -> str:
    """Return a table's name for ``withsource``: by ``as``, its own, or its place among the arguments."""
    if isinstance(item, syntax.Pipe) and isinstance(item.operators[-1], syntax.As):
        return item.operators[-1].name
    source = item.source if isinstance(item, syntax.Pipe) else item
    return source.name if isinstance(source, syntax.Name) else f"union_arg{number}"


def unite(
    relations: Sequence[tuple[str, Relation]], scope: Scope, *, inner: bool = False, source: str = ""
) -> Relation:
    """Put tables below each other by the names and types of their columns.

    A name with two types makes two columns. ``inner`` keeps columns that all tables have. ``source`` names a column
    with the table's name. A column that a table lacks is null, or empty if it is a string.
    """
    # Every input is projected to the same columns with identifiers of its own, since a plan may occur twice.
    wanted = _columns([relation for _, relation in relations], inner=inner, taken=[source])
    scope.session.reserve(len(wanted) * len(relations))
    columns = [scope.session.column(label, kind) for (_, kind), label in wanted.items()]
    if source:
        columns.insert(0, scope.session.column(source, "string"))
    inputs = []
    for name, relation in relations:
        values: list[Scalar] = [Const("string", name)] if source else []
        known = {(c.name, c.type): Col(c.id, c.type) for c in relation.columns}
        values += [known.get(key) or _empty(key) for key in wanted]
        fresh = tuple(scope.session.column(c.name, c.type) for c in columns)
        inputs.append(Project(relation.plan, fresh, tuple(values)))
    return Relation(Union(tuple(inputs), tuple(columns)))


def present(key: Key, relation: Relation) -> Scalar:
    """Return a table's column of a name and type, or the empty value if the table has none."""
    column = next((c for c in relation.columns if (c.name, c.type) == key), None)
    if column is not None:
        return Col(column.id, column.type)
    return _empty(key)


def _empty(key: Key) -> Const:
    """Return the value of a column that a table lacks."""
    return Const(key[1], "" if key[1] == "string" else None)


def _columns(relations: list[Relation], *, inner: bool, taken: Iterable[str]) -> dict[Key, str]:
    """Return the columns of a union, with the names under which they are shown."""
    keys = list(dict.fromkeys((c.name, c.type) for relation in relations for c in relation.columns))
    if inner:
        keys = [key for key in keys if all(_has(key, relation.columns) for relation in relations)]
    return label_kinds(keys, taken)


def _has(key: Key, columns: Iterable[Column]) -> bool:
    """Whether a table has a column of a name and type."""
    return any((c.name, c.type) == key for c in columns)


def label_kinds(keys: Sequence[Key], taken: Iterable[str] = ()) -> dict[Key, str]:
    """Name columns by name and type: ``x``, but ``x_long`` and ``x_string`` where one name has two types.

    Such labels give way to columns' own names, and all to names that are taken.
    """
    kinds: dict[str, dict[str, None]] = {}
    for name, kind in keys:
        kinds.setdefault(name, {})[kind] = None
    plain = {name for name, found in kinds.items() if len(found) == 1}.difference(taken)
    names = ColumnNames([*taken, *plain])
    labels = {(n, k): n if len(found) == 1 else f"{n}_{k}" for n, found in kinds.items() for k in found}
    return {key: label if key[0] in plain else names.unique(label) for key, label in labels.items()}


def _bind_union_operator(node: syntax.Union, relation: Relation, scope: Scope) -> Relation:
    """Bind union as an operator: the table so far is the first of the union."""
    return _bind_union(node, scope, relation)


SOURCES: dict[type, Callable[..., Relation]] = {syntax.Star: _bind_star, syntax.Union: _bind_union}
OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Union: _bind_union_operator}
