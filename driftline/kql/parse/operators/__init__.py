"""Parse the tabular operators, one file for each operator or family."""

from __future__ import annotations

from driftline.kql.parse.operators import (
    as_operator,
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
    where,
)
from driftline.kql.parse.parser import ParseOperator

__all__ = ["OPERATORS"]

FAMILIES = (
    *(where, project, summarize, sort, top_nested, reduce, join, mv_expand, make_series, parse_operator, parse_kv),
    *(as_operator, partition, scan, render, evaluate, invoke, getschema, unsupported, graphs),
)
OPERATORS: dict[str, ParseOperator] = {name: parse for family in FAMILIES for name, parse in family.OPERATORS.items()}
"""First word of an operator -> function that parses it."""
