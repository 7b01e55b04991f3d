"""Bind ``_GetWatchlist`` and ``externaldata``: lists that an administrator uploads, or that a hunt over files is given.

Both mean a table or a saved hunt by its name; an address only names the list, and is never read.
https://learn.microsoft.com/azure/sentinel/watchlists-queries, https://learn.microsoft.com/kusto/query/externaldata-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import constant
from driftline.kql.bind.scope import Closure, Relation, Scope
from driftline.kql.bind.tables.outputs import Output, projected, ref
from driftline.kql.plan.nodes import Column, Scalar
from driftline.kql.text.list_names import list_name
from driftline.kql.text.problems import Span

__all__ = ["external_data", "watchlist"]


def watchlist(node: syntax.Call, scope: Scope) -> Relation:
    """Bind ``_GetWatchlist('name')``."""
    if len(node.arguments) != 1:
        scope.fail("expected _GetWatchlist('name')", node.span)
    return _list(str(constant(node.arguments[0], scope, "string")), node.span, scope)


def external_data(node: syntax.RemoteTable, scope: Scope) -> Relation:
    """Bind ``externaldata (columns) [address]``: the list of the address's last part, with the declared columns.

    Columns are found by name, or else by place, as in a file without a header.
    """
    if len(node.addresses) != 1:
        scope.fail("not supported: externaldata with several addresses; unite a list for each", node.span)
    relation = _list(str(constant(node.addresses[0], scope, "string")), node.span, scope)
    by_name = {column.name.casefold(): column for column in relation.columns}
    named = all(column.name.casefold() in by_name for column in node.columns)
    if not named and len(node.columns) > len(relation.columns):
        scope.fail(
            f"this list has the columns {', '.join(column.name for column in relation.columns)}", node.columns[-1].span
        )
    outputs: list[Output] = []
    for place, wanted in enumerate(node.columns):
        column = by_name[wanted.name.casefold()] if named else relation.columns[place]
        outputs.append((scope.session.column(wanted.name, wanted.type), _value(column, wanted.type)))
    return projected(relation, outputs)


def _value(column: Column, kind: str) -> Scalar:
    return types.converted(ref(column), kind)


def _list(text: str, span: Span, scope: Scope) -> Relation:
    """Bind the table or the saved hunt of a list's name."""
    name = list_name(text)
    binding = scope.names.get(name)
    outer = scope.with_row(None)
    if isinstance(binding, Closure) and isinstance(binding.value, syntax.Function):
        return outer.table(syntax.Call(name, (), span=span))
    if binding is None and name not in scope.session.schema:
        scope.fail(
            f"no list '{name}': a hunt reads only the tables it is given; an administrator uploads a list with "
            f"'driftline lists put {name} FILE.csv'",
            span,
        )
    return outer.table(syntax.Name(name, span=span))
