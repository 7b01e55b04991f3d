"""Scalars to sqlglot expressions: constants, templates, and the few calls that need code."""

from __future__ import annotations

import datetime
import functools
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlglot import exp, parse_one

from driftline import clock
from driftline.kql import functions
from driftline.kql.dialects import lambdas, texts
from driftline.kql.plan import nodes
from driftline.kql.plan.nodes import Call, Col, Const, InPlan, Key, Scalar, Subquery, Window
from driftline.kql.text import regex_groups

__all__ = ["TYPES", "ScalarEmitter", "Unsupported", "identifier", "mentions"]

EPOCH = clock.EPOCH.replace(tzinfo=None)  # isoformat() of a naive time has no UTC offset
TYPES = {
    "duckdb": {
        "bool": "BOOLEAN", "int": "INTEGER", "long": "BIGINT", "real": "DOUBLE", "string": "TEXT", "guid": "TEXT",
        "decimal": "TEXT", "datetime": "TIMESTAMP", "timespan": "BIGINT", "dynamic": "JSON",
    },
    "clickhouse": {
        "bool": "Nullable(Bool)", "int": "Nullable(Int32)", "long": "Nullable(Int64)", "real": "Nullable(Float64)",
        "string": "String", "guid": "Nullable(String)", "decimal": "Nullable(String)",
        "datetime": "Nullable(DateTime64(6, 'UTC'))",
        "timespan": "Nullable(Int64)", "dynamic": "Nullable(String)",
    },
}  # fmt: skip
# DuckDB takes NaN for the largest number.
IS_NUMBER = "_0 <= CAST('inf' AS DOUBLE)"


def identifier(name: str) -> exp.Identifier:
    """Make a quoted identifier."""
    return exp.to_identifier(name, quoted=True)


class Unsupported(Exception):
    """An engine has no such function; the argument is its name."""


class ScalarEmitter:
    """Emit scalars for one dialect; ``emit_plan`` emits the plans inside of them."""

    def __init__(self, dialect: str, emit_plan: Callable[[nodes.Plan], exp.Expression]) -> None:
        self.dialect = dialect
        self.emit_plan = emit_plan
        self.draws = itertools.count(1)

    def emit(self, value: Scalar) -> exp.Expression:
        return EMITTERS[type(value)](self, value)

    def typed(self, expression: exp.Expression, kind: str) -> exp.Expression:
        return exp.Cast(this=expression, to=_type(self.dialect, kind).copy())

    def const(self, value: Const) -> exp.Expression:
        if value.value is None:
            return self.typed(exp.null(), value.type)
        return CONSTANTS[value.type](self, value.value)

    def col(self, value: Col) -> exp.Expression:
        return exp.column(identifier(value.id))

    def call(self, value: Call) -> exp.Expression:
        special = CALLS.get(value.function)
        if special is not None:
            return special(self, value)
        return self.templated(value)

    def templated(self, value: Call) -> exp.Expression:
        """Emit a call by its row's template."""
        sql = _sql(value, self.dialect)
        if sql is None:
            raise Unsupported(value.function)
        return filled(_template(sql, self.dialect), [self.emit(arg) for arg in value.args])

    def window(self, value: Window) -> exp.Expression:
        made = exp.Window(this=self._windowed(value.call), partition_by=[self.emit(p) for p in value.partition])
        if value.keys:
            made.set("order", self.order(value.keys))
        if value.running:
            made.set("spec", _frame("CURRENT ROW", None))
        elif _reads_other_row(value.call) and self.dialect == "clickhouse":
            made.set("spec", _frame("UNBOUNDED", "FOLLOWING"))
        if value.call.function == "number_row" and self.dialect == "clickhouse":
            return self.typed(made, "long")  # it counts unsigned, and a union makes a variant of both
        return made

    # ClickHouse wants the value of another row and what stands for none in the very same type.
    def _windowed(self, value: Call) -> exp.Expression:
        made = self.call(value)
        if self.dialect == "clickhouse" and _reads_other_row(value):
            made.expressions[0] = self.typed(made.expressions[0], value.type)
        return made

    def order(self, keys: Iterable[Key]) -> exp.Order:
        """Write an order: NaN lies beside the nulls, which DuckDB takes for the largest number."""
        parts: list[exp.Ordered] = []
        for key in keys:
            if self.dialect == "duckdb" and _may_be_nan(key.value):
                none = exp.IsNan(this=self.emit(key.value))
                parts.append(exp.Ordered(this=none, desc=key.nulls_first, nulls_first=key.nulls_first))
            parts.append(exp.Ordered(this=self.emit(key.value), desc=key.descending, nulls_first=key.nulls_first))
        return exp.Order(expressions=parts)

    def subquery(self, value: Subquery) -> exp.Expression:
        inner = self.emit_plan(value.plan)
        assert isinstance(inner, exp.Select)
        return exp.Subquery(this=inner.limit(1, copy=False))

    def in_plan(self, value: InPlan) -> exp.Expression:
        return exp.In(this=self.emit(value.value), query=exp.Subquery(this=self.emit_plan(value.plan)))


def _sql(value: Call, dialect: str) -> str | None:
    sql = functions.find(value.function).template(dialect)
    if isinstance(sql, Mapping):
        sql = sql.get(value.args[0].type, sql.get("*"))
    return sql


def mentions(value: Call, dialect: str) -> tuple[int, list[int]]:
    """Tell how long a call's own SQL is, and how often each argument stands in it."""
    sql = _sql(value, dialect)
    if sql is None:
        return 40, [functions.find(value.function).argument_uses] * len(value.args)
    counts = Counter(re.findall(r"\b_(\w+)", sql))
    everywhere = max(counts["all"], counts["rest"])
    return len(sql), [max(counts[str(place)], everywhere) for place in range(len(value.args))]


def _reads_other_row(value: Call) -> bool:
    row = functions.find(value.function)
    return isinstance(row, functions.WindowFunction) and row.reads_other_row


def _frame(end: str, side: str | None) -> exp.WindowSpec:
    return exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end=end, end_side=side)


@functools.cache
def _type(dialect: str, kind: str) -> exp.DataType:
    return exp.DataType.build(TYPES[dialect][kind], dialect=dialect)


@functools.cache
def _template(sql: str, dialect: str) -> exp.Expression:
    made: Any = lambdas.kept_apart(parse_one(sql, dialect=dialect))
    return exp.Paren(this=made) if isinstance(made, (exp.Binary, exp.Unary, exp.Is, exp.Not)) else made


def filled(template: exp.Expression, args: list[exp.Expression]) -> exp.Expression:
    """Put arguments in the places of a template."""
    root = exp.Paren(this=template.copy())
    used: set[str] = set()
    for column in list(root.find_all(exp.Column)):
        name = column.name
        if name == "_all":
            column.replace(None) if not args else _splice(column, args)
        elif name[:1] == "_" and name[1:].isdigit():
            arg = args[int(name[1:])]
            column.replace(arg.copy() if name in used else arg)
            used.add(name)
    inner: exp.Expression = root.this.pop()
    return inner


def _splice(column: exp.Expression, args: list[exp.Expression]) -> None:
    parent = column.parent
    assert parent is not None
    if column.arg_key == "expressions":
        parent.set("expressions", args)
    else:  # functions whose first argument is apart: least, greatest, coalesce
        parent.set(column.arg_key or "this", args[0])
        parent.set("expressions", args[1:])


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


def _moment(emitter: ScalarEmitter, value: int) -> exp.Expression:
    text = (EPOCH + datetime.timedelta(microseconds=value)).isoformat(" ")
    if emitter.dialect == "clickhouse":
        return exp.Anonymous(
            this="toDateTime64",
            expressions=[exp.Literal.string(text), exp.Literal.number(6), exp.Literal.string("UTC")],
        )
    return emitter.typed(exp.Literal.string(text), "datetime")


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
    "datetime": _moment,
    "dynamic": _dynamic,
}


# Calls that no template can say


def _junction(kind: type[exp.Connector]) -> Callable[[ScalarEmitter, Call], exp.Expression]:
    def emit(emitter: ScalarEmitter, value: Call) -> exp.Expression:
        parts = [emitter.emit(arg) for arg in value.args]
        return exp.Paren(this=_balanced(kind, parts)) if len(parts) > 1 else parts[0]

    return emit


# Balanced, so that a thousand alternatives are ten levels deep.
def _balanced(kind: type[exp.Connector], parts: list[exp.Expression]) -> exp.Expression:
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return exp.Paren(this=kind(this=_balanced(kind, parts[:half]), expression=_balanced(kind, parts[half:])))


def _in(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    first, *items = (emitter.emit(arg) for arg in value.args)
    return exp.Paren(this=exp.In(this=first, expressions=items))


# Kusto's ``null in (1)`` is false, and ``null !in (1)`` therefore true.
def _in_or_false(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    found = _in(emitter, value)
    if value.args[0].type == "string":
        return found
    return exp.Coalesce(this=found, expressions=[exp.false()])


# ``a.b.c`` is one path: each step on its own would parse the whole document again.
def _member(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    base, names = _members(value)
    if emitter.dialect == "clickhouse":
        document = exp.func("ifNull", emitter.emit(base), exp.Literal.string("{}"), dialect="clickhouse")
        raw = exp.Anonymous(this="JSONExtractRaw", expressions=[document, *map(emitter.emit, names)])
        return filled(_template("nullIf(nullIf(_0, ''), 'null')", "clickhouse"), [raw])
    return filled(
        _template("nullif(json_extract(_0, _1), 'null')", "duckdb"), [emitter.emit(base), _path(emitter, names)]
    )


def _members(value: Call) -> tuple[Scalar, list[Scalar]]:
    base, name = value.args
    names = [name]
    while isinstance(name, Const) and isinstance(base, Call) and base.function == "member":
        base, name = base.args
        names.insert(0, name)
    return base, names


def _path(emitter: ScalarEmitter, names: list[Scalar]) -> exp.Expression:
    if not isinstance(names[0], Const):
        steps = "".join(
            f".{json.dumps(name.value, ensure_ascii=False)}" for name in names[1:] if isinstance(name, Const)
        )
        first = filled(_template("concat('$.', to_json(_0))", "duckdb"), [emitter.emit(names[0])])
        return filled(_template("concat(_0, _1)", "duckdb"), [first, exp.Literal.string(steps)]) if steps else first
    return exp.Literal.string(
        "$" + "".join(f".{json.dumps(name.value, ensure_ascii=False)}" for name in names if isinstance(name, Const))
    )


# The text of a member comes of the same one reading.
def _tostring(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    inner = value.args[0]
    if emitter.dialect == "duckdb" and isinstance(inner, Call) and inner.function == "member":
        base, names = _members(inner)
        args = [emitter.emit(base), _path(emitter, names)]
        return filled(_template("coalesce(json_extract_string(_0, _1), '')", "duckdb"), args)
    return emitter.templated(value)


# ILIKE finds the few candidates without making lower-case copies, in a quarter of the pattern's
# time; a _ or % in the word makes more candidates, and the pattern decides.
def _term(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    text, pattern, word = value.args
    if emitter.dialect == "clickhouse" or not isinstance(word, Const):
        return emitter.templated(value)
    anywhere = exp.Literal.string(f"%{word.value}%")
    args = [emitter.emit(text), emitter.emit(pattern), anywhere]
    return filled(_template("_0 ILIKE _2 AND regexp_matches(_0, _1)", "duckdb"), args)


def _element(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    args = [emitter.emit(arg) for arg in value.args]
    if emitter.dialect == "clickhouse":
        sql = "if(_1 IS NOT NULL AND startsWith(_0, '['), nullIf(nullIf(JSONExtractRaw(assumeNotNull(_0), assumeNotNull(toInt64(if(_1 < 0, _1, _1 + 1)))), ''), 'null'), NULL)"
        return filled(_template(sql, "clickhouse"), args)
    sql = "nullif(json_extract(_0, '$[' || CASE WHEN _1 < 0 THEN '#' ELSE '' END || CAST(_1 AS TEXT) || ']'), 'null')"
    return filled(_template(sql, "duckdb"), args)


def _pack(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    args = [emitter.emit(arg) for arg in value.args]
    if emitter.dialect == "duckdb":
        return exp.Anonymous(this="json_object", expressions=args)
    parts: list[exp.Expression] = [exp.Literal.string("{")]
    for number, (name, item) in enumerate(zip(args[::2], args[1::2], strict=True)):
        parts += [exp.Literal.string(",")] * (number > 0)
        parts += [exp.Anonymous(this="toJSONString", expressions=[name]), exp.Literal.string(":"), _or_null(item)]
    return exp.Anonymous(this="concat", expressions=[*parts, exp.Literal.string("}")])


def _or_null(item: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="ifNull", expressions=[item, exp.Literal.string("null")])


def _pack_array(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    args = [emitter.emit(arg) for arg in value.args]
    if emitter.dialect == "duckdb":
        return exp.Anonymous(this="json_array", expressions=args)
    parts: list[exp.Expression] = [exp.Literal.string("[")]
    for number, item in enumerate(args):
        parts += [exp.Literal.string(",")] * (number > 0) + [_or_null(item)]
    return exp.Anonymous(this="concat", expressions=[*parts, exp.Literal.string("]")])


def _coalesce_text(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    parts = [filled(_template("nullif(_0, '')", "duckdb"), [emitter.emit(arg)]) for arg in value.args]
    return exp.Anonymous(this="coalesce", expressions=[*parts, exp.Literal.string("")])


_NEGATED = {"long", "int", "real", "timespan"}


# ClickHouse's groupArray takes rows as they come, so the keys go with the values. All keys are sorted
# in the direction of the first; null is the least, as in Kusto.
def _sorted_groups(emitter: ScalarEmitter, plain: exp.Expression, item: Scalar, keys: list[Call]) -> exp.Expression:
    parts = []
    for key in keys:
        made, flag = emitter.emit(key.args[0]), "_0 IS NOT NULL"
        if key.function != keys[0].function:
            if key.args[0].type not in _NEGATED:
                raise Unsupported("a list in the order of texts, some rising, some falling")
            made, flag = exp.Neg(this=made), "_0 IS NULL"
        parts += [filled(_template(flag, "clickhouse"), [made.copy()]), made]
    names = ", ".join(f"_{number + 2}" for number in range(len(parts)))
    sort = "arrayReverseSort" if keys[0].function == "ordered_down" else "arraySort"
    sql = (
        f"arrayMap(r -> tupleElement(r, 2), {sort}(r -> tupleElement(r, 1),"
        f" groupArrayIf(tuple(tuple({names}), _0), _1)))"
    )
    value = emitter.emit(item)
    present = filled(_template("_0 IS NOT NULL", "clickhouse"), [value.copy()])
    ordered = filled(_template(sql, "clickhouse"), [value, present, *parts])
    grouped: Any = next(node for node in plain.walk() if isinstance(node, exp.Func) and node.name == "groupArray")
    if grouped is plain:
        return ordered
    grouped.replace(ordered)
    return plain


def _ordered_list(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    item, limit, *given = value.args
    # DuckDB refuses to order by a constant, which orders nothing.
    keys = [key for key in given if isinstance(key, Call) and not isinstance(key.args[0], Const)]
    plain = emitter.call(Call("list_json", (item, limit), "dynamic"))
    if not keys:
        return plain
    if emitter.dialect == "clickhouse":
        return _sorted_groups(emitter, plain, item, keys)
    downs = [(key.args[0], key.function == "ordered_down") for key in keys]
    ordered = emitter.order(Key(key, descending=down, nulls_first=not down) for key, down in downs)
    listed = _template(
        "to_json(coalesce(array_slice(list(_0 ORDER BY _2) FILTER (WHERE _0 IS NOT NULL), 1, _1), []))", "duckdb"
    )
    made = filled(listed, [emitter.emit(item), emitter.emit(limit), exp.null()])
    order = made.find(exp.Order)
    assert order is not None
    order.set("expressions", ordered.expressions)
    return made


def _format_datetime(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    moment, form = value.args
    assert isinstance(form, Const)
    pieces = [_piece(emitter, moment, text, code) for text, code in FORMAT_PARTS(form.value)]
    return filled(
        _template("CASE WHEN _0 IS NULL THEN '' ELSE _1 END", emitter.dialect),
        [emitter.emit(moment), exp.Anonymous(this="concat", expressions=[exp.Literal.string(""), *pieces])],
    )


def _extract_groups(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    groups = [place.value for place in value.args[2:] if isinstance(place, Const)]
    template = _template(texts.groups_sql(emitter.dialect, groups), emitter.dialect)
    pattern = value.args[0]
    assert isinstance(pattern, Const)
    alone = [Const("string", regex_groups.only(pattern.value, group)) for group in groups]
    return filled(template, [emitter.emit(arg) for arg in (*value.args[:2], *alone)])


def _drawn(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    """Mark each draw of lots: ClickHouse computes equal calls once, and gives all the same number."""

    def marked(node: exp.Expression) -> exp.Expression:
        name = "randCanonical" if isinstance(node, exp.Rand) else node.name
        if name not in {"randCanonical", "generateUUIDv4"}:
            return node
        return exp.Anonymous(this=name, expressions=[exp.Literal.number(next(emitter.draws))])

    made = emitter.templated(value)
    return made if emitter.dialect == "duckdb" else made.transform(marked)


def _format_timespan(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    length, form = value.args
    assert isinstance(form, Const)
    pieces = texts.timespan_pieces(form.value, emitter.dialect) or []
    sql = f"CASE WHEN _0 IS NULL THEN '' ELSE concat('', {', '.join(pieces or [chr(39) * 2])}) END"
    return filled(_template(sql, emitter.dialect), [emitter.emit(length)])


def _piece(emitter: ScalarEmitter, moment: Scalar, text: str, code: tuple[str, str] | None) -> exp.Expression:
    if code is None:
        return exp.Literal.string(text)
    return filled(_template(code[emitter.dialect != "duckdb"], emitter.dialect), [emitter.emit(moment)])


def FORMAT_PARTS(form: str) -> list[tuple[str, tuple[str, str] | None]]:  # noqa: N802
    """Split a datetime format into its codes and the text between."""
    found: list[tuple[str, tuple[str, str] | None]] = []
    at = 0
    while at < len(form):
        run = len(form[at:]) - len(form[at:].lstrip(form[at]))
        word = form[at : at + run]
        code = FORMATS.get(word) or (_fraction(word) if word[0] in "fF" else None)
        found.append((word, code))
        at += run
    return found


def _fraction(word: str) -> tuple[str, str]:
    size = min(len(word), 7)
    duck = f"substring(concat(strftime(_0, '%f'), '0'), 1, {size})"
    click = f"substring(concat(formatDateTime(_0, '%f'), '0'), 1, {size})"
    if word[0] == "F":  # writes no zeros at the end
        return f"rtrim({duck}, '0')", f"trim(TRAILING '0' FROM {click})"
    return duck, click


FORMATS = {
    "yyyy": ("strftime(_0, '%Y')", "formatDateTime(_0, '%Y')"),
    "y": ("CAST(year(_0) % 100 AS TEXT)", "toString(toYear(_0) % 100)"),
    "yy": ("strftime(_0, '%y')", "formatDateTime(_0, '%y')"),
    "MM": ("strftime(_0, '%m')", "formatDateTime(_0, '%m')"),
    "M": ("CAST(month(_0) AS TEXT)", "toString(toMonth(_0))"),
    "dd": ("strftime(_0, '%d')", "formatDateTime(_0, '%d')"),
    "d": ("CAST(day(_0) AS TEXT)", "toString(toDayOfMonth(_0))"),
    "HH": ("strftime(_0, '%H')", "formatDateTime(_0, '%H')"),
    "H": ("CAST(hour(_0) AS TEXT)", "toString(toHour(_0))"),
    "hh": ("strftime(_0, '%I')", "formatDateTime(_0, '%h')"),
    "h": ("CAST((hour(_0) + 11) % 12 + 1 AS TEXT)", "toString((toHour(_0) + 11) % 12 + 1)"),
    "mm": ("strftime(_0, '%M')", "formatDateTime(_0, '%i')"),
    "m": ("CAST(minute(_0) AS TEXT)", "toString(toMinute(_0))"),
    "ss": ("strftime(_0, '%S')", "formatDateTime(_0, '%S')"),
    "s": ("CAST(second(_0) AS TEXT)", "toString(toSecond(_0))"),
    "tt": ("strftime(_0, '%p')", "formatDateTime(_0, '%p')"),
}


# What is no number is neither larger nor smaller.
def _compared(self: ScalarEmitter, value: Call) -> exp.Expression:
    larger = value.args[value.function.startswith("<")]
    made = self.templated(value)
    if self.dialect != "duckdb" or not _may_be_nan(larger):
        return made
    return exp.And(this=exp.Paren(this=made), expression=filled(_template(IS_NUMBER, "duckdb"), [self.emit(larger)]))


def _may_be_nan(value: Scalar) -> bool:
    if isinstance(value, Const):
        return isinstance(value.value, float) and math.isnan(value.value)
    return value.type == "real"


CALLS: dict[str, Callable[[ScalarEmitter, Call], exp.Expression]] = {
    "and": _junction(exp.And),
    **dict.fromkeys(("<", "<=", ">", ">="), _compared),
    "or": _junction(exp.Or),
    "in": _in_or_false,
    "infilter": _in,
    "member": _member,
    "tostring": _tostring,
    "has": _term,
    "term": _term,
    "element": _element,
    "bag_pack": _pack,
    "pack_array": _pack_array,
    "coalesce_text": _coalesce_text,
    "list_json_ordered": _ordered_list,
    "format_datetime": _format_datetime,
    "format_timespan": _format_timespan,
    "rand": _drawn,
    "rand_below": _drawn,
    "new_guid": _drawn,
    "extract_all_groups": _extract_groups,
}
EMITTERS: dict[type, Callable[[ScalarEmitter, Any], exp.Expression]] = {
    Const: ScalarEmitter.const,
    Col: ScalarEmitter.col,
    Call: ScalarEmitter.call,
    Window: ScalarEmitter.window,
    Subquery: ScalarEmitter.subquery,
    InPlan: ScalarEmitter.in_plan,
}
