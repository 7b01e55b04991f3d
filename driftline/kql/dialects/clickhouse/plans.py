"""Plans for ClickHouse: number series, ARRAY JOIN, LIMIT BY, and the strictness of semi joins."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from driftline.kql.dialects.clickhouse.scalars import ClickHouseScalars
from driftline.kql.dialects.plans import PlanEmitter
from driftline.kql.dialects.scalars import identifier
from driftline.kql.plan import nodes

__all__ = ["ClickHousePlans"]


class ClickHousePlans(PlanEmitter):
    """Emitter of plans for ClickHouse."""

    scalar_emitter = ClickHouseScalars
    semi_join_side = "LEFT"

    def numbers(self, node: nodes.Numbers) -> exp.Expression:
        count = self.scalars.emit(node.count)
        size = exp.Anonymous(this="toUInt64", expressions=[exp.Anonymous(this="assumeNotNull", expressions=[count])])
        array = exp.Anonymous(this="arrayJoin", expressions=[exp.Anonymous(this="range", expressions=[size])])
        return exp.select(self.aliased(node.column, self.scalars.typed(array, "long")))

    def keep_one(self, made: exp.Select, keys: list[exp.Expression]) -> None:
        made.set("limit", exp.Limit(this=None, expression=exp.Literal.number(1), expressions=keys))

    def unnested(
        self, node: nodes.Expand, source: exp.Expression, arrays: list[Any], made: list[exp.Expression]
    ) -> exp.Expression:
        joined = [self.aliased(e, a) for a, e in zip(arrays, node.elements, strict=True)]
        made += self.columns(node.elements)
        if node.index:
            counted = identifier(node.index.id + "#")
            joined.append(
                exp.Alias(this=exp.Anonymous(this="arrayEnumerate", expressions=[arrays[0].copy()]), alias=counted)
            )
            zero_based = exp.Sub(this=exp.column(counted.copy()), expression=exp.Literal.number(1))
            made.append(self.aliased(node.index, self.scalars.typed(zero_based, "long")))
        select = exp.select(*made).from_(source, copy=False)
        select.append("joins", exp.Join(this=joined[0], kind="ARRAY", expressions=joined[1:]))
        return select
