"""SQL for ClickHouse, where it differs from DuckDB by more than a function's template."""

from driftline.kql.dialects.clickhouse.plans import ClickHousePlans

__all__ = ["ClickHousePlans"]
