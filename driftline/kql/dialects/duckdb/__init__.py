"""SQL for DuckDB, where it differs from ClickHouse by more than a function's template."""

from driftline.kql.dialects.duckdb.plans import DuckDBPlans

__all__ = ["DuckDBPlans"]
