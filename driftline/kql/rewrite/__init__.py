"""Optimizer: rewrites of plans, one file and one function from plan to plan each; this module has their order.

A rewrite never changes the result of a query, only its cost: ``tests/kql/test_fixtures.py`` runs every fixture with
and without rewrites. A rewrite leaves a node class that it does not know as it is, with all the columns that the node
may read.

``rewritten`` applies them in three steps:

1. ``fold_constants`` first, because every later step looks for constant times and not for ``ago()``. Then
   ``inline_shared``, because no condition is pushed into a shared plan.
2. ``REWRITES``, which work on filters: bring each condition to its table, then choose its cheapest SQL.
3. Projections and columns: prune, so that unused expressions do not keep projections apart; merge projections; expand
   arrays into texts, which needs the merged projection right above; prune again, for the columns that became unused.

The analyses change nothing: ``reach_of`` (time range and terms of the rows that a query needs, for choosing files and
row groups) and ``grows`` (whether values may become large, for running the query in a process of its own).
Two more rewrites depend on the caller: ``drop_enforced`` (the reader enforces the time range) and ``lift_subqueries``
(DuckDB only).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection

from driftline.kql.plan.nodes import Plan
from driftline.kql.plan.program import Program
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
    "grows",
    "lift_subqueries",
    "prune_columns",
    "reach_of",
    "rewritten",
]

REWRITES: tuple[Callable[[Plan], Plan], ...] = (
    push_filters,
    merge_filters,  # after pushing, which can leave a filter above another
    use_sql_equality,  # after merging: the conditions are complete
    mark_present_texts,  # after use_sql_equality: its list of functions has the SQL comparisons only
    choose_word_search,  # last: the rewrites before it do not know the functions that it introduces
)
"""Rewrites of filters, in the order of their application."""


def rewritten(program: Program, needed: Collection[str], now: datetime.datetime | None = None) -> Program:
    """Return a program with all rewrites applied that every caller and dialect can use.

    ``needed`` are the identifiers of the columns that the caller reads from the plan; all others may be removed.
    ``now`` is the time of the query, with a time zone; None if only the engine knows it.
    """
    program = inline_shared(program.each(lambda plan: fold_constants(plan, now)))
    for rewrite in REWRITES:
        program = program.each(rewrite)
    program = prune_columns(program, needed).each(lambda plan: expand_as_texts(merge_projects(plan)))
    return prune_columns(program, needed)
