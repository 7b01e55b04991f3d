"""SQL for DuckDB and ClickHouse, always through sqlglot's expression trees, never by joining texts of a hunt.

The modules of this package hold what both dialects share; ``duckdb`` and ``clickhouse`` hold the rest.
The templates of single functions stand in their rows in ``driftline.kql.functions``.
"""

from __future__ import annotations

from driftline.kql.dialects.clickhouse import ClickHousePlans
from driftline.kql.dialects.duckdb import DuckDBPlans
from driftline.kql.dialects.plans import PlanEmitter
from driftline.kql.dialects.scalars import Unsupported
from driftline.kql.dialects.sizes import TooLarge, sized

__all__ = ["DIALECTS", "PlanEmitter", "TooLarge", "Unsupported", "emitter", "sized"]

DIALECTS: dict[str, type[PlanEmitter]] = {"duckdb": DuckDBPlans, "clickhouse": ClickHousePlans}
"""Emitters of plans, by the dialect's name."""


def emitter(dialect: str) -> PlanEmitter:
    """Return an emitter for one query in a dialect, ``duckdb`` or ``clickhouse``."""
    return DIALECTS[dialect]()
