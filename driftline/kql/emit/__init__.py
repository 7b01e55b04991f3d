"""Emit SQL for DuckDB or ClickHouse, always through sqlglot's expression trees."""

from driftline.kql.emit.plans import PlanEmitter
from driftline.kql.emit.scalars import CALLS, Unsupported
from driftline.kql.emit.sizes import TooLarge, sized

__all__ = ["CALLS", "PlanEmitter", "TooLarge", "Unsupported", "sized"]
