"""Scalars for ClickHouse: types, windows, and the calls that need code."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp

from driftline.kql import functions
from driftline.kql.dialects import formats
from driftline.kql.dialects.scalars import CALLS, ScalarEmitter, Unsupported, frame
from driftline.kql.plan.nodes import Call, Const, Scalar, Window

__all__ = ["ClickHouseScalars"]

NEGATABLE = frozenset(["long", "int", "real", "timespan"])


# ``a.b.c`` is one path: a step for each property would parse the whole document at each step.
def _member(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    base, name = value.args
    names = [name]
    while isinstance(name, Const) and isinstance(base, Call) and base.function == "member":
        base, name = base.args
        names.insert(0, name)
    path = ", ".join(f"_{place}" for place in range(1, len(names) + 1))
    return emitter.fill(f"nullIf(nullIf(JSONExtractRaw(ifNull(_0, '{{}}'), {path}), ''), 'null')", base, *names)


def _element(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    place = "assumeNotNull(toInt64(if(_1 < 0, _1, _1 + 1)))"
    raw = f"JSONExtractRaw(assumeNotNull(_0), {place})"
    sql = f"if(_1 IS NOT NULL AND startsWith(_0, '['), nullIf(nullIf({raw}, ''), 'null'), NULL)"
    return emitter.fill(sql, *value.args)


def _bag_pack(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    args = [emitter.emit(arg) for arg in value.args]
    parts: list[exp.Expression] = [exp.Literal.string("{")]
    for number, (name, item) in enumerate(zip(args[::2], args[1::2], strict=True)):
        parts += [exp.Literal.string(",")] * (number > 0)
        parts += [exp.Anonymous(this="toJSONString", expressions=[name]), exp.Literal.string(":"), _or_null(item)]
    return exp.Anonymous(this="concat", expressions=[*parts, exp.Literal.string("}")])


def _pack_array(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    parts: list[exp.Expression] = [exp.Literal.string("[")]
    for number, item in enumerate(value.args):
        parts += [exp.Literal.string(",")] * (number > 0) + [_or_null(emitter.emit(item))]
    return exp.Anonymous(this="concat", expressions=[*parts, exp.Literal.string("]")])


def _or_null(item: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="ifNull", expressions=[item, exp.Literal.string("null")])


# groupArray takes rows as they come, so the keys go with the values. arraySort sorts all keys in one direction;
# a number that goes the other way is negated. Null is the least value, as in Kusto.
def _ordered_list(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    item, limit, *given = value.args
    keys = [key for key in given if isinstance(key, Call) and not isinstance(key.args[0], Const)]
    plain = emitter.call(Call("list_json", (item, limit), "dynamic"))
    if not keys:
        return plain
    parts = []
    for key in keys:
        made, flag = emitter.emit(key.args[0]), "_0 IS NOT NULL"
        if key.function != keys[0].function:
            if key.args[0].type not in NEGATABLE:
                raise Unsupported("a list in the order of texts, some rising, some falling")
            made, flag = exp.Neg(this=made), "_0 IS NULL"
        parts += [emitter.fill_with(flag, made.copy()), made]
    names = ", ".join(f"_{number + 2}" for number in range(len(parts)))
    sort = "arrayReverseSort" if keys[0].function == "ordered_down" else "arraySort"
    pairs = f"groupArrayIf(tuple(tuple({names}), _0), _1)"
    sql = f"arrayMap(r -> tupleElement(r, 2), {sort}(r -> tupleElement(r, 1), {pairs}))"
    of_item = emitter.emit(item)
    present = emitter.fill_with("_0 IS NOT NULL", of_item.copy())
    ordered = emitter.fill_with(sql, of_item, present, *parts)
    grouped: Any = next(node for node in plain.walk() if isinstance(node, exp.Func) and node.name == "groupArray")
    if grouped is plain:
        return ordered
    grouped.replace(ordered)
    return plain


def _format_timespan(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    length, form = value.args
    assert isinstance(form, Const)

    def padded(number: str, size: int) -> str:
        text = f"toString({number})"
        return f"leftPad({text}, CAST(greatest({size}, lengthUTF8({text})) AS INT), '0')"

    sql = formats.timespan_template(
        form.value, padded, lambda ticks: f"intDiv(abs(_0), {ticks})", lambda text: f"trimRight({text}, '0')"
    )
    return emitter.fill(sql, length)


def _extract_groups(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    groups = [place.value for place in value.args[2:] if isinstance(place, Const)]
    picked = ", ".join(f"g[{group}]" for group in groups)
    matches = f"arrayMap(g -> [{picked}], extractAllGroupsVertical(_1, _0))"
    return emitter.fill(f"if(match(_1, _0), toJSONString({matches}), NULL)", *value.args[:2])


# ClickHouse computes equal calls once and gives all of them the same random number; an argument makes them differ.
def _drawn(emitter: ScalarEmitter, value: Call) -> exp.Expression:
    def marked(node: exp.Expression) -> exp.Expression:
        name = "randCanonical" if isinstance(node, exp.Rand) else node.name
        if name not in {"randCanonical", "generateUUIDv4"}:
            return node
        return exp.Anonymous(this=name, expressions=[exp.Literal.number(next(emitter.draws))])

    return emitter.templated(value).transform(marked)


def _zone_of_column(_: ScalarEmitter, value: Call) -> exp.Expression:
    raise Unsupported(f"{value.function.removesuffix('_of')} with a time zone that is no constant")


class ClickHouseScalars(ScalarEmitter):
    """Emitter of scalars for ClickHouse."""

    dialect = "clickhouse"
    types: ClassVar = {
        "bool": "Nullable(Bool)",
        "int": "Nullable(Int32)",
        "long": "Nullable(Int64)",
        "real": "Nullable(Float64)",
        "string": "String",
        "guid": "Nullable(String)",
        "decimal": "Nullable(String)",
        "datetime": "Nullable(DateTime64(6, 'UTC'))",
        "timespan": "Nullable(Int64)",
        "dynamic": "Nullable(String)",
    }
    calls: ClassVar = {
        **CALLS,
        "member": _member,
        "element": _element,
        "bag_pack": _bag_pack,
        "pack_array": _pack_array,
        "list_json_ordered": _ordered_list,
        "format_timespan": _format_timespan,
        "extract_all_groups": _extract_groups,
        "datetime_utc_to_local_of": _zone_of_column,
        "datetime_local_to_utc_of": _zone_of_column,
        "rand": _drawn,
        "rand_below": _drawn,
        "new_guid": _drawn,
    }
    format_parts: ClassVar = {
        "yyyy": "formatDateTime(_0, '%Y')",
        "y": "toString(toYear(_0) % 100)",
        "yy": "formatDateTime(_0, '%y')",
        "MM": "formatDateTime(_0, '%m')",
        "M": "toString(toMonth(_0))",
        "dd": "formatDateTime(_0, '%d')",
        "d": "toString(toDayOfMonth(_0))",
        "HH": "formatDateTime(_0, '%H')",
        "H": "toString(toHour(_0))",
        "hh": "formatDateTime(_0, '%h')",
        "h": "toString((toHour(_0) + 11) % 12 + 1)",
        "mm": "formatDateTime(_0, '%i')",
        "m": "toString(toMinute(_0))",
        "ss": "formatDateTime(_0, '%S')",
        "s": "toString(toSecond(_0))",
        "tt": "formatDateTime(_0, '%p')",
    }

    def datetime(self, text: str) -> exp.Expression:
        arguments = [exp.Literal.string(text), exp.Literal.number(6), exp.Literal.string("UTC")]
        return exp.Anonymous(this="toDateTime64", expressions=arguments)

    def window(self, value: Window) -> exp.Expression:
        made = super().window(value)
        # lagInFrame and leadInFrame read rows of the frame only, which ends at the current row by default.
        if not value.running and _reads_other_row(value.call):
            made.set("spec", frame("UNBOUNDED", "FOLLOWING"))
        # row_number() is unsigned, and a union with a signed column makes a Variant of both.
        return self.typed(made, "long") if value.call.function == "number_row" else made

    # The value of another row and its default must have the very same type.
    def window_function(self, value: Call) -> exp.Expression:
        made = self.call(value)
        if _reads_other_row(value):
            made.expressions[0] = self.typed(made.expressions[0], value.type)
        return made

    def fraction(self, run: str) -> str:
        digits = f"substring(concat(formatDateTime(_0, '%f'), '0'), 1, {min(len(run), formats.FRACTION_DIGITS)})"
        return f"trim(TRAILING '0' FROM {digits})" if run[0] == "F" else digits


def _reads_other_row(value: Scalar) -> bool:
    row = functions.find(value.function) if isinstance(value, Call) else None
    return isinstance(row, functions.WindowFunction) and row.reads_other_row
