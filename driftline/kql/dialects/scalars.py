"""Scalars as sqlglot expressions: constants, templates, and the calls that need code in both dialects."""

from __future__ import annotations

import datetime
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from sqlglot import exp

from driftline import clock
from driftline.kql.dialects import formats
from driftline.kql.dialects.templates import filled, template, template_of
from driftline.kql.plan import nodes
from driftline.kql.plan.nodes import Call, Col, Const, InPlan, Key, Scalar, Subquery, Window

__all__ = ["CALLS", "EmitCall", "ScalarEmitter", "Unsupported", "frame", "identifier", "may_be_nan"]

EPOCH = clock.EPOCH.replace(tzinfo=None)  # isoformat() of a naive time has no UTC offset
EmitCall = Callable[[Any, Call], exp.Expression]
"""A function of an emitter and a call, for calls that a template cannot express."""


def identifier(name: str) -> exp.Identifier:
    """Return a quoted identifier."""
    return exp.to_identifier(name, quoted=True)


class Unsupported(Exception):
    """A dialect has no such function; the argument is its name."""


class ScalarEmitter:
    """Emitter of scalars for one dialect; ``emit_plan`` emits the plans of subqueries.

    The subclasses in ``driftline.kql.dialects.duckdb`` and ``clickhouse`` say what the dialects do differently.
    """

    dialect: ClassVar[str]
    """Name of the dialect, as sqlglot knows it."""
    types: ClassVar[Mapping[str, str]]
    """SQL types by Kusto type."""
    calls: ClassVar[Mapping[str, EmitCall]]
    """Code for the calls that a template cannot express, by the function's name."""
    format_parts: ClassVar[Mapping[str, str]]
    """Templates for the runs of letters in a format of ``format_datetime``."""

    def __init__(self, emit_plan: Callable[[nodes.Plan], exp.Expression]) -> None:
        self.emit_plan = emit_plan
        self.draws = itertools.count(1)

    def emit(self, value: Scalar) -> exp.Expression:
        return EMITTERS[type(value)](self, value)

    def typed(self, expression: exp.Expression, kind: str) -> exp.Expression:
        """Cast an expression to the SQL type of a Kusto type."""
        return exp.Cast(this=expression, to=_type(self.dialect, self.types[kind]).copy())

    def const(self, value: Const) -> exp.Expression:
        if value.value is None:
            return self.typed(exp.null(), value.type)
        return CONSTANTS[value.type](self, value.value)

    def datetime(self, text: str) -> exp.Expression:
        """Return a constant datetime, given as ISO text with a space and without a zone (UTC)."""
        return self.typed(exp.Literal.string(text), "datetime")

    def col(self, value: Col) -> exp.Expression:
        return exp.column(identifier(value.id))

    def call(self, value: Call) -> exp.Expression:
        by_code = self.calls.get(value.function)
        return by_code(self, value) if by_code else self.templated(value)

    def templated(self, value: Call) -> exp.Expression:
        """Emit a call by its template; raises ``Unsupported`` if the dialect has none."""
        sql = template_of(value, self.dialect)
        if sql is None:
            raise Unsupported(value.function)
        return self.fill(sql, *value.args)

    def fill(self, sql: str, *args: Scalar) -> exp.Expression:
        """Emit scalars inside of a template of this dialect."""
        return self.fill_with(sql, *map(self.emit, args))

    def fill_with(self, sql: str, *args: exp.Expression) -> exp.Expression:
        """Put expressions into the places of a template of this dialect."""
        return filled(template(sql, self.dialect), list(args))

    def window(self, value: Window) -> exp.Expression:
        made = exp.Window(this=self.window_function(value.call), partition_by=[self.emit(p) for p in value.partition])
        if value.keys:
            made.set("order", self.order(value.keys))
        if value.running:
            made.set("spec", frame("CURRENT ROW", None))
        return made

    def window_function(self, value: Call) -> exp.Expression:
        """Emit the call of a window function, without its window."""
        return self.call(value)

    def order(self, keys: Iterable[Key]) -> exp.Order:
        """Emit an ORDER BY clause."""
        return exp.Order(expressions=[part for key in keys for part in self.order_parts(key)])

    def order_parts(self, key: Key) -> list[exp.Ordered]:
        """Emit one key of an ORDER BY clause, as one or more SQL keys."""
        return [exp.Ordered(this=self.emit(key.value), desc=key.descending, nulls_first=key.nulls_first)]

    def subquery(self, value: Subquery) -> exp.Expression:
        inner = self.emit_plan(value.plan)
        assert isinstance(inner, exp.Select)
        return exp.Subquery(this=inner.limit(1, copy=False))

    def in_plan(self, value: InPlan) -> exp.Expression:
        return exp.In(this=self.emit(value.value), query=exp.Subquery(this=self.emit_plan(value.plan)))

    def format_piece(self, moment: Scalar, run: str) -> exp.Expression:
        """Emit the part of a datetime for a run of letters in a format, or the run itself if it has no meaning."""
        sql = self.fraction(run) if run[0] in "fF" else self.format_parts.get(run)
        return exp.Literal.string(run) if sql is None else self.fill(sql, moment)

    def fraction(self, run: str) -> str:
        """Return the template for the decimals of a second; the letter ``F`` drops zeros at the end."""
        raise NotImplementedError


def may_be_nan(value: Scalar) -> bool:
    """Return whether a scalar can be NaN."""
    if isinstance(value, Const):
        return isinstance(value.value, float) and math.isnan(value.value)
    return value.type == "real"


def frame(end: str, side: str | None) -> exp.WindowSpec:
    """Return the frame of a window from the first row to ``end``."""
    return exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end=end, end_side=side)


@functools.cache
def _type(dialect: str, text: str) -> exp.DataType:
    return exp.DataType.build(text, dialect=dialect)


# Constants


def _number(emitter: ScalarEmitter, value: int) -> exp.Expression:
    made: exp.Expression = exp.Literal.number(abs(value))
    return emitter.typed(exp.Neg(this=made) if value < 0 else made, "long")


def _int(emitter: ScalarEmitter, value: int) -> exp.Expression:
    return emitter.typed(exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value)), "int")


def _real(emitter: ScalarEmitter, value: float) -> exp.Expression:
    if not math.isfinite(value):
        return emitter.typed(exp.Literal.string(str(value)), "real")
    made: exp.Expression = exp.Literal.number(repr(abs(value)))
    return emitter.typed(exp.Neg(this=made) if value < 0 else made, "real")


def _string(_: ScalarEmitter, value: str) -> exp.Expression:
    return exp.Literal.string(value)


def _datetime(emitter: ScalarEmitter, microseconds: int) -> exp.Expression:
    return emitter.datetime((EPOCH + datetime.timedelta(microseconds=microseconds)).isoformat(" "))


def _dynamic(emitter: ScalarEmitter, value: str) -> exp.Expression:
    return emitter.typed(exp.Literal.string(value), "dynamic")


CONSTANTS: dict[str, Callable[[ScalarEmitter, Any], exp.Expression]] = {
    "bool": lambda _, value: exp.Boolean(this=value),
    "int": _int,
    "long": _number,
    "timespan": _number,
    "real": _real,
    "string": _string,
    "guid": _string,
    "datetime": _datetime,
    "dynamic": _dynamic,
}


# Calls that a template cannot express


def _connective(kind: type[exp.Connector]) -> EmitCall:
    def emit(emitter: ScalarEmitter, value: Call) -> exp.Expression:
        parts = [emitter.emit(arg) for arg in value.args]
        return exp.Paren(this=_balanced(kind, parts)) if len(parts) > 1 else parts[0]

    return emit


# A balanced tree of a thousand alternatives is ten levels deep; engines limit the depth.
def _balanced(kind: type[exp.Connector], parts: list[exp.Expression]) -> exp.Expression:
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return exp.Paren(this=kind(this=_balanced(kind, parts[:half]), expression=_balanced(kind, parts[half:])))


def _in(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    first, *items = (emitter.emit(arg) for arg in value.args)
    return exp.Paren(this=exp.In(this=first, expressions=items))


# In Kusto ``null in (1)`` is false, and ``null !in (1)`` therefore true; SQL's are null.
def _in_or_false(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    found = _in(emitter, value)
    if value.args[0].type == "string":
        return found
    return exp.Coalesce(this=found, expressions=[exp.false()])


def _coalesce_text(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    parts = [filled(template("nullif(_0, '')", "duckdb"), [emitter.emit(arg)]) for arg in value.args]
    return exp.Anonymous(this="coalesce", expressions=[*parts, exp.Literal.string("")])


def _format_datetime(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    moment, form = value.args
    assert isinstance(form, Const)
    pieces = [emitter.format_piece(moment, run) for run in formats.runs(form.value)]
    text = exp.Anonymous(this="concat", expressions=[exp.Literal.string(""), *pieces])
    return emitter.fill_with("CASE WHEN _0 IS NULL THEN '' ELSE _1 END", emitter.emit(moment), text)


CALLS: dict[str, EmitCall] = {
    "and": _connective(exp.And),
    "or": _connective(exp.Or),
    "in": _in_or_false,
    "infilter": _in,
    "coalesce_text": _coalesce_text,
    "format_datetime": _format_datetime,
}
"""Code for calls that is the same in both dialects, by the function's name."""
EMITTERS: dict[type, Callable[[ScalarEmitter, Any], exp.Expression]] = {
    Const: ScalarEmitter.const,
    Col: ScalarEmitter.col,
    Call: ScalarEmitter.call,
    Window: lambda emitter, value: emitter.window(value),
    Subquery: ScalarEmitter.subquery,
    InPlan: ScalarEmitter.in_plan,
}
