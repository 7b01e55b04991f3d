"""Distinguish tables from values: a name or a call may be either.

https://learn.microsoft.com/kusto/query/tabular-expression-statements
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.scope import Closure, Relation, Scope

__all__ = ["is_tabular"]


def is_tabular(node: syntax.Expr, scope: Scope) -> bool:
    """Whether an expression is a table rather than a value.

    A name is decided by its let or its column. A call of a user-defined function is decided by the function's body.
    """
    if isinstance(
        node,
        (
            syntax.Pipe,
            syntax.Datatable,
            syntax.Range,
            syntax.Union,
            syntax.Find,
            syntax.Search,
            syntax.Print,
            syntax.RemoteTable,
        ),
    ):
        return True
    if isinstance(node, syntax.Name):
        return _is_table_name(node.name, scope)
    if isinstance(node, syntax.Call):
        binding = scope.names.get(node.name)
        # A parameter or a let of the function itself may decide what its body is.
        if isinstance(binding, Closure) and isinstance(binding.value, syntax.Function):
            tables = {p.name for p in binding.value.parameters if p.columns is not None}
            lets = {s.name: s.value for s in binding.value.statements if isinstance(s, syntax.Let)}
            return _is_tabular_body(binding.value.body, tables, lets, binding.scope)
        return node.name in {"materialize", "table", "view", "_GetWatchlist"}
    return False


def _is_tabular_body(body: syntax.Expr, tables: set[str], lets: dict[str, syntax.Expr], scope: Scope) -> bool:
    """Whether a function's body is a table; ``tables`` are its tabular parameters, ``lets`` its own let statements."""
    if isinstance(body, syntax.Name):
        if body.name in tables:
            return True
        if body.name in lets:
            return _is_tabular_body(lets[body.name], tables, {}, scope)
    return is_tabular(body, scope)


def _is_table_name(name: str, scope: Scope) -> bool:
    """Whether a name is a table; a column of the row comes first."""
    if scope.column(name) is not None:
        return False
    binding = scope.names.get(name)
    if isinstance(binding, Closure):
        if isinstance(binding.value, syntax.Function):
            return False
        return is_tabular(binding.value, binding.scope)
    return isinstance(binding, Relation) or (binding is None and name in scope.session.schema)
