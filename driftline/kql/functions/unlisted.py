"""Functions that a query may call but the reference page does not list: the binder makes other functions of them."""

from __future__ import annotations

from driftline.kql.functions.row import Function, rows

__all__ = ["UNLISTED"]

UNLISTED = rows(
    [
        Function("split", "text string long?", "dynamic", column_name="{0}"),
        Function("repeat", "any long", "dynamic", column_name="repeat_{0}"),
    ]
)
