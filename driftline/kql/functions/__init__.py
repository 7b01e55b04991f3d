"""The table of KQL functions: one row for each function, aggregate, window function and scalar operator."""

from __future__ import annotations

from driftline.kql.functions.aggregates import AGGREGATES as GROUP_AGGREGATES
from driftline.kql.functions.arrays import ARRAYS
from driftline.kql.functions.conversion import CONVERSION
from driftline.kql.functions.datetime import DATETIMES
from driftline.kql.functions.encodings import ENCODINGS
from driftline.kql.functions.geography import GEOGRAPHY
from driftline.kql.functions.ip_addresses import IP_ADDRESSES
from driftline.kql.functions.json import JSON
from driftline.kql.functions.math import MATH
from driftline.kql.functions.plan_only import PLAN_ONLY
from driftline.kql.functions.ranges import RANGES
from driftline.kql.functions.refused import REFUSED_ROWS
from driftline.kql.functions.row import Aggregate, Function, Growth, Sql, WindowFunction
from driftline.kql.functions.series import SERIES
from driftline.kql.functions.series_analysis import SERIES_ANALYSIS
from driftline.kql.functions.strings import STRINGS
from driftline.kql.functions.udf import UDF
from driftline.kql.functions.units import UNITS
from driftline.kql.functions.unlisted import UNLISTED
from driftline.kql.functions.urls import URLS
from driftline.kql.functions.versions import VERSIONS
from driftline.kql.functions.windows import WINDOWS

__all__ = [
    "AGGREGATES",
    "ALIASES",
    "FUNCTIONS",
    "PLAN_ONLY",
    "REFUSED",
    "WINDOWS",
    "Aggregate",
    "Function",
    "Growth",
    "Sql",
    "WindowFunction",
    "find",
]

FUNCTIONS: dict[str, Function] = {
    **STRINGS,
    **MATH,
    **DATETIMES,
    **CONVERSION,
    **JSON,
    **IP_ADDRESSES,
    **GEOGRAPHY,
    **URLS,
    **ARRAYS,
    **RANGES,
    **ENCODINGS,
    **VERSIONS,
    **UNITS,
    **SERIES,
    **SERIES_ANALYSIS,
    **UDF,
    **UNLISTED,
}
"""Scalar functions and operators, by name."""
AGGREGATES: dict[str, Aggregate | WindowFunction] = {**GROUP_AGGREGATES, **WINDOWS}
"""Aggregates and window functions, by name."""
REFUSED = {row.name: row.refused for row in REFUSED_ROWS.values()}
"""Reasons of the functions that a query may not call, by name."""
ALIASES = {alias: row.name for row in (*FUNCTIONS.values(), *AGGREGATES.values()) for alias in row.aliases}
"""Names of functions, by other names for them."""
ROWS: dict[str, Function] = {**FUNCTIONS, **AGGREGATES, **PLAN_ONLY}
UNKNOWN = Function("", "", "")


def find(name: str) -> Function:
    """Return the row of a function that a plan calls; a row of defaults for a name without one."""
    return ROWS.get(name, UNKNOWN)
