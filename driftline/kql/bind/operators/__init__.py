"""Bind the tabular operators, one file for each operator or family.

The files have the names of the Kusto pages, here, in ``parse/operators/`` and in ``print/operators/``.
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql.bind.operators import (
    evaluate,
    getschema,
    graphs,
    invoke,
    join,
    make_series,
    mv_expand,
    parse_kv,
    parse_operator,
    partition,
    project,
    reduce,
    render,
    scan,
    sort,
    summarize,
    top_nested,
    unsupported,
)
from driftline.kql.bind.scope import Relation
from driftline.kql.parse import OPERATORS as PARSED
from driftline.kql.parse.operators.unsupported import parse_unsupported

__all__ = ["OPERATORS", "SUPPORTED"]

FAMILIES = (
    *(evaluate, getschema, graphs, invoke, join, make_series, mv_expand, parse_kv, parse_operator, partition, project),
    *(reduce, render, scan, sort, summarize, top_nested, unsupported),
)
OPERATORS: dict[type, Callable[..., Relation]] = {
    kind: bind for family in FAMILIES for kind, bind in family.OPERATORS.items()
}

SUPPORTED = frozenset(name for name, parse in PARSED.items() if parse is not parse_unsupported)
"""ColumnNames of the operators that hunts may use."""
