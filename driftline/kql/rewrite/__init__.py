"""Improve plans: each rewrite a file and a function from plan to plan; the order is here.

None changes what a hunt answers. A kind of plan that a rewrite does not know is left as it is,
with all the columns it may read.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection

from driftline.kql.plan.nodes import Plan
from driftline.kql.rewrite.choose_word_search import choose_word_search
from driftline.kql.rewrite.drop_enforced import drop_enforced
from driftline.kql.rewrite.expand_as_texts import expand_as_texts
from driftline.kql.rewrite.fold_constants import fold_constants
from driftline.kql.rewrite.growth import grows
from driftline.kql.rewrite.inline_shared import inline_shared
from driftline.kql.rewrite.lift_subqueries import lift_subqueries
from driftline.kql.rewrite.mark_present_texts import mark_present_texts
from driftline.kql.rewrite.merge_filters import merge_filters
from driftline.kql.rewrite.merge_projects import merge_projects
from driftline.kql.rewrite.needed_terms import ANY_ROW, All, Either, Need, Term
from driftline.kql.rewrite.prune_columns import prune_columns
from driftline.kql.rewrite.push_filters import push_filters
from driftline.kql.rewrite.reach import Reach, reach_of
from driftline.kql.rewrite.time_bounds import Bounds
from driftline.kql.rewrite.use_sql_equality import use_sql_equality

__all__ = [
    "ANY_ROW",
    "REWRITES",
    "All",
    "Bounds",
    "Either",
    "Need",
    "Reach",
    "Term",
    "drop_enforced",
    "lift_subqueries",
    "grows",
    "prune_columns",
    "reach_of",
    "rewritten",
]

REWRITES: tuple[Callable[[Plan], Plan], ...] = (
    inline_shared,  # before filters are pushed: what is used once is no barrier
    push_filters,
    merge_filters,  # after pushing, which leaves filters upon filters
    use_sql_equality,  # sees whole conditions only now
    mark_present_texts,  # knows plain conditions
    choose_word_search,
)


def rewritten(plan: Plan, needed: Collection[str], now: datetime.datetime | None = None) -> Plan:
    """Apply all rewrites in their order.

    ``needed`` are the identifiers of the columns that are read from the whole; ``now`` is the
    time the hunt runs at, if that is known when it is translated.
    """
    plan = fold_constants(plan, now)
    for rewrite in REWRITES:
        plan = rewrite(plan)
    return prune_columns(expand_as_texts(merge_projects(prune_columns(plan, needed))), needed)
