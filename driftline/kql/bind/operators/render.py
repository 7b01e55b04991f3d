"""Bind render, which changes no row: the chart is drawn by the caller.

https://learn.microsoft.com/kusto/query/render-operator
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scope import Relation, Scope

__all__ = ["OPERATORS"]


def bind_render(_: syntax.Render, relation: Relation, __: Scope) -> Relation:
    """Return the table as it is."""
    return relation


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Render: bind_render}
