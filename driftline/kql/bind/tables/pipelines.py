"""Bind a whole query, and the operators of a pipeline in turn.

https://learn.microsoft.com/kusto/query/tabular-expression-statements
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields

from driftline.kql import syntax
from driftline.kql.bind.scalars.tabular import is_tabular
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.statements import bind_statements
from driftline.kql.bind.tables.relations import shared
from driftline.kql.parse.cursor import Stuck

__all__ = ["SOURCES", "apply", "bind_query"]

ON_PARTITIONS: frozenset[type] = frozenset(
    [
        syntax.Where,
        syntax.Columns,
        syntax.Summarize,
        syntax.Count,
        syntax.GetSchema,
        syntax.Sort,
        syntax.Top,
        syntax.TopHitters,
        syntax.Limit,
        syntax.SampleDistinct,
        syntax.Serialize,
        syntax.Join,
        syntax.MvExpand,
        syntax.MvApply,
        syntax.Partition,
        syntax.Parse,
        syntax.ParseKv,
        syntax.Render,
        syntax.Scan,
    ]
)
"""Operators that can work on each partition by itself; others are refused in the body of partition and mv-apply."""


OF_NAMED_COLUMNS: frozenset[type] = frozenset(
    [syntax.Where, syntax.Columns, syntax.Summarize, syntax.Sort, syntax.Top, syntax.Limit, syntax.Serialize]
)
"""Operators whose new columns have their names in the query, so that an unknown column behind them is a mistake."""
ON_GRAPHS: frozenset[type] = frozenset([syntax.GraphMarkComponents, syntax.GraphMatch, syntax.GraphToTable])
"""Operators that take a graph; all others take a table."""


def bind_query(query: syntax.Query, scope: Scope) -> Relation:
    """Bind a whole query, whose result is a table; a plain value becomes a table of one column."""
    relation = _bind_body(query, bind_statements(query.statements, scope))
    if relation.graph is not None and not scope.session.tainted:
        scope.fail("a graph is no result; end with graph-match or graph-to-table", query.body.span)
    return relation


def _bind_body(query: syntax.Query, scope: Scope) -> Relation:
    """Bind the query's expression; a name or call that is no known table fails as a table, with that message."""
    if is_tabular(query.body, scope) or isinstance(query.body, (syntax.Name, syntax.Call, syntax.Star)):
        return scope.table(query.body)
    return scope.table(syntax.Print((syntax.Named((), query.body, span=query.body.span),), span=query.body.span))


def bind_pipe(node: syntax.Pipe, scope: Scope) -> Relation:
    """Bind ``source | operators``."""
    return apply(node.operators, scope.table(node.source), scope)


def apply(operators: tuple[syntax.Operator, ...], relation: Relation, scope: Scope) -> Relation:
    """Apply operators in turn.

    An operator that fails is noted and left out, so that the problems of later operators are found as well.
    ``as`` names the table so far; the name is in reach of the rest of the pipeline.
    """
    for operator in operators:
        if isinstance(operator, syntax.As):
            once = any(p.name == "hint.materialized" and p.value == "true" for p in operator.parameters)
            if relation.graph is None:
                relation = shared(relation, operator.name, scope, once=once)
            scope = scope.with_names({operator.name: relation})
            continue
        try:
            # A graph and a table take different operators; unsupported ones fail with a better message below.
            on_graph = type(operator) in ON_GRAPHS
            if not isinstance(operator, syntax.Unsupported) and (relation.graph is not None) != on_graph:
                expected = "graph-match or graph-to-table" if relation.graph else "make-graph before this operator"
                scope.fail(f"expected {expected}", operator.span)
            if relation.partition and type(operator) not in ON_PARTITIONS:
                scope.fail("not supported: this operator within the body of 'partition' or 'mv-apply'", operator.span)
            relation = scope.session.binder.operator(operator, relation, scope.with_row(relation))
        except Stuck:
            scope.session.tainted |= type(operator) not in OF_NAMED_COLUMNS
            scope.session.suspects.update(names_in(operator))
    return relation


def names_in(node: object) -> Iterator[str]:
    """Yield the names that stand in a node, of columns and of values."""
    if isinstance(node, (syntax.Name, syntax.TypedName)):
        yield node.name
    if isinstance(node, syntax.Named):
        yield from node.names
    parts = node if isinstance(node, tuple) else (getattr(node, field.name) for field in fields(node))  # type: ignore[arg-type]
    for part in parts:
        if isinstance(part, (syntax.Node, tuple)):
            yield from names_in(part)


SOURCES: dict[type, Callable[..., Relation]] = {syntax.Pipe: bind_pipe}
