"""Bind a syntax tree: give its names columns and tables, its values types, its operators a plan.

The rooms of this package, from the bottom: ``scope`` (names in reach), ``scalars`` (values), ``statements`` (let,
declare, set), ``functions`` (calls), ``tables`` (sources and pipelines), ``plugins`` (of evaluate), ``operators``.
An import runs only towards the bottom. Recursion runs through the ``Binder`` in the scope, whose tables are below.
"""

from __future__ import annotations

from collections.abc import Mapping

from driftline.kql import syntax
from driftline.kql.bind import operators
from driftline.kql.bind.functions import calls, special
from driftline.kql.bind.scalars import literals, membership, operations
from driftline.kql.bind.scope import (
    NO_VIEWS,
    Binder,
    Binding,
    Discover,
    Relation,
    Schema,
    Scope,
    Session,
    Views,
    words,
)
from driftline.kql.bind.tables import pipelines, search, sources, union
from driftline.kql.parse.cursor import Stuck
from driftline.kql.text.problems import Problems

__all__ = ["NO_VIEWS", "Relation", "Schema", "Views", "bind", "words"]


def bind(
    query: syntax.Query,
    schema: Schema,
    *,
    problems: Problems,
    names: Mapping[str, Binding] | None = None,
    discover: Discover | None = None,
    refused: Mapping[str, str] | None = None,
    views: Views = NO_VIEWS,
    mentioned: frozenset[str] = frozenset(),
) -> Relation:
    """Bind a query to the tables of a schema, and return the relation that it denotes.

    ``schema`` maps table -> column -> Kusto type. ``names`` are functions and values that the query may use besides
    its own lets. ``discover`` returns the rows of a plan, for operators whose columns depend on the data; without it
    such operators must declare their columns. ``refused`` maps tables that may not be read to the reason.
    ``mentioned`` are the words of the query, which decide about the columns of ``views``.

    Raises ``errors.InvalidQuery`` with every problem found.
    """
    session = Session(BINDER, schema, problems, discover=discover, refused=refused, views=views, mentioned=mentioned)
    try:
        relation = pipelines.bind_query(query, Scope(session, names or {}))
    except Stuck:
        problems.raise_if_any()
        raise
    problems.raise_if_any()
    return relation


BINDER = Binder(
    scalars={
        syntax.Literal: literals.bind_literal,
        syntax.Name: literals.bind_name,
        syntax.Member: literals.bind_member,
        syntax.Index: literals.bind_index,
        syntax.Unary: operations.bind_unary,
        syntax.Binary: operations.bind_binary,
        syntax.Junction: operations.bind_junction,
        syntax.Named: operations.bind_named,
        syntax.In: membership.bind_in,
        syntax.Between: operations.bind_between,
        syntax.Call: calls.bind_call,
    },
    functions=special.SPECIAL,
    sources={**sources.SOURCES, **pipelines.SOURCES, **union.SOURCES, **search.SOURCES},
    operators={**operators.OPERATORS, **union.OPERATORS, **search.OPERATORS},
)
"""The only binder: each kind of node with the function that binds it."""
