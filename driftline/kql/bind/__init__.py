"""Bind a syntax tree to the tables' schemas: names, types, and what each operator means."""

from __future__ import annotations

from collections.abc import Mapping

from driftline.kql import syntax
from driftline.kql.bind import operators
from driftline.kql.bind.functions import calls, special
from driftline.kql.bind.scalars import literals, membership, operations
from driftline.kql.bind.scope import Binder, Binding, Discover, Relation, Schema, Scope, Session
from driftline.kql.bind.tables import pipelines, search, sources, union
from driftline.kql.parse.cursor import Stuck
from driftline.kql.text.problems import Problems

__all__ = ["Relation", "Schema", "bind"]


def bind(
    query: syntax.Query,
    schema: Schema,
    *,
    problems: Problems,
    names: Mapping[str, Binding] | None = None,
    discover: Discover | None = None,
    refused: Mapping[str, str] | None = None,
) -> Relation:
    """Bind a query; raises ``InvalidQuery`` with every problem found.

    ``discover`` gives the rows of a plan, for operators whose columns depend on the data.
    ``refused`` are tables that may not be read, with the reason.
    """
    session = Session(BINDER, schema, problems, discover=discover, refused=refused)
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
        syntax.In: membership.bind_in,
        syntax.Between: operations.bind_between,
        syntax.Call: calls.bind_call,
    },
    functions=special.SPECIAL,
    sources={**sources.SOURCES, **pipelines.SOURCES, **union.SOURCES, **search.SOURCES},
    operators={**operators.OPERATORS, **union.OPERATORS, **search.OPERATORS},
)
"""The only binder: each kind of node with the function that binds it."""
