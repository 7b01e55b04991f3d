"""Plans for DuckDB: number series, unnested lists, and DISTINCT ON."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from driftline.kql.dialects.duckdb.scalars import DuckDBScalars
from driftline.kql.dialects.plans import PlanEmitter
from driftline.kql.dialects.scalars import identifier
from driftline.kql.plan import nodes
from driftline.kql.plan.nodes import Column

__all__ = ["DuckDBPlans"]


class DuckDBPlans(PlanEmitter):
    """Emitter of plans for DuckDB."""

    scalar_emitter = DuckDBScalars

    def stored(self, column: Column, *, present: bool) -> exp.Expression:
        return exp.column(identifier(column.name)) if present else super().stored(column, present=present)

    def numbers(self, node: nodes.Numbers) -> exp.Expression:
        count = self.scalars.emit(node.count)
        series = exp.Anonymous(this="unnest", expressions=[exp.Anonymous(this="range", expressions=[count])])
        return exp.select(self.aliased(node.column, series))

    def keep_one(self, made: exp.Select, keys: list[exp.Expression]) -> None:
        made.set("distinct", exp.Distinct(on=exp.Tuple(expressions=keys)))

    # Several lists that one SELECT unnests come side by side, the shorter ones filled with nulls.
    def unnested(
        self, node: nodes.Expand, source: exp.Expression, arrays: list[Any], made: list[exp.Expression]
    ) -> exp.Expression:
        made += [
            self.aliased(e, exp.Anonymous(this="unnest", expressions=[a]))
            for a, e in zip(arrays, node.elements, strict=True)
        ]
        if node.index:
            lengths = [exp.Anonymous(this="len", expressions=[a.copy()]) for a in arrays]
            longest = exp.Anonymous(this="greatest", expressions=lengths)
            numbers = exp.Anonymous(this="range", expressions=[longest])
            made.append(self.aliased(node.index, exp.Anonymous(this="unnest", expressions=[numbers])))
        return exp.select(*made).from_(source, copy=False)
