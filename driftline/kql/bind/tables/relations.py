"""Read a bound table again, number its rows, give it an order."""

from __future__ import annotations

import dataclasses

from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import (
    Call,
    Col,
    Column,
    Key,
    Plan,
    Project,
    Shared,
    Window,
)

__all__ = ["in_order", "numbered", "renewed", "shared"]


def renewed(relation: Relation, scope: Scope) -> Relation:
    """Return a relation that reads the same rows with identifiers of its own.

    A plan that is used twice, as in a join of a table with itself, must not have the same identifiers on both sides.
    """
    # Hidden columns are renewed as well; order and partitions refer to them.
    fresh = {c.id: Column(scope.session.fresh(c.name or "order"), c.type, c.name) for c in relation.plan.columns}
    values = tuple(Col(c.id, c.type) for c in relation.plan.columns)
    order = tuple(
        Key(Col(fresh[key.value.id].id, key.value.type), key.descending, key.nulls_first)
        for key in relation.order
        if isinstance(key.value, Col)
    )
    parts = tuple(Col(fresh[part.id].id, part.type) for part in relation.partition)
    return Relation(Project(relation.plan, tuple(fresh.values()), values), order, relation.serialized, parts)


def shared(relation: Relation, name: str, scope: Scope, *, once: bool = True) -> Relation:
    """Return a relation whose plan is shared by all that read it under this name.

    ``once`` says that all must read the same rows.
    """
    keys = [key for key in relation.order if not isinstance(key.value, Col)]
    made = {key: scope.session.hidden(key.value.type) for key in keys}
    plan = walk.widened(relation.plan, [(made[key], key.value) for key in keys]) if keys else relation.plan
    order = tuple(dataclasses.replace(key, value=ref(made[key])) if key in made else key for key in relation.order)
    return dataclasses.replace(relation, plan=Shared(scope.session.fresh(name), plan, once), order=order)


def ref(column: Column) -> Col:
    """Return the value of a column."""
    return Col(column.id, column.type)


def numbered(relation: Relation, scope: Scope) -> tuple[Relation, Column]:
    """Number the rows, computed once, so that other plans can be joined back to them.

    Returns the relation and the column of numbers, from 1.
    """
    number = scope.session.hidden("long")
    columns = relation.plan.columns
    # Not unique by itself if the rows were read twice: hence the shared plan.
    place = Window(Call("number_row", (), "long"), relation.order)
    plan = Project(relation.plan, (*columns, number), (*(Col(c.id, c.type) for c in columns), place))
    return relation.over(Shared(scope.session.fresh("rows"), plan)), number


def in_order(plan: Plan, column: Column) -> Relation:
    """Make a serialized relation of a plan whose rows are in the ascending order of a column."""
    return Relation(plan, (Key(Col(column.id, column.type), descending=False, nulls_first=True),), serialized=True)
