"""Bind evaluate: a plugin applied to a table.

The columns of ``bag_unpack`` and ``pivot`` depend on the data. The caller of the binder gives ``discover``, which
runs a small query first; its rows stand in the plan as constants. Without ``discover``, the query declares the
columns itself: ``evaluate pivot(k) : (*, a: long)``.

https://learn.microsoft.com/kusto/query/evaluate-operator
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.plugins.autocluster import bind_autocluster
from driftline.kql.bind.plugins.bag_unpack import bind_bag_unpack
from driftline.kql.bind.plugins.basket import bind_basket
from driftline.kql.bind.plugins.ip_lookup import bind_ip_lookup
from driftline.kql.bind.plugins.narrow import bind_narrow
from driftline.kql.bind.plugins.pivot import bind_pivot
from driftline.kql.bind.plugins.rolling_percentile import bind_rolling_percentile
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.text.problems import suggestion

__all__ = ["OPERATORS", "PLUGINS"]


def bind_evaluate(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    """Bind evaluate; note a problem for an unknown plugin, with a reason if it is refused."""
    plugin = PLUGINS.get(node.call.name)
    if plugin is None:
        reason = REFUSED.get(node.call.name)
        if reason:
            scope.fail(f"not supported: evaluate {node.call.name}: {reason}", node.span)
        scope.fail(f"not supported: evaluate {node.call.name}{suggestion(node.call.name, PLUGINS)}", node.span)
    return plugin(node, relation, scope)


REFUSED = {
    "diffpatterns": "Kusto does not say which patterns it prefers; use 'evaluate basket()' on each side",
    "python": "a hunt runs no programs",
    "r": "a hunt runs no programs",
    "sql_request": "a hunt reads only the tables it is given",
    "http_request": "a hunt reads only the tables it is given",
    "http_request_post": "a hunt reads only the tables it is given",
}
"""Plugins that are refused, and why."""


PLUGINS: dict[str, Callable[[syntax.Evaluate, Relation, Scope], Relation]] = {
    "bag_unpack": bind_bag_unpack,
    "pivot": bind_pivot,
    "narrow": bind_narrow,
    "ipv4_lookup": bind_ip_lookup,
    "ipv6_lookup": bind_ip_lookup,
    "autocluster": bind_autocluster,
    "basket": bind_basket,
    "rolling_percentile": bind_rolling_percentile,
}


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Evaluate: bind_evaluate}
