"""Bind the operators of a pipeline, one function each, by theme."""

from __future__ import annotations

from driftline.kql.bind import tables
from driftline.kql.bind.operators import (
    arrays,
    columns,
    flows,
    graphs,
    joins,
    nested,
    order,
    pairs,
    patterns,
    plugins,
    reductions,
    scans,
    series,
    summaries,
)
from driftline.kql.parse import OPERATORS
from driftline.kql.parse import flows as parsed_flows

__all__ = ["SUPPORTED"]

THEMES = (
    *(arrays, columns, flows, graphs, joins, nested, order),
    *(pairs, patterns, plugins, reductions, scans, series, summaries),
)
for theme in THEMES:
    tables.OPERATORS.update(theme.OPERATORS)

SUPPORTED = frozenset(name for name, parse in OPERATORS.items() if parse is not parsed_flows.parse_unsupported)
"""Names of the operators that hunts may use."""
