"""Element-wise functions, filters and products of series: arrays of numbers, as make-series returns them.

An element that is not a number counts as null. The helpers return a pair of templates: for DuckDB, for
ClickHouse.
"""

from __future__ import annotations

import re

from driftline.kql.functions.row import Function, rows
from driftline.kql.functions.sql_lists import Pair, elements, exact, let, lets, numbers, once, single, written

__all__ = ["SERIES"]


def each(duck: str, click: str = "", *, whole: bool = False, also: str = "TRUE") -> Pair:
    """Return the templates that apply a formula to each number ``e``.

    ``whole`` keeps whole numbers whole, if the condition ``also`` holds.
    """
    body = (f"list_transform(s, lambda e: {duck})", f"arrayMap(e -> {click or duck}, s)")
    return once(exact(let("s", numbers("p"), body), "p", whole=whole, also=also), p="_0")


SIDES = {"right": {"x": "e", "y": "_1"}, "left": {"x": "_1", "y": "e"}}


def beside(formula: str, side: str, *, whole: bool = False) -> Pair:
    """Return the templates of a formula of each number and a single one at a side.

    ``side`` is ``left`` or ``right``; the argument ``_2`` says whether the single number is whole.
    """
    return each(re.sub(r"\b[xy]\b", lambda found: SIDES[side][found[0]], formula), whole=whole, also="_2")


PLACES = (
    "range(1, greatest(len(a), len(b)) + 1)",
    "range(1, greatest(toInt64(length(a)), toInt64(length(b))) + 1)",
)


def pairwise(formula: str, *, whole: bool = False) -> Pair:
    """Return the templates of a formula of the numbers ``x`` and ``y`` with the same index.

    Nulls fill up the shorter array.
    """
    body = (
        f"list_transform({PLACES[0]}, lambda i: {placed(formula)})",
        f"arrayMap(i -> {placed(formula)}, {PLACES[1]})",
    )
    return once(exact(lets(body, a=numbers("p"), b=numbers("q")), "p", "q", whole=whole), p="_0", q="_1")


def placed(formula: str) -> str:
    """Return a formula with the elements ``i`` of the lists ``a`` and ``b`` in place of ``x`` and ``y``."""
    return re.sub(r"\b[xy]\b", lambda found: {"x": "a[i]", "y": "b[i]"}[found[0]], formula)


def truth(left: str, sign: str, right: str) -> str:
    """Return the expression of a comparison as JSON text: ``true``, ``false``, or ``null`` if a side is null."""
    return f"""
            CASE
            WHEN {left} {sign} {right} THEN 'true'
            WHEN {left} IS NOT NULL AND {right} IS NOT NULL THEN 'false'
            ELSE 'null'
            END"""


def compared_beside(sign: str, side: str) -> Pair:
    """Return the templates that compare each number with a single one at a side."""
    text = truth(SIDES[side]["x"], sign, SIDES[side]["y"])
    duck = f"CAST(concat('[', array_to_string(list_transform(s, lambda e: {text}), ','), ']') AS JSON)"
    click = f"concat('[', arrayStringConcat(arrayMap(e -> {text}, s), ','), ']')"
    made = let("s", numbers("p"), (duck, click))
    present = (
        f"CASE WHEN json_type(p) = 'ARRAY' THEN {made[0]} END",
        f"if(startsWith(ifNull(p, ''), '['), {made[1]}, NULL)",
    )
    return once(present, p="_0")


def compared(sign: str) -> Pair:
    """Return the templates that compare the numbers with the same index; null where a side is missing."""
    text = truth("a[i]", sign, "b[i]")
    body = (
        f"CAST(concat('[', array_to_string(list_transform({PLACES[0]}, lambda i: {text}), ','), ']') AS JSON)",
        f"concat('[', arrayStringConcat(arrayMap(i -> {text}, {PLACES[1]}), ','), ']')",
    )
    duck, click = lets(body, a=numbers("_0"), b=numbers("_1"))
    arrays = "json_type(_0) = 'ARRAY' AND json_type(_1) = 'ARRAY'"
    present = "startsWith(ifNull(_0, ''), '[') AND startsWith(ifNull(_1, ''), '[')"
    return f"CASE WHEN {arrays} THEN {duck} END", f"if({present}, {click}, NULL)"


# Missing elements


def missing(number: str, placeholder: str, element: str = "") -> Pair:
    """Return the templates that test for a missing element: null, or equal to the placeholder if there is one."""
    gone = f"{element or number} IS NULL"
    return (
        f"CASE WHEN {placeholder} IS NULL THEN {gone} ELSE coalesce({number} = {placeholder}, FALSE) END",
        f"if({placeholder} IS NULL, {gone}, ifNull({number} = {placeholder}, FALSE))",
    )


def filled(which: str) -> Pair:
    """Return the templates that replace missing elements by the nearest one.

    ``which`` is ``forward`` for the one before or ``backward`` for the one after.
    """
    gone = missing("try_cast(json_extract_string(e, '$') AS DOUBLE)", "_1", "e")
    piece = {"forward": "list_slice(s, 1, i)", "backward": "list_slice(s, i, len(s))"}[which]
    near = f"list_filter({piece}, lambda e: NOT ({gone[0]}))"
    duck = f"""
        list_transform(
            s,
            lambda e, i: CASE
            WHEN len({near}) = 0 THEN e
            ELSE list_extract({near}, {-1 if which == "forward" else 1})
            END
        )"""
    there = missing("toFloat64OrNull(e)", "_1", "e")[1]
    click = f"{'arrayFill' if which == 'forward' else 'arrayReverseFill'}(e -> NOT ({there}), s)"
    return raw((duck, click))


def raw(body: Pair) -> Pair:
    """Return the templates that write a list of JSON texts as an array.

    The body makes it of ``s``, the list of the elements of the first argument.
    """
    duck, click = let("s", elements("_0"), body)
    joined = f"concat('[', arrayStringConcat(arrayMap(o -> ifNull(o, 'null'), {click}), ','), ']')"
    return f"to_json({duck})", f"if(startsWith(ifNull(_0, ''), '['), {joined}, NULL)"


def constant() -> Pair:
    """Return the templates that replace missing elements by the value ``_1``."""
    duck = missing("try_cast(json_extract_string(e, '$') AS DOUBLE)", "_2")[0]
    click = missing("toFloat64OrNull(e)", "_2")[1]
    return raw(
        (
            f"list_transform(s, lambda e: CASE WHEN {duck} THEN _1 ELSE e END)",
            f"arrayMap(e -> if({click}, _1, e), s)",
        )
    )


def linear() -> Pair:
    """Return the templates of a linear interpolation; in an array of whole numbers the fractions are cut off."""
    gone = missing("e", "_1")
    places = (
        f"""
            list_filter(
                range(1, len(s) + 1),
                lambda i: NOT (list_extract(list_transform([s[i]], lambda e: {gone[0]}), 1))
            )""",
        f"arrayFilter((i, e) -> NOT ({gone[1]}), arrayEnumerate(s), s)",
    )
    between = "s[p] + (s[q] - s[p]) * (i - p) / (q - p)"
    near = (
        f"""
            list_transform(
                s,
                lambda e, i: list_extract(
                    list_transform(
                        [list_extract(list_filter(v, lambda j: j <= i), -1)],
                        lambda p: list_extract(
                            list_transform(
                                [list_extract(list_filter(v, lambda j: j >= i), 1)],
                                lambda q: CASE
                                WHEN len(v) = 0 THEN _3
                                WHEN p = q THEN e
                                WHEN p IS NULL OR q IS NULL
                                    THEN (CASE WHEN _2 THEN s[coalesce(p, q)] ELSE e END)
                                WHEN z THEN trunc({between})
                                ELSE {between}
                                END
                            ),
                            1
                        )
                    ),
                    1
                )
            )""",
        f"""
            arrayMap(
                (e, i) -> multiIf(
                    length(v) = 0, _3, has(v, i), e, i < v[1], if(_2, s[v[1]], e), i > v[-1],
                    if(_2, s[v[-1]], e),
                    arrayElement(
                        arrayMap(
                            p -> arrayElement(
                                arrayMap(q -> if(z, trunc({between}), {between}), [arrayFirst(j -> j > i, v)]),
                                1
                            ),
                            [arrayLast(j -> j < i, v)]
                        ),
                        1
                    )
                ),
                s, arrayEnumerate(s)
            )""",
    )
    return once(exact(lets(near, s=numbers("g"), v=places), "g", whole=True), g="_0")


def fir() -> Pair:
    """Return the templates of a finite impulse response filter ``_1``.

    ``_2`` divides by the sum of the filter's weights, ``_3`` centers the filter on each element.
    """
    weight = ("CASE WHEN _2 THEN list_sum(c) ELSE 1 END", f"if(_2, {summed('c')}, 1)")
    shift = ("CASE WHEN _3 THEN (len(c) - 1) // 2 ELSE 0 END", "if(_3, intDiv(length(c) - 1, 2), 0)")
    at = "(CAST(i AS BIGINT) - j + 1 + h)"
    body = (
        f"""
            list_transform(
                s,
                lambda e, i: list_sum(
                    list_transform(
                        c, lambda w, j: w * CASE WHEN {at} BETWEEN 1 AND len(s) THEN s[{at}] ELSE 0 END
                    )
                ) / g
            )""",
        f"""
            arrayMap(
                i -> arraySum(
                    arrayMap(
                        (w, j) -> ifNull(w * if({at} BETWEEN 1 AND length(s), s[{at}], 0), nan), c,
                        arrayEnumerate(c)
                    )
                ) / g,
                arrayEnumerate(s)
            )""",
    )
    return written(lets(body, s=numbers("_0"), c=numbers("_1"), g=weight, h=shift), "_0", "_1")


def summed(name: str) -> str:
    """Return ClickHouse's sum of a list, NaN if an element is null."""
    return f"arraySum(e -> ifNull(e, nan), {name})"


def iir() -> Pair:
    """Return the templates of an infinite impulse response filter: numerators ``b``, denominators ``a``."""
    duck = """
            list_reduce(
                range(1, len(s) + 1),
                lambda y, i: list_append(
                    y,
                    (
                        list_sum(
                            list_transform(
                                b, lambda w, j: w * CASE WHEN i - j >= 0 THEN s[i - j + 1] ELSE 0 END
                            )
                        )
                        - coalesce(
                            list_sum(
                                list_transform(
                                    a,
                                    lambda w, j: CASE WHEN j > 1 AND i - j >= 0 THEN w * y[i - j + 1] ELSE 0 END
                                )
                            ),
                            0
                        )
                    ) / nullif(a[1], 0)
                ),
                CAST([] AS DOUBLE[])
            )"""
    click = """
            arrayFold(
                (y, i) -> arrayPushBack(
                    y,
                    (
                        arraySum(
                            arrayMap(
                                (w, j) -> ifNull(
                                    w * if(toInt64(i) - toInt64(j) >= 0, s[toInt64(i) - toInt64(j) + 1], 0), nan
                                ),
                                b, arrayEnumerate(b)
                            )
                        )
                        - arraySum(
                            arrayMap(
                                (w, j) -> if(
                                    j > 1 AND toInt64(i) - toInt64(j) >= 0,
                                    ifNull(w * y[toInt64(i) - toInt64(j) + 1], nan), 0
                                ),
                                a, arrayEnumerate(a)
                            )
                        )
                    )
                    / ifNull(nullIf(a[1], 0), nan)
                ),
                arrayEnumerate(s), CAST([] AS Array(Float64))
            )"""
    return written(lets((duck, click), s=numbers("_0"), b=numbers("_1"), a=numbers("_2")), "_0", "_1", "_2")


def total(formula: str, names: str) -> Pair:
    """Return the templates of the sum of a formula over the indices ``i`` of lists of the same length."""
    first = names[0]
    return (
        f"coalesce(list_sum(list_transform(range(1, len({first}) + 1), lambda i: {formula})), 0)",
        f"arraySum(arrayMap(i -> {formula}, arrayEnumerate({first})))",
    )


def both(body: Pair) -> Pair:
    """Return the templates of a value of two lists of the same length; null if they are empty or differ in length."""
    duck = f"CASE WHEN len(a) = len(b) AND len(a) > 0 THEN {body[0]} END"
    return single((duck, f"if(length(a) = length(b) AND length(a) > 0, {body[1]}, nan)"), "_0", "_1")


# Indices of the shorter series at which both series have a number.
COMMON = (
    "list_filter(range(1, least(len(a), len(b)) + 1), lambda i: a[i] IS NOT NULL AND b[i] IS NOT NULL)",
    """
        arrayFilter(
            i -> a[i] IS NOT NULL AND b[i] IS NOT NULL,
            range(1, least(toInt64(length(a)), toInt64(length(b))) + 1)
        )""",
)


def products(*formulas: str) -> list[Pair]:
    """Return the templates of sums of formulas over the indices ``i`` at which two series both have numbers."""
    return [
        (f"list_sum(list_transform(c, lambda i: {formula}))", f"arraySum(arrayMap(i -> assumeNotNull({formula}), c))")
        for formula in formulas
    ]


def shared(body: Pair) -> Pair:
    """Return the templates of a value over the common indices ``c`` of two series; null if a series is empty."""
    duck, click = lets(body, a=numbers("_0"), b=numbers("_1"), c=COMMON)
    filled_ones = "json_array_length(_0) > 0 AND json_array_length(_1) > 0"
    clicks = "startsWith(ifNull(_0, ''), '[') AND startsWith(ifNull(_1, ''), '[')"
    filled_too = "JSONLength(ifNull(_0, '')) > 0 AND JSONLength(ifNull(_1, '')) > 0"
    return (
        f"CASE WHEN {filled_ones} THEN {duck} END",
        f"if({clicks} AND {filled_too}, ifNotFinite({click}, NULL), NULL)",
    )


def dot() -> Pair:
    """Return the templates of the dot product of two series."""
    (sums,) = products("a[i] * b[i]")
    return shared((f"coalesce({sums[0]}, 0)", sums[1]))


def cosine() -> Pair:
    """Return the templates of the cosine similarity of two series.

    ``_2`` and ``_3`` are their magnitudes, null to compute them.
    """
    sums = products("a[i] * b[i]", "a[i] * a[i]", "b[i] * b[i]")
    squares = [
        (f"coalesce({given} * {given}, {square[0]})", f"ifNull({given} * {given}, {square[1]})")
        for given, square in zip(("_2", "_3"), sums[1:], strict=True)
    ]
    return shared(
        (
            f"{sums[0][0]} / nullif(sqrt({squares[0][0]} * {squares[1][0]}), 0)",
            f"{sums[0][1]} / sqrt({squares[0][1]} * {squares[1][1]})",
        )
    )


def pearson() -> Pair:
    """Return the templates of the Pearson correlation coefficient of two series."""
    formulas = ("(a[i] - m) * (b[i] - n)", "(a[i] - m) * (a[i] - m)", "(b[i] - n) * (b[i] - n)")
    (dot, click), *squares = (total(formula, "a") for formula in formulas)
    body = (
        f"{dot} / nullif(sqrt({squares[0][0]} * {squares[1][0]}), 0)",
        f"{click} / sqrt({squares[0][1]} * {squares[1][1]})",
    )
    return both(lets(body, m=("list_avg(a)", "arrayAvg(a)"), n=("list_avg(b)", "arrayAvg(b)")))


LENGTH = ("sqrt(coalesce(list_sum(list_transform(a, lambda e: e * e)), 0))", "sqrt(arraySum(e -> e * e, a))")
UNARY = {
    "abs": ("abs(e)", ""),
    "acos": ("CASE WHEN abs(e) <= 1 THEN acos(e) END", ""),
    "asin": ("CASE WHEN abs(e) <= 1 THEN asin(e) END", ""),
    "atan": ("atan(e)", ""),
    "ceiling": ("ceil(e)", ""),
    "cos": ("cos(e)", ""),
    "exp": ("exp(e)", ""),
    "floor": ("floor(e)", ""),
    "log": ("CASE WHEN e > 0 THEN ln(e) WHEN e = 0 THEN CAST('-inf' AS DOUBLE) END", "if(e >= 0, log(e), NULL)"),
    "sign": ("CAST(sign(e) AS DOUBLE)", "toFloat64(sign(e))"),
    "sin": ("sin(e)", ""),
    "tan": ("tan(e)", ""),
}
WHOLE = {"abs", "sign", "add", "subtract", "multiply"}  # whole numbers give whole numbers
BINARY = {
    "add": "x + y",
    "subtract": "x - y",
    "multiply": "x * y",
    "divide": "x / y",
    "pow": "pow(x, y)",
}
COMPARISONS = {
    "equals": "=",
    "not_equals": "<>",
    "less": "<",
    "less_equals": "<=",
    "greater": ">",
    "greater_equals": ">=",
}
FILLS = (
    Function("series_fill_const_of", "dynamic json real", "dynamic", sql=constant()),
    Function(
        "series_fill_const",
        "dynamic any any?",
        "dynamic",
        column_name="{0}",
        doc="Replace missing elements of a series by a value.",
    ),
    Function(
        "series_fill_forward",
        "dynamic real?",
        "dynamic",
        sql=filled("forward"),
        column_name="{0}",
        doc="Replace missing elements of a series by the nearest one before.",
    ),
    Function(
        "series_fill_backward",
        "dynamic real?",
        "dynamic",
        sql=filled("backward"),
        column_name="{0}",
        doc="Replace missing elements of a series by the nearest one after.",
    ),
    Function("series_fill_linear_of", "dynamic real bool real", "dynamic", sql=linear()),
    Function(
        "series_fill_linear",
        "dynamic real? bool? real?",
        "dynamic",
        column_name="{0}",
        doc="Interpolate missing elements of a series linearly; at the edges by the nearest one, unless disabled.",
    ),
)
SERIES = rows(
    [
        *FILLS,
        *(
            Function(
                f"series_{n}",
                "dynamic",
                "dynamic",
                sql=each(*sql, whole=n in WHOLE),
                doc=f"Apply `{n}` to each element of a series.",
            )
            for n, sql in UNARY.items()
        ),
        *(
            Function(
                f"series_{n}",
                "dynamic dynamic",
                "dynamic",
                sql=pairwise(sql, whole=n in WHOLE),
                doc=f"Compute `{sql}` for each element of two series, or of a series and a number.",
            )
            for n, sql in BINARY.items()
        ),
        *(
            Function(
                f"series_{n}",
                "dynamic dynamic",
                "dynamic",
                sql=compared(sign),
                doc=f"Compare the elements of two series, or of a series and a number, by `{sign}`.",
            )
            for n, sign in COMPARISONS.items()
        ),
        *(
            Function(f"series_{n}_{side}", "dynamic real bool", "dynamic", sql=beside(sql, side, whole=n in WHOLE))
            for n, sql in BINARY.items()
            for side in SIDES
        ),
        *(
            Function(f"series_{n}_{side}", "dynamic real bool", "dynamic", sql=compared_beside(sign, side))
            for n, sign in COMPARISONS.items()
            for side in SIDES
        ),
        Function(
            "series_sum",
            "dynamic",
            "real",
            sql=single(("coalesce(list_sum(a), 0)", "arraySum(a)"), "_0"),
            doc="Return the sum of a series.",
        ),
        Function(
            "series_product",
            "dynamic",
            "real",
            sql=single(("coalesce(list_product(a), 1)", "if(empty(a), 1, arrayProduct(a))"), "_0"),
            doc="Return the product of a series.",
        ),
        Function(
            "series_magnitude",
            "dynamic",
            "real",
            sql=single(LENGTH, "_0"),
            doc="Return the magnitude of a series: the square root of its dot product with itself.",
        ),
        Function(
            "series_dot_product",
            "dynamic dynamic",
            "real",
            sql=dot(),
            doc="Return the dot product of two series, or of a series and a number.",
        ),
        Function(
            "series_cosine_similarity",
            "dynamic dynamic real? real?",
            "real",
            sql=cosine(),
            doc="Return the cosine similarity of two series; their magnitudes are optional.",
        ),
        Function(
            "series_pearson_correlation",
            "dynamic dynamic",
            "real",
            sql=pearson(),
            doc="Return the Pearson correlation coefficient of two series of the same length.",
        ),
        Function("series_fir_of", "dynamic dynamic bool bool", "dynamic", sql=fir()),
        Function(
            "series_fir",
            "dynamic dynamic bool? bool?",
            "dynamic",
            column_name="{0}",
            doc="Apply a finite impulse response filter, such as a moving average.",
        ),
        Function(
            "series_iir",
            "dynamic dynamic dynamic",
            "dynamic",
            sql=iir(),
            column_name="{0}",
            doc="Apply an infinite impulse response filter, given by numerators and denominators.",
        ),
    ]
)
