"""Scalars for DuckDB: types, the order of NaN, and the calls that need code."""

from __future__ import annotations

import json
from typing import ClassVar

from sqlglot import exp

from driftline.kql.dialects import formats
from driftline.kql.dialects.scalars import CALLS, ScalarEmitter, may_be_nan
from driftline.kql.plan.nodes import Call, Const, Key, Scalar
from driftline.kql.text import regex_groups

__all__ = ["DuckDBScalars"]

# DuckDB orders NaN above all numbers; in Kusto it is neither less nor greater than a number.
IS_NUMBER = "_0 <= CAST('inf' AS DOUBLE)"


def _compared(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    larger = value.args[value.function.startswith("<")]
    made = emitter.templated(value)
    if not may_be_nan(larger):
        return made
    return exp.And(this=exp.Paren(this=made), expression=emitter.fill(IS_NUMBER, larger))


# ``a.b.c`` is one path: a step for each property would parse the whole document at each step.
def _member(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    base, path = _path(emitter, value)
    return emitter.fill_with("nullif(json_extract(_0, _1), 'null')", base, path)


# The text of a property comes out of the same single parse.
def _tostring(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    inner = value.args[0]
    if isinstance(inner, Call) and inner.function == "member":
        base, path = _path(emitter, inner)
        return emitter.fill_with("coalesce(json_extract_string(_0, _1), '')", base, path)
    return emitter.templated(value)


def _path(emitter: ScalarEmitter, value: Call) -> tuple[exp.Expression, exp.Expression]:
    """Return the document that a chain of properties reads, and the JSON path to the last one."""
    base, names = _member_chain(value)
    document = emitter.emit(base)
    quoted = [f".{json.dumps(name.value, ensure_ascii=False)}" for name in names if isinstance(name, Const)]
    if len(quoted) == len(names):
        return document, exp.Literal.string("$" + "".join(quoted))
    first = emitter.fill("concat('$.', to_json(_0))", names[0])
    if not quoted:
        return document, first
    return document, emitter.fill_with("concat(_0, _1)", first, exp.Literal.string("".join(quoted)))


def _member_chain(value: Call) -> tuple[Scalar, list[Scalar]]:
    base, name = value.args
    names = [name]
    while isinstance(name, Const) and isinstance(base, Call) and base.function == "member":
        base, name = base.args
        names.insert(0, name)
    return base, names


def _element(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    place = "'$[' || CASE WHEN _1 < 0 THEN '#' ELSE '' END || CAST(_1 AS TEXT) || ']'"
    return emitter.fill(f"nullif(json_extract(_0, {place}), 'null')", *value.args)


# ILIKE finds the few candidates without lower-case copies, in a quarter of the pattern's time. A _ or %
# in the word only makes more candidates: the pattern decides.
def _term(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    text, pattern, word = value.args
    if not isinstance(word, Const):
        return emitter.templated(value)
    anywhere = Const("string", f"%{word.value}%")
    return emitter.fill("_0 ILIKE _2 AND regexp_matches(_0, _1)", text, pattern, anywhere)


def _bag_pack(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    return exp.Anonymous(this="json_object", expressions=[emitter.emit(arg) for arg in value.args])


def _pack_array(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    return exp.Anonymous(this="json_array", expressions=[emitter.emit(arg) for arg in value.args])


def _ordered_list(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    item, limit, *given = value.args
    # DuckDB refuses to order by a constant, which orders nothing.
    keys = [key for key in given if isinstance(key, Call) and not isinstance(key.args[0], Const)]
    if not keys:
        return emitter.call(Call("list_json", (item, limit), "dynamic"))
    downs = [(key.args[0], key.function == "ordered_down") for key in keys]
    ordered = emitter.order(Key(key, descending=down, nulls_first=not down) for key, down in downs)
    made = emitter.fill_with(
        "to_json(coalesce(array_slice(list(_0 ORDER BY _2) FILTER (WHERE _0 IS NOT NULL), 1, _1), []))",
        emitter.emit(item),
        emitter.emit(limit),
        exp.null(),
    )
    order = made.find(exp.Order)
    assert order is not None
    order.set("expressions", ordered.expressions)
    return made


def _format_timespan(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    length, form = value.args
    assert isinstance(form, Const)

    def padded(number: str, size: int) -> str:
        text = f"CAST({number} AS TEXT)"
        return f"lpad({text}, CAST(greatest({size}, length({text})) AS INT), '0')"

    sql = formats.timespan_template(
        form.value, padded, lambda ticks: f"abs(_0) // {ticks}", lambda text: f"rtrim({text}, '0')"
    )
    return emitter.fill(sql, length)


# DuckDB's regexp_extract_all returns one group of nine at most, so each group has a pattern of its own,
# from _2 on, in which the other groups do not capture.
def _extract_groups(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    groups = [place.value for place in value.args[2:] if isinstance(place, Const)]
    pattern = value.args[0]
    assert isinstance(pattern, Const)
    alone = [Const("string", regex_groups.only(pattern.value, group)) for group in groups]
    columns = ", ".join(
        f"coalesce(list_extract(regexp_extract_all(_1, _{n}, 1), i), '')" for n in range(2, 2 + len(groups))
    )
    places = "range(1, len(regexp_extract_all(_1, _2, 1)) + 1)"
    sql = f"CASE WHEN regexp_matches(_1, _0) THEN to_json(list_transform({places}, lambda i: [{columns}])) END"
    return emitter.fill(sql, *value.args[:2], *alone)


class DuckDBScalars(ScalarEmitter):
    """Emitter of scalars for DuckDB."""

    dialect = "duckdb"
    types: ClassVar = {
        "bool": "BOOLEAN",
        "int": "INTEGER",
        "long": "BIGINT",
        "real": "DOUBLE",
        "string": "TEXT",
        "guid": "TEXT",
        "decimal": "TEXT",
        "datetime": "TIMESTAMP",
        "timespan": "BIGINT",
        "dynamic": "JSON",
    }
    calls: ClassVar = {
        **CALLS,
        **dict.fromkeys(("<", "<=", ">", ">="), _compared),
        "member": _member,
        "tostring": _tostring,
        "has": _term,
        "term": _term,
        "element": _element,
        "bag_pack": _bag_pack,
        "pack_array": _pack_array,
        "list_json_ordered": _ordered_list,
        "format_timespan": _format_timespan,
        "extract_all_groups": _extract_groups,
    }
    format_parts: ClassVar = {
        "yyyy": "strftime(_0, '%Y')",
        "y": "CAST(year(_0) % 100 AS TEXT)",
        "yy": "strftime(_0, '%y')",
        "MM": "strftime(_0, '%m')",
        "M": "CAST(month(_0) AS TEXT)",
        "dd": "strftime(_0, '%d')",
        "d": "CAST(day(_0) AS TEXT)",
        "HH": "strftime(_0, '%H')",
        "H": "CAST(hour(_0) AS TEXT)",
        "hh": "strftime(_0, '%I')",
        "h": "CAST((hour(_0) + 11) % 12 + 1 AS TEXT)",
        "mm": "strftime(_0, '%M')",
        "m": "CAST(minute(_0) AS TEXT)",
        "ss": "strftime(_0, '%S')",
        "s": "CAST(second(_0) AS TEXT)",
        "tt": "strftime(_0, '%p')",
    }

    def order_parts(self, key: Key) -> list[exp.Ordered]:
        parts = super().order_parts(key)
        if not may_be_nan(key.value):
            return parts
        nan = exp.IsNan(this=self.emit(key.value))  # sorts beside the nulls, as in Kusto
        return [exp.Ordered(this=nan, desc=key.nulls_first, nulls_first=key.nulls_first), *parts]

    def fraction(self, run: str) -> str:
        digits = f"substring(concat(strftime(_0, '%f'), '0'), 1, {min(len(run), formats.FRACTION_DIGITS)})"
        return f"rtrim({digits}, '0')" if run[0] == "F" else digits
