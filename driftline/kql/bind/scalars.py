"""Bind scalar expressions: names to columns and lets, operators and calls to rows of tables."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind import leaves, membership, operations
from driftline.kql.bind.arithmetic import arithmetic, compared
from driftline.kql.bind.dispatch import (
    AGGREGATED,
    BINDERS,
    ENTER,
    SPECIAL,
    TABULAR,
    bind_each,
    bind_predicate,
    bind_scalar,
    constant,
)
from driftline.kql.bind.invocation import bind_call, bind_call_to, is_tabular
from driftline.kql.bind.membership import array_of
from driftline.kql.bind.regexes import translated
from driftline.kql.bind.terms import quote_regex, term

__all__ = [
    "AGGREGATED",
    "ENTER",
    "SPECIAL",
    "TABULAR",
    "arithmetic",
    "array_of",
    "bind_call_to",
    "bind_each",
    "bind_predicate",
    "bind_scalar",
    "compared",
    "constant",
    "is_tabular",
    "quote_regex",
    "term",
    "translated",
]

BINDERS.update(
    {
        syntax.Literal: leaves.bind_literal,
        syntax.Name: leaves.bind_name,
        syntax.Member: leaves.bind_member,
        syntax.Index: leaves.bind_index,
        syntax.Unary: operations.bind_unary,
        syntax.Binary: operations.bind_binary,
        syntax.Junction: operations.bind_junction,
        syntax.In: membership.bind_in,
        syntax.Between: operations.bind_between,
        syntax.Call: bind_call,
    }
)
