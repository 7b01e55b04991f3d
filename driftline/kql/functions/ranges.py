"""Arrays of evenly spaced values, sorted arrays, and the index of an element."""

from __future__ import annotations

from driftline.kql.functions.datetime import TEXT_OF_DATETIME, TEXT_OF_TIMESPAN
from driftline.kql.functions.row import Function, Growth, rows
from driftline.kql.functions.sql_lists import CLICK_REAL, Pair, elements, lets

__all__ = ["MOST_ELEMENTS", "RANGES"]

MOST_ELEMENTS = 1_048_576  # of an array, as in Kusto, whose range() silently drops all others
BACKWARDS = "(b < a) <> (d < 0) AND b <> a"
WHOLE = ("(CAST(b AS HUGEINT) - a) // d + 1", "intDiv(toInt128(b) - a, if(d = 0, 1, d)) + 1")
BROKEN = (
    "floor((b - a) / d + 1e-9) + 1",
    "floor((b - a) / d + 1e-9) + 1",
)  # the tolerance allows for sums of 0.1 and the like


def steps(count: Pair, text: Pair, *arguments: Pair, known: str = "{x} IS NOT NULL") -> Pair:
    """Return the templates of the array of the values from ``a`` to ``b`` by a step ``d``.

    ``count`` is the number of values, ``text`` writes one value ``v`` as JSON, and ``arguments`` are ``a``, ``b`` and
    ``d``. The array is null if the condition ``known`` is false of an argument.
    """
    duck = f"CAST(CASE WHEN d = 0 OR {BACKWARDS} THEN 0 ELSE least({count[0]}, {MOST_ELEMENTS}) END AS BIGINT)"
    click = f"toUInt64(if(d = 0 OR ({BACKWARDS}), 0, least({count[1]}, {MOST_ELEMENTS})))"
    listed = lets(
        (
            f"to_json(list_transform(list_transform(range(0, {duck}), lambda i: a + i * d), lambda v: {text[0]}))",
            f"""
                concat(
                    '[',
                    arrayStringConcat(
                        arrayMap(v -> {text[1]}, arrayMap(i -> a + toInt64(i) * d, range({click}))), ','
                    ),
                    ']'
                )""",
        ),
        **{name: (pair[0], f"assumeNotNull({pair[1]})") for name, pair in zip("abd", arguments, strict=True)},
    )
    given = " AND ".join(f"{known.format(x=x)}" for x in ("_0", "_1", "_2"))
    return f"CASE WHEN {given} THEN {listed[0]} END", f"if({given}, {listed[1]}, NULL)"


NUMBERS = (("_0", "_0"), ("_1", "_1"), ("_2", "_2"))
MICROSECONDS = (
    ("epoch_us(_0)", "toUnixTimestamp64Micro(_0)"),
    ("epoch_us(_1)", "toUnixTimestamp64Micro(_1)"),
    ("_2 // 10", "intDiv(_2, 10)"),
)


def quoted(texts: Pair, value: Pair) -> Pair:
    """Return the templates that write a value as a JSON string, from those that write it as text."""
    return texts[0].replace("_0", value[0]), f"concat('\"', {texts[1].replace('_0', value[1])}, '\"')"


MOMENT = quoted(TEXT_OF_DATETIME, ("make_timestamp(v)", "fromUnixTimestamp64Micro(v, 'UTC')"))
NUMBER = ("try_cast(CAST(s[i] AS TEXT) AS DOUBLE)", "toFloat64OrNull(s[i])")
TEXT = ("json_extract_string(s[i], '$')", "if(startsWith(s[i], '\"'), JSONExtractString(s[i]), s[i])")
# Numbers come first, then strings, then other values, in both directions.
KIND = (
    f"CASE WHEN {NUMBER[0]} IS NOT NULL THEN 0 WHEN json_type(s[i]) = 'VARCHAR' THEN 1 ELSE 2 END",
    f"multiIf({NUMBER[1]} IS NOT NULL, 0, startsWith(s[i], '\"'), 1, 2)",
)
PLACES = ("range(1, len(s) + 1)", "arrayEnumerate(s)")


def ordered(direction: str, *, nulls_last: bool) -> Pair:
    """Return the templates that sort the array ``_0`` by the values of ``_1``, which has the same length.

    Elements with equal values keep their order; arrays of different lengths give null.
    """
    sign = "-" if direction == "DESC" else ""
    row = f"{{'a': {sign}({KIND[0]}), 'b': {NUMBER[0]}, 'c': {TEXT[0]}, 'd': {sign}i}}"
    there = f"list_transform(list_filter({PLACES[0]}, lambda i: s[i] IS NOT NULL), lambda i: {row})"
    duck = [
        f"list_transform(list_sort({there}, '{direction}', 'NULLS LAST'), lambda r: {sign}(r['d']))",
        f"list_filter({PLACES[0]}, lambda i: s[i] IS NULL)",
    ]
    key = f"tuple({sign}({KIND[1]}), ifNull({NUMBER[1]}, 0), {TEXT[1]}, {sign}toInt64(i))"
    sort = "arrayReverseSort" if sign else "arraySort"
    click = [
        f"{sort}(i -> {key}, arrayFilter(i -> s[i] <> 'null', {PLACES[1]}))",
        f"arrayFilter(i -> s[i] = 'null', {PLACES[1]})",
    ]
    order = [parts if nulls_last else parts[::-1] for parts in (duck, click)]
    made = lets(
        (
            f"""
                CASE
                WHEN len(s) = len(t)
                    THEN to_json(list_transform(list_concat({", ".join(order[0])}), lambda i: t[i]))
                END""",
            f"""
                if(
                    length(s) = length(t),
                    concat(
                        '[', arrayStringConcat(arrayMap(i -> t[i], arrayConcat({", ".join(order[1])})), ','),
                        ']'
                    ),
                    NULL
                )""",
        ),
        s=(elements("_1")[0], "JSONExtractArrayRaw(ifNull(_1, '[]'))"),
        t=(elements("_0")[0], "JSONExtractArrayRaw(ifNull(_0, '[]'))"),
    )
    arrays = "startsWith(ifNull(_0, ''), '[') AND startsWith(ifNull(_1, ''), '[')"
    return made[0], f"if({arrays}, {made[1]}, NULL)"


def found() -> Pair:
    """Return the templates of the index of an element of the array ``_0``.

    It is the ``_4``-th element equal to ``_1`` among ``_3`` elements (-1: all) from the index ``_2`` on; -1 if there
    is none.
    """
    first = "if(_2 < 0, greatest(toInt64(length(s)) + _2, 0), _2)"
    duck = "CASE WHEN _2 < 0 THEN greatest(len(s) + _2, 0) ELSE _2 END"
    hits = lets(
        (
            """
                list_filter(
                    range(f, CASE WHEN _3 < 0 THEN len(s) ELSE least(f + _3, len(s)) END),
                    lambda i: list_extract(s, i + 1) = CAST(_1 AS JSON)
                )""",
            """
                arrayFilter(
                    i -> i >= f AND (_3 < 0 OR i < f + _3) AND s[i + 1] = assumeNotNull(_1),
                    arrayMap(i -> toInt64(i) - 1, arrayEnumerate(s))
                )""",
        ),
        s=(elements("_0")[0], "JSONExtractArrayRaw(ifNull(_0, '[]'))"),
        f=(duck, f"assumeNotNull({first})"),
    )
    known = lets(("", "if(length(h) < _4, -1, h[assumeNotNull(_4)])"), h=("", hits[1]))[1]
    return (
        f"CASE WHEN _4 >= 1 AND _3 >= -1 THEN coalesce(list_extract({hits[0]}, _4), -1) END",
        f"if(_4 >= 1 AND _3 >= -1, {known}, NULL)",
    )


RANGES = rows(
    [
        Function(
            "range", "any any any?", "dynamic", doc="Return an array of evenly spaced numbers, datetimes or timespans."
        ),
        Function(
            "range_whole",
            "long long long",
            "dynamic",
            sql=steps(WHOLE, ("v", "toString(v)"), *NUMBERS),
            growth=Growth.STEPS,
        ),
        Function(
            "range_real",
            "real real real",
            "dynamic",
            sql=steps(BROKEN, ("v", CLICK_REAL.format(x="v")), *NUMBERS, known="abs({x}) < 1e300"),
            growth=Growth.STEPS,
        ),
        Function(
            "range_spans",
            "timespan timespan timespan",
            "dynamic",
            sql=steps(WHOLE, quoted(TEXT_OF_TIMESPAN, ("v", "v")), *NUMBERS),
            growth=Growth.STEPS,
        ),
        Function(
            "range_moments",
            "datetime datetime timespan",
            "dynamic",
            sql=steps(WHOLE, MOMENT, *MICROSECONDS),
            growth=Growth.STEPS_IN_TICKS,
        ),
        Function("array_sort_up", "dynamic dynamic", "dynamic", sql=ordered("ASC", nulls_last=True)),
        Function("array_sort_down", "dynamic dynamic", "dynamic", sql=ordered("DESC", nulls_last=True)),
        Function("array_sort_up_nulls", "dynamic dynamic", "dynamic", sql=ordered("ASC", nulls_last=False)),
        Function("array_sort_down_nulls", "dynamic dynamic", "dynamic", sql=ordered("DESC", nulls_last=False)),
        Function(
            "array_sort_asc",
            "dynamic* bool?",
            "dynamic",
            column_for_each_argument=True,
            doc="Sort an array ascending, and other arrays in the same order; nulls last, or first with false.",
        ),
        Function(
            "array_sort_desc",
            "dynamic* bool?",
            "dynamic",
            column_for_each_argument=True,
            doc="Sort an array descending, and other arrays in the same order; nulls last, or first with false.",
        ),
        Function("array_place", "dynamic json long long long", "long", sql=found()),
        Function(
            "array_index_of",
            "dynamic json long? long? long?",
            "long",
            doc="Return the index of an element, or -1 for none. Optional: start, length, occurrence.",
        ),
    ]
)
