"""Bind scan: rows taken one by one, while each step keeps a state.

The state of a step holds what its own and all earlier steps matched last, as far as the query
reads it. A row is put to the steps from the last to the first:

1. If the step before has a state, and the condition holds in it, that state moves here.
2. Otherwise, if the step has a state (the first step needs none) and the condition holds in it,
   the row takes the place of the one that matched here before.

All of a row's conditions read the state before the row, but for one thing: what moved on is gone.
https://learn.microsoft.com/kusto/query/scan-operator
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Binding, Relation, Scope
from driftline.kql.bind.tables.outputs import kept, projected, ref
from driftline.kql.plan.nodes import (
    Call,
    Column,
    Const,
    Filter,
    Fold,
    Key,
    Plan,
    Project,
    Scalar,
    Shared,
    Union,
    Window,
)

__all__ = ["OPERATORS"]

Read = tuple[str, str]  # a step and a column that some condition or assignment reads
TRUE, FALSE = Const("bool", True), Const("bool", False)
NO_ID = Const("long", -1)


@dataclass(frozen=True, slots=True)
class State:
    """The columns that hold one step's state."""

    active: Column
    id: Column
    series: Column  # counts the runs of matches, of which output=last shows the last row
    matched: Column
    values: Mapping[Read, Column]
    made: Mapping[str, Column]  # the declared columns of the row, if it matched


@dataclass(slots=True)
class Machine:
    """The state machine of a scan: its steps' states, and what a row makes of each state column.

    ``initial`` holds a column's value before the first row, ``following`` the value after a row, computed from the
    values before it; ``after`` holds the column of the state after the row.
    """

    node: syntax.Scan
    rows: Relation
    scope: Scope
    defaults: dict[str, Const]
    states: list[State] = field(default_factory=list)
    next_id: Column | None = None
    initial: dict[Column, Scalar] = field(default_factory=dict)
    after: dict[Column, Column] = field(default_factory=dict)  # the same of the state after the row
    following: dict[Column, Scalar] = field(default_factory=dict)

    def column(self, kind: str, initial: Const) -> Column:
        """Make a state column."""
        made = self.scope.session.hidden(kind)
        self.initial[made] = initial
        self.after[made] = self.scope.session.hidden(kind)
        return made

    def empty(self, read: Read) -> Const:
        """Return a step's column before the step matched: the declared default, null, or the empty string."""
        if read[1] in self.defaults:
            return self.defaults[read[1]]
        kind = next(c.type for c in self.rows.columns if c.name == read[1])
        return Const(kind, "" if kind == "string" else None)

    def value(self, read: Read) -> Scalar:
        """Return the current row's value of an input column."""
        return ref(next(c for c in self.rows.columns if c.name == read[1]))

    def bound(self, node: syntax.Expr, context: Mapping[Read, Scalar]) -> Scalar:
        """Bind an expression of a step, in which ``step.column`` is a value of the context."""
        names: dict[str, Binding] = {f"{step}.{name}": value for (step, name), value in context.items()}
        return self.scope.with_row(self.rows).with_names(names).scalar(_resolved(node, context))

    def condition(self, step: syntax.ScanStep, context: Mapping[Read, Scalar]) -> Scalar:
        """Bind the condition of a step; null counts as false."""
        value = types.coerce(self.bound(step.condition, context), "bool", scope=self.scope, span=step.condition.span)
        return Call("coalesce_null", (value, FALSE), "bool")


def bind_scan(node: syntax.Scan, relation: Relation, scope: Scope) -> Relation:
    """Bind scan as a fold over the rows in order."""
    if not relation.serialized:
        scope.fail("scan needs rows in an order; put 'sort by' or 'serialize' before", node.span)
    _check(node, relation, scope)
    number = scope.session.hidden("long")
    place = Window(Call("number_row", (), "long"), relation.order, relation.partition)
    columns = relation.plan.columns
    numbered = Project(relation.plan, (*columns, number), (*map(ref, columns), place))
    rows = relation.over(numbered)
    machine = Machine(node, rows, scope, _defaults(node, scope))
    machine.next_id = machine.column("long", Const("long", 0))
    machine.states = [_state(step, machine) for step in node.steps]
    # From the last step to the first, as Kusto does: a state that moves on leaves its step empty for this row.
    for place_of in reversed(range(len(node.steps))):
        _step(place_of, machine)
    before = tuple(machine.initial)
    fold = Fold(
        scope.session.fresh("rows"),
        numbered,
        ref(number),
        relation.partition,
        state=tuple(machine.after.values()),
        before=before,
        initial=tuple(machine.initial.values()),
        following=tuple(machine.following.get(column, ref(column)) for column in before),
    )
    return _output(machine, fold, number)


def _check(node: syntax.Scan, relation: Relation, scope: Scope) -> None:
    """Note a problem for repeated names of steps or columns, and for optional steps."""
    names = [step.name for step in node.steps]
    if not names or len(set(names)) < len(names):
        scope.fail("expected steps, each with a name of its own", node.span)
    for step in node.steps:
        if step.optional:
            scope.fail("not supported: optional steps", step.span)
    taken = {c.name for c in relation.columns}
    for column, _ in node.declared:
        if column.name in taken:
            scope.fail(f"a column '{column.name}' already exists", column.span)


def _defaults(node: syntax.Scan, scope: Scope) -> dict[str, Const]:
    """Bind the declared columns' defaults, which must be constants."""
    found = {}
    for column, value in node.declared:
        default: Scalar = Const(column.type, "" if column.type == "string" else None)
        if value is not None:
            bound = scope.with_row(None).scalar(value)
            default = types.coerce(bound, column.type, scope=scope, span=value.span)
        if not isinstance(default, Const):
            scope.fail("expected a constant", column.span)
        found[column.name] = default
    return found


def _state(step: syntax.ScanStep, machine: Machine) -> State:
    """Make the state columns of a step: what its own and earlier steps matched, as far as the query reads it."""
    names = [each.name for each in machine.node.steps]
    before = set(names[: names.index(step.name) + 1])
    # A dict keeps the order, so that a query always makes the same SQL.
    reads = {read: None for each in machine.node.steps for read in _reads(each, names, machine)}
    values = {
        read: machine.column(machine.empty(read).type, machine.empty(read)) for read in reads if read[0] in before
    }
    made = {name: machine.column(default.type, default) for name, default in machine.defaults.items()}
    return State(
        active=machine.column("bool", FALSE), id=machine.column("long", NO_ID), series=machine.column("long", NO_ID),
        matched=machine.column("bool", FALSE), values=values, made=made,
    )  # fmt: skip


def _reads(step: syntax.ScanStep, names: list[str], machine: Machine) -> Iterator[Read]:
    """List the columns of steps that a step's condition and assignments read."""
    known = {c.name for c in machine.rows.columns} | machine.defaults.keys()
    for node in (step.condition, *step.assignments):
        for member in _members(node):
            if isinstance(member.base, syntax.Name) and member.base.name in names:
                if member.name not in known:
                    machine.scope.fail(f"unknown column '{member.name}' of step '{member.base.name}'", member.span)
                yield member.base.name, member.name


def _members(node: object) -> Iterator[syntax.Member]:
    """List the member expressions in a node."""
    if isinstance(node, syntax.Member):
        yield node
    if isinstance(node, tuple):
        for each in node:
            yield from _members(each)
    elif isinstance(node, syntax.Node):
        for each in dataclasses.fields(node):
            yield from _members(getattr(node, each.name))


def _resolved(node: syntax.Expr, context: Mapping[Read, Scalar]) -> syntax.Expr:
    """Replace ``step.column`` by a name that the context gives a value."""
    if (
        isinstance(node, syntax.Member)
        and isinstance(node.base, syntax.Name)
        and (node.base.name, node.name) in context
    ):
        return syntax.Name(f"{node.base.name}.{node.name}", span=node.span)
    return syntax.mapped(node, lambda each: _resolved(each, context))


# One row at one step


def _step(place: int, machine: Machine) -> None:
    """Compute the state of one step after a row; see the rules at the top of this module."""
    step, state = machine.node.steps[place], machine.states[place]
    before = machine.states[place - 1] if place else None
    # A state that moves to the next step in this row is gone for this step.
    moved_on = _moves(place + 1, machine)
    active = _and(ref(state.active), _not(moved_on)) if moved_on else ref(state.active)
    # The first step reads an empty state; later steps read their own.
    here = _context(state, machine, active if not place else None)
    stays = _and(machine.condition(step, here), *([active] if place else []))
    moves = _moves(place, machine)
    replaces = _and(stays, _not(moves)) if moves else stays
    matched = Call("or", (moves, replaces), "bool") if moves else replaces
    machine.following[state.matched] = matched
    machine.following[state.active] = Call("or", (matched, active), "bool")
    assigned = _assigned(step, machine, here)
    moved = _assigned(step, machine, _context(before, machine, None)) if before else {}
    made = {name: _choose(moves, moved.get(name), value) for name, value in assigned.items()}
    for name, column in state.made.items():
        machine.following[column] = made[name]
    for read, column in state.values.items():
        # A matching row becomes the state of its own step; values of earlier steps come with the state that moved.
        if read[0] == step.name:
            new = made[read[1]] if read[1] in made else machine.value(read)
            machine.following[column] = _choose(matched, new, ref(column))
        elif before:
            machine.following[column] = _choose(moves, ref(before.values[read]), ref(column))
    _count(state, before, moves, _and(replaces, _not(active)), machine)


def _moves(place: int, machine: Machine) -> Scalar | None:
    """Return whether the state of the step before moves to this one; ``None`` where there is no such step."""
    if not 0 < place < len(machine.states):
        return None
    before = machine.states[place - 1]
    condition = machine.condition(machine.node.steps[place], _context(before, machine, None))
    return _and(ref(before.active), condition)


def _context(state: State, machine: Machine, active: Scalar | None) -> dict[Read, Scalar]:
    """Return the values that conditions read: of the state, and empty ones for steps that it does not hold."""
    every = {read: None for each in machine.states for read in each.values}
    found: dict[Read, Scalar] = {}
    for read in every:
        column = state.values.get(read)
        held: Scalar = machine.empty(read) if column is None else ref(column)
        # Only the first step may be evaluated without a state.
        found[read] = held if active is None else _choose(active, held, machine.empty(read))
    return found


def _assigned(step: syntax.ScanStep, machine: Machine, context: Mapping[Read, Scalar]) -> dict[str, Scalar]:
    """Return the declared columns' values for a row that matches a step."""
    made: dict[str, Scalar] = dict(machine.defaults)
    for item in step.assignments:
        # Assignments change declared columns only, never the input's.
        if len(item.names) != 1 or item.names[0] not in machine.defaults:
            machine.scope.fail("expected declared column = value", item.span)
        value = machine.bound(item.value, context)
        kind = machine.defaults[item.names[0]].type
        made[item.names[0]] = types.coerce(value, kind, scope=machine.scope, span=item.span)
    return made


def _count(state: State, before: State | None, moves: Scalar | None, begins: Scalar, machine: Machine) -> None:
    """Compute the match identifier of a step and the number of its run of matches."""
    assert machine.next_id is not None
    if before is None:
        following = Call("+", (ref(machine.next_id), Const("long", 1)), "long")
        machine.following[state.id] = _choose(begins, ref(machine.next_id), ref(state.id))
        machine.following[state.series] = machine.following[state.id]
        machine.following[machine.next_id] = _choose(begins, following, ref(machine.next_id))
    else:
        machine.following[state.id] = _choose(moves, ref(before.id), ref(state.id))
        more = Call("+", (ref(state.series), Const("long", 1)), "long")
        machine.following[state.series] = _choose(moves, more, ref(state.series))


def _and(*values: Scalar) -> Scalar:
    """Combine conditions."""
    return values[0] if len(values) == 1 else Call("and", values, "bool")


def _not(value: Scalar) -> Call:
    """Negate a condition."""
    return Call("not", (value,), "bool")


def _choose(condition: Scalar | None, yes: Scalar | None, no: Scalar) -> Scalar:
    """Choose between values; without a condition or a first value, take the second."""
    return no if condition is None or yes is None else Call("choose", (condition, yes, no), no.type)


# What comes out


def _output(machine: Machine, fold: Fold, number: Column) -> Relation:
    """Return the rows that matched, in the order of the rows and then of the steps, the last first."""
    # with_match_id shows the identifier of the match that a row belongs to.
    label = next((p.value for p in machine.node.parameters if p.name == "with_match_id"), "")
    declared = [(c.name, c.type) for c, _ in machine.node.declared]
    source = Relation(Shared(machine.scope.session.fresh("scan"), fold), partition=machine.rows.partition)
    parts = [
        _shown(place, machine, source, label=label, number=number)
        for place, step in enumerate(machine.node.steps)
        if step.output != "none"
    ]
    visible = [(c.name, c.type) for c in machine.rows.columns] + declared + ([(label, "long")] if label else [])
    session = machine.scope.session
    columns = [session.column(*each) for each in visible]
    row, step_of = session.hidden("long"), session.hidden("long")
    kept_parts = [Column(session.fresh("order"), part.type) for part in machine.rows.partition]
    plan = Union(tuple(parts), (*columns, row, step_of, *kept_parts))
    order = (Key(ref(row), False, True), Key(ref(step_of), True, False))
    return Relation(plan, order, serialized=True, partition=tuple(map(ref, kept_parts)))


def _shown(place: int, machine: Machine, source: Relation, *, label: str, number: Column) -> Plan:
    """Return the rows that a step shows: all that matched, or the last of each run (output=last)."""
    state, session = machine.states[place], machine.scope.session
    after = machine.after
    rows = Relation(Filter(source.plan, ref(after[state.matched])))
    if machine.node.steps[place].output == "last":
        # output=last: of each run of matches, the row with the greatest number.
        latest = (Key(ref(number), descending=True, nulls_first=False),)
        first = Window(Call("number_row", (), "long"), latest, (*source.partition, ref(after[state.series])))
        rank = session.hidden("long")
        ranked = projected(rows, [*kept(source.plan.columns), (rank, first)])
        rows = Relation(Filter(ranked.plan, Call("<=", (ref(rank), Const("long", 1)), "bool")))
    values: list[Scalar] = [*map(ref, machine.rows.columns), *(ref(after[c]) for c in state.made.values())]
    values += [ref(after[state.id])] if label else []
    values += [ref(number), Const("long", place), *source.partition]
    columns = tuple(session.hidden(value.type) for value in values)
    return Project(rows.plan, columns, tuple(values))


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Scan: bind_scan}
