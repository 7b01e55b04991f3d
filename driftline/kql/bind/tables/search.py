"""Bind search and find: conditions over many tables, whose columns need not agree.

A comparison with a column that a table lacks is false for all rows of that table.
https://learn.microsoft.com/kusto/query/search-operator and …/find-operator
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import bind_predicate
from driftline.kql.bind.scalars.terms import quote_regex
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables import union
from driftline.kql.plan.nodes import Call, Col, Const, Filter, Project, Scalar, Union
from driftline.kql.text.problems import Span

__all__ = ["OPERATORS", "SOURCES"]

Found = list[tuple[str, Relation]]
PACKED = "pack_"
# Operator -> its case-sensitive variant, for kind=case_sensitive.
CASED = {"has": "has_cs", "hasprefix": "hasprefix_cs", "hassuffix": "hassuffix_cs", "contains": "contains_cs"}
TERMS = frozenset([*CASED, *CASED.values(), "matches regex"])


def _bind_search(node: syntax.Search, scope: Scope, first: Relation | None = None) -> Relation:
    """Bind search, as a source or (with ``first``) as an operator."""
    settings = {parameter.name: parameter.value for parameter in node.parameters}
    sought = _sought(node.predicate, exact=settings.get("kind") == "case_sensitive")
    # As an operator, search filters the table so far and adds no column.
    given = [("", first)] if first is not None else _searched(node.tables, node.span, scope)
    found = _filtered(sought, given, scope)
    return found[0][1] if first is not None else union.unite(found, scope, source="$table")


def _searched(items: tuple[syntax.Expr, ...], span: Span, scope: Scope) -> Found:
    """Return the tables to search: those the query names, otherwise all."""
    if items:
        return union.united_tables(items, 0, scope=scope)
    found = union.every_table(span, scope)
    if not found:
        scope.fail("there is no table to search", span)
    return found


def _filtered(predicate: syntax.Expr, given: Found, scope: Scope) -> Found:
    """Keep the rows of each table that meet a condition; note a problem for a column that no table has."""
    elsewhere = {*scope.names, *scope.session.schema}
    # A name may also be a let or a table, as in ``x in (T)``.
    known = {c.name for _, relation in given for c in relation.columns} | elsewhere
    for name in _names(predicate):
        if name.name not in known:
            scope.with_row(given[0][1] if given else None).unknown_column(name.name, name.span)
    found = []
    for label, relation in given:
        own = {c.name for c in relation.columns} | elsewhere
        # A term is searched in numbers and datetimes as in their texts.
        textual = {c.name for c in relation.columns if c.type not in {"string", "dynamic"}}
        condition = bind_predicate(_as_texts(_without(predicate, own), textual), scope.with_row(relation))
        found.append((label, relation.over(Filter(relation.plan, condition))))
    return found


def _without(node: syntax.Expr, known: set[str]) -> syntax.Expr:
    """Replace each comparison with a column that the table lacks by false."""
    if isinstance(node, syntax.Junction):
        return dataclasses.replace(node, operands=tuple(_without(each, known) for each in node.operands))
    if isinstance(node, syntax.Call) and node.name == "not":
        return dataclasses.replace(node, arguments=tuple(_without(each, known) for each in node.arguments))
    if any(name.name not in known for name in _names(node)):
        return syntax.Literal("bool", False, span=node.span)
    return node


def _as_texts(node: syntax.Expr, textual: set[str]) -> syntax.Expr:
    """Let term operators read columns of other types as strings: another table's column may be a string."""
    if isinstance(node, syntax.Junction):
        return dataclasses.replace(node, operands=tuple(_as_texts(each, textual) for each in node.operands))
    if isinstance(node, syntax.Call) and node.name == "not":
        return dataclasses.replace(node, arguments=tuple(_as_texts(each, textual) for each in node.arguments))
    if isinstance(node, syntax.Binary) and node.op in TERMS and isinstance(node.left, syntax.Name):
        text = syntax.Call("tostring", (node.left,), span=node.left.span)
        return dataclasses.replace(node, left=text) if node.left.name in textual else node
    return node


def _names(node: object) -> Iterator[syntax.Name]:
    """List the plain names in an expression."""
    if isinstance(node, syntax.Name):
        yield node
    elif isinstance(node, tuple):
        for each in node:
            yield from _names(each)
    elif isinstance(node, syntax.Node) and not isinstance(node, syntax.Pipe):
        for each in dataclasses.fields(node):
            yield from _names(getattr(node, each.name))


def _sought(node: syntax.Expr, *, exact: bool = False) -> syntax.Expr:
    """Rewrite search terms, bare texts and ``column: text``, into operators."""
    if isinstance(node, syntax.Literal) and node.type == "string":
        return _match(syntax.Star(span=node.span), node, exact=exact)
    if isinstance(node, syntax.Binary) and node.op == ":" and isinstance(node.right, syntax.Literal):
        return _match(node.left, node.right, exact=exact)
    if isinstance(node, syntax.Junction):
        return dataclasses.replace(node, operands=tuple(_sought(each, exact=exact) for each in node.operands))
    if isinstance(node, syntax.Call) and node.name == "not":
        return dataclasses.replace(node, arguments=tuple(_sought(each, exact=exact) for each in node.arguments))
    return node


def _match(left: syntax.Expr, text: syntax.Literal, *, exact: bool) -> syntax.Expr:
    """Write a search term as an operator, by its wildcards.

    ``x*`` begins a term, ``*x`` ends one, ``*x*`` lies anywhere, ``x*y`` has anything in the middle.
    """
    # ``column: 5`` compares, because a number has no terms.
    if text.type != "string":
        return syntax.Binary("==", left, text, span=text.span)
    word = str(text.value)
    inner = word.strip("*")
    if not inner:
        return syntax.Literal("bool", True, span=text.span)
    if "*" in inner:
        # ``x*y``: the texts in order, with anything in the middle, within one value.
        pattern = "" if exact else "(?i)"
        pattern += ".*".join(quote_regex(part) for part in re.split(r"\*+", inner))
        return syntax.Binary("matches regex", left, syntax.Literal("string", pattern), span=text.span)
    op = {(True, True): "contains", (True, False): "hassuffix", (False, True): "hasprefix"}.get(
        (word.startswith("*"), word.endswith("*")), "has"
    )
    plain = syntax.Literal("string", inner, span=text.span)
    return syntax.Binary(CASED[op] if exact else op, left, plain, span=text.span)


def _bind_find(node: syntax.Find, scope: Scope) -> Relation:
    """Bind find: the source's name, the wanted columns, and all others packed into one bag."""
    settings = {parameter.name: parameter.value for parameter in node.parameters}
    predicate = _sought(node.predicate)
    found = _filtered(predicate, _searched(node.tables, node.span, scope), scope)
    wanted = _wanted(node, found, scope) if node.items else _smart(predicate, found)
    source = settings.get("withsource", settings.get("with_source", "source_"))
    # Without a projection, and with pack(*), find packs what it does not show.
    rest = not node.items or any(isinstance(item, syntax.Star) for item in node.items)
    packed = rest and any({(c.name, c.type) for c in relation.columns} - wanted.keys() for _, relation in found)
    labels = union.label_kinds(list(wanted), [source, PACKED] if packed else [source])
    heads = [
        (source, "string"),
        *((labels[key], key[1]) for key in labels),
        *([(PACKED, "dynamic")] if packed else []),
    ]
    inputs = []
    for name, relation in found:
        values: list[Scalar] = [Const("string", name), *(_cell(key, relation, typed=wanted[key]) for key in labels)]
        if packed:
            values.append(_packed(relation, wanted))
        inputs.append(Project(relation.plan, tuple(scope.session.column(*head) for head in heads), tuple(values)))
    return Relation(Union(tuple(inputs), tuple(scope.session.column(*head) for head in heads)))


def _wanted(node: syntax.Find, found: Found, scope: Scope) -> dict[union.Key, bool]:
    """Return the columns of a projection by name and type, and whether the query gives the type."""
    wanted: dict[union.Key, bool] = {}
    for item in node.items:
        if isinstance(item, syntax.TypedName):
            wanted[item.name, item.type] = True
        elif isinstance(item, syntax.Name):
            kinds = [(c.name, c.type) for _, relation in found for c in relation.columns if c.name == item.name]
            if not kinds:
                scope.unknown_column(item.name, item.span)
            wanted.update(dict.fromkeys(kinds, False))
    return wanted


def _smart(predicate: syntax.Expr, found: Found) -> dict[union.Key, bool]:
    """Return the columns of project-smart: those that the condition names, then those that all tables have."""
    named = {name.name for name in _names(predicate)}
    keys = [(c.name, c.type) for _, relation in found for c in relation.columns]
    # project-smart: no column is named, so the condition and the tables decide.
    common = [key for key in keys if all(key in [(c.name, c.type) for c in r.columns] for _, r in found)]
    return dict.fromkeys([*(key for key in keys if key[0] in named), *common], False)


def _cell(key: union.Key, relation: Relation, *, typed: bool) -> Scalar:
    """Return a table's value of a wanted column, converted if the query gives the type."""
    column = next((c for c in relation.columns if c.name == key[0]), None)
    if typed and column is not None:
        return types.converted(Col(column.id, column.type), key[1])
    return union.present(key, relation)


def _packed(relation: Relation, wanted: dict[union.Key, bool]) -> Scalar:
    """Pack the columns that are not shown into a bag."""
    typed = {name for (name, _), said in wanted.items() if said}
    pairs: list[Scalar] = []
    for column in relation.columns:
        if (column.name, column.type) not in wanted and column.name not in typed:
            pairs += [Const("string", column.name), types.converted(Col(column.id, column.type), "dynamic")]
    return Call("bag_pack", tuple(pairs), "dynamic") if pairs else Const("dynamic", "{}")


def _bind_search_operator(node: syntax.Search, relation: Relation, scope: Scope) -> Relation:
    """Bind search as an operator on the table so far."""
    return _bind_search(node, scope, relation)


SOURCES: dict[type, Callable[..., Relation]] = {syntax.Search: _bind_search, syntax.Find: _bind_find}
OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Search: _bind_search_operator}
