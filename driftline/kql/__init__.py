"""KQL text in, SQL for DuckDB or ClickHouse out; pure."""

from driftline.kql.explain import outline
from driftline.kql.text.problems import QueryProblem
from driftline.kql.translate import Dialect, Discover, Translation, compiled, translate

__all__ = ["Dialect", "Discover", "QueryProblem", "Translation", "compiled", "outline", "translate"]
