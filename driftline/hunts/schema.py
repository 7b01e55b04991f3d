"""The tables, views and columns that hunts may use."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from driftline import kql
from driftline.events import TABLES, VIEW_COLUMNS, VIEW_QUERIES

__all__ = ["SCHEMA", "VIEWS", "column_types"]

SCHEMA: Mapping[str, Mapping[str, str]] = {
    table.name: {column.name: column.type for column in table.columns} for table in TABLES.values()
}
"""Kusto type by column, of each hunting table."""
VIEWS = kql.Views(VIEW_QUERIES, VIEW_COLUMNS)
"""Views over the hunting tables, and columns that only a query which mentions them gets."""


@functools.cache
def column_types(name: str) -> Mapping[str, str]:
    """Return the Kusto type of each column of a view, or of each column of ``VIEWS`` of a hunting table.

    Raises ``KeyError`` for another name.
    """
    query = name if name in VIEWS.tables else f"{name} | project {', '.join(VIEWS.columns[name])}"
    return dict(kql.compiled(query, SCHEMA, views=VIEWS).columns)
