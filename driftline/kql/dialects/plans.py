"""Plans as sqlglot expressions: one nested SELECT for each node; both engines flatten the nesting themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp

from driftline.kql.dialects.scalars import ScalarEmitter, identifier
from driftline.kql.plan import nodes
from driftline.kql.plan.nodes import Column, Key, Plan, Scalar
from driftline.kql.plan.program import Program

__all__ = ["PlanEmitter"]

JOINS = {"inner": "INNER", "left": "LEFT", "right": "RIGHT", "full": "FULL", "semi": "SEMI", "anti": "ANTI"}
"""SQL's kinds of join by the plan's."""


class PlanEmitter:
    """Emitter of the plans of one query in one dialect. Shared plans become common table expressions.

    The subclasses in ``driftline.kql.dialects.duckdb`` and ``clickhouse`` say what the dialects do differently.
    """

    scalar_emitter: ClassVar[type[ScalarEmitter]]
    """Class of the emitter of scalars in this dialect."""
    semi_join_side: ClassVar[str | None] = None
    """Side that SEMI JOIN and ANTI JOIN must name, None for none."""

    def __init__(self) -> None:
        self.scalars = self.scalar_emitter(self.emit)
        self.shared: dict[str, exp.Expression] = {}

    def query(self, program: Program, columns: tuple[Column, ...], order: tuple[Key, ...]) -> exp.Expression:
        """Emit a whole query, with the names of the visible columns and the order of the rows."""
        for name, plan in program.shared.items():
            self.shared[name] = self.emit(plan)
        made = exp.select(*(exp.alias_(exp.column(identifier(c.id)), c.name, quoted=True) for c in columns))
        made = made.from_(self.source(program.root), copy=False)
        if order:
            made.set("order", self.scalars.order(order))
        for name, inner in self.shared.items():
            made = made.with_(identifier(name), as_=inner, materialized=True, copy=False)
        return made

    def emit(self, node: Plan) -> exp.Expression:
        return PLANS[type(node)](self, node)

    def source(self, node: Plan) -> exp.Expression:
        """Emit a plan as the source of a FROM clause."""
        if isinstance(node, nodes.Reference):
            return exp.Table(this=identifier(node.name))
        return exp.Subquery(this=self.emit(node), alias=exp.TableAlias(this=identifier("t")))

    def aliased(self, column: Column, value: exp.Expression) -> exp.Expression:
        return exp.Alias(this=value, alias=identifier(column.id))

    def columns(self, columns: tuple[Column, ...]) -> list[exp.Expression]:
        return [exp.column(identifier(column.id)) for column in columns]

    def outputs(self, columns: tuple[Column, ...], values: tuple[Scalar, ...]) -> list[exp.Expression]:
        made = [
            exp.column(identifier(c.id))
            if isinstance(v, nodes.Col) and v.id == c.id
            else self.aliased(c, self.scalars.emit(v))
            for c, v in zip(columns, values, strict=True)
        ]
        return made or [exp.Literal.number(1)]

    def table(self, node: nodes.Table) -> exp.Expression:
        values = [self.aliased(c, self.stored(c, present=c.id in node.present)) for c in node.columns]
        return exp.select(*values or [exp.Literal.number(1)]).from_(exp.Table(this=identifier(node.name)), copy=False)

    def stored(self, column: Column, *, present: bool) -> exp.Expression:
        """Emit a stored column with Kusto's values: a stored null string is an empty one.

        ``present`` says that a filter drops nulls anyway. ClickHouse takes a nullable string for another type, so
        it replaces nulls all the same.
        """
        value: exp.Expression = exp.column(identifier(column.name))
        if column.type == "string":
            return exp.Coalesce(this=value, expressions=[exp.Literal.string("")])
        return value

    def values(self, node: nodes.Values) -> exp.Expression:
        names = [
            self.aliased(c, self.scalars.const(nodes.Const(c.type, "" if c.type == "string" else None)))
            for c in node.columns
        ]
        if not node.rows:
            return exp.select(*names).where(exp.false(), copy=False)
        rows: list[exp.Select] = [
            exp.select(*(self.aliased(c, self._cell(c, v)) for c, v in zip(node.columns, row, strict=True)))
            for row in node.rows
        ]
        return _union(rows)

    def _cell(self, column: Column, value: Scalar) -> exp.Expression:
        made = self.scalars.emit(value)
        return (
            made
            if isinstance(value, nodes.Const) and value.type not in {"string", "guid", "bool"}
            else self.scalars.typed(made, column.type)
        )

    def numbers(self, node: nodes.Numbers) -> exp.Expression:
        """Emit a column of the whole numbers from 0 to a count, which is not included."""
        raise NotImplementedError

    def filter(self, node: nodes.Filter) -> exp.Expression:
        made = exp.select(*self.columns(node.columns) or [exp.Literal.number(1)]).from_(
            self.source(node.input), copy=False
        )
        return made.where(self.scalars.emit(node.predicate), copy=False)

    def project(self, node: nodes.Project) -> exp.Expression:
        return exp.select(*self.outputs(node.columns, node.values)).from_(self.source(node.input), copy=False)

    def aggregate(self, node: nodes.Aggregate) -> exp.Expression:
        made = exp.select(*self.outputs(node.columns, node.groups + node.aggregates)).from_(
            self.source(node.input), copy=False
        )
        if node.groups:
            made.set("group", exp.Group(expressions=[exp.Literal.number(i + 1) for i in range(len(node.groups))]))
        elif not node.aggregates:
            return made.limit(1, copy=False)
        return made

    def distinct(self, node: nodes.Distinct) -> exp.Expression:
        made = exp.select(*self.columns(node.columns)).from_(self.source(node.input), copy=False)
        keys = [self.scalars.emit(value) for value in node.by]
        if node.keys:
            made.set("order", self.scalars.order(node.keys))
        self.keep_one(made, keys)
        return made

    def keep_one(self, made: exp.Select, keys: list[exp.Expression]) -> None:
        """Let a SELECT keep the first row of each combination of keys."""
        raise NotImplementedError

    def join(self, node: nodes.Join) -> exp.Expression:
        left = exp.Subquery(this=self.emit(node.left), alias=exp.TableAlias(this=identifier("l")))
        right = exp.Subquery(this=self.emit(node.right), alias=exp.TableAlias(this=identifier("r")))
        kind = JOINS[node.kind]
        made = exp.select(*self.columns(node.columns)).from_(left, copy=False)
        if isinstance(node.condition, nodes.Const):
            return made.join(right, join_type="cross", copy=False)
        if kind in {"SEMI", "ANTI"}:
            join = exp.Join(this=right, kind=kind, side=self.semi_join_side)
        else:
            join = exp.Join(
                this=right, side=kind if kind != "INNER" else None, kind="INNER" if kind == "INNER" else None
            )
        join.set("on", self.scalars.emit(node.condition))
        made.append("joins", join)
        return made

    def union(self, node: nodes.Union) -> exp.Expression:
        parts = []
        for each in node.inputs:
            values = [
                self.aliased(c, exp.column(identifier(e.id))) for c, e in zip(node.columns, each.columns, strict=True)
            ]
            parts.append(exp.select(*values or [exp.Literal.number(1)]).from_(self.source(each), copy=False))
        if not parts:
            return self.values(nodes.Values(node.columns, ()))
        return _union(parts)

    def limit(self, node: nodes.Limit) -> exp.Expression:
        made = exp.select(*self.columns(node.columns)).from_(self.source(node.input), copy=False)
        if node.keys:
            made.set("order", self.scalars.order(node.keys))
        count = (
            exp.Literal.number(max(node.count.value or 0, 0))
            if isinstance(node.count, nodes.Const)
            else self.scalars.emit(node.count)
        )
        return made.limit(count, copy=False)

    def expand(self, node: nodes.Expand) -> exp.Expression:
        lists = [self.scalars.emit(array) for array in node.arrays]
        kept = self.columns(node.input.columns if node.kept is None else node.kept)
        inner = exp.select(
            *kept,
            *(exp.Alias(this=a, alias=identifier(f"{e.id}[]")) for a, e in zip(lists, node.elements, strict=True)),
        )
        inner = inner.from_(self.source(node.input), copy=False)
        source = exp.Subquery(this=inner, alias=exp.TableAlias(this=identifier("t")))
        arrays = [exp.column(identifier(f"{e.id}[]")) for e in node.elements]
        made = [each.copy() for each in kept]
        return self.unnested(node, source, arrays, made)

    def unnested(
        self, node: nodes.Expand, source: exp.Expression, arrays: list[Any], made: list[exp.Expression]
    ) -> exp.Expression:
        """Emit the rows of arrays side by side, with the columns ``made`` of the source."""
        raise NotImplementedError

    def fold(self, node: nodes.Fold) -> exp.Expression:
        """Emit a fold over ordered rows (``scan``): rows joined with their states, which a recursive query computes."""
        name = f"{node.name} states"
        self.shared.setdefault(node.name, self.emit(node.input))
        states = exp.Union(this=self._first_states(node), expression=self._next_states(node, name), distinct=False)
        made = exp.select(*(self._of("b", c, c) for c in node.columns[: -len(node.state)]))
        made = made.select(*(self._of("s", c, c) for c in node.state), copy=False)
        made = self._beside_states(made, node, name, ahead=0)
        # A WITH clause of its own: ClickHouse materializes no shared plan in a clause with a recursive one.
        return made.with_(identifier(name), as_=states, recursive=True, copy=False)

    def _first_states(self, node: nodes.Fold) -> exp.Expression:
        number = self.aliased(Column(node.number.id, "long"), self.scalars.const(nodes.Const("long", 0)))
        parts = [self.aliased(Column(part.id, part.type), self.scalars.emit(part)) for part in node.partition]
        values = [self.aliased(c, self._as(c, v)) for c, v in zip(node.state, node.initial, strict=True)]
        made = exp.select(number, *parts, *values)
        return made.distinct(copy=False).from_(exp.Table(this=identifier(node.name)), copy=False)

    def _next_states(self, node: nodes.Fold, name: str) -> exp.Expression:
        states = zip(node.state, node.before, strict=True)
        beside = exp.select(
            *(self._of("b", c, c) for c in node.input.columns), *(self._of("s", c, before) for c, before in states)
        )
        inner = exp.Subquery(
            this=self._beside_states(beside, node, name, ahead=1), alias=exp.TableAlias(this=identifier("t"))
        )
        keys = [Column(col.id, col.type) for col in (node.number, *node.partition)]
        values = [self.aliased(c, self._as(c, v)) for c, v in zip(node.state, node.following, strict=True)]
        return exp.select(*self.columns(tuple(keys)), *values).from_(inner, copy=False)

    def _beside_states(self, made: exp.Select, node: nodes.Fold, name: str, *, ahead: int) -> exp.Select:
        rows = exp.Table(this=identifier(node.name), alias=exp.TableAlias(this=identifier("b")))
        states = exp.Table(this=identifier(name), alias=exp.TableAlias(this=identifier("s")))
        number = Column(node.number.id, "long")
        place: exp.Expression = self._of("s", number)
        if ahead:
            place = exp.Add(this=place, expression=self.scalars.const(nodes.Const("long", ahead)))
        conditions: list[exp.Expression] = [exp.EQ(this=self._of("b", number), expression=place)]
        for part in node.partition:
            column = Column(part.id, part.type)
            conditions.append(exp.NullSafeEQ(this=self._of("b", column), expression=self._of("s", column)))
        return made.from_(states, copy=False).join(rows, on=exp.and_(*conditions, copy=False), copy=False)

    def _of(self, table: str, column: Column, label: Column | None = None) -> exp.Expression:
        made = exp.column(identifier(column.id), table=identifier(table))
        return self.aliased(label, made) if label else made

    def _as(self, column: Column, value: Scalar) -> exp.Expression:
        return self.scalars.typed(self.scalars.emit(value), column.type)

    def reference(self, node: nodes.Reference) -> exp.Expression:
        return exp.select(*self.columns(node.columns)).from_(self.source(node), copy=False)


def _union(parts: list[exp.Select]) -> exp.Expression:
    made: exp.Expression = parts[0]
    if len(parts) > 2:
        half = len(parts) // 2
        return exp.Union(this=_union(parts[:half]), expression=_union(parts[half:]), distinct=False)
    for part in parts[1:]:
        made = exp.Union(this=made, expression=part, distinct=False)
    return made


PLANS: dict[type, Callable[[PlanEmitter, Any], exp.Expression]] = {
    nodes.Table: PlanEmitter.table,
    nodes.Values: PlanEmitter.values,
    nodes.Numbers: lambda emitter, node: emitter.numbers(node),
    nodes.Filter: PlanEmitter.filter,
    nodes.Project: PlanEmitter.project,
    nodes.Aggregate: PlanEmitter.aggregate,
    nodes.Distinct: PlanEmitter.distinct,
    nodes.Join: PlanEmitter.join,
    nodes.Union: PlanEmitter.union,
    nodes.Limit: PlanEmitter.limit,
    nodes.Expand: PlanEmitter.expand,
    nodes.Fold: PlanEmitter.fold,
    nodes.Reference: PlanEmitter.reference,
}
