"""Print the tabular operators, one file for each operator or family."""

from __future__ import annotations

from driftline.kql.print.core import Form
from driftline.kql.print.operators import (
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

__all__ = ["FORMS"]

FAMILIES = (
    *(where, project, summarize, sort, top_nested, reduce, join, mv_expand, make_series, parse_operator, parse_kv),
    *(as_operator, partition, scan, render, evaluate, invoke, getschema, unsupported, graphs),
)
FORMS: dict[type, Form] = {kind: form for family in FAMILIES for kind, form in family.FORMS.items()}
"""Kind of operator -> function that prints it."""
