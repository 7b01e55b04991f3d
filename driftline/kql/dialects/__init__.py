"""Emit SQL for DuckDB or ClickHouse, always through sqlglot's expression trees."""

from driftline.kql.dialects.plans import PlanEmitter
from driftline.kql.dialects.scalars import CALLS, Unsupported
from driftline.kql.dialects.sizes import TooLarge, sized

__all__ = ["CALLS", "PlanEmitter", "TooLarge", "Unsupported", "sized"]
