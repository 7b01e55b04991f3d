"""Emit SQL for DuckDB or ClickHouse, always through sqlglot's expression trees."""

from driftline.kql.emit.plans import PlanEmitter
from driftline.kql.emit.scalars import Unsupported

__all__ = ["PlanEmitter", "Unsupported"]
