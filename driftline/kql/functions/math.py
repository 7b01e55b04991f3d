"""Arithmetic, comparison, logic and mathematics.

Division of whole numbers by zero is null, and a remainder is never negative. Comparisons with null follow
https://learn.microsoft.com/kusto/query/scalar-data-types/null-values: ``==`` is null only if both sides are.
"""

from __future__ import annotations

from driftline.kql.functions.row import Function, Growth, rows

__all__ = ["MATH"]

# Halves go away from zero, as in Kusto; ClickHouse\'s round() rounds them to even.
HALVES = "if(abs({x} - trunc({x})) = 0.5, trunc({x}) + sign({x}), round({x}))"
POWER = "pow(10, assumeNotNull(toFloat64(ifNull(_1, 0))))"
ROUNDED = (
    {
        "int": "CAST(round(_0, CAST(coalesce(_1, 0) AS INT)) AS INT)",
        "long": "CAST(round(_0, CAST(coalesce(_1, 0) AS INT)) AS BIGINT)",
        "real": "round(_0, CAST(coalesce(_1, 0) AS INT))",
    },
    {
        "int": f"toInt32({HALVES.format(x=f'(_0 * {POWER})')} / {POWER})",
        "long": f"if(ifNull(_1, 0) >= 0, _0, toInt64({HALVES.format(x=f'(_0 * {POWER})')} / {POWER}))",
        "real": f"if(abs(_0 * {POWER}) < 4503599627370496, {HALVES.format(x=f'(_0 * {POWER})')} / {POWER}, _0)",
    },
)
ROUNDED_UP = (
    {"int": "_0", "long": "_0", "real": "ceil(_0)"},
    {"int": "_0", "long": "_0", "real": "ceil(_0)"},
)


def logarithm(name: str) -> tuple[str, str]:
    """Return the templates of a logarithm.

    A number below zero gives null; zero gives minus infinity, where DuckDB would raise an error.
    """
    click = name.replace("ln", "log")
    return (
        f"CASE WHEN _0 > 0 THEN {name}(_0) WHEN _0 = 0 THEN CAST('-inf' AS DOUBLE) WHEN isnan(_0) THEN _0 END",
        f"if(_0 < 0, NULL, {click}(_0))",
    )


def shifted(duck: str, click: str) -> tuple[str, str]:
    """Return the templates of a shift by a count of bits modulo 64; null for a negative count."""
    return (
        f"CASE WHEN _1 >= 0 THEN {duck.format(bits='(_1 % 64)')} END",
        f"if(_1 >= 0, {click.format(bits='bitAnd(_1, 63)')}, NULL)",
    )


# DuckDB raises an error for a bit shifted out and for a negative number, hence the wider type and the remainder.
SHIFTED_LEFT = shifted(
    """
        CAST(
            (
                ((CAST(_0 AS HUGEINT) & ((1::HUGEINT << (64 - {bits})) - 1)) << {bits}) + 9223372036854775808
            ) % 18446744073709551616 - 9223372036854775808 AS BIGINT
        )""",
    "bitShiftLeft(_0, {bits})",
)
MATH = rows(
    [
        Function("+", "span span", "common", both="_0 + _1", symbol="+", doc="Add two values."),
        Function(
            "-", "span span", "common", both="_0 - _1", symbol="-", doc="Subtract the second value from the first."
        ),
        Function("*", "span span", "common", both="_0 * _1", symbol="*", doc="Multiply two values."),
        Function(
            "/whole",
            "long long",
            "long",
            duckdb="_0 // nullif(_1, 0)",
            clickhouse="if(_1 = 0, NULL, intDiv(_0, nullIf(_1, 0)))",
        ),
        Function("/real", "real real", "real", duckdb="CAST(_0 AS DOUBLE) / CAST(_1 AS DOUBLE)", clickhouse="_0 / _1"),
        Function(
            "%",
            "span span",
            "common",
            duckdb="((_0 % nullif(abs(_1), 0)) + abs(_1)) % nullif(abs(_1), 0)",
            clickhouse="positiveModulo(_0, nullIf(abs(_1), 0))",
            doc="Return the remainder of a division, never negative.",
        ),
        Function("negate", "span", "same", both="-(_0)"),
        Function("not", "bool", "bool", both="NOT (_0)", doc="Negate a condition; null stays null."),
        Function(
            "==string",
            "string string",
            "bool",
            both="_0 = _1",
            false_if_empty=True,
            equality=True,
            term_bounds=(True, True),
            symbol="==",
        ),
        Function("!=string", "string string", "bool", both="_0 <> _1", symbol="!="),
        Function(
            "==",
            "any any",
            "bool",
            both="CASE WHEN _0 IS NULL AND _1 IS NULL THEN NULL ELSE coalesce(_0 = _1, FALSE) END",
            in_filter="==filter",
            mirrored="==",
            symbol="==",
            doc="Return true if two values are equal; null only if both are null.",
        ),
        Function(
            "!=",
            "any any",
            "bool",
            both="CASE WHEN _0 IS NULL AND _1 IS NULL THEN NULL ELSE coalesce(_0 <> _1, TRUE) END",
            in_filter="!=filter",
            symbol="!=",
            doc="Return true if two values are not equal; null only if both are null.",
        ),
        Function(
            "==filter",
            "any any",
            "bool",
            both="_0 = _1",
            false_if_empty=True,
            equality=True,
            term_bounds=(True, True),
            mirrored="==",
            symbol="==",
        ),
        Function(
            "!=filter",
            "any any",
            "bool",
            duckdb="_0 IS DISTINCT FROM _1",
            clickhouse="ifNull(_0 <> _1, (_0 IS NULL) <> (_1 IS NULL))",
            symbol="!=",
        ),
        Function(
            "<",
            "any any",
            "bool",
            both="_0 < _1",
            mirrored=">",
            symbol="<",
            doc="Return true if the first value is less.",
        ),
        Function(
            "<=",
            "any any",
            "bool",
            both="_0 <= _1",
            mirrored=">=",
            symbol="<=",
            doc="Return true if the first value is less or equal.",
        ),
        Function(
            ">",
            "any any",
            "bool",
            both="_0 > _1",
            mirrored="<",
            symbol=">",
            doc="Return true if the first value is greater.",
        ),
        Function(
            ">=",
            "any any",
            "bool",
            both="_0 >= _1",
            mirrored="<=",
            symbol=">=",
            doc="Return true if the first value is greater or equal.",
        ),
        Function("abs", "span", "same", both="abs(_0)", column_name="{0}", doc="Return the absolute value."),
        Function(
            "sign",
            "number",
            "real",
            duckdb="CAST(sign(_0) AS DOUBLE)",
            clickhouse="toFloat64(sign(_0))",
            doc="Return the sign of a number: -1, 0 or 1.",
        ),
        Function("ceiling", "number", "same", sql=ROUNDED_UP, column_name="{0}", doc="Round up to a whole number."),
        Function(
            "round",
            "number long?",
            "same",
            sql=ROUNDED,
            column_name="{0}",
            doc="Round to a number of digits, halves away from zero.",
        ),
        Function(
            "sqrt",
            "real",
            "real",
            duckdb="CASE WHEN _0 >= 0 THEN sqrt(_0) END",
            clickhouse="if(_0 < 0, NULL, sqrt(_0))",
            column_name="{0}",
            doc="Return the square root; null for a negative number.",
        ),
        Function("exp", "real", "real", both="exp(_0)", column_name="{0}", doc="Return e raised to a power."),
        Function("exp2", "real", "real", both="pow(2, _0)", column_name="{0}", doc="Return 2 raised to a power."),
        Function("exp10", "real", "real", both="pow(10, _0)", column_name="{0}", doc="Return 10 raised to a power."),
        Function(
            "log",
            "real",
            "real",
            sql=logarithm("ln"),
            column_name="{0}",
            doc="Return the natural logarithm; null for a negative number.",
        ),
        Function(
            "log2",
            "real",
            "real",
            sql=logarithm("log2"),
            column_name="{0}",
            doc="Return the base-2 logarithm; null for a negative number.",
        ),
        Function(
            "log10",
            "real",
            "real",
            sql=logarithm("log10"),
            column_name="{0}",
            doc="Return the base-10 logarithm; null for a negative number.",
        ),
        Function(
            "pow", "real real", "real", both="pow(_0, _1)", column_name="{0}", doc="Return a base raised to a power."
        ),
        Function("pi", "", "real", both="pi()", doc="Return the constant pi."),
        Function(
            "sin", "real", "real", both="sin(_0)", column_name="{0}", doc="Return the sine of an angle in radians."
        ),
        Function(
            "cos", "real", "real", both="cos(_0)", column_name="{0}", doc="Return the cosine of an angle in radians."
        ),
        Function(
            "tan", "real", "real", both="tan(_0)", column_name="{0}", doc="Return the tangent of an angle in radians."
        ),
        Function("cot", "real", "real", both="1 / tan(_0)", doc="Return the cotangent of an angle in radians."),
        Function(
            "asin",
            "real",
            "real",
            both="CASE WHEN abs(_0) <= 1 THEN asin(_0) END",
            column_name="{0}",
            doc="Return the arc sine in radians; null outside of -1 to 1.",
        ),
        Function(
            "acos",
            "real",
            "real",
            both="CASE WHEN abs(_0) <= 1 THEN acos(_0) END",
            column_name="{0}",
            doc="Return the arc cosine in radians; null outside of -1 to 1.",
        ),
        Function("atan", "real", "real", both="atan(_0)", column_name="{0}", doc="Return the arc tangent in radians."),
        Function(
            "atan2",
            "real real",
            "real",
            both="atan2(_0, _1)",
            column_name="{0}",
            doc="Return the angle, in radians, between the x axis and a point (y, x).",
        ),
        Function("degrees", "real", "real", both="degrees(_0)", doc="Convert radians to degrees."),
        Function("radians", "real", "real", both="radians(_0)", doc="Convert degrees to radians."),
        Function(
            "gamma",
            "real",
            "real",
            duckdb="gamma(_0)",
            clickhouse="tgamma(_0)",
            column_name="{0}",
            doc="Return the gamma function of a number.",
        ),
        Function(
            "loggamma",
            "real",
            "real",
            duckdb="lgamma(_0)",
            clickhouse="if(isFinite(_0) AND isNaN(lgamma(_0)), inf, lgamma(_0))",
            column_name="{0}",
            doc="Return the natural logarithm of the absolute value of the gamma function.",
        ),
        Function(
            "isnan",
            "real",
            "bool",
            duckdb="isnan(_0)",
            clickhouse="isNaN(_0) = 1",
            doc="Return true if a number is NaN.",
        ),
        Function(
            "isinf",
            "real",
            "bool",
            duckdb="isinf(_0)",
            clickhouse="isInfinite(_0) = 1",
            doc="Return true if a number is positive or negative infinity.",
        ),
        Function(
            "isfinite",
            "real",
            "bool",
            duckdb="isfinite(_0)",
            clickhouse="isFinite(_0) = 1",
            doc="Return true if a number is neither infinite nor NaN.",
        ),
        Function(
            "rand",
            "long?",
            "real",
            duckdb="random()",
            clickhouse="randCanonical()",
            column_name="{0}",
            volatile=True,
            doc="Return a random number from 0 to 1, or a whole number below the argument.",
        ),
        Function(
            "rand_below",
            "long",
            "real",
            duckdb="floor(random() * _0)",
            clickhouse="floor(randCanonical() * _0)",
            volatile=True,
        ),
        Function(
            "min_of", "any*", "common", both="least(_all)", growth=Growth.LARGEST, doc="Return the least argument."
        ),
        Function(
            "max_of",
            "any*",
            "common",
            both="greatest(_all)",
            growth=Growth.LARGEST,
            doc="Return the greatest argument.",
        ),
        Function(
            "coalesce",
            "any*",
            "common",
            growth=Growth.LARGEST,
            doc="Return the first argument that is not null or, for strings, not empty.",
        ),
        Function("coalesce_null", "any*", "common", both="coalesce(_all)", growth=Growth.LARGEST),
        Function(
            "binary_and",
            "long long",
            "long",
            duckdb="_0 & _1",
            clickhouse="bitAnd(_0, _1)",
            column_name="{0}",
            doc="Return the bitwise AND of two numbers.",
        ),
        Function(
            "binary_or",
            "long long",
            "long",
            duckdb="_0 | _1",
            clickhouse="bitOr(_0, _1)",
            column_name="{0}",
            doc="Return the bitwise OR of two numbers.",
        ),
        Function(
            "binary_xor",
            "long long",
            "long",
            duckdb="xor(_0, _1)",
            clickhouse="bitXor(_0, _1)",
            column_name="{0}",
            doc="Return the bitwise XOR of two numbers.",
        ),
        Function(
            "binary_not",
            "long",
            "long",
            duckdb="~_0",
            clickhouse="bitNot(_0)",
            column_name="{0}",
            doc="Return the bitwise negation of a number.",
        ),
        Function(
            "binary_shift_left",
            "long long",
            "long",
            sql=SHIFTED_LEFT,
            column_name="{0}",
            doc="Shift the bits of a number left, by a count modulo 64.",
        ),
        Function(
            "binary_shift_right",
            "long long",
            "long",
            sql=shifted("_0 >> {bits}", "bitShiftRight(_0, {bits})"),
            column_name="{0}",
            doc="Shift the bits of a number right, by a count modulo 64.",
        ),
        Function(
            "bitset_count_ones",
            "long",
            "long",
            duckdb="CAST(bit_count(_0) AS BIGINT)",
            clickhouse="toInt64(bitCount(_0))",
            column_name="{0}",
            doc="Return the number of set bits.",
        ),
        Function(
            "iff",
            "bool any any",
            "any",
            aliases=("iif",),
            growth=Growth.LARGEST,
            doc="Return the second argument if the condition is true, else the third; null counts as false.",
        ),
        Function(
            "case",
            "any*",
            "any",
            growth=Growth.LARGEST,
            doc="Return the value of the first condition that is true; the last argument is the default.",
        ),
        Function("choose", "any*", "any", both="CASE WHEN _0 THEN _1 ELSE _2 END", growth=Growth.LARGEST),
        Function(
            "bin",
            "any any",
            "same",
            aliases=("floor",),
            column_name="{0}",
            doc="Round down to a multiple of a bin size; bins of datetimes are aligned at year 1.",
        ),
        Function(
            "bin_auto",
            "any",
            "same",
            column_name="{0}",
            doc="Round down by the request properties query_bin_auto_size and query_bin_auto_at, as bin_at does.",
        ),
        Function(
            "assert", "bool string", "bool", doc="Fail the query with a message if a constant condition is false."
        ),
        Function(
            "bin_at",
            "any any any",
            "same",
            column_name="{0}",
            doc="Round down to a multiple of a bin size, with bins aligned at a fixed point.",
        ),
        Function(
            "bin_number",
            "number number",
            "common",
            duckdb="CASE WHEN _1 > 0 THEN floor(_0 / _1) * _1 END",
            clickhouse="if(_1 > 0, floor(_0 / _1) * _1, NULL)",
        ),
        Function(
            "bin_whole",
            "long long",
            "long",
            duckdb="CASE WHEN _1 > 0 THEN _0 - (((_0 % _1) + _1) % _1) END",
            clickhouse="if(_1 > 0, _0 - positiveModulo(_0, nullIf(_1, 0)), NULL)",
        ),
    ]
)
