"""Emit SQL for DuckDB or ClickHouse, always through sqlglot's expression trees."""

from driftline.kql.emit.plans import PlanEmitter

__all__ = ["PlanEmitter"]
