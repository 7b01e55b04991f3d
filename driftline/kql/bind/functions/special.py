"""Functions whose calls need more than a row of the function table.

Each module below binds one family of the Kusto reference and has its own table ``SPECIAL``.
https://learn.microsoft.com/kusto/query/scalar-functions
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.functions import (
    arrays,
    bags,
    conditions,
    datetime,
    ip_addresses,
    numeric,
    request_functions,
    series,
    strings,
    text_search,
    type_functions,
    udf,
)
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Scalar

__all__ = ["SPECIAL"]

SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {
    **conditions.SPECIAL,
    **numeric.SPECIAL,
    **datetime.SPECIAL,
    **type_functions.SPECIAL,
    **strings.SPECIAL,
    **text_search.SPECIAL,
    **arrays.SPECIAL,
    **bags.SPECIAL,
    **series.SPECIAL,
    **udf.SPECIAL,
    **ip_addresses.SPECIAL,
    **request_functions.SPECIAL,
}
"""Kusto function -> function that binds its call. All other functions are bound by their row alone."""
